"""Clusters of places in many maps at once: places above a height that neighbours join."""

from __future__ import annotations

import numpy as np


def components(nodes: np.ndarray, pairs: np.ndarray, size: int) -> np.ndarray:
    """Return the component (N,), from 0, of `nodes` (N,) that `pairs` (2, E) of them join; numbers are below `size`.

    >>> components(np.array([3, 4, 9]), np.array([[3], [4]]), 10).tolist()
    [0, 0, 1]
    """
    from scipy import sparse
    from scipy.sparse import csgraph

    place = np.zeros(size, dtype=np.int32)
    place[nodes] = np.arange(len(nodes))
    joined = (np.ones(pairs.shape[1], dtype=bool), (place[pairs[0]], place[pairs[1]]))
    found: np.ndarray = csgraph.connected_components(
        sparse.coo_array(joined, shape=(len(nodes), len(nodes))).tocsr(), directed=False
    )[1]
    return found


def pairs_of_maps(n_maps: int, n_places: int, edges: np.ndarray) -> np.ndarray:
    """Pairs (2, n_maps E) of places of many maps in a row, from the neighbours `edges` (2, E) of one map."""
    found: np.ndarray = (np.arange(n_maps)[:, None] * n_places + edges[:, None, :]).reshape(2, -1)
    return found


def cluster_labels(above: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the cluster (B, V), from 1, of the places of maps (B, V) that are `above`; 0 for the others.

    No cluster of one map has a number of another.

    >>> cluster_labels(np.array([[True, True, False, True]]), np.array([[0, 1, 2], [1, 2, 3]])).tolist()
    [[1, 1, 0, 2]]
    """
    flat = above.ravel()
    pairs = pairs_of_maps(len(above), above.shape[1], edges)
    nodes = np.flatnonzero(flat)
    labels = np.zeros(flat.size, dtype=np.int32)
    labels[nodes] = 1 + components(nodes, pairs[:, flat[pairs[0]] & flat[pairs[1]]], flat.size)
    return labels.reshape(above.shape)


def cluster_masses(heights: np.ndarray, edges: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Return at every place of maps (B, V) the sum of the heights of its cluster above `threshold` (V,), 0 outside."""
    labels = cluster_labels(heights > threshold, edges)
    mass = np.bincount(labels.ravel(), weights=heights.ravel())
    mass[0] = 0.0
    found: np.ndarray = mass[labels]
    return found


def enhanced(heights: np.ndarray, edges: np.ndarray, step: float) -> np.ndarray:
    """Return maps (B, V) enhanced by their clusters at all heights: the sum of ``sqrt(size) h^2 step`` over h < height.

    Each place takes the size of its cluster at every h, a multiple of `step`.
    """
    flat, (n_maps, n_places) = heights.ravel(), heights.shape
    total = np.zeros(flat.size)
    pairs = pairs_of_maps(n_maps, n_places, edges)
    lower = np.minimum(flat[pairs[0]], flat[pairs[1]])
    nodes = np.flatnonzero(flat > step)
    for k in range(1, int(np.ceil(flat.max(initial=0.0) / step))):
        nodes = nodes[flat[nodes] > k * step]
        kept = lower > k * step
        pairs, lower = pairs[:, kept], lower[kept]
        labels = components(nodes, pairs, flat.size)
        total[nodes] += np.sqrt(np.bincount(labels))[labels] * (k * step) ** 2 * step
    return total.reshape(heights.shape)
