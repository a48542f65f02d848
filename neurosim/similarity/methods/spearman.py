"""Spearman correlation of RDMs, and the best one that any RDM can have with several."""

from __future__ import annotations

import heapq

import numpy as np

from neurosim.similarity.kernels.arrays import upper
from neurosim.similarity.kernels.comparisons import centred_ranks, unit
from neurosim.similarity.kernels.drawn_stimuli import rank_products
from neurosim.similarity.method import Method

Point = tuple[float, float]


def embed(rdms: np.ndarray) -> np.ndarray:
    """Return the centred ranks (A, P) of the entries of RDMs (A, K, K), of norm 1."""
    found: np.ndarray = unit(centred_ranks(upper(rdms)))
    return found


def best_score(ranks: np.ndarray, bound: float) -> float:
    """Return the mean score of the best ranking with subjects (S, P)."""
    return best_weak_order(ranks)


def best_weak_order(ranks: np.ndarray, tolerance: float = 1e-7) -> float:
    """Largest mean Spearman correlation that any ranking, with or without ties, has with the subjects.

    A ranking r has the score ``y / sqrt(x)`` with x = |r|^2 and y its product with the mean ranks. The best one lies on
    the upper convex hull of all (x, y), since the root is concave. The hull is searched between the finest ranking and
    the coarsest, the most promising stretch first; a stretch is left out when the tangents at its ends show that
    nothing on it is better.
    """
    target = np.zeros(ranks.shape[1])
    for own in ranks:
        centred = own - own.mean()
        target += centred / np.linalg.norm(centred)
    target = np.sort(target / len(ranks))
    finest = np.arange(len(target)) - (len(target) - 1) / 2
    x, y = float(finest @ finest), float(finest @ target)
    best, bound = y / np.sqrt(x), float(np.linalg.norm(target))
    stretches: list[tuple[float, Point, Point, Point, Point]] = []

    def add(left: Point, right: Point, tangent: Point, next_tangent: Point) -> None:
        height = min(bound, _highest(tangent, next_tangent))
        heapq.heappush(stretches, (-height, left, right, tangent, next_tangent))

    add((x, y), (0.0, 0.0), (y, 0.0), (0.0, steepest(target)))
    while stretches and -stretches[0][0] > best * (1 + tolerance):
        _, left, right, tangent, next_tangent = heapq.heappop(stretches)
        slope = (left[1] - right[1]) / (left[0] - right[0])
        order = _nearest_weak_order(target, 2 * slope)
        x, y = float(order @ order), float(order @ target)
        if y - slope * x <= left[1] - slope * left[0] + 1e-12 * abs(left[1]) or not 0 < x < left[0]:
            continue
        best = max(best, y / np.sqrt(x))
        middle = (y - slope * x, slope)
        add(left, (x, y), tangent, middle)
        add((x, y), right, middle, next_tangent)
    found: float = best
    return found


def steepest(target: np.ndarray) -> float:
    """Largest ``y / x`` of any ranking r, for a sorted `target` of mean 0: that of a ranking with two ranks.

    With u_q the ranking that knows only which q entries are the lowest, r is a sum of u_q over its own cuts q with
    positive factors, and ``u_q.r = |u_q|^2``, as ties within the parts do not change sums of ranks over a part.
    """
    n = len(target)
    below = np.arange(1, n)
    return float((-np.cumsum(target)[:-1] * 2 / (below * (n - below))).max())


def _highest(first: Point, second: Point) -> float:
    """Largest ``y / sqrt(x)`` below two lines (height at 0, slope): where they cross."""
    if second[1] <= first[1]:
        return np.inf
    x = (first[0] - second[0]) / (second[1] - first[1])
    return (first[0] + first[1] * x) / np.sqrt(x) if x > 0 else np.inf


def _nearest_weak_order(target: np.ndarray, slope: float) -> np.ndarray:
    """Return centred mid-ranks r that maximise ``r.target - slope |r|^2 / 2``, for a sorted `target`.

    Cutting tied entries b..e at m adds ``(m - b) (e - m) / 2`` times the difference of the means, over m..e and over
    b..m, of the target less ``slope / 2`` times the finest ranks. So between two cuts the sum of that lies above its
    chord and the chords get steeper from cut to cut: they are its greatest convex minorant, the isotonic regression.
    """
    from scipy.optimize import isotonic_regression

    n = len(target)
    cuts = isotonic_regression(target - slope / 2 * (np.arange(n) - (n - 1) / 2)).blocks
    return np.repeat((cuts[:-1] + cuts[1:] - n) / 2, np.diff(cuts))


SPEARMAN = Method(
    name="spearman",
    caption="Spearman correlation of the entries of two RDMs",
    reference="https://doi.org/10.3389/neuro.06.004.2008",
    embed=embed,
    drawn=rank_products,
    normalised=True,
    best_score=best_score,
    ceiling="exact",
)
