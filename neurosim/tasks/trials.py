"""Trials of cognitive tasks: what is seen, what should be answered when, and the table of conditions with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from neurosim.runtime import stream
from neurosim.schema import InputError

Judge = Callable[..., np.ndarray]


@dataclass(frozen=True)
class Trials:
    """Trials as plain arrays: inputs and targets (trial, time, unit), weights (trial, time), columns of the table."""

    inputs: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    table: dict[str, np.ndarray]

    def labelled(self, inputs: Sequence[str], outputs: Sequence[str], dt: float) -> xr.Dataset:
        """Return them as a Dataset, the table along ``stimulus``."""
        n, n_time = self.weights.shape
        width = len(str(max(n - 1, 1)))
        coords = {
            "stimulus": [f"trial_{k:0{width}d}" for k in range(n)],
            "time": np.arange(n_time) * dt,
            "unit": list(inputs),
            "output": list(outputs),
        } | {name: ("stimulus", values) for name, values in self.table.items()}
        data = {
            "inputs": (("stimulus", "time", "unit"), self.inputs, {"time_step": dt}),
            "targets": (("stimulus", "time", "output"), self.targets),
            "weights": (("stimulus", "time"), self.weights),
        }
        return xr.Dataset(data, coords=coords)


Generate = Callable[[int, np.random.Generator], Trials]


@dataclass(frozen=True)
class CognitiveTask:
    """Trials drawn anew for every batch; the answer is a time course of outputs.

    Parameters
    ----------
    name : of the task.
    generate : (number of trials, generator) -> trials, see :meth:`trials`.
    judge : (outputs (trial, time, output), targets, weights) -> which trials were answered rightly.
    inputs, outputs : names of the units. dt : s.
    n_batches_an_epoch : batches that count as one epoch. n_test : trials of the test set, never drawn in training.
    """

    name: str
    generate: Generate
    judge: Judge
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    dt: float
    n_batches_an_epoch: int = 100
    n_test: int = 500

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return self.outputs

    @property
    def image_shape(self) -> tuple[int, int]:
        """Shape of one input, (time, unit); the number of steps differs from batch to batch and is given as 1."""
        return (1, len(self.inputs))

    @property
    def is_sequence(self) -> bool:
        """Inputs are sequences."""
        return True

    def trials(self, n: int, *, seed: int = 0) -> xr.Dataset:
        """Return `n` trials with their table.

        Returns
        -------
        Dataset: ``inputs`` (stimulus, time, unit), ``targets`` (stimulus, time, output), ``weights`` (stimulus, time):
        what counts in the loss, 0 after the end of a trial; along ``stimulus`` the conditions, the right ``choice`` and
        the times of the periods in s. ``inputs`` are stimuli like any other: responses to them carry the table.
        """
        if n < 1:
            raise InputError(f"{self.name}: {n} trials asked; at least one is.")
        drawn = self.generate(n, stream(seed, self.name, "trials"))
        return drawn.labelled(self.inputs, self.outputs, self.dt)

    def n_batches(self, batch_size: int) -> int:
        """Return the number of batches that count as an epoch."""
        return self.n_batches_an_epoch

    def batches(
        self, epoch: int, batch_size: int, seed: int, start: int = 0
    ) -> Iterator[tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]]:
        """Yield (inputs, (targets, weights)) of one epoch from batch `start` on."""
        for index in range(start, self.n_batches_an_epoch):
            yield _arrays(self.generate(batch_size, stream(seed, self.name, epoch, index)))

    def test_batches(self, batch_size: int, seed: int) -> Iterator[tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]]:
        """Yield the batches of the test set."""
        for index, start in enumerate(range(0, self.n_test, batch_size)):
            n = min(batch_size, self.n_test - start)
            yield _arrays(self.generate(n, stream(seed, self.name, "test", index)))

    def validation_batches(
        self, batch_size: int, seed: int
    ) -> Iterator[tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]]:
        """Yield one batch of trials to watch training with."""
        yield _arrays(self.generate(batch_size, stream(seed, self.name, "validation")))

    def score(self, outputs: np.ndarray, trials: xr.Dataset) -> xr.DataArray:
        """Return which trials were answered rightly, with the table: ``.groupby("coherence").mean()`` is a curve.

        Parameters
        ----------
        outputs : (stimulus, time, output), what the network answered. trials : as of :meth:`trials`.
        """
        shape = trials.targets.shape
        if outputs.shape != shape or not np.isfinite(outputs).all():
            raise InputError(f"{self.name}: finite outputs of shape {shape} asked, found {outputs.shape}.")
        right = self.judge(outputs, trials.targets.values, trials.weights.values)
        table = {name: c for name, c in trials.coords.items() if c.dims == ("stimulus",)}
        return xr.DataArray(right.astype(float), dims="stimulus", coords=table, name="right")

    def chosen(self, outputs: np.ndarray, trials: xr.Dataset) -> xr.DataArray:
        """Return which choice was strongest at the end of each trial, as an index, with the table of the trials.

        Parameters
        ----------
        outputs : (stimulus, time, output). trials : as of :meth:`trials`.
        """
        right = self.score(outputs, trials)
        final = _final(trials.weights.values)
        return right.copy(data=np.einsum("nt,ntk->nk", final, outputs)[:, 1:].argmax(1).astype(float)).rename("chosen")


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

    def during(self, start: Any, stop: Any = np.inf) -> np.ndarray:
        """Return (trial, time): whether a step lies in the period; it ends with the trial at the latest."""
        first = np.round(np.broadcast_to(start, self.n) / self.dt)
        last = np.minimum(np.round(np.broadcast_to(stop, self.n) / self.dt), self.end)
        return (self.steps >= first[:, None]) & (self.steps < last[:, None])

    def show(self, units: slice | int, values: Any, start: Any, stop: Any = np.inf) -> None:
        """Add `values`, (trial,) or (trial, unit), to inputs during a period."""
        self.inputs[:, :, units] += self._painted(values, self.during(start, stop), units)

    def ask(self, units: slice | int, values: Any, start: Any, stop: Any = np.inf) -> None:
        """Set targets to `values`, (trial,) or (trial, unit), during a period."""
        period = self.during(start, stop)
        painted = self._painted(values, period, units)
        chosen = period if isinstance(units, int) else period[:, :, None]
        self.targets[:, :, units] = np.where(chosen, painted, self.targets[:, :, units])

    def weigh(self, weight: float, start: Any, stop: Any = np.inf) -> None:
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

    def _painted(self, values: Any, period: np.ndarray, units: slice | int) -> np.ndarray:
        values = np.asarray(values, dtype=np.float32)
        if isinstance(units, int):
            return period * np.broadcast_to(values, self.n)[:, None]
        wide = values[:, None, :] if values.ndim == 2 else np.broadcast_to(values, self.n)[:, None, None]
        return period[:, :, None] * wide


def joined(parts: Sequence[Trials], order: np.ndarray) -> Trials:
    """Return trials of several kinds as one set in `order`, shorter ones filled up with weight 0.

    Conditions that a kind does not have are NaN, or empty where they are words.
    """
    n, n_time = sum(len(p.weights) for p in parts), max(p.weights.shape[1] for p in parts)

    def together(name: str) -> np.ndarray:
        arrays = [getattr(p, name) for p in parts]
        whole = np.zeros((n, n_time, *arrays[0].shape[2:]), dtype=np.float32)
        start = 0
        for array in arrays:
            whole[start : start + len(array), : array.shape[1]] = array
            start += len(array)
        return whole[order]

    names = dict.fromkeys(name for p in parts for name in p.table)
    table = {name: np.concatenate([_column(p, name, parts) for p in parts])[order] for name in names}
    return Trials(together("inputs"), together("targets"), together("weights"), table)


def judge_choice(outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return which trials held fixation, the first output, as long as asked and ended with the right choice.

    A trial that asks for no choice is right when fixation is held to its end. The last five steps of a trial
    count for the choice.
    """
    held, asked = _fixation(outputs, targets, weights)
    final = _final(weights)
    mean = np.einsum("nt,ntk->nk", final, outputs) / final.sum(1, keepdims=True)
    wanted = np.einsum("nt,ntk->nk", final, targets)
    chosen = (mean[:, 1:].argmax(1) == wanted[:, 1:].argmax(1)) & (mean[:, 0] < 0.5)
    return held & np.where(asked, chosen, mean[:, 0] > 0.5)


