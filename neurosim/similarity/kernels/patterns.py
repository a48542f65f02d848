"""Responses to RDMs: every dissimilarity of patterns, batched over leading dims and streamed over units.

Patterns are (..., K, P): K stimuli, P units. Folds are (..., M, K, P): M independent measurements of every stimulus.
Distances that add up over units are divided by their number, so that areas of any size compare.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import blas

from neurosim.similarity.kernels.arrays import Array, array_namespace, diagonal, hollow, is_torch_array, unit_blocks

# --- distances made of inner products ----------------------------------------------------------------------------


def second_moment(patterns: Array, *, centre: bool = False) -> Array:
    """Inner products of patterns over the number of units, (..., K, P) -> (..., K, K).

    With `centre`, the mean pattern is removed first: distances stay the same and lose fewer digits.
    """
    total: Array = None
    for block in unit_blocks(patterns):
        part = block - block.mean(-2)[..., None, :] if centre else block
        gram = part @ _transposed(part)
        total = gram if total is None else total + gram
    return total / patterns.shape[-1]


def crossvalidated_second_moment(folds: Array, measured: np.ndarray | None = None, *, centre: bool = False) -> Array:
    """Inner products of independent measurements over the number of units, (..., M, K, P) -> (..., K, K).

    The mean over all pairs of different folds in closed form, so unbiased: its diagonal is the cross-validated
    strength of each pattern and can be negative. Where `measured` (M, K) is given, fold m of stimulus k counts only if
    it is true, and every entry is the mean over the pairs of folds that were measured.
    """
    total: Array = None
    own: Array = None
    for block in unit_blocks(folds):
        part = block - block.mean(-2)[..., None, :] if centre and measured is None else block
        part = part if measured is None else part * measured[..., None]
        summed = part.sum(-3)
        gram = summed @ _transposed(summed)
        folded = [part[..., m, :, :] for m in range(part.shape[-3])]
        same = sum((fold @ _transposed(fold) for fold in folded[1:]), folded[0] @ _transposed(folded[0]))
        total, own = (gram, same) if total is None else (total + gram, own + same)
    n_folds, n_units = folds.shape[-3], folds.shape[-1]
    if measured is None:
        return (total - own) / (n_folds * (n_folds - 1) * n_units)
    weight = measured.astype(float)
    pairs = np.outer(weight.sum(0), weight.sum(0)) - weight.T @ weight
    return (total - own) / (pairs * n_units)


def euclidean(patterns: Array) -> Array:
    """Squared Euclidean distance over the number of units."""
    return distances_from_gram(second_moment(patterns, centre=True))


def crossnobis(folds: Array, measured: np.ndarray | None = None) -> Array:
    """Cross-validated squared Euclidean distance over the number of units; unbiased, so it can be negative."""
    return distances_from_gram(crossvalidated_second_moment(folds, measured, centre=True))


def distances_from_gram(gram: Array) -> Array:
    """Return ``G_ii + G_jj - 2 G_ij`` with an exact zero diagonal."""
    own = diagonal(gram)
    return hollow(own[..., :, None] + own[..., None, :] - gram - _transposed(gram))


def noise_factor(precision: Array) -> Array:
    """Return the lower triangular factor L of a precision ``L L'`` (P, P), or the root (P,) of a diagonal one (P,)."""
    xp = array_namespace(precision)
    return xp.sqrt(precision) if precision.ndim == 1 else xp.linalg.cholesky(precision)


def whiten(patterns: Array, factor: Array) -> Array:
    """Return patterns (..., P) whose Euclidean distance is the Mahalanobis one, for the factor of a precision.

    A matrix is triangular, which halves the work.
    """
    if factor.ndim == 1:
        return patterns * factor
    if is_torch_array(patterns):
        return patterns @ factor
    rows = np.array(patterns, dtype=float, order="C").reshape(-1, patterns.shape[-1])
    return blas.dtrmm(1.0, factor.T, rows.T, overwrite_b=True).T.reshape(patterns.shape)


def cosine(patterns: Array) -> Array:
    """One minus the cosine of patterns."""
    return _one_minus_normalised(second_moment(patterns))


def correlation(patterns: Array) -> Array:
    """One minus the Pearson correlation of patterns."""
    n_units = patterns.shape[-1]
    gram: Array = None
    total: Array = None
    shift: Array = None
    for block in unit_blocks(patterns):
        shift = block.mean(-1)[..., None] if shift is None else shift
        part = block - shift
        inner, sums = part @ _transposed(part), part.sum(-1)
        gram, total = (inner, sums) if gram is None else (gram + inner, total + sums)
    mean = total[..., None]
    return _one_minus_normalised(gram - mean @ _transposed(mean) / n_units)


# --- distances that are not inner products -----------------------------------------------------------------------


