"""Spearman correlation of RDMs, and the best one that any RDM can have with several."""

from __future__ import annotations

import heapq

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
    the upper convex hull of all (x, y), since the root is concave. The hull is searched between the finest ranking and
    the coarsest, the most promising stretch first; a stretch is left out when the tangents at its ends show that
    nothing on it is better.
    """
    centred = ranks - ranks.mean(1, keepdims=True)
    target = np.sort((centred / np.linalg.norm(centred, axis=1, keepdims=True)).mean(0))
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


def _nearest_weak_order(target: np.ndarray, slope: float, at_once: int = 64) -> np.ndarray:
    """Return centred mid-ranks r that maximise ``r.target - slope |r|^2 / 2``, for a sorted `target`.

    Twice what tied entries begin..end add is ``(begin + end - n) (G(end) - G(begin))``, G the cumulated target less
    that of the ranks. So the best begin for an end maximises a product of (value, begin, G(begin)) with (1, G(end),
    -end), which is asked for many ends in one matrix product.
    """
    n = len(target)
    at = np.arange(n + 1.0)
    cumulated = np.concatenate([[0.0], np.cumsum(target)]) - slope / 4 * at * (at - n)
    begins, ends = np.column_stack([at, at, cumulated]), np.stack([np.ones(n + 1), cumulated, -at])
    begins[0, 0], cut = 0.0, np.zeros(n + 1, dtype=int)
    for start in range(1, n + 1, at_once):
        values = ends[:, start : start + at_once].T @ begins[:start].T
        before = values.argmax(1)
        for end, row, far in zip(range(start, n + 1), values, before, strict=False):
            begins[end, 0], cut[end] = row[far], far
            if end > start:
                near = begins[start:end] @ ends[:, end]
                closest = int(near.argmax())
                if near[closest] > row[far]:
                    begins[end, 0], cut[end] = near[closest], start + closest
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
