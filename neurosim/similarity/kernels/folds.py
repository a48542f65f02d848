"""Errors of what is cross-validated: every fold is left out of testing and of training."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

FEWEST_FOLDS = 4


class FoldVariance(NamedTuple):
    """Variance (U,) of a mean over folds; that of the jackknife alone; the estimates (K, U) without each fold."""

    variance: np.ndarray
    jackknife: np.ndarray
    left: np.ndarray


def fold_variance(each: np.ndarray, without: np.ndarray, scale: np.ndarray | float = 1.0) -> FoldVariance:
    """Return how sure a mean over folds is.

    Folds share their training stimuli, so their spread says too little: by half where nothing is predicted. The
    jackknife leaves a fold out of testing and training; it counts what each pair of folds does together twice
    (https://doi.org/10.1214/aos/1176345462), and that is estimated from how alike the effects of one fold on another
    are in both directions, and taken off. Never less than what leaving folds out of testing alone says. NaN of fewer
    than 4 folds. Its degrees of freedom are about (K - 1) / 2.

    Parameters
    ----------
    each : (K, U), values of the folds. without : (K, K, U), those of the first fold where the second was not trained on
        either; its diagonal is not read. scale : (K, U), by which a result without each fold is multiplied.
    """
    k = len(each)
    off = ~np.eye(k, dtype=bool)
    left = np.stack([without[off[:, g], g].mean(0) for g in range(k)]) * scale
    if k < FEWEST_FOLDS:
        unknown = np.full(each.shape[1:], np.nan)
        return FoldVariance(unknown, unknown, left)
    jackknife = jackknife_variance(left)
    twice = np.maximum(2 * _shared(each[:, None] - without), 0.0)
    tested = jackknife_variance((each.sum(0) - each) / (k - 1) * scale)
    return FoldVariance(np.maximum(jackknife - twice, tested), jackknife, left)


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
    residual[rows, columns] = values - design @ (np.linalg.pinv(design) @ values)
    return np.asarray((residual * residual.swapaxes(0, 1)).sum((0, 1)) / (k * (k - 3)))
