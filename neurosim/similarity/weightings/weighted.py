"""Any weights."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.weighting import Weighting


def any_weights(among: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """Weights (C,) of the highest score."""
    return np.asarray(np.linalg.lstsq(among, towards, rcond=1e-10)[0])


WEIGHTED = Weighting(
    name="weighted",
    weights=any_weights,
    caption="a weighted sum of components",
    reference="https://doi.org/10.7554/eLife.82566",
)
