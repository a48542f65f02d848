"""Noise ceilings: how well the best RDM can explain the RDMs of several subjects.

For the linear methods all is in the inner products among subjects: the best RDM is the mean of the normalised ones,
and its score is the norm of that mean. Ranks are no linear space; for them the best RDM is searched for.
"""

from __future__ import annotations

import numpy as np

from neurosim.similarity.kernels.arrays import to_square
from neurosim.similarity.kernels.comparisons import cross_scores
from neurosim.similarity.method import Method


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


def exact_ceilings(vectors: np.ndarray, among: np.ndarray, method: Method, n_stimuli: int) -> tuple[float, float]:
    """Lower and upper ceiling of subjects (S, P) with scores `among` (S, S) under `method`.

    Methods that know ranks alone pool by the mean of ranks, ranked again, and say what the best ranks reach.
    """
    from scipy import stats

    lower, upper = (float(v[0]) for v in ceilings_of_gram(among[None], np.ones((1, len(vectors)))))
    if method.best_score is None or len(vectors) == 1:
        return lower, upper
    ranks = stats.rankdata(vectors, axis=1)
    scores = []
    for s, own in enumerate(ranks):
        others = stats.rankdata(np.delete(ranks, s, 0).mean(0))
        first, second = to_square(np.stack([others, own])[:, None], n_stimuli)
        scores.append(cross_scores(first, second, method)[0, 0])
    return float(np.mean(scores)), method.best_score(ranks, upper)
