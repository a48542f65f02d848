"""A current whose samples are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosim.biophysics.by_value import by_value
from neurosim.biophysics.injection import CurrentModel, chosen_neurons
from neurosim.biophysics.plain_numbers import convert, is_whole, number, real
from neurosim.schema import InputError
from neurosim.units import plain_field


@by_value
@dataclass(frozen=True, eq=False)
class GivenCurrent:
    """A current whose samples are given, each held until the next; 0 after the last.

    Parameters
    ----------
    values : (time,), or (time, neuron) with a column for every neuron of the population; A, or threshold units
        (discrete neurons).
    time_step : time between two samples, s; a whole number of ``circuit.dt``.
    neurons : places of those that receive it; None is all.

    Raises
    ------
    InputError : no samples, samples that are not finite, a time step that is not above 0.

    Examples
    --------
    >>> ns.biophysics.GivenCurrent([1e-10, 2e-10], 5e-3).values.shape
    (2, 1)
    """

    values: Any
    time_step: float
    neurons: Sequence[int] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "neurons", chosen_neurons(self, self.neurons))
        convert(self, "GivenCurrent", time_step=number)
        values = real(plain_field(self, "values"), "GivenCurrent: values")
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2 or not values.size or not np.isfinite(values).all() or not 0 < self.time_step < 1e4:
            raise InputError(
                f"GivenCurrent: finite values (time,) or (time, neuron) and a time_step above 0 s asked, found "
                f"{values.shape} every {self.time_step:g} s."
            )
        object.__setattr__(self, "values", values)


def begin(record: GivenCurrent, dt: float, size: int, draw: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """Return what gives the current (step, neuron), or (step, 1) where one column is given."""
    held = record.time_step / dt
    if not is_whole(held) or round(held) < 1:
        raise InputError(
            f"GivenCurrent: time_step = {record.time_step:g} s is no whole number of steps of {dt:g} s; resample it."
        )
    if record.values.shape[1] not in (1, size):
        raise InputError(f"GivenCurrent: {record.values.shape[1]} columns are given for {size} neurons; 1 or {size}.")
    ended = np.concatenate([record.values, np.zeros_like(record.values[:1])])
    return lambda steps: ended[np.minimum(steps // round(held), len(record.values))]


CURRENT = CurrentModel(
    "given", GivenCurrent, begin, lambda p: len(p.values) * p.time_step, caption="a current of given samples"
)
