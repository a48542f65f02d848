"""The best component."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.weighting import Weighting


def best_single(among: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """Weights (C,) that are 1 for the component with the highest score."""
    return np.asarray(np.eye(len(towards))[int(np.argmax(towards / np.sqrt(np.diagonal(among))))])


SELECT = Weighting(
    name="select",
    weights=best_single,
    caption="the best component",
    reference="https://doi.org/10.7554/eLife.82566",
)
