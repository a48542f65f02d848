"""Mean relative difference of interspike intervals."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.kernels.spike_trains import Trains, interval, profile_bounds, with_edges
from neurosim.similarity.spike_distance import SpikeDistance


def isi_distance(trains: Trains, edges: tuple[float, float]) -> np.ndarray:
    """Mean over time of the relative difference of interspike intervals (https://doi.org/10.1016/j.jneumeth.2007.05.031)."""
    bounds = profile_bounds(trains, edges)
    middle = (bounds[:-1] + bounds[1:]) / 2
    intervals = np.stack([interval(with_edges(t, edges), middle)[2] for t in trains])
    weight = np.diff(bounds) / (edges[1] - edges[0])
    distances = np.zeros((len(trains), len(trains)))
    for i, own in enumerate(intervals):
        distances[i] = (np.abs(own - intervals) / np.maximum(own, intervals)) @ weight
    return (distances + distances.T) / 2


ISI = SpikeDistance(
    name="isi",
    kernel=isi_distance,
    caption="mean relative difference of interspike intervals",
    reference="https://doi.org/10.1016/j.jneumeth.2007.05.031",
    window=True,
)
