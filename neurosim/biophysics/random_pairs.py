"""Pairs of neurons drawn at random: each pair by itself, or so many for every neuron; never a matrix of all pairs.

Beside the result (5 bytes a synapse: its target and that it is there) a draw holds one block of pairs.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse

from neurosim.biophysics.wiring import Ends
from neurosim.refusals import InputError
from neurosim.runtime import track

BLOCK = 2**20


def chosen(n: int, p: float, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield, in blocks, which of `n` things are drawn, each by itself with probability `p`.

    The things between two that are drawn are as many as a geometric distribution says, so that only what is drawn costs
    time.
    """
    size, at = min(BLOCK, int(n * p) + 16), -1
    while at < n - 1:
        found = at + np.cumsum(np.minimum(rng.geometric(p, size), n + 1))
        at = int(found[-1])
        yield found[found < n]


def bernoulli_pairs(ends: Ends, p: float, rng: np.random.Generator, *, progress: bool = True) -> scipy.sparse.csr_array:
    """Return (source, target) of pairs that are drawn each by itself with probability `p`."""
    n_pairs = ends.n_source * ends.n_target
    counts, targets = np.zeros(ends.n_source, np.int64), []
    blocks = chosen(n_pairs, p, rng)
    for flat in track(blocks, ends.label, total=int(n_pairs * p) // BLOCK + 1, progress=progress):
        rows, columns = np.divmod(flat, ends.n_target)
        kept = rows != columns if ends.skips_itself else np.ones(len(rows), bool)
        counts += np.bincount(rows[kept], minlength=ends.n_source)
        targets.append(columns[kept].astype(np.int32))
    return _compressed(counts, np.concatenate(targets), ends.n_target)


def fixed_rows(
    ends: Ends, n_each: int, multapses: bool, rng: np.random.Generator, *, progress: bool = True
) -> scipy.sparse.csr_array:
    """Return (source, target) in which each source reaches `n_each` targets, distinct ones unless `multapses`."""
    n = ends.n_target - int(ends.skips_itself)
    if n < 1 or (n_each > n and not multapses):
        raise InputError(
            f"{ends.who}: {n_each} different neurons asked for each, found {n} that there are; ask for fewer or for "
            "multapses=True."
        )
    found = np.empty((ends.n_source, n_each), np.int32)
    for i in track(range(ends.n_source), ends.label, progress=progress):
        drawn = rng.integers(n, size=n_each) if multapses else rng.choice(n, n_each, replace=False, shuffle=False)
        drawn.sort()
        found[i] = drawn + (drawn >= i) if ends.skips_itself else drawn
    return _compressed(np.full(ends.n_source, n_each), found.ravel(), ends.n_target, may_repeat=multapses)


def _compressed(
    counts: np.ndarray, targets: np.ndarray, n_target: int, may_repeat: bool = False
) -> scipy.sparse.csr_array:
    """Return the matrix of so many targets a source, row after row; those that repeat are counted."""
    kind = np.int32 if len(targets) < 2**31 else np.int64
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(kind)
    ones = np.ones(len(targets), np.int32 if may_repeat else np.int8)
    found = scipy.sparse.csr_array((ones, targets.astype(kind, copy=False), starts), shape=(len(counts), n_target))
    found.sum_duplicates()
    return found
