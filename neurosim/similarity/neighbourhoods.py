"""Which units are near each other: searchlights in a volume and on a surface."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import xarray as xr

from neurosim.arrays import plain
from neurosim.schema import InputError
from neurosim.similarity.neighbours import PLACE, ROUNDING, check_reach, places_of

AT_ONCE = 512


def searchlights(positions: np.ndarray | xr.DataArray, radius: float) -> xr.DataArray:
    """Return the units within `radius` of each unit, for the `by` of :func:`compute_rdm` and ``searchlight_scores``.

    (https://doi.org/10.1073/pnas.0600244103)

    Parameters
    ----------
    positions : (unit, axis), in m, mm or voxels. Or responses whose units have places ``x``, ``y``, ``z`` in m, as
        ``load_betas`` gives them from the affine of a mask, whose voxels may have another size along every axis.
    radius : in the same unit; what is as far as it, but for rounding, is near.

    Returns
    -------
    indices (searchlight, member), -1 where a searchlight has fewer members. What is known of each unit, its place
        above all, is a label of the searchlight around it.

    Raises
    ------
    InputError : positions that are not finite (unit, axis), responses without places, a radius below 0, or one larger
        than the extent of all units.

    Examples
    --------
    >>> ns.similarity.searchlights(np.arange(4.0)[:, None], 1).values.tolist()
    [[0, 1, -1], [0, 1, 2], [1, 2, 3], [2, 3, -1]]
    """
    from scipy.spatial import cKDTree

    labels = _labels_of_units(positions)
    places = _places(positions)
    far = isinstance(radius, Real) and radius >= 0
    if places.ndim != 2 or not places.size or not np.isfinite(places).all() or not far:
        raise InputError(f"searchlights: needs finite positions (unit, axis) and a radius, found {places.shape}.")
    check_reach(places, float(radius), "searchlights")
    tree, within = cKDTree(places), float(radius) * (1 + ROUNDING)
    members = np.full((len(places), int(tree.query_ball_point(places, within, return_length=True).max())), -1)
    for start in range(0, len(places), AT_ONCE):
        near = tree.query_ball_point(places[start : start + AT_ONCE], within, return_sorted=True)
        for row, n in zip(members[start : start + AT_ONCE], near, strict=True):
            row[: len(n)] = n
    return xr.DataArray(members, dims=("searchlight", "member"), coords=labels)


def surface_searchlights(vertices: np.ndarray, faces: np.ndarray, radius: float) -> xr.DataArray:
    """Return the vertices of a cortical surface that are within `radius` of each, along its edges.

    (https://doi.org/10.1016/j.neuroimage.2010.04.270)

    Parameters
    ----------
    vertices : (unit, axis): places, in m or mm. faces : (face, 3): indices of the corners of its triangles.
    radius : in the same unit, but for rounding; the way along edges is never shorter than the one on the surface.

    Returns
    -------
    indices (searchlight, member), -1 where a searchlight has fewer members, with the places ``x``, ``y``, ``z`` as they
        were given.

    Raises
    ------
    InputError : vertices that are not finite (unit, 3), faces that are no three different vertices each, or a radius
        below 0.

    Examples
    --------
    >>> square = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    >>> ns.similarity.surface_searchlights(square, np.array([[0, 1, 2], [0, 2, 3]]), 1.0).values.tolist()
    [[0, 1, 3], [0, 1, 2], [1, 2, 3], [0, 2, 3]]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    who = "surface_searchlights"
    places, corners = plain(vertices, who).astype(float), plain(faces, who)
    if places.ndim != 2 or places.shape[1] != 3 or not len(places) or not np.isfinite(places).all():
        raise InputError(f"{who}: finite vertices (unit, 3) asked, found shape {places.shape}.")
    if not (isinstance(radius, Real) and radius >= 0):
        raise InputError(f"{who}: a radius of 0 or more asked, found {radius!r}.")
    check_reach(places, float(radius), who)
    _check_faces(corners, len(places), who)
    pairs = np.concatenate([corners[:, [i, j]] for i, j in ((0, 1), (1, 2), (2, 0))])
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    lengths = np.linalg.norm(places[pairs[:, 0]] - places[pairs[:, 1]], axis=1)
    edges = coo_array((lengths, (pairs[:, 0], pairs[:, 1])), shape=(len(places), len(places))).tocsr()
    near: list[np.ndarray] = []
    within = float(radius) * (1 + ROUNDING)
    for start in range(0, len(places), AT_ONCE):
        some = np.arange(start, min(start + AT_ONCE, len(places)))
        ways = dijkstra(edges, directed=False, indices=some, limit=within)
        near += [np.flatnonzero(way <= within) for way in ways]
    members = np.full((len(near), max(map(len, near))), -1)
    for row, n in zip(members, near, strict=True):
        row[: len(n)] = n
    labels = {axis: ("searchlight", places[:, k]) for k, axis in enumerate(PLACE)}
    return xr.DataArray(members, dims=("searchlight", "member"), coords=labels)


def _check_faces(corners: np.ndarray, n: int, who: str) -> None:
    triangles = corners.ndim == 2 and corners.shape[1:] == (3,) and corners.dtype.kind in "iu" and len(corners)
    if not triangles or corners.min() < 0 or corners.max() >= n or (np.diff(np.sort(corners, axis=1)) == 0).any():
        raise InputError(f"{who}: faces (face, 3) of three different vertices 0..{n - 1} asked, found {corners.shape}.")


def _places(positions: Any) -> np.ndarray:
    if isinstance(positions, xr.DataArray) and "stimulus" in positions.dims:
        lost = [k for k in PLACE if k not in positions.coords or positions[k].dims != ("unit",)]
        if lost:
            raise InputError(
                f"searchlights: the units of these responses have no {', '.join(lost)}; assign them along unit, in m, "
                "or give positions (unit, axis)."
            )
    return places_of(positions, "searchlights")


def _labels_of_units(positions: Any) -> dict[str, Any]:
    if not isinstance(positions, xr.DataArray) or "stimulus" not in positions.dims:
        return {}
    along = {str(k): v.values for k, v in positions.coords.items() if v.dims == ("unit",)}
    return {"searchlight" if k == "unit" else k: ("searchlight", v) for k, v in along.items()}
