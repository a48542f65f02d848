"""No shrinkage."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.shrinkage import Shrinkage


def sample_covariance(residuals: np.ndarray, df: int) -> np.ndarray:
    """Covariance (P, P) of residuals (n, P)."""
    return np.asarray(residuals.T @ residuals / df)


NONE = Shrinkage(
    name="none",
    covariance=sample_covariance,
    common=lambda trials: trials.covariance,
    caption="the covariance of the residuals as it is",
    reference="https://doi.org/10.1016/j.neuroimage.2015.12.012",
)
