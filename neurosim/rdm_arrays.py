"""RDMs as labelled arrays (..., stimulus, stimulus_other): built from what strangers bring, and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from neurosim.arrays import check_numbers, column_names, is_table, match_names, plain, row_names
from neurosim.labels import (
    STIMULUS,
    STIMULUS_OTHER,
    carry_stimulus_labels,
    check_finite,
    check_individuals,
    check_not_empty,
    in_order_of,
    labels_along,
    with_ids,
)
from neurosim.refusals import SchemaError, asked_by

TINY_DIAGONAL = 1e-5
READER = "recordings.load_rdms"  # of files


def as_rdm(
    values: npt.ArrayLike | xr.DataArray,
    *,
    stimuli: xr.DataArray | Sequence[str] | None = None,
    dims: Sequence[str] = (),
    metric: str = "unknown",
    coords: Mapping[str, Any] | None = None,
    missing: bool = False,
) -> xr.DataArray:
    """Label a square array (..., stimulus, stimulus) as one or several RDMs.

    Parameters
    ----------
    values : array of shape (..., K, K); the last two dims are the stimuli.
    stimuli : stimuli (or their ids) that label both sides; as for :func:`as_responses`, rows that have names of their
        own are put into their order.
    dims : names of the leading dims, such as ``("subject",)``.
    metric : how the RDM was made.
    coords : labels of the leading dims.
    missing : NaN at all entries of a stimulus, or of a whole RDM, is kept: it was not measured.

    Raises
    ------
    SchemaError : not square, fewer than 3 stimuli, not symmetric, or not finite; with `missing`, NaN at some entries of
        a stimulus that has others.

    Examples
    --------
    >>> ns.as_rdm(1 - np.eye(3), stimuli=["a", "b", "c"]).dims
    ('stimulus', 'stimulus_other')
    """
    if isinstance(values, xr.DataArray):
        rdm = check_rdm(values, "as_rdm", missing=missing)
        return rdm if stimuli is None else in_order_of(rdm, stimuli, "as_rdm")
    if {STIMULUS, STIMULUS_OTHER} & set(coords or {}):
        raise SchemaError("as_rdm: coords label the leading dims; names of stimuli, of both sides, are stimuli=[...].")
    array = plain(values, "as_rdm", READER).astype(float)
    if array.ndim < 2 or array.shape[-1] != array.shape[-2]:
        made = (
            "scipy.spatial.distance.squareform makes one of distances" if array.ndim == 1 else "compute_rdm makes one"
        )
        raise SchemaError(f"as_rdm: an RDM is square, found shape {array.shape}; {made}.")
    if len(dims) != array.ndim - 2:
        raise SchemaError(f"as_rdm: shape {array.shape} has {array.ndim - 2} leading dims; name them with dims=(...).")
    rdm = xr.DataArray(array, dims=(*dims, STIMULUS, STIMULUS_OTHER))
    if is_table(values):
        rdm = _square_names(rdm, values)
    rdm = in_order_of(rdm, stimuli, "as_rdm")
    rdm = rdm.assign_coords({STIMULUS_OTHER: rdm[STIMULUS].values, **labels_along(rdm, coords, "as_rdm", None)})
    rdm.attrs.update(quantity="dissimilarity", metric=metric)
    # what compute_rdm labels may be second moments, which have a diagonal and say so afterwards
    if metric == "unknown":
        return check_rdm(rdm, "as_rdm", missing=missing)
    return _check_square(rdm, "as_rdm", missing)


def rdm_between(
    stimuli: xr.DataArray, values: np.ndarray, *, dims: Sequence[str] = (), metric: str, missing: bool = False
) -> xr.DataArray:
    """Label distances (..., K, K) computed between labelled stimuli, in their order, and carry their labels over.

    >>> rdm_between(xr.DataArray(range(3), dims="stimulus"), 1 - np.eye(3), metric="here").stimulus.values.tolist()
    ['stimulus_000', 'stimulus_001', 'stimulus_002']
    """
    named = with_ids(stimuli, None, "as_rdm")
    names = [str(s) for s in named[STIMULUS].values]
    return carry_stimulus_labels(as_rdm(values, stimuli=names, dims=dims, metric=metric, missing=missing), named)


def by_name(models: Any, who: str) -> Any:
    """Return a list of labelled RDMs as a mapping, by the names that they have, and anything else as it is.

    >>> list(by_name([as_rdm(1 - np.eye(3)).rename("a")], "here"))
    ['a']

    Raises
    ------
    SchemaError : some of them have no name, or two the same.
    """
    if not isinstance(models, list | tuple):
        return models
    for k, model in enumerate(models):
        shape = tuple(getattr(model, "shape", ()))
        if len(shape) == 2 and shape[0] != shape[1]:
            raise SchemaError(f"{who}: model {k} has shape {shape}, and an RDM is square; compute_rdm makes one.")
    if not any(isinstance(m, xr.DataArray) for m in models):
        return models
    names = [_name_of(m) for m in models]
    if None in names or len(set(names)) < len(names):
        found = ", ".join("none" if n is None else repr(n) for n in names[:5])
        raise SchemaError(f"{who}: a list of RDMs, whose names are {found}; give {{'name': rdm, ...}}, each its own.")
    return dict(zip(names, models, strict=True))


def _name_of(model: Any) -> str | None:
    """Return the label ``model`` of an RDM, or else the name of its array."""
    label = getattr(model, "coords", {}).get("model")
    name = label.item() if label is not None and not label.ndim else getattr(model, "name", None)
    return None if name is None else str(name)


def check_rdm(rdm: object, who: str = "check_rdm", *, missing: bool = False) -> xr.DataArray:
    """Return `rdm` with the stimulus dims last, one order on both and 0 on the diagonal, or raise :class:`SchemaError`.

    A bare square array is labelled first. With `missing`, all entries of a stimulus may be NaN, save on the diagonal:
    this RDM has no such stimulus.
    """
    if not isinstance(rdm, xr.DataArray):
        with asked_by(who, "as_rdm"):
            return as_rdm(plain(rdm, who, READER), missing=missing)
    if rdm.attrs.get("quantity") == "second_moment":
        raise SchemaError(f"{who}: a matrix of second moments is no RDM; compute_rdm(...) with keep='distances' is.")
    square = _check_square(rdm, who, missing)
    diagonal = np.diagonal(square.values, axis1=-2, axis2=-1)
    largest, scale = float(np.abs(diagonal).max()), float(np.abs(known_entries(square)).max())
    if largest > TINY_DIAGONAL * scale:
        raise SchemaError(
            f"{who}: the diagonal of the RDM holds up to {largest:g}; a stimulus has distance 0 from itself; "
            "similarities become distances as 1 - values."
        )
    if largest == 0:
        return square
    return square.copy(data=np.where(np.eye(square.shape[-1], dtype=bool), 0.0, square.values))


def by_subject(data: xr.DataArray, who: str) -> xr.DataArray:
    """Return RDMs with a dim ``subject``, of length 1 where it is lacking; a subject that is there twice is refused.

    >>> by_subject(as_rdm(1 - np.eye(3)), "here").dims
    ('subject', 'stimulus', 'stimulus_other')
    """
    if "subject" not in data.dims:
        return data.expand_dims("subject")
    check_individuals(data, who)
    return data


def in_order_of_names(rdm: xr.DataArray) -> xr.DataArray:
    """Return RDMs with their stimuli in the order of their names: what is computed then depends on no other order.

    >>> given = as_rdm([[0.0, 1, 2], [1, 0, 3], [2, 3, 0]], stimuli=["b", "c", "a"])
    >>> in_order_of_names(given).stimulus.values.tolist()
    ['a', 'b', 'c']
    """
    names = rdm[STIMULUS].values
    order = np.argsort(names.astype(str) if names.dtype == object else names, kind="stable")
    if np.array_equal(order, np.arange(len(order))):
        return rdm
    return rdm.isel({STIMULUS: order, STIMULUS_OTHER: order})


def _check_square(rdm: xr.DataArray, who: str, missing: bool = False) -> xr.DataArray:
    check_numbers(rdm, who)
    for dim in (STIMULUS, STIMULUS_OTHER):
        if dim not in rdm.dims:
            made = "; compute_rdm makes one of responses" if "unit" in rdm.dims else ""
            raise SchemaError(f"{who}: an RDM has dims (..., stimulus, stimulus_other), found {tuple(rdm.dims)}{made}.")
    rdm = rdm.transpose(..., STIMULUS, STIMULUS_OTHER)
    if rdm.sizes[STIMULUS] < 3 or rdm.sizes[STIMULUS] != rdm.sizes[STIMULUS_OTHER]:
        raise SchemaError(f"{who}: an RDM needs at least 3 stimuli, the same on both sides, found {rdm.shape[-2:]}.")
    check_not_empty(rdm, who, "RDMs")
    rdm = with_ids(rdm, None, who)
    if STIMULUS_OTHER not in rdm.coords:
        rdm = rdm.assign_coords({STIMULUS_OTHER: rdm[STIMULUS].values})
    else:
        first, second = ([str(s) for s in rdm[d].values] for d in (STIMULUS, STIMULUS_OTHER))
        if first != second:
            rdm = rdm.isel({STIMULUS_OTHER: match_names(first, second, f"{who}, two sides of an RDM")})
    if rdm.dtype.kind == "f" and np.isnan(rdm.values).any():
        rdm = _check_whole_stimuli(rdm, who)
        if not missing:
            lost = rdm[STIMULUS].values[~seen_stimuli(rdm).reshape(-1, rdm.shape[-1]).all(0)].tolist()
            raise SchemaError(
                f"{who}: {len(lost)} stimuli are NaN in some RDM, such as {lost[0]!r}, and RDMs with all their stimuli "
                "are asked; leave those out on both sides, .drop_sel(stimulus=..., stimulus_other=...)."
            )
    else:
        check_finite(rdm, who)
    check_symmetric(known_entries(rdm), who)
    return rdm


def check_symmetric(values: np.ndarray, who: str) -> None:
    """Raise :class:`SchemaError` unless RDMs (..., K, K) are symmetric, up to 1e-6 of the largest entry of all."""
    scale = float(np.abs(values).max()) or 1.0
    if not np.allclose(values, np.swapaxes(values, -1, -2), atol=1e-6 * scale):
        raise SchemaError(f"{who}: the RDM is not symmetric; average it with its transpose if that is what you mean.")


def known_entries(rdm: xr.DataArray) -> np.ndarray:
    """Return the values of RDMs, 0 where they are NaN."""
    values = np.asarray(rdm.values, dtype=float)
    unknown = np.isnan(values)
    return np.where(unknown, 0.0, values) if unknown.any() else values


def seen_stimuli(rdm: xr.DataArray) -> np.ndarray:
    """Which stimuli (..., K) of RDMs (..., stimulus, stimulus_other) have a distance from any other."""
    found: np.ndarray = (np.isfinite(rdm.values) & ~np.eye(rdm.shape[-1], dtype=bool)).any(-1)
    return found


def _check_whole_stimuli(rdm: xr.DataArray, who: str) -> xr.DataArray:
    """Return RDMs with NaN at all entries of some stimuli and 0 on their diagonal, or raise :class:`SchemaError`."""
    check_finite(rdm.fillna(0.0), who)
    same = np.eye(rdm.shape[-1], dtype=bool)
    found = rdm.copy(data=np.where(same & np.isnan(rdm.values), 0.0, rdm.values))
    lost = ~seen_stimuli(found)
    if not np.array_equal(np.isnan(found.values), (lost[..., :, None] | lost[..., None, :]) & ~same):
        raise SchemaError(
            f"{who}: single entries of an RDM are NaN; NaN says that a subject did not see a stimulus, so all entries "
            "of that stimulus are. Leave such stimuli out with .sel(stimulus=...)."
        )
    return found


def _square_names(rdm: xr.DataArray, table: object) -> xr.DataArray:
    rows, columns = row_names(table, "as_rdm"), column_names(table, "as_rdm")
    if (rows is None) != (columns is None):
        raise SchemaError("as_rdm: a table names its rows or its columns only; name both, or give .to_numpy().")
    if rows is None or columns is None:
        return rdm
    return rdm.isel({STIMULUS_OTHER: match_names(rows, columns, "as_rdm, rows and columns")}).assign_coords(
        {STIMULUS: rows}
    )
