"""Scores of RDMs when one or two stimuli are left out: what all entries give, less what the entries left out gave.

Leaving out stimulus k removes its K - 1 entries, R(k); leaving out k and l removes R(k) and R(l), whose common entry
counts once. A sum over the kept entries therefore is the whole sum less two sums over rows plus one entry.
"""

from __future__ import annotations

import numpy as np

from neurosim.similarity.kernels.arrays import n_block, to_square
from neurosim.similarity.kernels.sorted_entries import SortedEntries

SIGN_BYTES = 2**22
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

    What is left out lowers the ranks above it: two steps of the ranks in order are smaller, and ranks are their sum.
    """
    n = counts.shape[1]
    sorted_features = [SortedEntries.of(feature) for feature in features]
    steps = [f.rank_steps() for f in sorted_features]
    of_stimulus = to_square(np.arange(features.shape[1]), n).astype(np.intp)[~np.eye(n, dtype=bool)].reshape(n, n - 1)
    products, ranks = np.empty((len(counts), len(pairs[0]))), np.empty(features.shape)
    whole = np.empty(features.shape[1], dtype=np.int32)
    for product, k, m, common in zip(products, *left_out(counts), strict=True):
        removed = np.concatenate([of_stimulus[k : k + 1].ravel(), of_stimulus[m : m + 1].ravel()])
        removed = np.append(removed[removed != common], common) if m < n else removed
        for values, entries, all_steps in zip(ranks, sorted_features, steps, strict=True):
            step = all_steps.copy()
            step[0] -= features.shape[1] - len(removed)
            lowered = entries.group[removed]
            np.subtract.at(step, lowered, 1)
            np.subtract.at(step, lowered + 1, 1)
            np.cumsum(step, out=step, dtype=step.dtype).take(entries.group, out=whole, mode="clip")
            values[:] = whole
        without = ranks[:, removed]
        product[:] = (ranks @ ranks.T - without @ without.T)[pairs] / 4
    return products


def left_out_concordance(features: np.ndarray, counts: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Concordant minus discordant pairs of kept entries (N, pairs), each pair twice, ties as 0.

    The concordance of one entry with all others comes from signs of differences; that among the entries of left-out
    stimuli is taken off once, as both ends of such a pair of entries are left out.
    """
    n = counts.shape[1]
    values = np.stack([np.unique(f, return_inverse=True)[1] for f in features]).astype(np.float32)
    of_entry = _concordance_of_entries(values, pairs)
    of_row = to_square(of_entry.T, n).sum(-1).T
    apart = ~np.eye(n, dtype=bool)
    rows = to_square(values, n).astype(np.float32)[:, apart].reshape(len(values), n, n - 1)
    within = [_concordance(r[:, :, None], r[:, None, :], pairs) for r in rows.transpose(1, 0, 2)]
    found = np.broadcast_to(of_entry.sum(0), (len(counts), len(pairs[0]))).copy()
    for i, (k, m, common) in enumerate(zip(*left_out(counts), strict=True)):
        if k < n:
            found[i] -= 2 * of_row[k] - within[k]
        if m < n:
            found[i] -= 2 * of_row[m] - within[m] - 2 * of_entry[common]
            found[i] += 2 * _concordance(rows[:, k, :, None], rows[:, m, None, :], pairs)
            both = np.concatenate([rows[:, k], rows[:, m]], axis=1)
            found[i] -= 2 * _concordance(values[:, common, None], both, pairs)
    return found


def signs_of_differences(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return -1, 0 or 1 of whole numbers in float32, where `first` is below, at or above `second`."""
    difference = first - second
    found: np.ndarray = np.clip(difference, -1, 1, out=difference)
    return found


def _concordance(first: np.ndarray, second: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Concordance (pairs,) of RDMs (F, ...), summed over all entries of `first` with those of `second`."""
    signs = signs_of_differences(first, second).reshape(len(first), -1)
    products: np.ndarray = (signs @ signs.T)[pairs]
    return products.astype(float)


def _concordance_of_entries(values: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Concordance (P, pairs) of every entry with all others, of RDMs (F, P) as whole numbers."""
    n_entries, step = values.shape[1], n_block(values.size, SIGN_BYTES)
    found = np.empty((n_entries, len(pairs[0])))
    for start in range(0, n_entries, step):
        signs = signs_of_differences(values.T[start : start + step, :, None], values)
        found[start : start + step] = (signs @ signs.transpose(0, 2, 1))[:, pairs[0], pairs[1]]
    return found
