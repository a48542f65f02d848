"""Concordance of RDMs under resampling of the stimuli: pairs of entries in one order less those in opposite orders.

With entries e and f drawn ``w_e`` and ``w_f`` times, it is the sum over both of ``w_e w_f sign(a_e - a_f) sign(b_e -
b_f)``, every pair twice, ties as 0. All numbers are whole and exact in their dtype.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isqrt

import numpy as np

from neurosim.similarity.kernels.arrays import n_block, to_square
from neurosim.similarity.kernels.drawn_stimuli import Pairs, pair_weights
from neurosim.similarity.kernels.left_out_stimuli import left_out, signs_of_differences
from neurosim.similarity.kernels.sorted_entries import SortedEntries

WEIGHT_BYTES, BYTES_AT_ONCE, LEAST_CHUNK = 2**26, 2**21, 64


def left_out_concordance(features: np.ndarray, counts: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Concordance (N, pairs) of the kept entries of RDMs (F, P), where at most two stimuli are left out.

    Leaving out entries takes off the concordance of each with all others; that among the entries of left-out stimuli
    is taken off once, as both ends of such a pair of entries are left out.
    """
    n = counts.shape[1]
    chunks = [_Chunks.of(feature) for feature in features]
    of_entry = np.stack([_of_entries(chunks[i], chunks[j]) for i, j in zip(*pairs, strict=True)], axis=1)
    of_row = to_square(of_entry.T, n).sum(-1).T
    values = np.stack([c.rank for c in chunks])
    rows = to_square(values, n).astype(values.dtype)[:, ~np.eye(n, dtype=bool)].reshape(len(values), n, n - 1)
    tied = any(len(np.unique(v)) < len(v) for v in values)
    within = [_of_two_sets(r, r, pairs, tied, n - 1) for r in rows.transpose(1, 0, 2)]
    found = np.broadcast_to(of_entry.sum(0), (len(counts), len(pairs[0]))).copy()
    for i, (k, m, common) in enumerate(zip(*left_out(counts), strict=True)):
        if k < n:
            found[i] -= 2 * of_row[k] - within[k]
        if m < n:
            found[i] -= 2 * of_row[m] - within[m] - 2 * of_entry[common]
            found[i] += 2 * _of_two_sets(rows[:, k], rows[:, m], pairs, tied, 1)
            both = np.concatenate([rows[:, k], rows[:, m]], axis=1)
            found[i] -= 2 * _of_two_sets(values[:, [common]], both, pairs, tied, 2)
    return found


