"""The mathematics of representational comparison on plain arrays; labels are handled elsewhere.

RDMs are handled as their K (K - 1) / 2 upper entries, in the order of ``scipy.spatial.distance.squareform``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


# --- responses to RDMs -------------------------------------------------------------------------------------------


def euclidean(responses: Array, block: int = 2**16) -> Array:
    """Squared Euclidean distance divided by the number of units, (..., K, P) -> (..., K, K)."""
    gram = 0.0
    for start in range(0, responses.shape[-1], block):
        part = np.asarray(responses[..., start : start + block], dtype=float)
        part = part - part.mean(axis=-2, keepdims=True)
        gram = gram + part @ np.swapaxes(part, -1, -2)
    return distances_from_gram(np.asarray(gram)) / responses.shape[-1]


def correlation(responses: Array, block: int = 2**16) -> Array:
    """One minus the Pearson correlation of patterns, (..., K, P) -> (..., K, K)."""
    gram, total, n = 0.0, 0.0, responses.shape[-1]
    shift = np.asarray(responses[..., :block], dtype=float).mean(axis=-1, keepdims=True)
    for start in range(0, n, block):
        part = np.asarray(responses[..., start : start + block], dtype=float) - shift
        gram = gram + part @ np.swapaxes(part, -1, -2)
        total = total + part.sum(axis=-1)
    mean = np.asarray(total)[..., None]
    return _one_minus_normalised(np.asarray(gram) - mean @ np.swapaxes(mean, -1, -2) / n)


def cosine(responses: Array, block: int = 2**16) -> Array:
    """One minus the cosine of patterns, (..., K, P) -> (..., K, K)."""
    gram = 0.0
    for start in range(0, responses.shape[-1], block):
        part = np.asarray(responses[..., start : start + block], dtype=float)
        gram = gram + part @ np.swapaxes(part, -1, -2)
    return _one_minus_normalised(np.asarray(gram))


def crossnobis(folds: Array) -> Array:
    """Cross-validated squared Euclidean distance divided by the number of units, (..., M, K, P) -> (..., K, K).

    Balanced closed form, equal to the mean over all pairs of different folds; unbiased, so it can be negative.
    """
    n_folds, n_units = folds.shape[-3], folds.shape[-1]
    folds = folds - folds.mean(axis=-2, keepdims=True)
    total = folds.sum(axis=-3)
    own = np.einsum("...mkp,...mlp->...kl", folds, folds)
    gram = (total @ np.swapaxes(total, -1, -2) - own) / (n_folds * (n_folds - 1))
    return distances_from_gram(gram) / n_units


def distances_from_gram(gram: Array) -> Array:
    """Return ``G_ii + G_jj - 2 G_ij`` with an exact zero diagonal."""
    diagonal = np.einsum("...ii->...i", gram)
    distances = diagonal[..., :, None] + diagonal[..., None, :] - gram - np.swapaxes(gram, -1, -2)
    np.einsum("...ii->...i", distances)[...] = 0.0
    return distances


def _one_minus_normalised(gram: Array) -> Array:
    norm = np.sqrt(np.einsum("...ii->...i", gram))
    values = 1 - gram / (norm[..., :, None] * norm[..., None, :])
    values = (values + np.swapaxes(values, -1, -2)) / 2
    np.einsum("...ii->...i", values)[...] = 0.0
    return values


# --- RDMs against RDMs -------------------------------------------------------------------------------------------


def upper(square: Array) -> Array:
    """Upper entries (..., P) of square RDMs (..., K, K)."""
    rows, columns = np.triu_indices(square.shape[-1], 1)
    return np.asarray(square[..., rows, columns], dtype=float)


def to_square(vectors: Array, n_stimuli: int) -> Array:
    """Square RDMs (..., K, K) of upper entries (..., P)."""
    rows, columns = np.triu_indices(n_stimuli, 1)
    square = np.zeros((*vectors.shape[:-1], n_stimuli, n_stimuli))
    square[..., rows, columns] = square[..., columns, rows] = vectors
    return square


def pair_weights(counts: Array) -> Array:
    """Weight of every pair, (..., P), when stimulus i was drawn ``counts[..., i]`` times."""
    rows, columns = np.triu_indices(counts.shape[-1], 1)
    return counts[..., rows] * counts[..., columns]


def _rank_sorted(ordered: Array, order: NDArray[np.intp], weights: Array, out: Array) -> None:
    """Write into `out` the mid-ranks of a feature, sorted by `order`, whose entry p occurs ``weights[p]`` times."""
    cumulated = np.cumsum(weights[order])
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    high = cumulated[last]
    low = np.append(0.0, high[:-1])
    group = np.repeat(np.arange(len(last)), np.diff(np.append(-1, last)))
    out[order] = ((low + high + 1) / 2)[group]


def gram_of_features(features: Array, counts: Array, method: str) -> Array:
    """Normalised inner products of RDMs under resampling of the stimuli.

    Every comparison of RDMs here is an inner product of features that are centred or ranked in one way or another;
    resampling stimuli only changes the weights in it (Schuett et al. 2023, https://doi.org/10.7554/eLife.82566).

    Parameters
    ----------
    features : RDMs (F, P), upper entries.
    counts : (N, K), how often each stimulus was drawn in each sample; a row of ones is the plain comparison.
    method : "cosine", "corr", "spearman", "rho_a", "whitened_cosine" or "whitened_corr".

    Returns
    -------
    (N, F, F), the score of every RDM with every other in every sample.
    """
    out = np.empty((len(counts), len(features), len(features)))
    presorted = [(f[o], o) for f in features for o in [np.argsort(f, kind="stable")]]
    for n, count in enumerate(counts):
        weights = pair_weights(count)
        if method in ("spearman", "rho_a"):
            ranks = np.empty_like(features)
            for row, (ordered, order) in enumerate(presorted):
                _rank_sorted(ordered, order, weights, ranks[row])
            out[n] = _weighted_gram(ranks, weights, centre=True, rank_norm=method == "rho_a")
        elif method.startswith("whitened"):
            out[n] = _whitened_gram(features, count, weights, centre=method == "whitened_corr")
        else:
            out[n] = _weighted_gram(features, weights, centre=method == "corr")
    return out


def _weighted_gram(features: Array, weights: Array, *, centre: bool, rank_norm: bool = False) -> Array:
    total = weights.sum()
    if centre:
        features = features - (features @ weights / total)[:, None]
    gram = (features * weights) @ features.T
    if rank_norm:
        return gram * 12 / (total**3 - total)
    return _normalise(gram)


def _whitened_gram(features: Array, counts: Array, weights: Array, *, centre: bool) -> Array:
    """Inner products whitened by the covariance of distances of independent noise, in closed form."""
    if centre:
        features = features - (features @ weights / weights.sum())[:, None]
    n = counts.sum()
    row_sums = to_square(features, len(counts)) @ counts
    diagonal = n / 2 + 1 - counts
    solved = row_sums / diagonal
    solved -= ((row_sums @ (counts / diagonal)) / (2 + (counts / diagonal).sum()))[:, None] / diagonal
    gram = 2 * (features * weights) @ features.T - (row_sums * counts) @ solved.T
    return _normalise((gram + gram.T) / 2)


def _normalise(gram: Array) -> Array:
    norm = np.sqrt(np.diagonal(gram))
    return gram / np.outer(norm, norm)


def tau_a(a: Array, b: Array, block: int = 512) -> float:
    """Kendall's tau-a of two vectors (P,): concordant minus discordant pairs over all pairs."""
    total = 0.0
    for start in range(0, len(a), block):
        signs_a = np.sign(a[start : start + block, None] - a)
        signs_b = np.sign(b[start : start + block, None] - b)
        total += float((signs_a * signs_b).sum())
    return total / (len(a) * (len(a) - 1))


METHODS_OF_INNER_PRODUCTS = ("cosine", "corr", "spearman", "rho_a", "whitened_cosine", "whitened_corr")
METRICS: dict[str, Callable[[Array], Array]] = {"euclidean": euclidean, "correlation": correlation, "cosine": cosine}


# --- alignment ---------------------------------------------------------------------------------------------------


def centred_gram(squared_distances: Array) -> Array:
    """Centred inner products (..., K, K) of patterns with these squared distances."""
    d = squared_distances
    centred = d - d.mean(axis=-1, keepdims=True) - d.mean(axis=-2, keepdims=True) + d.mean(axis=(-1, -2), keepdims=True)
    return -centred / 2


def cka(gram_a: Array, gram_b: Array) -> float:
    """Centred kernel alignment of two centred Gram matrices (https://arxiv.org/abs/1905.00414)."""
    return float((gram_a * gram_b).sum() / np.sqrt((gram_a**2).sum() * (gram_b**2).sum()))


def debiased_cka(gram_a: Array, gram_b: Array) -> float:
    """Centred kernel alignment from the unbiased estimate of HSIC (https://arxiv.org/abs/2010.15327)."""
    aa, bb = _unbiased_hsic(gram_a, gram_a), _unbiased_hsic(gram_b, gram_b)
    return float(_unbiased_hsic(gram_a, gram_b) / np.sqrt(aa * bb)) if aa > 0 and bb > 0 else float("nan")


def _unbiased_hsic(gram_a: Array, gram_b: Array) -> float:
    n = len(gram_a)
    a, b = (g - np.diag(np.diagonal(g)) for g in (gram_a, gram_b))
    sums = a.sum(0) @ b.sum(0)
    trace = (a * b).sum()
    return float((trace + a.sum() * b.sum() / ((n - 1) * (n - 2)) - 2 * sums / (n - 2)) / (n * (n - 3)))
