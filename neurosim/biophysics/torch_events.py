"""Spikes of one step, one by one, and the synapses that they reach: only what is there costs time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import scipy.sparse

if TYPE_CHECKING:
    import torch

    Tensor: TypeAlias = torch.Tensor

BLOCK = 2**20  # synapses that spikes reach at a time
FEW = 3  # spikes whose synapses are quicker read one after the other


class Fired(NamedTuple):
    """Copy and source of every spike of a step (no copy: there is one), and their numbers (none: one each)."""

    copy: np.ndarray | None
    source: np.ndarray
    counts: np.ndarray | None


class Sent:
    """The spikes (copy, source) of one step, as a tensor and one by one; an input may send several (`is_counted`)."""

    def __init__(self, spikes: Tensor, *, is_counted: bool = False) -> None:
        self.spikes, self.is_counted = spikes, is_counted

    @cached_property
    def fired(self) -> Fired:
        """The spikes one by one, on the processor."""
        spikes = self.spikes.numpy()
        flat = np.flatnonzero(spikes > 0)
        copy, source = np.divmod(flat, spikes.shape[1]) if len(spikes) > 1 else (None, flat)
        return Fired(copy, source, spikes.reshape(-1)[flat] if self.is_counted else None)


class Sums:
    """What arrives at all copies of a population, (copy, neuron), as arrays that can be added to."""

    def __init__(self, torch: ModuleType, shape: tuple[int, int], dtype: torch.dtype) -> None:
        self.torch, self.shape, self.dtype = torch, shape, dtype
        self.kind = np.dtype(np.float32 if dtype == torch.float32 else np.float64)

    def of(self, name: str, arrived: dict[str, Tensor]) -> np.ndarray:
        """Return the flat sum `name` of `arrived`, which from now on is there and nobody else's."""
        own = arrived[name].clone() if name in arrived else self.torch.zeros(self.shape, dtype=self.dtype)
        arrived[name] = own
        total: np.ndarray = own.numpy().reshape(-1)
        return total


class Synapses:
    """Synapses in the order of their sources: targets, weights and, where they differ, steps until a spike arrives."""

    def __init__(self, matrix: scipy.sparse.csr_array, kind: np.dtype, late: np.ndarray | None = None) -> None:
        self.first, self.targets, self.n_targets = matrix.indptr, matrix.indices, matrix.shape[1]
        self.weights = matrix.data.astype(kind, copy=False)
        self.late = late

    def reached(self, fired: Fired) -> Iterator[tuple[np.ndarray, np.ndarray, Any]]:
        """Yield, in blocks, the flat place (copy, target) of every synapse that is reached, its weight and steps."""
        if len(fired.source) <= FEW and fired.counts is None:
            yield from self._one_by_one(fired)
            return
        first = self.first[fired.source]
        each = self.first[fired.source + 1] - first
        ends = np.cumsum(each)
        cuts = np.searchsorted(ends, np.arange(BLOCK, ends[-1], BLOCK)) if len(ends) else ends
        for begin, end in itertools.pairwise([0, *cuts, len(each)]):
            n = each[begin:end]
            stop = ends[begin:end]
            places = np.arange(stop[0] - n[0], stop[-1]) if len(n) else stop
            places = places + np.repeat(first[begin:end] - (stop - n), n)
            targets, weights = self.targets[places], self.weights[places]
            if fired.copy is not None:
                targets = targets + np.repeat(fired.copy[begin:end] * self.n_targets, n)
            if fired.counts is not None:
                weights = weights * np.repeat(fired.counts[begin:end], n)
            yield targets, weights, None if self.late is None else self.late[places]

    def _one_by_one(self, fired: Fired) -> Iterator[tuple[np.ndarray, np.ndarray, Any]]:
        copies = [0] * len(fired.source) if fired.copy is None else fired.copy.tolist()
        for copy, source in zip(copies, fired.source.tolist(), strict=True):
            own = slice(self.first[source], self.first[source + 1])
            targets = self.targets[own] + copy * self.n_targets if copy else self.targets[own]
            yield targets, self.weights[own], None if self.late is None else self.late[own]
