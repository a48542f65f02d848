"""Threshold-free cluster enhancement: the support of a place by its clusters at all heights."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.kernels.clusters import enhanced
from neurosim.similarity.map_statistic import MapStatistic

STEP = 0.1


def by_all_heights(heights: np.ndarray, edges: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Return maps (B, V) of z enhanced in steps of 0.1, with height squared and the root of extent."""
    return enhanced(heights, edges, STEP)


TFCE = MapStatistic(
    name="tfce",
    weigh=by_all_heights,
    heights="z",
    caption="every place is held against the largest support by neighbours at all heights",
    reference="https://doi.org/10.1016/j.neuroimage.2008.03.061",
)
