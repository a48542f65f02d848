"""Shrinkage of correlations towards independent units."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.common_trials import CommonTrials, semidefinite
from neurosim.similarity.shrinkage import Shrinkage


def schaefer_strimmer(residuals: np.ndarray, df: int) -> np.ndarray:
    """Shrink correlations towards zero, variances stay (https://doi.org/10.2202/1544-6115.1175).

    The intensity needs only sums over the entries of fourth moments, which are sums over samples of squared norms: no
    second P x P product.
    """
    n, sample = len(residuals), residuals.T @ residuals
    variance = np.diagonal(sample) / df
    squares = residuals**2 / variance
    off_squares = ((1 / variance) @ (sample * sample) @ (1 / variance) - len(sample) * df**2) / (n - 1) ** 2
    off_fourth = ((squares.sum(1) ** 2).sum() - (squares**2).sum()) / (n - 1)
    weight = n / df**2 * (off_fourth - off_squares) / off_squares if off_squares > 0 else 1.0
    weight = min(max(weight, 0.0), 1.0)
    sample *= (1 - weight) / df
    sample[np.diag_indices(len(sample))] = variance
    return np.asarray(sample)


def of_common_trials(trials: CommonTrials) -> np.ndarray:
    """Return the same of every two units in the trials that both have, each correlation with its own error.

    Their correlations are made positive semidefinite first, by as little shrinkage as that takes.
    """
    covariance, variance = trials.covariance, trials.variance
    scale = np.sqrt(np.outer(variance, variance))
    off, free = ~np.eye(len(variance), dtype=bool), np.maximum(trials.n - 1, 1)
    mean = (trials.products / scale / free)[off] ** 2
    error = (trials.n / trials.df**2 * (trials.squares / scale**2 / free))[off] - (trials.n / trials.df**2)[off] * mean
    weight = min(max(error.sum() / mean.sum(), 0.0), 1.0) if mean.any() else 1.0
    correlations = (1 - weight) * semidefinite(covariance / scale)[0]
    correlations[~off] = 1.0
    return np.asarray(correlations * scale)


SCHAEFER_STRIMMER = Shrinkage(
    name="schaefer_strimmer",
    covariance=schaefer_strimmer,
    common=of_common_trials,
    caption="shrinkage of correlations towards zero",
    reference="https://doi.org/10.2202/1544-6115.1175",
)
