"""Distance of exponentially filtered spike trains."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neurosim.similarity.kernels.arrays import n_block
from neurosim.similarity.kernels.spike_trains import Trains
from neurosim.similarity.spike_distance import SpikeDistance

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


VAN_ROSSUM = SpikeDistance(
    name="van_rossum",
    kernel=van_rossum_gram,
    caption="squared distance of exponentially filtered spike trains",
    reference="https://doi.org/10.1162/089976601300014321",
    time_constants=True,
    squared_norm=True,
)
