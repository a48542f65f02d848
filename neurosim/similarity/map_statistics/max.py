"""The height of a place itself."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.map_statistic import MapStatistic


def own_height(heights: np.ndarray, edges: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Return the heights (B, V) themselves."""
    return heights


MAX = MapStatistic(
    name="max",
    weigh=own_height,
    neighbours=False,
    caption="every place is held against the largest statistic of all places",
    reference="https://doi.org/10.1002/hbm.1058",
)
