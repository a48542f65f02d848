"""A current that rises or falls evenly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from neurosim.biophysics.injection import CurrentModel, chosen_neurons
from neurosim.biophysics.plain_numbers import convert, number
from neurosim.schema import InputError


@dataclass(frozen=True)
class RampCurrent:
    """A current that goes evenly from one value to another, and is 0 before and after.

    Parameters
    ----------
    start, stop : when it begins and ends, s. first, last : its values then, A, or threshold units (discrete neurons).
    neurons : places of those that receive it; None is all.

    Raises
    ------
    InputError : a stop that is not after a start from 0 on, values that are not finite.

    Examples
    --------
    >>> ns.biophysics.RampCurrent(0.1, 0.6, 0.0, 5e-10).stop
    0.6
    """

    start: float
    stop: float
    first: float
    last: float
    neurons: Sequence[int] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "neurons", chosen_neurons(self, self.neurons))
        convert(self, "RampCurrent", start=number, stop=number, first=number, last=number)
        if not 0 <= self.start < self.stop < np.inf or not np.isfinite([self.first, self.last]).all():
            raise InputError(f"RampCurrent: 0 <= start < stop (s) and finite values asked, found {self}.")


def begin(record: RampCurrent, dt: float, size: int, draw: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """Return what gives the current (step, 1)."""
    first, end = np.rint(record.start / dt), np.rint(record.stop / dt)

    def ramp(steps: np.ndarray) -> np.ndarray:
        share = (steps * dt - record.start) / (record.stop - record.start)
        level = record.first + (record.last - record.first) * np.clip(share, 0.0, 1.0)
        return np.where((steps >= first) & (steps < end), level, 0.0)[:, None]

    return ramp


CURRENT = CurrentModel("ramp", RampCurrent, begin, lambda p: p.stop, caption="a ramp of current")
