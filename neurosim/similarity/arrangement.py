"""Arrange subjects in the plane so that alike ones are near: multidimensional scaling."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from neurosim.arrays import column_names, is_table, match_names, plain, row_names
from neurosim.runtime import as_seed
from neurosim.schema import InputError


def arrange(distances: object, *, rng: np.random.Generator | int = 0) -> Any:
    """Return points (n, 2) whose distances resemble `distances` (https://doi.org/10.1007/BF02289565).

    Metric multidimensional scaling by scikit-learn, from random starts, turned to its principal axes with a fixed
    sign, so that the same distances give the same picture.

    Parameters
    ----------
    distances : (n, n), symmetric; negative values count as 0. An RDM (stimulus, stimulus_other) gives labelled points
        (stimulus, axis), for :func:`~neurosim.plots.plane.plot_stimulus_map`.
    rng : seed or generator of the starts.

    Returns
    -------
    points (n, 2), centred, along their principal axes.

    Raises
    ------
    InputError : not square, not symmetric, or not finite.

    Examples
    --------
    >>> ns.similarity.arrange(np.ones((4, 4)) - np.eye(4)).shape
    (4, 2)
    """
    from sklearn.manifold import MDS

    if isinstance(distances, xr.DataArray):
        points = xr.DataArray(arrange(distances.values, rng=rng), dims=(distances.dims[0], "axis"))
        along = {k: v for k, v in distances.coords.items() if v.dims == distances.dims[:1]}
        return points.assign_coords(along)
    symmetric = _symmetric(distances, "arrange")
    seed = as_seed(rng, "arrange") % 2**32
    mds = MDS(n_components=2, metric="precomputed", n_init=8, init="random", random_state=seed, normalized_stress=False)
    points = mds.fit_transform(symmetric)
    points = points - points.mean(0)
    points = points @ np.linalg.svd(points, full_matrices=False)[2].T
    return points * np.where(points[np.abs(points).argmax(0), [0, 1]] < 0, -1, 1)


def stress(distances: object, points: object) -> float:
    """Return how badly points tell the distances: the root of squared errors over squares (Kruskal's stress 1).

    Parameters
    ----------
    distances : (n, n), symmetric; negative values count as 0, as in :func:`arrange`.
    points : (n, 2), from :func:`arrange`.

    Returns
    -------
    0 where the picture is exact; near 0.2 and above little is left of it (https://doi.org/10.1007/BF02289565).

    Raises
    ------
    InputError : not square, not as many points, not finite.

    Examples
    --------
    >>> square = np.array([[0.0, 3, 4], [3, 0, 5], [4, 5, 0]])
    >>> round(ns.similarity.stress(square, [[0, 0], [3, 0], [0, 4]]), 6)
    0.0
    """
    asked, placed = _symmetric(distances, "stress"), plain(points, "stress").astype(float)
    if placed.ndim != 2 or len(placed) != len(asked) or not np.isfinite(placed).all():
        raise InputError(f"stress: {len(asked)} finite points (n, axes) asked, found shape {placed.shape}.")
    drawn = np.linalg.norm(placed[:, None] - placed[None], axis=-1)
    off = ~np.eye(len(asked), dtype=bool)
    return float(np.sqrt(((drawn - asked)[off] ** 2).sum() / max((asked[off] ** 2).sum(), np.finfo(float).tiny)))


def _symmetric(distances: object, asks: str) -> np.ndarray:
    """Return distances as a plain matrix, symmetric, 0 on its diagonal and not below; columns by their names."""
    rows, columns = (names(distances, asks) if is_table(distances) else None for names in (row_names, column_names))
    plain_ones = plain(distances, asks).astype(float)
    if rows is not None and columns is not None:
        plain_ones = plain_ones[:, match_names(rows, columns, f"{asks}, rows and columns")]
    square = plain_ones.ndim == 2 and plain_ones.size and len(plain_ones) == plain_ones.shape[1]
    if not square or not np.isfinite(plain_ones).all() or not np.allclose(plain_ones, plain_ones.T, atol=1e-6):
        raise InputError(f"{asks}: finite, symmetric distances (n, n) asked, found shape {plain_ones.shape}.")
    symmetric: np.ndarray = np.clip((plain_ones + plain_ones.T) / 2, 0, None)
    np.fill_diagonal(symmetric, 0)
    return symmetric
