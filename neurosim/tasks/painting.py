"""Trials are painted on sheets: periods in which something is shown and asked, all trials at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurosim.tasks.trials import Trials

COHERENCES = (0.032, 0.064, 0.128, 0.256, 0.512)
GRACE, RESPONSE = 0.1, 0.3
N_RING = 16
TWO = ("fixation", "choice 0", "choice 1")
RING = tuple(f"{k * 360 / N_RING:g}" for k in range(N_RING))
MakeSheet = Callable[..., "Sheet"]


class Sheet:
    """Empty trials on which periods are painted, all trials at once; times are in s, one a trial.

    Parameters
    ----------
    n : number of trials. end : (n,) when each is over. dt : s. inputs, outputs : names of the units.
    """

    def __init__(
        self, n: int, end: np.ndarray, dt: float, inputs: Sequence[str], outputs: Sequence[str], rest: float = 0.0
    ) -> None:
        self.n, self.dt = n, dt
        self.end = np.round(np.broadcast_to(end, n) / dt).astype(int)
        self.steps = np.arange(int(self.end.max()))
        self.inputs = np.zeros((n, len(self.steps), len(inputs)), dtype=np.float32)
        self.targets = np.full((n, len(self.steps), len(outputs)), rest, dtype=np.float32)
        self.weights = (self.steps < self.end[:, None]).astype(np.float32)

    def during(self, start: npt.ArrayLike, stop: npt.ArrayLike = np.inf) -> np.ndarray:
        """Return (trial, time): whether a step lies in the period; it ends with the trial at the latest."""
        first = np.round(np.broadcast_to(start, self.n) / self.dt)
        last = np.minimum(np.round(np.broadcast_to(stop, self.n) / self.dt), self.end)
        return np.asarray((self.steps >= first[:, None]) & (self.steps < last[:, None]))

    def show(
        self, units: slice | int, values: npt.ArrayLike, start: npt.ArrayLike, stop: npt.ArrayLike = np.inf
    ) -> None:
        """Add `values`, (trial,) or (trial, unit), to inputs during a period."""
        self.inputs[:, :, units] += self._painted(values, self.during(start, stop), units)

    def ask(
        self, units: slice | int, values: npt.ArrayLike, start: npt.ArrayLike, stop: npt.ArrayLike = np.inf
    ) -> None:
        """Set targets to `values`, (trial,) or (trial, unit), during a period."""
        period = self.during(start, stop)
        painted = self._painted(values, period, units)
        chosen = period if isinstance(units, int) else period[:, :, None]
        self.targets[:, :, units] = np.where(chosen, painted, self.targets[:, :, units])

    def weigh(self, weight: float, start: npt.ArrayLike, stop: npt.ArrayLike = np.inf) -> None:
        """Set the weight of a period in the loss."""
        self.weights = np.where(self.during(start, stop), np.float32(weight), self.weights)

    def noise(self, sd: float, rng: np.random.Generator, units: slice = slice(None)) -> None:
        """Add independent Gaussian noise to inputs, until the end of each trial."""
        part = self.inputs[:, :, units]
        alive = (self.steps < self.end[:, None])[:, :, None]
        part += np.float32(sd) * rng.standard_normal(part.shape, dtype=np.float32) * alive

    def trials(self, table: Mapping[str, Any]) -> Trials:
        """Return the finished trials."""
        columns = {name: np.array(np.broadcast_to(values, self.n)) for name, values in table.items()}
        return Trials(self.inputs, self.targets, self.weights, columns)

    def _painted(self, values: npt.ArrayLike, period: np.ndarray, units: slice | int) -> np.ndarray:
        values = np.asarray(values, dtype=np.float32)
        if isinstance(units, int):
            return np.asarray(period * np.broadcast_to(values, self.n)[:, None])
        wide = values[:, None, :] if values.ndim == 2 else np.broadcast_to(values, self.n)[:, None, None]
        return np.asarray(period[:, :, None] * wide)


def signs(rng: np.random.Generator, n: int) -> np.ndarray:
    """Draw -1 or 1."""
    return rng.choice([-1.0, 1.0], n)


def coherences(rng: np.random.Generator, n: int) -> np.ndarray:
    """Draw coherences for, or against, a choice."""
    return np.asarray(signs(rng, n) * rng.choice(COHERENCES, n))


def begun(sheet: MakeSheet, n: int, go: np.ndarray) -> Sheet:
    """Return a sheet on which fixation is shown and asked for until `go`."""
    s = sheet(n, go + RESPONSE)
    s.show(0, 1.0, 0.0, go)
    s.ask(0, 1.0, 0.0, go)
    s.weigh(0.0, go, go + GRACE)
    s.weigh(3.0, go + GRACE)
    return s


def ask_choice(s: Sheet, choice: np.ndarray, go: np.ndarray) -> None:
    """Ask for output 1 + choice from `go` on."""
    for k in range(s.targets.shape[2] - 1):
        s.ask(1 + k, choice == k, go)


def show_evidence(s: Sheet, unit: int, coherence: np.ndarray, on: np.ndarray, off: np.ndarray) -> None:
    """Show evidence for one choice in a unit, against it in the next."""
    s.show(unit, (1 + coherence) / 2, on, off)
    s.show(unit + 1, (1 - coherence) / 2, on, off)


def bump(angle: np.ndarray) -> np.ndarray:
    """Return activity (trial, unit) of a ring around an angle, rad."""
    preferred = 2 * np.pi * np.arange(N_RING) / N_RING
    return np.asarray(np.exp(4 * (np.cos(preferred - angle[:, None]) - 1)))
