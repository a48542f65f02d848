"""Variances alone."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.shrinkage import Shrinkage


def variances(residuals: np.ndarray, df: int) -> np.ndarray:
    """Variances (P,) of residuals (n, P)."""
    return np.asarray((residuals**2).sum(0) / df)


DIAGONAL = Shrinkage(
    name="diagonal",
    covariance=variances,
    common=lambda trials: trials.variance,
    caption="variances of units alone",
    reference="https://doi.org/10.1016/j.neuroimage.2015.12.012",
)
