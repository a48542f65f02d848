"""Scores of RDMs when one or two stimuli are left out: what all entries give, less what the entries left out gave.

Leaving out stimulus k removes its K - 1 entries, R(k); leaving out k and l removes R(k) and R(l), whose common entry
counts once. A sum over the kept entries therefore is the whole sum less two sums over rows plus one entry.
"""

from __future__ import annotations

import numpy as np

Pairs = tuple[np.ndarray, np.ndarray]


def leaves_out_at_most_two(counts: np.ndarray) -> bool:
    """Whether every row of `counts` (N, K) has ones alone but for at most two zeros."""
    return bool(((counts == 0) | (counts == 1)).all() and ((counts == 0).sum(1) <= 2).all())


def left_out(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the first and second stimulus (N,) left out, K for none, and their common entry, P for none."""
    n_samples, n = counts.shape
    ordered = np.sort(np.where(counts == 0, np.arange(n), n), axis=1)[:, :2]
    first, second = ordered[:, 0], ordered[:, 1]
    common = first * n - first * (first + 1) // 2 + second - first - 1
    return first, second, np.where(second < n, common, n * (n - 1) // 2)


def left_out_products(
    features: np.ndarray, counts: np.ndarray, pairs: Pairs
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums over kept entries of products (N, pairs), of features (N, F), and their number (N,)."""
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
