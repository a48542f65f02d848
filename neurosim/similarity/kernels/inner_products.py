"""Inner products of patterns, and what distances and whitening make of them; streamed over units.

Patterns are (..., K, P): K stimuli, P units. Folds are (..., M, K, P): M independent measurements of every stimulus.
Distances that add up over units are divided by their number, so that areas of any size compare.
"""

from __future__ import annotations

import numpy as np

from neurosim.similarity.kernels.arrays import Array, array_namespace, diagonal, hollow, is_torch_array, unit_blocks


def second_moment(patterns: Array, *, centre: bool = False) -> Array:
    """Inner products of patterns over the number of units, (..., K, P) -> (..., K, K).

    With `centre`, the mean pattern is removed first: distances stay the same and lose fewer digits.
    """
    total: Array = None
    for block in unit_blocks(patterns):
        part = block - block.mean(-2)[..., None, :] if centre else block
        gram = part @ transposed(part)
        total = gram if total is None else total + gram
    return total / patterns.shape[-1]


def crossvalidated_second_moment(folds: Array, measured: np.ndarray | None = None, *, centre: bool = False) -> Array:
    """Inner products of independent measurements over the number of units, (..., M, K, P) -> (..., K, K).

    The mean over all pairs of different folds in closed form, so unbiased: its diagonal is the cross-validated
    strength of each pattern and can be negative. Where `measured` (M, K) is given, fold m of stimulus k counts only if
    it is true, and every entry is the mean over the pairs of folds that were measured. With `centre`, the mean over
    stimuli is removed, in each fold where all were measured, else over the folds of each stimulus: what all stimuli
    share adds nothing to the spread of distances, and they stay unbiased where the noise of a stimulus is alike in its
    folds and that of others independent of it. Where folds are unequal and fold m has noise of variance v_m, a distance
    of stimuli k and l is off by ``2 / (K n_k) * sum_m (w_m - 1 / n_k) v_m``, and the same for l: n_k are the folds of
    k, w_m the share of fold m in the pairs of a fold of k with another of l. Runs as folds with their own precisions
    are free of it.
    """
    total: Array = None
    own: Array = None
    for block in unit_blocks(folds):
        if measured is None:
            part = block - block.mean(-2)[..., None, :] if centre else block
        else:
            part = _centred_where(block, measured) if centre else block * measured[..., None]
        summed = part.sum(-3)
        gram = summed @ transposed(summed)
        folded = [part[..., m, :, :] for m in range(part.shape[-3])]
        same = sum((fold @ transposed(fold) for fold in folded[1:]), folded[0] @ transposed(folded[0]))
        total, own = (gram, same) if total is None else (total + gram, own + same)
    n_folds, n_units = folds.shape[-3], folds.shape[-1]
    if measured is None:
        return (total - own) / (n_folds * (n_folds - 1) * n_units)
    weight = measured.astype(float)
    pairs = np.outer(weight.sum(0), weight.sum(0)) - weight.T @ weight
    return (total - own) / (pairs * n_units)


def second_moment_across_units(
    folds: np.ndarray, measured: np.ndarray, precision: np.ndarray, *, centre: bool = False
) -> np.ndarray:
    """Return the same of units that each `measured` (M, K, P) folds of their own, with a precision (P, P) between them.

    Of every two units the mean over the pairs of different folds of which one has the first stimulus and the other the
    second, (..., M, K, P) -> (..., K, K); folds are 0 where they were not measured. Units of the same folds are taken
    together. NaN where two units have no such pair.
    """
    patterns, member = np.unique(measured, axis=-1, return_inverse=True)
    parts = [np.flatnonzero(member.ravel() == g) for g in range(patterns.shape[-1])]
    blocks = [folds[..., units] for units in parts]
    if centre:
        blocks = [_centred_where(b, patterns[..., g]) for g, b in enumerate(blocks)]
    total = np.zeros((*folds.shape[:-3], *[folds.shape[-2]] * 2))
    for g, h in np.ndindex(len(parts), len(parts)):
        weighted, other = blocks[g] @ precision[np.ix_(parts[g], parts[h])], blocks[h]
        every = weighted.sum(-3) @ transposed(other.sum(-3)) - (weighted @ transposed(other)).sum(-3)
        a, b = (patterns[..., i].astype(float) for i in (g, h))
        pairs = np.outer(a.sum(0), b.sum(0)) - a.T @ b
        total += np.divide(every, pairs, out=np.full(every.shape, np.nan), where=pairs > 0)
    return np.asarray(total / folds.shape[-1])


def _centred_where(folds: Array, measured: np.ndarray) -> Array:
    """Return folds less the mean over stimuli of their means, 0 where nothing was measured.

    One constant pattern for all: what distances lose by it is a contrast between the folds of one stimulus, which a
    mean over the same folds, all of one weight, is not correlated with.
    """
    here = measured[..., None]
    of_stimuli = (folds * here).sum(-3) / here.sum(-3)
    return (folds - of_stimuli.mean(-2)[..., None, None, :]) * here


def distances_from_gram(gram: Array) -> Array:
    """Return ``G_ii + G_jj - 2 G_ij`` with an exact zero diagonal."""
    own = diagonal(gram)
    return hollow(own[..., :, None] + own[..., None, :] - gram - transposed(gram))


def noise_factor(precision: Array) -> Array:
    """Return the lower triangular factor L of a precision ``L L'`` (P, P), or the root (P,) of a diagonal one (P,)."""
    xp = array_namespace(precision)
    if precision.ndim == 1:
        return xp.sqrt(precision)
    return xp.linalg.cholesky(precision) if is_torch_array(precision) else _lower_factor(precision)


def _lower_factor(matrix: np.ndarray) -> np.ndarray:
    """Return the Cholesky factor (P, P) of a matrix, in its own order in memory: numpy turns it twice."""
    from scipy.linalg import lapack

    upper, fault = lapack.dpotrf(np.asarray(matrix, dtype=float, order="C").T, lower=0, clean=1)
    if fault:
        raise np.linalg.LinAlgError(f"the leading minor of order {fault} is not positive")
    found: np.ndarray = upper.T
    return found


def whiten(patterns: Array, factor: Array) -> Array:
    """Return patterns (..., P) whose Euclidean distance is the Mahalanobis one, for the factor of a precision.

    A matrix is triangular, which halves the work.
    """
    if factor.ndim == 1:
        return patterns * factor
    if is_torch_array(patterns):
        return patterns @ factor
    from scipy.linalg import blas

    rows = np.array(patterns, dtype=float, order="C").reshape(-1, patterns.shape[-1])
    return blas.dtrmm(1.0, factor.T, rows.T, overwrite_b=True).T.reshape(patterns.shape)


def transposed(array: Array) -> Array:
    """Return matrices (..., P, K) of matrices (..., K, P)."""
    return array.mT


def one_minus_normalised(gram: Array) -> Array:
    """Return one minus the cosines that inner products (..., K, K) are those of."""
    norm = array_namespace(gram).sqrt(diagonal(gram))
    values = 1 - gram / (norm[..., :, None] * norm[..., None, :])
    return hollow((values + transposed(values)) / 2)