def manhattan(patterns: Array) -> Array:
    """Sum of absolute differences over the number of units."""
    xp = array_namespace(patterns) if is_torch_array(patterns) else np
    total: Array = None
    for block in unit_blocks(patterns):
        rows = [xp.abs(block - block[..., i, :][..., None, :]).sum(-1) for i in range(block.shape[-2])]
        part = xp.stack(rows, axis=-2)
        total = part if total is None else total + part
    return total / patterns.shape[-1]


def poisson(patterns: Array, *, prior_mean: float = 1.0, prior_weight: float = 0.1) -> Array:
    """Symmetrised Kullback-Leibler divergence of Poisson rates over the number of units.

    Rates are drawn towards `prior_mean` with the weight of `prior_weight` measurements, so that silence has a finite
    divergence.
    """
    gram: Array = None
    for block in unit_blocks(patterns):
        part = _poisson_gram(block, block, prior_mean, prior_weight)
        gram = part if gram is None else gram + part
    return distances_from_gram(gram / patterns.shape[-1])


def poisson_crossvalidated(folds: Array, *, prior_mean: float = 1.0, prior_weight: float = 0.1) -> Array:
    """Poisson divergence with rates of the other folds and log rates of the held-out one; mean over folds."""
    n_folds = folds.shape[-3]
    gram: Array = None
    for block in unit_blocks(folds):
        total = block.sum(-3)
        for m in range(n_folds):
            held_out = block[..., m, :, :]
            part = _poisson_gram((total - held_out) / (n_folds - 1), held_out, prior_mean, prior_weight)
            gram = part if gram is None else gram + part
    return distances_from_gram(gram / (n_folds * folds.shape[-1]))


def _poisson_gram(rates: Array, other: Array, prior_mean: float, prior_weight: float) -> Array:
    a, b = ((x + prior_mean * prior_weight) / (1 + prior_weight) for x in (rates, other))
    return a @ _transposed(array_namespace(b).log(b))


# --- discriminability, cross-validated over folds ----------------------------------------------------------------


def decoding_accuracy(folds: np.ndarray, whitening: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Accuracy with which a linear discriminant tells two stimuli apart on a held-out fold, (M, K, P) -> (K, K).

    `whitening` maps the training folds (M - 1, K, P) to a factor (P, P) of the noise precision. The discriminant of
    every pair is the difference of two linear scores, so one K x K product a fold serves all pairs. A tie counts half.
    """
    n_folds = len(folds)
    correct = np.zeros((folds.shape[1], folds.shape[1]))
    for m in range(n_folds):
        training = np.delete(folds, m, axis=0)
        factor = whitening(training)
        means, held_out = training.mean(0) @ factor, folds[m] @ factor
        evidence = held_out @ means.T - (means**2).sum(-1) / 2
        margin = np.diagonal(evidence)[:, None] - evidence
        wins = (margin > 0) + 0.5 * (margin == 0)
        correct += (wins + wins.T) / 2
    return hollow(correct / n_folds)


def linear_discriminant_t(folds: np.ndarray, whitening: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Linear discriminant t value, (M, K, P) -> (K, K): mean over folds of the held-out contrast over its error.

    The discriminant comes from the other folds; its error from the residuals of all folds about the mean of each
    stimulus, with K (M - 1) degrees of freedom.
    """
    n_folds, n_stimuli = folds.shape[:2]
    residuals = (folds - folds.mean(0)).reshape(-1, folds.shape[-1])
    noise_factor = residuals.T @ residuals / (n_stimuli * (n_folds - 1))
    rows, columns = np.triu_indices(n_stimuli, 1)
    total = np.zeros(len(rows))
    for m in range(n_folds):
        training = np.delete(folds, m, axis=0)
        factor = whitening(training)
        weights = (training.mean(0) @ factor) @ factor.T
        spread = weights @ noise_factor @ weights.T
        contrast = weights @ folds[m].T
        own, noise = np.diagonal(contrast), np.diagonal(spread)
        held_out = (own[:, None] + own - contrast - contrast.T)[rows, columns]
        variance = 2 * (noise[:, None] + noise - spread - spread.T)[rows, columns]
        total += held_out / np.sqrt(variance)
    values = np.zeros((n_stimuli, n_stimuli))
    values[rows, columns] = values[columns, rows] = total / n_folds
    return values


# --- small helpers ------------------------------------------------------------------------------------------------


def _transposed(array: Array) -> Array:
    return array.mT


def _one_minus_normalised(gram: Array) -> Array:
    norm = array_namespace(gram).sqrt(diagonal(gram))
    values = 1 - gram / (norm[..., :, None] * norm[..., None, :])
    return hollow((values + _transposed(values)) / 2)


METRICS: dict[str, Callable[[Array], Array]] = {
    "euclidean": euclidean,
    "correlation": correlation,
    "cosine": cosine,
    "manhattan": manhattan,
    "poisson": poisson,
}
