"""Scores of RDMs when one or two stimuli are left out: what all entries give, less what the entries left out gave.

Leaving out stimulus k removes its K - 1 entries, R(k); leaving out k and l removes R(k) and R(l), whose common entry
counts once. A sum over the kept entries therefore is the whole sum less two sums over rows plus one entry.
"""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np

from neurosim.similarity.kernels.arrays import n_block, to_square
from neurosim.similarity.kernels.sorted_entries import SortedEntries

RANK_BYTES, HELD_BYTES = 2**19, 2**28
LARGEST_EXACT = 2**24
Pairs = tuple[np.ndarray, np.ndarray]


def leaves_out_at_most_two(counts: np.ndarray) -> bool:
    """Whether every row of `counts` (N, K) has ones alone but for at most two zeros."""
    return bool(((counts == 0) | (counts == 1)).all() and ((counts == 0).sum(1) <= 2).all())


def left_out(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the first and second stimulus (N,) left out, K for none, and their common entry, P for none."""
    n = counts.shape[1]
    ordered = np.sort(np.where(counts == 0, np.arange(n), n), axis=1)[:, :2]
    first, second = ordered[:, 0], ordered[:, 1]
    common = first * n - first * (first + 1) // 2 + second - first - 1
    return first, second, np.where(second < n, common, n * (n - 1) // 2)


def left_out_products(
    features: np.ndarray, counts: np.ndarray, pairs: Pairs
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return sums over kept entries of products (N, pairs), of features (N, F), and their number (N,)."""
    n, n_pairs = counts.shape[1], len(pairs[0])
    rows = np.zeros((n + 1, n_pairs + len(features)))
    start = 0
    for i in range(n - 1):
        block = features[:, start : start + n - 1 - i]
        terms = np.concatenate([block[pairs[0]] * block[pairs[1]], block])
        rows[i] += terms.sum(1)
        rows[i + 1 : n] += terms.T
        start += n - 1 - i
    first, second, common = left_out(counts)
    entries = np.append(features, np.zeros((len(features), 1)), axis=1)[:, common]
    both = np.concatenate([entries[pairs[0]] * entries[pairs[1]], entries]).T
    sums = rows.sum(0) / 2 - rows[first] - rows[second] + both
    kept = counts.sum(1)
    return sums[:, :n_pairs], sums[:, n_pairs:], kept * (kept - 1) / 2


def left_out_rank_products(features: np.ndarray, counts: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Inner products (N, pairs) of the centred ranks of kept entries.

    A rank, doubled and centred, is how many entries lie below it less how many lie above. So two stimuli that are left
    out take off what the entries of either add, but for their common entry, which adds once.
    """
    n, (n_features, n_entries) = counts.shape[1], features.shape
    first, second, common = left_out(counts)
    of_stimulus = to_square(np.arange(n_entries), n).astype(np.int32)[~np.eye(n, dtype=bool)].reshape(n, n - 1)
    sorted_features = [SortedEntries.of(feature) for feature in features]
    groups = np.stack([f.group for f in sorted_features])
    exact = np.float32 if n_entries < LARGEST_EXACT else np.float64
    whole = np.stack([f.doubled_ranks(np.ones(n_entries, dtype=np.int32)).astype(exact) for f in sorted_features])
    n_held = max(1, HELD_BYTES // (4 * features.size))
    added = lru_cache(2 * n_held)(lambda k: _added_by(groups, of_stimulus[k]))
    blocks = [
        slice(i, i + n_block(n_features, RANK_BYTES)) for i in range(0, n_entries, n_block(n_features, RANK_BYTES))
    ]
    products = np.empty((len(counts), len(pairs[0])))
    for i in _near_each_other(first, second, n, n_held):
        k, m, both = first[i], second[i], common[i]
        taken = [added(j) for j in (k, m) if j < n]
        removed = np.concatenate([of_stimulus[k : k + 1].ravel(), of_stimulus[m : m + 1].ravel()])
        removed = np.append(removed[removed != both], both) if m < n else removed
        ranks = partial(_lowered, whole, taken, both)
        gram = sum((_gram(ranks(block)) for block in blocks), -_gram(ranks(removed)))
        products[i] = gram[pairs] / 4
    return products


def _near_each_other(first: np.ndarray, second: np.ndarray, n: int, n_held: int) -> np.ndarray:
    """Return an order of pairs of stimuli in which each pair is of two times `n_held` stimuli, as long as it can be."""
    paired = second < n
    used = np.unique([first[paired], second[paired]])
    blocks = [np.searchsorted(used, side) // n_held for side in (second, first)]
    return np.asarray(np.lexsort((second, first, *blocks)))


def _added_by(groups: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """Return how many of some `entries` lie below each entry (F, P) less how many lie above."""
    added = np.empty(groups.shape, dtype=np.int16)
    for values, group in zip(added, groups, strict=True):
        step, own = np.zeros(len(group) + 1, dtype=np.int16), group[entries]
        step[0] = -len(entries)
        np.add.at(step, own, 1)
        np.add.at(step, own + 1, 1)
        np.cumsum(step, out=step, dtype=step.dtype).take(group, out=values, mode="clip")
    return added


def _lowered(whole: np.ndarray, taken: list[np.ndarray], common: int, at: slice | np.ndarray) -> np.ndarray:
    """Return the ranks (F, entries) of entries `at` less what one or two stimuli with a `common` entry add to them."""
    ranks = np.array(whole[:, at])
    for added in taken:
        ranks -= added[:, at]
    if len(taken) == 2:
        ranks += signs_of_differences(whole[:, at], whole[:, common, None])
    return ranks.astype(float)


def _gram(values: np.ndarray) -> np.ndarray:
    """Return inner products (F, F) of values (F, entries), in two halves: one product of both sides is slower."""
    half = len(values) // 2
    return np.concatenate([values @ values[:half].T, values @ values[half:].T], axis=1)


def signs_of_differences(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return -1, 0 or 1 of whole numbers, where `first` is below, at or above `second`."""
    difference = first - second
    found: np.ndarray = np.clip(difference, -1, 1, out=difference)
    return found
