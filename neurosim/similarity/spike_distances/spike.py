"""SPIKE-distance: mean difference of spike times, relative to interspike intervals."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.kernels.spike_trains import Trains, interval, limits, profile_bounds, with_edges
from neurosim.similarity.spike_distance import SpikeDistance


def spike_distance(trains: Trains, edges: tuple[float, float]) -> np.ndarray:
    """Mean over time of the SPIKE dissimilarity profile (https://doi.org/10.1152/jn.00873.2012).

    Between any two spikes the profile is linear, so it is integrated exactly from its limits at both ends.
    """
    bounds = profile_bounds(trains, edges)
    weight = np.diff(bounds) / (edges[1] - edges[0]) / 2
    middle = (bounds[:-1] + bounds[1:]) / 2
    padded = [with_edges(t, edges) for t in trains]
    places = [interval(p, middle) for p in padded]
    intervals = np.stack([p[2] for p in places])
    n = len(trains)
    distances = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1, n):
            ends = [limits(padded[a], padded[b], trains[a], places[a], bounds) for a, b in ((i, j), (j, i))]
            both = intervals[i] + intervals[j]
            profile = [(g * intervals[j] + h * intervals[i]) / (both**2 / 2) for g, h in zip(*ends, strict=True)]
            distances[i, j] = distances[j, i] = float((profile[0] + profile[1]) @ weight)
    return distances


SPIKE = SpikeDistance(
    name="spike",
    kernel=spike_distance,
    caption="SPIKE-distance: mean difference of spike times, relative to interspike intervals",
    reference="https://doi.org/10.1152/jn.00873.2012",
    window=True,
)
