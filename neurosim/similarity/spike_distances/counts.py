"""Difference of spike counts."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.kernels.spike_trains import Trains
from neurosim.similarity.spike_distance import SpikeDistance


def counts_gram(trains: Trains) -> np.ndarray:
    """Inner products (n, n) of the spike counts of n trains."""
    counts = np.array([len(t) for t in trains], dtype=float)
    return np.outer(counts, counts)


COUNTS = SpikeDistance(
    name="counts",
    kernel=counts_gram,
    caption="squared difference of spike counts",
    reference="https://doi.org/10.1152/jn.1996.76.2.1310",
    squared_norm=True,
)
