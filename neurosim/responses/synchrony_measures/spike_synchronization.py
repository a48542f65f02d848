"""The share of spikes that coincide, within half of the shortest interval around them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurosim.registry import NoOptions
from neurosim.responses.synchrony_measures import SynchronyMeasure, Trains


def spike_synchronization(trials: Sequence[Trains], duration: float, _step: float, _options: NoOptions) -> np.ndarray:
    """Return coinciding spikes over all spikes, both summed over trials; 1 where both are silent."""
    parts = [synchronization_counts(trains, (0.0, duration)) for trains in trials]
    pairs, total = (np.sum([p[k] for p in parts], axis=0) for k in (0, 1))
    return np.where(total > 0, pairs / np.maximum(total, 1), 1.0)


def synchronization_counts(trains: Trains, span: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the spikes of every pair of sorted trains that coincide, and all their spikes, (train, train)."""
    n = len(trains)
    pairs, total = np.zeros((n, n)), np.zeros((n, n))
    nearest = [_shortest_interval(t, span[1] - span[0]) for t in trains]
    for i in range(n):
        for j in range(i, n):
            pairs[i, j] = pairs[j, i] = 2 * _coincidences(trains[i], trains[j], nearest[i], nearest[j])
            total[i, j] = total[j, i] = len(trains[i]) + len(trains[j])
    return pairs, total


def _shortest_interval(train: np.ndarray, longest: float) -> np.ndarray:
    gaps = np.diff(train)
    return np.minimum(np.append(gaps, longest), np.append(longest, gaps)) if len(train) else np.empty(0)


def _coincidences(a: np.ndarray, b: np.ndarray, near_a: np.ndarray, near_b: np.ndarray) -> int:
    """Spikes of a with a partner in b nearer than half of every interval around both."""
    if not len(a) or not len(b):
        return 0
    right = np.clip(np.searchsorted(b, a), 1, max(1, len(b) - 1))
    left = right - 1
    right = np.minimum(right, len(b) - 1)
    partner = np.where(np.abs(b[left] - a) <= np.abs(b[right] - a), left, right)
    return int((np.abs(b[partner] - a) < np.minimum(near_a, near_b[partner]) / 2).sum())


SPIKE_SYNCHRONIZATION = SynchronyMeasure(
    name="spike_synchronization",
    kernel=spike_synchronization,
    caption="share of spikes that coincide within half of the shortest interval around them",
    reference="https://doi.org/10.1152/jn.00848.2014",
)
