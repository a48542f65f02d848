"""A current that wanders: filtered white noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from neurosim.biophysics.injection import CurrentModel, chosen_neurons
from neurosim.biophysics.plain_numbers import convert, number
from neurosim.parameters import check_range
from neurosim.schema import InputError
from neurosim.units import AMOUNT


@dataclass(frozen=True)
class OrnsteinUhlenbeckCurrent:
    """A current of normal distribution that forgets with `tau`, drawn anew in every trial.

    ``dI = (mean - I) dt / tau + sigma sqrt(2 / tau) dW`` (https://doi.org/10.1103/PhysRev.36.823), by its exact step;
    it begins in its stationary distribution.

    Parameters
    ----------
    mean, sigma : mean and standard deviation, A, or threshold units (discrete neurons). tau : correlation time, s.
    shared : whether all neurons receive the same course; else each has its own.
    neurons : places of those that receive it; None is all.

    Raises
    ------
    InputError : a value is outside its range.

    Examples
    --------
    >>> ns.biophysics.OrnsteinUhlenbeckCurrent(2e-10, 5e-11, 3e-3).shared
    False
    """

    own_units: ClassVar[dict[str, str]] = {"mean": AMOUNT}
    mean: float
    sigma: float
    tau: float
    shared: bool = False
    neurons: Sequence[int] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "neurons", chosen_neurons(self, self.neurons))
        convert(self, "OrnsteinUhlenbeckCurrent", mean=number, sigma=number, tau=number)
        check_range(self, tau=(1e-6, 1e3), sigma=(0.0, 1e6), mean=(-1e6, 1e6))
        if not isinstance(self.shared, bool):
            raise InputError(f"OrnsteinUhlenbeckCurrent: shared is True or False, found {self.shared!r}.")


def begin(
    record: OrnsteinUhlenbeckCurrent, dt: float, size: int, draw: np.random.Generator
) -> Callable[[np.ndarray], np.ndarray]:
    """Return what gives the current (step, neuron), or (step, 1) where it is shared."""
    kept, before = np.exp(-dt / record.tau), np.zeros(1 if record.shared else size)

    def moved(steps: np.ndarray) -> np.ndarray:
        nonlocal before
        course = draw.standard_normal((len(steps), len(before)))
        course[int(steps[0] == 0) :] *= np.sqrt(1 - kept * kept)
        for k in range(len(course)):
            course[k] += kept * before
            before = course[k]
        return record.mean + record.sigma * course

    return moved


CURRENT = CurrentModel(
    "ornstein_uhlenbeck",
    OrnsteinUhlenbeckCurrent,
    begin,
    lambda p: 0.0,
    is_random=True,
    caption="an Ornstein-Uhlenbeck current",
    reference="Uhlenbeck GE, Ornstein LS (1930) Phys Rev 36:823-841, https://doi.org/10.1103/PhysRev.36.823",
)
