"""Cost of editing one spike train into another."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.kernels.arrays import n_block
from neurosim.similarity.kernels.spike_trains import Trains
from neurosim.similarity.spike_distance import SpikeDistance


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
    found: np.ndarray = best[np.arange(len(a)), n_b]
    return found


def by_time_constant(trains: Trains, time_constants: np.ndarray) -> np.ndarray:
    """Distances (tau, n, n) where moving a spike by a time constant costs as much as removing it."""
    return victor_purpura(trains, 1 / time_constants)


VICTOR_PURPURA = SpikeDistance(
    name="victor_purpura",
    kernel=by_time_constant,
    caption="cost of editing one spike train into another",
    reference="https://doi.org/10.1152/jn.1996.76.2.1310",
    time_constants=True,
)
