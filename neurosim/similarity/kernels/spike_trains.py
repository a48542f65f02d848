"""Distances between spike trains: every pair of trains at once.

Trains are sorted arrays of spike times in seconds. A set of trains is a list; results are (n, n).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neurosim.similarity.kernels.arrays import n_block

Trains = list[np.ndarray]
MAX_EXPONENT = 300.0
CACHE_BYTES = 2**18


def van_rossum_gram(trains: Trains, time_constants: np.ndarray) -> np.ndarray:
    """Inner products (tau, n, n) of trains filtered with a causal exponential (https://doi.org/10.1162/089976601300014321).

    Scaled so that the squared distance of a train to itself with one spike more, far from the others, is 1. In time
    order, what a train left behind at a later spike is a running sum of exponentials, taken in windows short enough
    not to overflow; so the cost is spikes times trains, not spikes squared.
    """
    n = len(trains)
    times = np.concatenate([*trains, np.empty(0)])
    owner = np.repeat(np.arange(n), [len(t) for t in trains])
    moments, place = np.unique(times, return_inverse=True)
    order = np.argsort(place, kind="stable")
    place, owner = place[order], owner[order]
    gram = np.zeros((len(time_constants), n, n))
    for k, tau in enumerate(time_constants):
        trace, last = np.zeros(n), 0.0
        for window in _windows(moments, MAX_EXPONENT * tau, n_block(n, CACHE_BYTES)):
            inside = slice(*np.searchsorted(place, (window.start, window.stop)))
            moment, shape = place[inside] - window.start, (window.stop - window.start, n)
            since = (moments[window] - moments[window.start]) / tau
            cell, arriving = moment * n + owner[inside], np.exp(since[moment])
            table = np.bincount(cell, arriving, shape[0] * n).reshape(shape)
            np.cumsum(table, axis=0, out=table)
            table += trace * np.exp(-(moments[window.start] - last) / tau)
            trace, last = table[-1] * np.exp(-since[-1]), moments[window.stop - 1]
            np.subtract.at(table.reshape(-1), cell, arriving / 2)
            gram[k] += np.bincount(cell, 1 / arriving, shape[0] * n).reshape(shape).T @ table
    return gram + gram.transpose(0, 2, 1)


def _windows(moments: np.ndarray, longest: float, most: int) -> Iterator[slice]:
    """Yield runs of sorted `moments` that span at most `longest` and hold at most `most`."""
    start = 0
    while start < len(moments):
        stop = int(np.searchsorted(moments, moments[start] + longest, side="right"))
        stop = min(max(stop, start + 1), start + most)
        yield slice(start, stop)
        start = stop


def victor_purpura(trains: Trains, costs: np.ndarray) -> np.ndarray:
    """Least cost (cost, n, n) of turning one train into the other (https://doi.org/10.1152/jn.1996.76.2.1310).

    Adding or removing a spike costs 1, moving it by t seconds ``cost * t``. All pairs and costs advance together, one
    spike of the first train a step; within a step the best use of the second train is a running minimum.
    """
    n = len(trains)
    rows, columns = np.triu_indices(n, 1)
    lengths = np.array([len(t) for t in trains])
    longest = max(int(lengths.max(initial=0)), 1)
    padded = np.zeros((n, longest))
    for row, train in zip(padded, trains, strict=True):
        row[: len(train)] = train
    distances = np.zeros((len(costs), n, n))
    swap = lengths[rows] > lengths[columns]
    first, second = np.where(swap, columns, rows), np.where(swap, rows, columns)
    by_length = np.argsort(lengths[first], kind="stable")
    step = n_block(longest + 1, 2**21)
    for c, cost in enumerate(costs):
        for start in range(0, len(first), step):
            part = by_length[start : start + step]
            a, b = first[part], second[part]
            found = _edit_cost(padded[a], lengths[a], padded[b], lengths[b], float(cost))
            distances[c, a, b] = distances[c, b, a] = found
    return distances


def _edit_cost(a: np.ndarray, n_a: np.ndarray, b: np.ndarray, n_b: np.ndarray, cost: float) -> np.ndarray:
    """Costs (p,) of pairs of padded trains; column j of the table stands for the first j spikes of `b`."""
    width = int(n_b.max(initial=0))
    b = b[:, :width]
    index = np.arange(width + 1)
    best = np.broadcast_to(index, (len(a), width + 1)).astype(float)
    for i in range(int(n_a.max(initial=0))):
        move = np.abs(b - a[:, i, None])
        move *= cost
        move += best[:, :-1]
        row = best + 1
        np.minimum(row[:, 1:], move, out=row[:, 1:])
        row -= index
        np.minimum.accumulate(row, axis=1, out=row)
        row += index
        alive = n_a > i
        best = row if alive.all() else np.where(alive[:, None], row, best)
    return best[np.arange(len(a)), n_b]


def isi_distance(trains: Trains, edges: tuple[float, float]) -> np.ndarray:
    """Mean over time of the relative difference of interspike intervals (https://doi.org/10.1016/j.jneumeth.2007.05.031)."""
    bounds = _profile_bounds(trains, edges)
    middle = (bounds[:-1] + bounds[1:]) / 2
    intervals = np.stack([_interval(_with_edges(t, edges), middle)[2] for t in trains])
    weight = np.diff(bounds) / (edges[1] - edges[0])
    distances = np.zeros((len(trains), len(trains)))
    for i, own in enumerate(intervals):
        distances[i] = (np.abs(own - intervals) / np.maximum(own, intervals)) @ weight
    return (distances + distances.T) / 2


def spike_distance(trains: Trains, edges: tuple[float, float]) -> np.ndarray:
    """Mean over time of the SPIKE dissimilarity profile (https://doi.org/10.1152/jn.00873.2012).

    Between any two spikes the profile is linear, so it is integrated exactly from its limits at both ends.
    """
    bounds = _profile_bounds(trains, edges)
    weight = np.diff(bounds) / (edges[1] - edges[0]) / 2
    middle = (bounds[:-1] + bounds[1:]) / 2
    padded = [_with_edges(t, edges) for t in trains]
    places = [_interval(p, middle) for p in padded]
    intervals = np.stack([p[2] for p in places])
    n = len(trains)
    distances = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1, n):
            limits = [_limits(padded[a], padded[b], trains[a], places[a], bounds) for a, b in ((i, j), (j, i))]
            both = intervals[i] + intervals[j]
            profile = [(g * intervals[j] + h * intervals[i]) / (both**2 / 2) for g, h in zip(*limits, strict=True)]
            distances[i, j] = distances[j, i] = float((profile[0] + profile[1]) @ weight)
    return distances


def _profile_bounds(trains: Trains, edges: tuple[float, float]) -> np.ndarray:
    inside = [t[(t > edges[0]) & (t < edges[1])] for t in trains]
    return np.unique(np.concatenate([*inside, edges]))


def _with_edges(train: np.ndarray, edges: tuple[float, float]) -> np.ndarray:
    """Return the train between two auxiliary spikes at or beyond the edges.

    They are placed so that the first and last interval are no shorter than their neighbours.
    """
    if len(train) == 0:
        return np.array(edges)
    before, after = train[0] - edges[0], edges[1] - train[-1]
    if len(train) > 1:
        before, after = max(before, train[1] - train[0]), max(after, train[-1] - train[-2])
    return np.concatenate([[train[0] - before], train, [train[-1] + after]])


def _interval(padded: np.ndarray, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index of the spike before each moment, of the one after it, and the interval between them."""
    after = np.clip(np.searchsorted(padded, moments, side="right"), 1, len(padded) - 1)
    return after - 1, after, padded[after] - padded[after - 1]


def _limits(
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
