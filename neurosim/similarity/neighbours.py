"""Which places of a map are beside each other: in time, on a grid, on the head, on a surface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from neurosim.arrays import match_names, plain
from neurosim.schema import InputError

if TYPE_CHECKING:
    from scipy import sparse

PLACE = ("x", "y", "z")
ROUNDING = 1e-6  # of a radius: places come from affines of single precision
UNEVEN = 0.01  # of a step: times are rounded
NEVER = ("model",)  # dims whose places are beside none
IN_ORDER = ("time", "frequency", "lag", "x", "y", "z")  # dims whose places are beside the one before and after
Adjacency = Mapping[str, Any]


def neighbours(places: np.ndarray | xr.DataArray, radius: float) -> sparse.csr_array:
    """Return which places are within `radius` of each other, for the `adjacency` of :func:`sign_flip_test`.

    Parameters
    ----------
    places : (place, axis), in m, mm or voxels: the centres of searchlights, sensors, vertices. Or an array whose labels
        ``x``, ``y``, ``z`` stand along one dim, as those of ``searchlight_scores``, in m.
    radius : in the same unit; 1 voxel joins faces, 1.8 voxels joins edges and corners too.

    Returns
    -------
    scipy sparse array of bool (place, place), without places themselves.

    Raises
    ------
    InputError : places that are not finite (place, axis), or a radius that is not above 0, or larger than the extent of
        all places.

    Examples
    --------
    >>> ns.similarity.neighbours(np.array([[0.0], [1.0], [5.0]]), 1.0).toarray().astype(int).tolist()
    [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    """
    from scipy.spatial import cKDTree

    who = "neighbours"
    places = places_of(places, who)
    is_number = isinstance(radius, int | float | np.number) and radius > 0
    if places.ndim != 2 or not places.size or not np.isfinite(places).all() or not is_number:
        raise InputError(f"{who}: finite places (place, axis) and a radius above 0 asked, found {places.shape}.")
    check_reach(places, float(radius), who)
    pairs = cKDTree(places).query_pairs(radius * (1 + ROUNDING), output_type="ndarray")
    return _symmetric(pairs, len(places))


def check_reach(places: np.ndarray, radius: float, who: str) -> None:
    """Refuse a radius beyond which no place lies from any other, as one in mm where places are in m.

    >>> check_reach(np.array([[0.0], [0.01]]), 4.0, "here")
    Traceback (most recent call last):
    neurosim.schema.InputError: here: radius = 4 is larger than the extent of all places, 0.01; is it in the same unit?
    """
    extent = float(np.linalg.norm(np.ptp(places, axis=0)))
    if 0 < extent * (1 + ROUNDING) < radius:
        raise InputError(
            f"{who}: radius = {radius:g} is larger than the extent of all places, {extent:g}; is it in the same unit?"
        )


def surface_neighbours(triangles: np.ndarray, n_vertices: int) -> sparse.csr_array:
    """Return which vertices of a surface share an edge, for the `adjacency` of :func:`sign_flip_test`.

    Parameters
    ----------
    triangles : (triangle, 3), the numbers of their vertices from 0.
    n_vertices : how many vertices there are.

    Returns
    -------
    scipy sparse array of bool (vertex, vertex).

    Raises
    ------
    InputError : no whole numbers (triangle, 3), vertices that are not there, or no number of vertices.

    Examples
    --------
    >>> ns.similarity.surface_neighbours(np.array([[0, 1, 2]]), 4).toarray().sum(0).tolist()
    [2, 2, 2, 0]
    """
    triangles = plain(triangles, "surface_neighbours")
    if isinstance(n_vertices, bool) or not isinstance(n_vertices, int | np.integer) or n_vertices < 1:
        raise InputError(f"surface_neighbours: n_vertices is a whole number of 1 or more, found {n_vertices!r}.")
    whole = triangles.ndim == 2 and triangles.shape[1] == 3 and triangles.dtype.kind in "iu" and triangles.size
    if not whole or triangles.min() < 0 or triangles.max() >= n_vertices:
        raise InputError(
            f"surface_neighbours: triangles (triangle, 3) of vertices 0..{n_vertices - 1} asked, found "
            f"{triangles.dtype} {triangles.shape}."
        )
    return _symmetric(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [0, 2]]]), n_vertices)


def places_of(places: Any, who: str) -> np.ndarray:
    """Return the places (place, axis) themselves, or those that stand along one dim of an array."""
    along = {places[k].dims for k in PLACE if k in places.coords} if isinstance(places, xr.DataArray) else set()
    if len(along) == 1 and all(k in places.coords for k in PLACE) and len(next(iter(along))) == 1:
        return np.stack([np.asarray(places[k].values, dtype=float) for k in PLACE], axis=1)
    return plain(places, who).astype(float)


def check_one_space(own: xr.DataArray, other: xr.DataArray, who: str) -> None:
    """Refuse two arrays in one order whose labels ``x``, ``y``, ``z`` say that they are of other places.

    >>> here = xr.DataArray(np.zeros(2), dims="unit", coords={"x": ("unit", [0.0, 0.002])})
    >>> check_one_space(here, here.assign_coords(x=here.x + 1e-12), "here")
    """
    for axis in PLACE:
        if axis not in own.coords or axis not in other.coords:
            continue
        mine, theirs = own[axis].values.astype(float), other[axis].values.astype(float)
        near = ROUNDING * np.abs(mine).max(initial=0.0)
        if mine.shape != theirs.shape or not bool((np.abs(mine - theirs) <= near).all()):
            raise InputError(
                f"{who}: the labels {axis!r} of the two differ, so that one index is another place in each; bring both "
                "to the same places in one order."
            )


def kind_of(dim: str) -> str:
    """Return what a dim is of: ``time_other`` is of times too.

    >>> kind_of("time_other")
    'time'
    """
    return dim.removesuffix("_other")


def edges_of(places: xr.DataArray, adjacency: Adjacency | None, who: str) -> np.ndarray:
    """Return the pairs (2, E) of places of a map, in the order of its values, that are beside each other along one dim.

    >>> edges_of(xr.DataArray(np.zeros((2, 2)), dims=("time", "frequency")), None, "here").T.tolist()
    [[0, 1], [0, 2], [1, 3], [2, 3]]
    """
    from scipy import sparse

    given = dict.fromkeys((d for d in NEVER if d in places.dims), None) | dict(adjacency or {})
    unknown = [name for name in given if name not in places.dims]
    if unknown:
        raise InputError(f"{who}: adjacency is of dims of the scores, {places.dims}; found {unknown[0]!r}.")
    total = sparse.csr_array((1, 1), dtype=bool)
    for dim in places.dims:
        along = _along(places, str(dim), given, who)
        own, before = sparse.eye_array(along.shape[0]), sparse.eye_array(total.shape[0])
        total = sparse.kron(total, own, format="coo") + sparse.kron(before, along, format="coo")
    found = sparse.triu(total, 1).tocoo()
    order = np.lexsort((found.col, found.row))
    return np.stack([found.row, found.col]).astype(np.int64)[:, order]


def _along(places: xr.DataArray, dim: str, given: dict[str, Any], who: str) -> sparse.csr_array:
    """Return the neighbours (n, n) along one dim."""
    n = places.sizes[dim]
    if dim not in given and kind_of(dim) not in IN_ORDER:
        raise InputError(
            f"{who}: which places are beside each other along {dim!r} is not known; adjacency={{{dim!r}: ...}} takes a "
            "matrix, as from neighbours or surface_neighbours, or None where there are none."
        )
    if dim not in given:
        first = np.flatnonzero(_beside_next(places[dim].values, dim, who)) if dim in places.coords else np.arange(n - 1)
        return _symmetric(np.stack([first, first + 1], axis=1), n)
    if given[dim] is None:
        return _symmetric(np.zeros((0, 2), dtype=int), n)
    return _checked(given[dim], places, dim, who)


def _checked(given: Any, places: xr.DataArray, dim: str, who: str) -> sparse.csr_array:
    """Return a matrix that was brought, in the order of the places, without its diagonal."""
    from scipy import sparse

    n = places.sizes[dim]
    if isinstance(given, xr.DataArray) and dim in given.coords and dim in places.coords:
        given = given.transpose(dim, ...)
        if given.sizes[dim] == n:
            own, theirs = (x[dim].values.astype(str).tolist() for x in (places, given))
            order = match_names(own, theirs, f"{who}, adjacency")
            given = given.values[np.ix_(order, order)] if given.shape == (n, n) else given.values
    matrix = given if sparse.issparse(given) else plain(given, f"{who}, adjacency")
    if matrix.shape != (n, n):
        raise InputError(f"{who}: adjacency of {dim!r} is ({n}, {n}), found {matrix.shape}.")
    found = sparse.coo_array(matrix)
    if not np.isin(found.data, (0, 1)).all():
        raise InputError(
            f"{who}: adjacency of {dim!r} is of true and false, or 1 and 0; found other values, such as distances. "
            "Compare them first, as distances < radius."
        )
    kept = found.data != 0
    pairs = np.stack([found.row[kept], found.col[kept]], axis=1)
    symmetric = _symmetric(pairs[pairs[:, 0] != pairs[:, 1]], n)
    if symmetric.nnz != len(np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)):
        raise InputError(f"{who}: adjacency of {dim!r} is not symmetric.")
    return symmetric


def _symmetric(pairs: np.ndarray, n: int) -> sparse.csr_array:
    from scipy import sparse

    both = np.concatenate([pairs, pairs[:, ::-1]])
    joined = sparse.coo_array((np.ones(len(both), dtype=bool), (both[:, 0], both[:, 1])), shape=(n, n))
    return (joined.tocsr() != 0).tocsr()


def _beside_next(values: np.ndarray, dim: str, who: str) -> np.ndarray:
    """Whether each place but the last is beside the next: all of an even dim, and none across a gap of whole steps.

    >>> _beside_next(np.array([0.0, 0.1, 0.2, 0.8, 0.9]), "time", "here").tolist()
    [True, True, False, True]
    """
    if values.dtype.kind not in "iuf":
        raise InputError(f"{who}: {dim} is of {values.dtype}, not of numbers; convert it, or give its adjacency.")
    steps = np.diff(values.astype(float))
    if not (steps > 0).all():
        raise InputError(f"{who}: {dim} does not rise; .sortby({dim!r}) first.")
    if len(steps) < 2 or (kind_of(dim) == "frequency" and values[0] > 0 and np.ptp(np.diff(np.log(values))) < UNEVEN):
        return np.ones(len(steps), dtype=bool)
    ratio = steps / steps.min()
    if (np.abs(ratio - np.rint(ratio)) > UNEVEN * ratio).any():
        raise InputError(
            f"{who}: {dim} is uneven, with steps of {steps.min():.6g} to {steps.max():.6g}, so which places are beside "
            f"each other is not known; resample it, or give adjacency={{{dim!r}: ...}}."
        )
    beside: np.ndarray = np.rint(ratio) == 1
    return beside
