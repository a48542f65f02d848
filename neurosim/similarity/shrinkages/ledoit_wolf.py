"""Shrinkage of a covariance towards equal, independent units."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.shrinkage import Shrinkage


def ledoit_wolf(residuals: np.ndarray, df: int) -> np.ndarray:
    """Shrink towards a multiple of the identity (https://doi.org/10.1016/S0047-259X(03)00096-4).

    The intensity needs only sums over the entries of fourth moments, which are sums over samples of squared norms: no
    second P x P product.
    """
    n, n_units = residuals.shape
    sample = residuals.T @ residuals / n
    mean_variance = np.trace(sample) / n_units
    squares = (sample**2).sum()
    distance = squares - n_units * mean_variance**2
    noise = (((residuals**2).sum(1) ** 2).sum() / n - squares) / n
    weight = min(noise, distance) / distance if distance > 0 else 1.0
    shrunk = (1 - weight) * sample
    shrunk[np.diag_indices(n_units)] += weight * mean_variance
    return np.asarray(shrunk * (n / df))


LEDOIT_WOLF = Shrinkage(
    name="ledoit_wolf",
    covariance=ledoit_wolf,
    caption="shrinkage towards a multiple of the identity",
    reference="https://doi.org/10.1016/S0047-259X(03)00096-4",
)
