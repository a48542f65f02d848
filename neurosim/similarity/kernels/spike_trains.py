"""Spike trains in a window: the pieces between their spikes, and the gaps to the spikes of others.

Trains are sorted arrays of spike times in seconds. A set of trains is a list.
"""

from __future__ import annotations

import numpy as np

Trains = list[np.ndarray]


def profile_bounds(trains: Trains, edges: tuple[float, float]) -> np.ndarray:
    """Return the moments at which any train spikes, between the edges."""
    inside = [t[(t > edges[0]) & (t < edges[1])] for t in trains]
    return np.unique(np.concatenate([*inside, edges]))


def with_edges(train: np.ndarray, edges: tuple[float, float]) -> np.ndarray:
    """Return the train between two auxiliary spikes at or beyond the edges.

    They are placed so that the first and last interval are no shorter than their neighbours.
    """
    if len(train) == 0:
        return np.array(edges)
    before, after = train[0] - edges[0], edges[1] - train[-1]
    if len(train) > 1:
        before, after = max(before, train[1] - train[0]), max(after, train[-1] - train[-2])
    return np.concatenate([[train[0] - before], train, [train[-1] + after]])


def interval(padded: np.ndarray, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index of the spike before each moment, of the one after it, and the interval between them."""
    after = np.clip(np.searchsorted(padded, moments, side="right"), 1, len(padded) - 1)
    return after - 1, after, padded[after] - padded[after - 1]


def limits(
    own: np.ndarray,
    other: np.ndarray,
    train: np.ndarray,
    place: tuple[np.ndarray, np.ndarray, np.ndarray],
    bounds: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Gap between the spikes around a moment and their nearest in `other`, at both ends of every piece between bounds.

    Outside its first and last spike, a train keeps the gap of that spike.
    """
    spikes = train if len(train) else own
    right = np.clip(np.searchsorted(other, spikes), 1, len(other) - 1)
    gap = np.minimum(np.abs(spikes - other[right - 1]), np.abs(spikes - other[right]))
    gap = np.concatenate([gap[:1], gap, gap[-1:]]) if len(train) else gap
    before, after, interval = place
    left, ahead = gap[before], gap[after]
    ends = (bounds[:-1], bounds[1:])
    found = [(left * (own[after] - t) + ahead * (t - own[before])) / interval for t in ends]
    return found[0], found[1]
