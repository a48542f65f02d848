"""Means over folds, and errors of what is cross-validated: every fold is left out of testing and of training."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

FEWEST_FOLDS = 4


class FoldVariance(NamedTuple):
    """Variance (U,) of a mean over folds; that of the jackknife alone; the estimates (K, U) without each fold."""

    variance: np.ndarray
    jackknife: np.ndarray
    left: np.ndarray


def fold_variance(
    each: np.ndarray, without: np.ndarray, left: np.ndarray | None = None, tested: np.ndarray | None = None
) -> FoldVariance:
    """Return how sure a mean over folds is.

    Folds share their training stimuli, so their spread says too little: by half where nothing is predicted. The
    jackknife leaves a fold out of testing and training; it counts what each pair of folds does together twice
    (https://doi.org/10.1214/aos/1176345462), and that is estimated from how alike the effects of one fold on another
    are in both directions, and taken off. Never less than what leaving folds out of testing alone says. NaN of fewer
    than 4 folds. Its degrees of freedom are about (K - 1) / 2.

    Parameters
    ----------
    each : (K, U), values of the folds. without : (K, K, U), those of the first fold where the second was not trained on
        either; its diagonal is not read. left : (K, U), the result without each fold, where it is not the mean of
        `without`. tested : (K, U), the result where each fold is not tested, where it is not the mean of `each`.
    """
    k = len(each)
    if left is None:
        left = mean_without(without)
    if k < FEWEST_FOLDS:
        unknown = np.full(each.shape[1:], np.nan)
        return FoldVariance(unknown, unknown, left)
    tested = (each.sum(0) - each) / (k - 1) if tested is None else tested
    jackknife = jackknife_variance(left)
    twice = np.maximum(2 * _shared(each[:, None] - without), 0.0)
    return FoldVariance(np.maximum(jackknife - twice, jackknife_variance(tested)), jackknife, left)


def mean_of_folds(folds: np.ndarray, measured: np.ndarray | None = None) -> np.ndarray:
    """Return the mean (K, P) of folds (M, K, P), or of those that were `measured` (M, K)."""
    if measured is None:
        return np.asarray(folds.mean(0))
    return np.asarray(np.where(measured[..., None], folds, 0.0).sum(0) / measured.sum(0)[:, None])


def mean_without(without: np.ndarray) -> np.ndarray:
    """Return the mean over the other folds (K, U) of values (K, K, U) where the second was not trained on."""
    off = ~np.eye(len(without), dtype=bool)
    return np.stack([without[off[:, g], g].mean(0) for g in range(len(without))])


def jackknife_variance(left: np.ndarray) -> np.ndarray:
    """Return the variance (...) from estimates (K, ...) without each of K parts."""
    n = len(left)
    return np.asarray((n - 1) / n * ((left - left.mean(0)) ** 2).sum(0))


def _shared(effects: np.ndarray) -> np.ndarray:
    """Return the variance (U,) of what is alike in effects (K, K, U) and their transpose, beyond rows and columns."""
    k = len(effects)
    rows, columns = np.nonzero(~np.eye(k, dtype=bool))
    design = np.concatenate([np.eye(k)[rows], np.eye(k)[columns]], axis=1)
    values = effects[rows, columns]
    residual = np.zeros_like(effects)
    residual[rows, columns] = values - np.tensordot(design @ np.linalg.pinv(design), values, 1)
    return np.asarray((residual * residual.swapaxes(0, 1)).sum((0, 1)) / (k * (k - 3)))
