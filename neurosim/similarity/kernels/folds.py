"""Errors of what is cross-validated: every fold is left out of testing and of training."""

from __future__ import annotations

import numpy as np

FEWEST_FOLDS = 4


def fold_variance(each: np.ndarray, without: np.ndarray, left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the variance (U,) of a mean over folds, and that of the jackknife alone.

    Folds share their training stimuli, so their spread says too little: by half where nothing is predicted. The
    jackknife leaves a fold out of testing and training; it counts what each pair of folds does together twice
    (https://doi.org/10.1214/aos/1176345462), and that is estimated from how alike the effects of one fold on another
    are in both directions, and taken off. Never less than the spread of the folds says. NaN of fewer than 4 folds.

    Parameters
    ----------
    each : (K, U), values of the folds. without : (K, K, U), those of the first fold where the second was not trained on
        either; its diagonal is not read. left : (K, U), the result without each fold at all.
    """
    k = len(each)
    if k < FEWEST_FOLDS:
        return np.full(each.shape[1:], np.nan), np.full(each.shape[1:], np.nan)
    jackknife = (k - 1) / k * ((left - left.mean(0)) ** 2).sum(0)
    twice = 2 * _shared(each[:, None] - without)
    return np.maximum(jackknife - twice, each.var(0, ddof=1) / k), jackknife


def _shared(effects: np.ndarray) -> np.ndarray:
    """Return the variance (U,) of what is alike in effects (K, K, U) and their transpose, beyond rows and columns."""
    k = len(effects)
    rows, columns = np.nonzero(~np.eye(k, dtype=bool))
    design = np.concatenate([np.eye(k)[rows], np.eye(k)[columns]], axis=1)
    values = effects[rows, columns]
    residual = np.zeros_like(effects)
    residual[rows, columns] = values - design @ (np.linalg.pinv(design) @ values)
    return np.asarray((residual * residual.swapaxes(0, 1)).sum((0, 1)) / (k * (k - 3)))
