"""Weights of 0 or more."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.weighting import Weighting
from neurosim.similarity.weightings.select import best_single


def nonnegative(among: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """Non-negative weights that maximise ``w'b / sqrt(w'Aw)``; the best single one where no combination is positive."""
    from scipy.optimize import nnls

    values, vectors = np.linalg.eigh(among)
    kept = values > 1e-10 * values[-1]
    root = np.sqrt(values[kept])
    weights = nnls((vectors[:, kept] * root).T, (vectors[:, kept].T @ towards) / root)[0]
    if weights.any():
        return np.asarray(weights)
    return best_single(among, towards)


NONNEGATIVE = Weighting(
    name="nonnegative",
    weights=nonnegative,
    caption="a sum of components with weights of 0 or more",
    reference="https://doi.org/10.7554/eLife.82566",
)
