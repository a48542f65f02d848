"""Noise ceilings: how well the best RDM can explain the RDMs of several subjects.

For the linear methods all is in the inner products among subjects: the best RDM is the mean of the normalised ones,
and its score is the norm of that mean. Ranks are no linear space; for them the best RDM is searched for.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from neurosim.similarity.kernels.arrays import to_square
from neurosim.similarity.kernels.comparisons import cross_scores
from neurosim.similarity.kernels.resampling import LINEAR

MAX_EXACT_ENTRIES = 6000
Point = tuple[float, float]


def ceilings_of_gram(among: np.ndarray, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ceiling (N,) from scores among subjects (N or 1, S, S), subject s drawn ``draws[:, s]`` times.

    Lower: the mean score of a subject with the pooled others, of which the subject itself is none, however often it
    was drawn. Upper: the norm of the pooled RDM, which no score exceeds.
    """
    total = draws.sum(1)
    pooled = (np.broadcast_to(among, (len(draws), *among.shape[1:])) @ draws[:, :, None])[..., 0]
    squared = (pooled * draws).sum(1)
    upper = np.sqrt(np.maximum(squared, 0)) / total
    own = draws * np.diagonal(among, axis1=-2, axis2=-1)
    rest = squared[:, None] - 2 * draws * pooled + draws * own
    valid = rest > 1e-12
    left_out = np.where(valid, (pooled - own) / np.sqrt(np.where(valid, rest, 1.0)), 0.0)
    weight = (draws * valid).sum(1)
    return (draws * left_out * valid).sum(1) / np.maximum(weight, 1), upper


def exact_ceilings(vectors: np.ndarray, among: np.ndarray, method: str, n_stimuli: int) -> tuple[float, float]:
    """Lower and upper ceiling of subjects (S, P) with scores `among` (S, S) under `method`.

    Rank methods pool by the mean of ranks, ranked again. The upper ceiling is attained for cosine, corr, the whitened
    methods and rho_a (rearrangement inequality); for spearman it is the best of all rankings up to 6000 entries and
    the norm of the mean ranks, a bound, above; for tau_a it is the majority of every pair of
    entries, a bound that is attained if the majorities are transitive.
    """
    lower, upper = (float(v[0]) for v in ceilings_of_gram(among[None], np.ones((1, len(vectors)))))
    if method in LINEAR or len(vectors) == 1:
        return lower, upper
    ranks = stats.rankdata(vectors, axis=1)
    others = np.stack([stats.rankdata(np.delete(ranks, s, 0).mean(0)) for s in range(len(ranks))])
    pools, subjects = to_square(others, n_stimuli), to_square(ranks, n_stimuli)
    lower = float(np.mean([cross_scores(p[None], s[None], method)[0, 0] for p, s in zip(pools, subjects, strict=True)]))
    if method == "tau_a":
        return lower, _majority_bound(ranks)
    if method == "rho_a":
        best = stats.rankdata(ranks.mean(0))
        return lower, float(cross_scores(to_square(best[None], n_stimuli), subjects, "rho_a").mean())
    return lower, _best_weak_order(ranks) if ranks.shape[1] <= MAX_EXACT_ENTRIES else upper


def _majority_bound(ranks: np.ndarray, block: int = 256) -> float:
    """Mean over pairs of entries of the absolute mean order among subjects."""
    n = ranks.shape[1]
    total = 0.0
    for start in range(0, n, block):
        signs = np.sign(ranks[:, start : start + block, None] - ranks[:, None, :])
        total += float(np.abs(signs.mean(0)).sum())
    return total / (n * (n - 1))


def _best_weak_order(ranks: np.ndarray, tolerance: float = 1e-7) -> float:
    """Largest mean Spearman correlation that any ranking, with or without ties, has with the subjects.

    A ranking r has the score ``y / sqrt(x)`` with x = |r|^2 and y its product with the mean ranks. The best one lies on
    the upper convex hull of all (x, y), since the root is concave. The hull is searched from the finest ranking to the
    coarsest; a stretch is left out when the tangents at its ends show that nothing on it is better.
    """
    centred = ranks - ranks.mean(1, keepdims=True)
    target = np.sort((centred / np.linalg.norm(centred, axis=1, keepdims=True)).mean(0))
    finest = np.arange(len(target)) - (len(target) - 1) / 2
    x, y = float(finest @ finest), float(finest @ target)
    best, bound = y / np.sqrt(x), float(np.linalg.norm(target))
    stretches: list[tuple[Point, Point, Point, Point | None]] = [((x, y), (0.0, 0.0), (y, 0.0), None)]
    while stretches:
        left, right, tangent, next_tangent = stretches.pop()
        if min(bound, _highest(tangent, next_tangent)) <= best * (1 + tolerance):
            continue
        slope = (left[1] - right[1]) / (left[0] - right[0])
        order = _nearest_weak_order(target, 2 * slope)
        x, y = float(order @ order), float(order @ target)
        if y - slope * x <= left[1] - slope * left[0] + 1e-12 * abs(left[1]) or not 0 < x < left[0]:
            continue
        best = max(best, y / np.sqrt(x))
        middle = (y - slope * x, slope)
        stretches += [(left, (x, y), tangent, middle), ((x, y), right, middle, next_tangent)]
    return best


def _highest(first: tuple[float, float], second: tuple[float, float] | None) -> float:
    """Largest ``y / sqrt(x)`` below two lines (height at 0, slope): where they cross."""
    if second is None or second[1] <= first[1]:
        return np.inf
    x = (first[0] - second[0]) / (second[1] - first[1])
    return (first[0] + first[1] * x) / np.sqrt(x) if x > 0 else np.inf


def _nearest_weak_order(target: np.ndarray, slope: float) -> np.ndarray:
    """Return centred mid-ranks r that maximise ``r.target - slope |r|^2 / 2``, for a sorted `target`."""
    n = len(target)
    sums = np.concatenate([[0.0], np.cumsum(target)])
    best, cut = np.zeros(n + 1), np.zeros(n + 1, dtype=int)
    starts = np.arange(n)
    for end in range(1, n + 1):
        begin = starts[:end]
        rank = (begin + end - 1) / 2 - (n - 1) / 2
        value = best[:end] + rank * (sums[end] - sums[:end] - slope / 2 * (end - begin) * rank)
        cut[end] = int(np.argmax(value))
        best[end] = value[cut[end]]
    order, end = np.empty(n), n
    while end > 0:
        order[cut[end] : end] = (cut[end] + end - 1) / 2 - (n - 1) / 2
        end = cut[end]
    return order
