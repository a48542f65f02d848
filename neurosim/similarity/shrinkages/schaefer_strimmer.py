"""Shrinkage of correlations towards independent units."""

from __future__ import annotations

import numpy as np

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


SCHAEFER_STRIMMER = Shrinkage(
    name="schaefer_strimmer",
    covariance=schaefer_strimmer,
    caption="shrinkage of correlations towards zero",
    reference="https://doi.org/10.2202/1544-6115.1175",
)
