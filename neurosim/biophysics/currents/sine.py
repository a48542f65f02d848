"""A current that swings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from neurosim.biophysics.injection import CurrentModel, chosen_neurons
from neurosim.biophysics.plain_numbers import convert, number
from neurosim.schema import InputError


@dataclass(frozen=True)
class SineCurrent:
    """``offset + amplitude sin(2 pi frequency (t - start) + phase)`` from `start` to `stop`, and 0 before and after.

    Parameters
    ----------
    amplitude, offset : A, or threshold units (discrete neurons). frequency : Hz, below half a sample a step.
    phase : rad. start, stop : s; None goes on to the end.
    neurons : places of those that receive it; None is all.

    Raises
    ------
    InputError : a frequency of 0 or below, a stop that is not after a start from 0 on, values that are not finite.

    Examples
    --------
    >>> ns.biophysics.SineCurrent(1e-10, 8.0, offset=2e-10).frequency
    8.0
    """

    amplitude: float
    frequency: float
    offset: float = 0.0
    phase: float = 0.0
    start: float = 0.0
    stop: float | None = None
    neurons: Sequence[int] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "neurons", chosen_neurons(self, self.neurons))
        plain = dict.fromkeys(("amplitude", "frequency", "offset", "phase", "start"), number)
        convert(self, "SineCurrent", **plain, **({} if self.stop is None else {"stop": number}))
        is_long = self.stop is None or self.start < self.stop < np.inf
        if self.frequency <= 0 or self.start < 0 or not is_long:
            raise InputError(f"SineCurrent: a frequency above 0 and 0 <= start < stop (s) asked, found {self}.")
        if not np.isfinite([getattr(self, k) for k in plain]).all():
            raise InputError(f"SineCurrent: finite numbers asked, found {self}.")


def begin(record: SineCurrent, dt: float, size: int, draw: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """Return what gives the current (step, 1)."""
    if record.frequency > 0.5 / dt:
        raise InputError(
            f"SineCurrent: frequency = {record.frequency:g} Hz needs steps below {0.5 / record.frequency:g} s, "
            f"found dt = {dt:g} s."
        )
    first, end = np.rint(record.start / dt), np.inf if record.stop is None else np.rint(record.stop / dt)

    def swung(steps: np.ndarray) -> np.ndarray:
        wave = np.sin(2 * np.pi * record.frequency * (steps * dt - record.start) + record.phase)
        return np.where((steps >= first) & (steps < end), record.offset + record.amplitude * wave, 0.0)[:, None]

    return swung


CURRENT = CurrentModel("sine", SineCurrent, begin, lambda p: max(p.start, p.stop or 0.0), caption="a sine of current")
