"""What every fit needs of a recording: its sweeps one after the other, the spikes, what to leave out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import xarray as xr
from scipy.signal import lfilter

from neurosim.biophysics.fitting.detection import crossings

BEFORE_SPIKE = 3e-3
SILENCE = 0.5
LONGEST_TROUGH = 20e-3


@dataclass(frozen=True)
class Trace:
    """A recorded neuron.

    Parameters
    ----------
    voltage, current : (time,), V and A; sweeps follow each other after half a second at their first value.
    spikes : (time,), 1 where the membrane crosses the threshold upwards.
    recorded : (time,), False in the time between sweeps.
    step, refractory : s.
    """

    voltage: np.ndarray
    current: np.ndarray
    spikes: np.ndarray
    recorded: np.ndarray
    step: float
    refractory: float

    @property
    def n_spikes(self) -> int:
        """Number of spikes."""
        return int(self.spikes.sum())

    @property
    def held(self) -> int:
        """Samples of the refractory period."""
        return round(self.refractory / self.step)

    @cached_property
    def between_spikes(self) -> np.ndarray:
        """(time,), True where the membrane is neither about to spike nor refractory, and its next sample is known."""
        usable = self.recorded & np.append(self.recorded[1:], False)
        for index in np.flatnonzero(self.spikes):
            usable[max(0, index - round(BEFORE_SPIKE / self.step)) : index + self.held + 1] = False
        return np.asarray(usable)

    @cached_property
    def may_spike(self) -> np.ndarray:
        """(time,), True where a spike could come: recorded, not refractory."""
        usable = self.recorded.copy()
        for index in np.flatnonzero(self.spikes):
            usable[index + 1 : index + self.held + 1] = False
        return np.asarray(usable)

    @cached_property
    def reset(self) -> float:
        """Mean voltage at the end of the refractory period, V."""
        ends = np.flatnonzero(self.spikes) + self.held
        return float(self.voltage[ends[ends < len(self.voltage)]].mean())

    def until_trough(self) -> Trace:
        """Return the trace with a refractory period that lasts until the mean membrane is lowest after a spike."""
        reach = round(LONGEST_TROUGH / self.step)
        spikes = np.flatnonzero(self.spikes)
        spikes = spikes[spikes + reach < len(self.voltage)]
        after = np.mean([self.voltage[i : i + reach] for i in spikes], axis=0)
        lowest = max(self.held, int(after.argmin()))
        return replace(self, refractory=lowest * self.step)

    @cached_property
    def change(self) -> np.ndarray:
        """Change of the voltage in a second, V/s."""
        return np.diff(self.voltage, append=self.voltage[-1]) / self.step

    @cached_property
    def driving(self) -> np.ndarray:
        """Current during the change that follows each sample, A: that of the next sample, as in a simulated step."""
        return np.append(self.current[1:], self.current[-1])

    @cached_property
    def without_spikes(self) -> np.ndarray:
        """Voltage with the reset in place of every spike."""
        clean = self.voltage.copy()
        for index in np.flatnonzero(self.spikes):
            start = max(0, index - round(BEFORE_SPIKE / self.step))
            clean[start:index] = clean[start]
            clean[index : index + self.held + 1] = self.reset
        return clean

    def stretches(self, length: int) -> tuple[np.ndarray, int]:
        """Return where stretches of `length` samples begin that were recorded, and their length: at most a sweep."""
        edges = np.flatnonzero(np.diff(np.concatenate([[0], self.recorded.astype(int), [0]])))
        runs = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
        length = min(length, *(b - a for a, b in runs))
        return np.array([s for a, b in runs for s in range(a, b - length + 1, length)]), length

    def since_spikes(self, tau: float) -> np.ndarray:
        """Return the sum over past spikes of ``exp(-elapsed / tau)``."""
        return np.asarray(lfilter([1.0], [1.0, -np.exp(-self.step / tau)], self.spikes))

    def follow(self, values: np.ndarray, tau: float) -> np.ndarray:
        """Return what follows `values` with the time constant `tau`, starting in its steady state."""
        left = np.exp(-self.step / tau)
        return np.asarray(lfilter([0.0, 1 - left], [1.0, -left], values, zi=[values[0]])[0])

    def explained(self, predicted: np.ndarray) -> float:
        """Return the share of the variance of the membrane between spikes that `predicted` (time,) explains."""
        there = self.between_spikes
        return float(1 - np.var(self.voltage[there] - predicted[there]) / np.var(self.voltage[there]))


def as_trace(sweeps: xr.Dataset, threshold: float, refractory: float) -> Trace:
    """Return the sweeps of a recording as one trace."""
    step = float(sweeps.attrs["time_step"])
    gap = round(SILENCE / step)
    parts: list[list[np.ndarray]] = [[], [], [], []]
    for v, i in zip(sweeps["voltage"].values, sweeps["current"].values, strict=True):
        spikes = np.zeros(len(v))
        spikes[crossings(v, threshold, round(refractory / step))] = 1
        if parts[0]:
            fill = (np.full(gap, v[0]), np.full(gap, i[0]), np.zeros(gap), np.zeros(gap, dtype=bool))
            for part, values in zip(parts, fill, strict=True):
                part.append(values)
        for part, values in zip(parts, (v, i, spikes, np.ones(len(v), dtype=bool)), strict=True):
            part.append(values)
    joined = [np.concatenate(p) for p in parts]
    return Trace(joined[0], joined[1], joined[2], joined[3], step, refractory)


def regress(gram: np.ndarray, side: np.ndarray, ridge: float = 1e-6) -> np.ndarray:
    """Return the weights of a linear regression, its columns brought to one scale and barely shrunk."""
    scale = np.sqrt(np.diag(gram))
    scale = np.where(scale > 0, scale, 1.0)
    solved = np.linalg.solve(gram / np.outer(scale, scale) + ridge * np.eye(len(scale)), side / scale)
    return np.asarray(solved / scale)