def drawn_concordance(features: np.ndarray, counts: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Concordance (N, pairs) of RDMs (F, P) whose stimuli were drawn `counts` (N, K) times."""
    chunks = [_Chunks.of(feature) for feature in features]
    found, n_entries = np.empty((len(counts), len(pairs[0]))), features.shape[1]
    at_once, step = (n_block(n_entries, n_bytes) for n_bytes in (BYTES_AT_ONCE, WEIGHT_BYTES))
    for start in range(0, len(counts), step):
        part = counts[start : start + step]
        weights = [pair_weights(part[i : i + at_once].T.copy(), axis=0) for i in range(0, len(part), at_once)]
        for p, (i, j) in enumerate(zip(*pairs, strict=True)):
            both = _Both.of(chunks[i], chunks[j])
            sums = [sum((own * others).sum((0, 1)) for own, others in both.parts(w)) for w in weights]
            found[start : start + step, p] = np.concatenate(sums)
    return found


def _of_entries(a: _Chunks, b: _Chunks) -> np.ndarray:
    """Concordance (P,) of every entry of two RDMs with all others."""
    once = np.ones((len(a.chunk), 1))
    (_, apart), (_, in_a), (_, in_b) = _Both.of(a, b).parts(once)
    found = np.append(apart[a.chunk, b.chunk, 0], 0)
    found[a.members] += in_a[..., 0]
    found[b.members] += in_b[..., 0]
    return found[:-1]


def _of_two_sets(first: np.ndarray, second: np.ndarray, pairs: Pairs, tied: bool, n_same: int) -> np.ndarray:
    """Concordance (pairs,) of RDMs, summed over entries (F, A) with others (F, B), `n_same` of which are the same."""
    shape = (len(first), first.shape[1], second.shape[1])
    size = shape[1] * shape[2]
    padded = np.zeros((shape[0], -(-size // 64) * 64), dtype=bool)
    flags = padded[:, :size].reshape(shape)

    def bits(compare: np.ufunc) -> tuple[np.ndarray, np.ndarray]:
        compare(first[:, :, None], second[:, None], out=flags)
        words = np.packbits(padded, axis=1).view(np.uint64)
        return words[pairs[0]], words[pairs[1]]

    above = bits(np.greater)
    opposite = above[0] ^ above[1]
    if not tied:
        return np.asarray(size - n_same - 2 * np.bitwise_count(opposite).sum(1, dtype=np.int64))
    differ = bits(np.not_equal)
    both = differ[0] & differ[1]
    found: np.ndarray = np.bitwise_count(both).sum(1, dtype=np.int64)
    return np.asarray(found - 2 * np.bitwise_count(opposite & both).sum(1, dtype=np.int64))


# --- chunks -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Chunks:
    """Entries of an RDM in chunks of neighbouring ranks: equal ones in one, many equal ones in one of their own.

    `rank` (P,) and `chunk` (P,) are those of entries, `n` is the number of chunks, and
    `members` (C, M) the entries of those that are not all equal, P where a chunk has fewer.
    """

    rank: np.ndarray
    chunk: np.ndarray
    n: int
    members: np.ndarray

    @classmethod
    def of(cls, feature: np.ndarray) -> _Chunks:
        """Cut the entries (P,) of one RDM."""
        entries, size = SortedEntries.of(feature), max(LEAST_CHUNK, isqrt(len(feature)))
        begin = np.append(0, entries.last[:-1] + 1)
        large = entries.last - begin >= size
        new = (np.diff(begin // size, prepend=-1) > 0) | large | np.append(False, large[:-1])
        starts = np.append(begin[new], len(feature))
        at = starts[:-1][~large[new], None] + np.arange(np.diff(starts)[~large[new]].max(initial=0))
        inside = at < starts[1:][~large[new], None]
        members = np.where(inside, entries.order.take(at, mode="clip"), len(feature))
        return cls(entries.group.astype(float), (np.cumsum(new) - 1)[entries.group], len(starts) - 1, members)


@dataclass(frozen=True)
class _Both:
    """Two RDMs in chunks.

    Entries in different chunks of both are counted by what every two chunks hold together; those in one chunk of `a`,
    and those in one chunk of `b` but not of a, by their signs `in_a` and `in_b` (C, M, M).
    """

    a: _Chunks
    b: _Chunks
    in_a: np.ndarray
    in_b: np.ndarray

    @classmethod
    def of(cls, a: _Chunks, b: _Chunks) -> _Both:
        """Take the signs of all entries in one chunk."""
        in_b = _signs_in_chunks(b, a)
        chunk = np.append(a.chunk, 0)[b.members]
        in_b *= chunk[:, :, None] != chunk[:, None]
        return cls(a, b, _signs_in_chunks(a, b), in_b)

    def parts(self, weights: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield `weights` (P, N) and what goes with each: (A, B, N) of chunks, (C, M, N) in those of a, and of b."""
        from scipy.sparse import csr_array

        a, b, n_entries = self.a, self.b, len(weights)
        cells = a.chunk * b.n + b.chunk
        inside = csr_array((np.ones(n_entries), (cells, np.arange(n_entries))), (a.n * b.n, n_entries))
        own = (inside @ weights).reshape(a.n, b.n, -1)
        yield own, _below_less_above(_below_less_above(own).swapaxes(0, 1)).swapaxes(0, 1)
        padded = np.append(weights, np.zeros((1, weights.shape[1])), axis=0)
        for chunks, signs in ((a, self.in_a), (b, self.in_b)):
            own = padded.take(chunks.members, axis=0)
            yield own, signs @ own


def _below_less_above(values: np.ndarray) -> np.ndarray:
    """Return, for each of values (A, ...), the sum of all before it less that of all behind it."""
    found = np.empty_like(values)
    found[0] = values[0] - values.sum(0)
    for i in range(1, len(values)):
        np.add(values[i - 1], values[i], out=found[i])
        found[i] += found[i - 1]
    return found


def _signs_in_chunks(a: _Chunks, b: _Chunks) -> np.ndarray:
    """Return the products (C, M, M) of the signs of two RDMs for all entries in one chunk of `a`."""
    first, second = (np.append(chunks.rank, 0)[a.members] for chunks in (a, b))
    signs = signs_of_differences(first[:, :, None], first[:, None])
    signs *= signs_of_differences(second[:, :, None], second[:, None])
    return signs
