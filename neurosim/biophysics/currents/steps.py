"""A current that steps from one value to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from neurosim.biophysics.by_value import by_value
from neurosim.biophysics.injection import CurrentModel, chosen_neurons
from neurosim.biophysics.plain_numbers import real
from neurosim.schema import InputError
from neurosim.units import plain_field


@by_value
@dataclass(frozen=True, eq=False)
class StepCurrent:
    """A current of `amplitudes` from `times` on: 0 before the first, each value until the next time.

    Parameters
    ----------
    times : s, ascending. amplitudes : A, or threshold units (discrete neurons), one a time.
    neurons : places of those that receive it; None is all.

    Raises
    ------
    InputError : times that do not ascend from 0 on, or another number of amplitudes.

    Examples
    --------
    >>> ns.biophysics.StepCurrent((0.1, 0.3), (2e-10, 0.0)).amplitudes
    (2e-10, 0.0)
    """

    times: Sequence[float]
    amplitudes: Sequence[float]
    neurons: Sequence[int] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "neurons", chosen_neurons(self, self.neurons))
        for name in ("times", "amplitudes"):
            values = real(plain_field(self, name), f"StepCurrent: {name}")
            object.__setattr__(self, name, tuple(values.ravel().tolist()))
        times = np.asarray(self.times)
        is_ordered = len(times) and times[0] >= 0 and (np.diff(times) > 0).all()
        if not is_ordered or len(self.amplitudes) != len(times) or not np.isfinite([*times, *self.amplitudes]).all():
            raise InputError(
                f"StepCurrent: ascending times (s) from 0 on and a finite amplitude for each asked, found {self.times} "
                f"and {self.amplitudes}."
            )


def begin(record: StepCurrent, dt: float, size: int, draw: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """Return what gives the current (step, 1)."""
    changes, levels = np.rint(np.asarray(record.times) / dt), np.asarray([0.0, *record.amplitudes])
    return lambda steps: levels[np.searchsorted(changes, steps, side="right")][:, None]


CURRENT = CurrentModel("steps", StepCurrent, begin, lambda p: float(p.times[-1]), caption="steps of current")
