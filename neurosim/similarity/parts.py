"""Parts of the units: by a label or searchlights, as users bring them, and batches of those of one size."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import xarray as xr

from neurosim.arrays import plain
from neurosim.schema import InputError, suggest
from neurosim.similarity.kernels.arrays import n_block

log = logging.getLogger(__name__)
Values = Callable[[Any], np.ndarray]


class UndefinedError(InputError):
    """Distances, or scores of them, are not defined: responses are flat, dead, or too few were measured."""


def as_searchlights(by: object, n_units: int) -> xr.DataArray:
    """Return searchlights (searchlight, member) of some of `n_units` units, or raise :class:`InputError`.

    >>> as_searchlights([[0, 1], [2, -1]], 3).dims
    ('searchlight', 'member')
    """
    if isinstance(by, xr.DataArray) and (by.ndim != 2 or "member" not in by.dims):
        raise InputError(f"compute_rdm: searchlights have dims (searchlight, member), found {tuple(by.dims)}.")
    given = by.transpose(..., "member") if isinstance(by, xr.DataArray) else by
    members = np.asarray(given) if np.asarray(given).dtype.kind in "USOb" else plain(given, "compute_rdm, by")
    if members.ndim != 2 or members.dtype.kind not in "iu":
        raise InputError(
            f"compute_rdm: `by` is a label along unit, or searchlights of integer members (searchlight, member), found "
            f"{members.dtype} of shape {members.shape}."
        )
    found = members.astype(np.int64)
    if not found.size or found.max() >= n_units or found.min() < -1 or not (found >= 0).any(1).all():
        raise InputError(f"compute_rdm: searchlights hold 1 or more of the units 0..{n_units - 1}, -1 for none.")
    ordered = np.sort(found, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    if twice.any():
        first, place = np.argwhere(twice)[0]
        raise InputError(
            f"compute_rdm: searchlight {first} holds unit {ordered[first, place]} twice; name every unit once, and -1 "
            "for none."
        )
    if not isinstance(by, xr.DataArray):
        return xr.DataArray(found, dims=("searchlight", "member"))
    return by.transpose(..., "member").copy(data=found)


def units_of_parts(responses: xr.DataArray, by: object) -> tuple[list[np.ndarray], xr.DataArray]:
    """Return the units of every part, by a label or of searchlights, and the dim of the parts with their names."""
    if isinstance(by, str):
        values = _labels(responses, by)
        names = list(dict.fromkeys(values.tolist()))
        return [np.flatnonzero(values == n) for n in names], xr.DataArray(names, dims=by, name=by)
    given = as_searchlights(by, responses.sizes["unit"])
    parts = [row[row >= 0] for row in given.values]
    return parts, given.coords.get(given.dims[0], xr.DataArray(np.arange(len(parts)), dims=str(given.dims[0])))


def _labels(responses: xr.DataArray, by: str) -> np.ndarray:
    """Return the label `by` of every unit."""
    if by not in responses.coords or responses[by].dims != ("unit",):
        labels = [str(k) for k, v in responses.coords.items() if v.dims == ("unit",)]
        raise InputError(f"compute_rdm: no label {by!r} along unit. Labels: {', '.join(labels)}.{suggest(by, labels)}")
    missing = int(responses[by].isnull().sum())
    if missing:
        raise InputError(f"compute_rdm: {missing} units have no {by!r}; leave them out or name them.")
    return responses[by].values


def batches(sizes: np.ndarray, n_rows: int) -> Iterator[np.ndarray]:
    """Yield the searchlights of one size, as many at once as fit into a block with `n_rows` numbers a unit."""
    for size in np.unique(sizes):
        same = np.flatnonzero(sizes == size)
        step = n_block(n_rows * int(size), 2**23)
        for start in range(0, len(same), step):
            yield same[start : start + step]


def where_defined(values: Values, data: Any, n_lead: int) -> tuple[np.ndarray, np.ndarray]:
    """Return ``values(data)``, RDMs (..., K, K), and why those are NaN that are not defined, "" for the others (...).

    The first `n_lead` axes of `data` are those of different RDMs; where all together are refused, each is asked alone.
    """
    try:
        found = values(data)
        return found, np.full(found.shape[:-2], "", dtype=object)
    except UndefinedError as error:
        if n_lead == 0:
            n = data.shape[-2]
            return np.where(np.eye(n, dtype=bool), 0.0, np.nan), np.array(_reason(error), dtype=object)
    each = [where_defined(values, part, n_lead - 1) for part in data]
    return np.stack([rdm for rdm, _ in each]), np.stack([why for _, why in each])


def label_undefined(rdms: xr.DataArray, why: xr.DataArray) -> xr.DataArray:
    """Return RDMs with a coordinate ``undefined``: why an RDM is NaN, "" where it is not; or raise if all are."""
    lost = why != ""
    if not bool(lost.any()):
        return rdms
    first = next(w for w in why.values.ravel() if w)
    if bool(lost.all()):
        raise UndefinedError(f"compute_rdm: no RDM of {why.size} parts is defined; {first}")
    log.warning("compute_rdm: %d of %d RDMs are NaN; the first: %s", int(lost.sum()), why.size, first)
    return rdms.assign_coords(undefined=why.astype(str))


def _reason(error: InputError) -> str:
    return str(error).split(": ", 1)[-1]