def judge_direction(outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return which trials held fixation as long as asked and ended within 36 degrees of the right direction.

    The direction is that of the population vector of the ring, all outputs but the first
    (https://doi.org/10.1038/s41593-018-0310-2).
    """
    held, asked = _fixation(outputs, targets, weights)
    final = _final(weights)
    mean = np.einsum("nt,ntk->nk", final, outputs) / final.sum(1, keepdims=True)
    wanted = np.einsum("nt,ntk->nk", final, targets)
    ring = np.exp(2j * np.pi * np.arange(outputs.shape[2] - 1) / (outputs.shape[2] - 1))
    apart = np.abs(np.angle((mean[:, 1:] @ ring) * np.conj(wanted[:, 1:] @ ring)))
    near = (apart < np.pi / 5) & (mean[:, 0] < 0.5)
    return held & np.where(asked, near, mean[:, 0] > 0.5)


def _fixation(outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return whether fixation was held while it was asked for, and whether an answer was asked for at all."""
    fixate = (targets[:, :, 0] > 0.5) & (weights > 0)
    asked = ((targets[:, :, 0] < 0.5) & (weights > 0)).any(1)
    n = fixate.sum(1)
    mean = np.einsum("nt,nt->n", outputs[:, :, 0], fixate) / np.maximum(n, 1)
    return np.asarray((mean > 0.5) | (n == 0)), np.asarray(asked)


def _final(weights: np.ndarray, width: int = 5) -> np.ndarray:
    """Return (trial, time): the last five steps of each trial."""
    steps = np.arange(weights.shape[1])
    last = weights.shape[1] - 1 - (weights[:, ::-1] > 0).argmax(1)
    return ((steps <= last[:, None]) & (steps > last[:, None] - width)).astype(float)


def _arrays(trials: Trials) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    return trials.inputs, (trials.targets, trials.weights)


def _column(part: Trials, name: str, parts: Sequence[Trials]) -> np.ndarray:
    if name in part.table:
        return part.table[name]
    kind = next(p.table[name].dtype for p in parts if name in p.table)
    return np.full(len(part.weights), "" if kind.kind in "US" else np.nan)
