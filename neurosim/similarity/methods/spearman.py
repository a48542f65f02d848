"""Spearman correlation of RDMs, and the best one that any RDM can have with several."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.kernels.arrays import upper
from neurosim.similarity.kernels.comparisons import centred_ranks, unit
from neurosim.similarity.kernels.drawn_stimuli import rank_products
from neurosim.similarity.method import Method

MAX_EXACT_ENTRIES = 6000
Point = tuple[float, float]


def embed(rdms: np.ndarray) -> np.ndarray:
    """Return the centred ranks (A, P) of the entries of RDMs (A, K, K), of norm 1."""
    found: np.ndarray = unit(centred_ranks(upper(rdms)))
    return found


def best_score(ranks: np.ndarray, bound: float) -> float:
    """Return the score of the best ranking for subjects (S, P), or the `bound` where a search would take too long."""
    return best_weak_order(ranks) if ranks.shape[1] <= MAX_EXACT_ENTRIES else bound


def best_weak_order(ranks: np.ndarray, tolerance: float = 1e-7) -> float:
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
    found: float = best
    return found


def _highest(first: Point, second: Point | None) -> float:
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


SPEARMAN = Method(
    name="spearman",
    caption="Spearman correlation of the entries of two RDMs",
    reference="https://doi.org/10.3389/neuro.06.004.2008",
    embed=embed,
    drawn=rank_products,
    normalised=True,
    best_score=best_score,
    ceiling="exact",
    exact_up_to=MAX_EXACT_ENTRIES,
)
