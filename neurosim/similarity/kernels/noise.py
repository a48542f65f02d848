"""Covariance of noise between units, with shrinkage, in one matrix product."""

from __future__ import annotations

import numpy as np

SHRINKAGES = ("schaefer_strimmer", "ledoit_wolf", "diagonal", "none")


def noise_covariance(residuals: np.ndarray, df: int, shrinkage: str) -> np.ndarray:
    """Covariance (P, P), or variances (P,) for "diagonal", of residuals (n, P) that have `df` degrees of freedom.

    The intensities of both shrinkages need only sums over the entries of fourth moments, which are sums over
    samples of squared norms: no second P x P product.
    """
    if shrinkage == "diagonal":
        return np.asarray((residuals**2).sum(0) / df)
    sample = residuals.T @ residuals
    if shrinkage == "none":
        return np.asarray(sample / df)
    intensity = _ledoit_wolf if shrinkage == "ledoit_wolf" else _schaefer_strimmer
    return intensity(residuals, sample, df)


def _ledoit_wolf(residuals: np.ndarray, sample: np.ndarray, df: int) -> np.ndarray:
    """Shrink towards a multiple of the identity (https://doi.org/10.1016/S0047-259X(03)00096-4)."""
    n, n_units = residuals.shape
    sample = sample / n
    mean_variance = np.trace(sample) / n_units
    squares = (sample**2).sum()
    distance = squares - n_units * mean_variance**2
    noise = (((residuals**2).sum(1) ** 2).sum() / n - squares) / n
    weight = min(noise, distance) / distance if distance > 0 else 1.0
    shrunk = (1 - weight) * sample
    shrunk[np.diag_indices(n_units)] += weight * mean_variance
    return np.asarray(shrunk * (n / df))


def _schaefer_strimmer(residuals: np.ndarray, sample: np.ndarray, df: int) -> np.ndarray:
    """Shrink correlations towards zero, variances stay (https://doi.org/10.2202/1544-6115.1175)."""
    n = len(residuals)
    variance = np.diagonal(sample) / df
    squares = residuals**2 / variance
    off_squares = ((1 / variance) @ (sample * sample) @ (1 / variance) - len(sample) * df**2) / (n - 1) ** 2
    off_fourth = ((squares.sum(1) ** 2).sum() - (squares**2).sum()) / (n - 1)
    weight = n / df**2 * (off_fourth - off_squares) / off_squares if off_squares > 0 else 1.0
    weight = min(max(weight, 0.0), 1.0)
    sample *= (1 - weight) / df
    sample[np.diag_indices(len(sample))] = variance
    return sample
