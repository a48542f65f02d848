"""Trials of cognitive tasks: what is seen, what should be answered when, and the table of conditions with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from neurosim.runtime import as_seed, stream
from neurosim.schema import InputError
from neurosim.showing import shown
from neurosim.tasks.judges import Judge, final_steps


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


@shown
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

    def trials(self, n: int, *, rng: np.random.Generator | int = 0) -> xr.Dataset:
        """Return `n` trials with their table.

        Parameters
        ----------
        n : how many. rng : seed of the trials, or generator from which one is drawn.

        Returns
        -------
        Dataset: ``inputs`` (stimulus, time, unit), ``targets`` (stimulus, time, output), ``weights`` (stimulus, time):
        what counts in the loss, 0 after the end of a trial; along ``stimulus`` the conditions, the right ``choice`` and
        the times of the periods in s. ``inputs`` are stimuli like any other: responses to them carry the table.
        """
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
            raise InputError(f"{self.name}: {n} trials asked; at least one is.")
        drawn = self.generate(n, stream(as_seed(rng, self.name), self.name, "trials"))
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
        final = final_steps(trials.weights.values)
        return right.copy(data=np.einsum("nt,ntk->nk", final, outputs)[:, 1:].argmax(1).astype(float)).rename("chosen")


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
        return np.asarray(whole[order])

    names = dict.fromkeys(name for p in parts for name in p.table)
    table = {name: np.concatenate([_column(p, name, parts) for p in parts])[order] for name in names}
    return Trials(together("inputs"), together("targets"), together("weights"), table)


def _arrays(trials: Trials) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    return trials.inputs, (trials.targets, trials.weights)


def _column(part: Trials, name: str, parts: Sequence[Trials]) -> np.ndarray:
    if name in part.table:
        return part.table[name]
    kind = next(p.table[name].dtype for p in parts if name in p.table)
    return np.full(len(part.weights), "" if kind.kind in "US" else np.nan)
