"""RDMs as files: with all their labels as netCDF, and those that rsatoolbox wrote."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurosim import storage
from neurosim.refusals import asked_by
from neurosim.schema import STIMULUS, STIMULUS_OTHER, InputError, as_rdm, check_rdm

METRIC_OF = {
    "correlation": "correlation",
    "squared euclidean": "euclidean",
    "squared mahalanobis": "mahalanobis",
    "crossnobis": "crossnobis",
    "poisson": "poisson",
    "poisson_cv": "poisson_crossvalidated",
}
ENDINGS = (".h5", ".hdf5")


def save_rdms(rdms: xr.DataArray, path: str | Path) -> None:
    """Write RDMs with their labels and attributes as netCDF-4; the same RDMs give the same bytes.

    Parameters
    ----------
    rdms : (..., stimulus, stimulus_other); NaN is an entry that was not measured.
    path : a file ``.nc``.

    Raises
    ------
    InputError : no RDMs, another ending, names that netCDF does not have. StorageError : nothing can be written there,
        or an attribute such as ``scale_factor``, by which netCDF would change values.

    Examples
    --------
    >>> import os, tempfile
    >>> rdm = ns.compute_rdm(np.random.default_rng(0).normal(size=(5, 20)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ns.recordings.save_rdms(rdm, os.path.join(folder, "rdm.nc"))
    ...     ns.recordings.load_rdms(os.path.join(folder, "rdm.nc")).identical(rdm)
    True
    """
    place = storage.as_path(path, "save_rdms")
    if place.suffix.lower() != ".nc":
        raise InputError(f"save_rdms: {place.name} is no .nc file; RDMs are written as netCDF-4.")
    checked = _checked(rdms, "save_rdms")
    for name in map(str, (*checked.dims, *checked.coords)):
        if "/" in name or isinstance(checked.indexes.get(name), pd.MultiIndex):
            raise InputError(
                f"save_rdms: netCDF has no place for {name!r}, "
                f"{'a name with a slash; .rename' if '/' in name else 'labels of several levels; .reset_index'} it."
            )
    storage.write_dataset(place, checked.rename("rdms"))


def load_rdms(path: str | Path, *, stimuli: str | None = None, dim: str | None = None) -> xr.DataArray:
    """Read RDMs that :func:`save_rdms` wrote, or the HDF5 file of rsatoolbox's ``RDMs.save``; nothing is unpickled.

    Parameters
    ----------
    path : ``.nc``; or ``.h5`` or ``.hdf5`` of rsatoolbox.
    stimuli : of rsatoolbox, the pattern descriptor that names the stimuli; by default the only one, but for ``index``,
        whose values are all different.
    dim : of rsatoolbox, what the RDMs are of, such as "subject" (default: "rdm"); a descriptor of that name labels it.

    Returns
    -------
    RDMs (..., stimulus, stimulus_other). Of rsatoolbox all other descriptors are labels along ``stimulus`` or `dim`.
    NaN, an entry that was not measured, is kept.

    Raises
    ------
    StorageError : a missing, damaged or unsafe file, or pickled ones. InputError : no RDMs, descriptors that name no
        stimulus or of which several could, options that the format does not have.

    Examples
    --------
    >>> ns.recordings.load_rdms("rdms.nc")
    Traceback (most recent call last):
    neurosim.storage.StorageError: rdms.nc: no such file.
    """
    place = storage.as_path(path, "load_rdms")
    ending = place.suffix.lower()
    if ending in ENDINGS:
        return _of_rsatoolbox(place, stimuli, "rdm" if dim is None else dim)
    if ending != ".nc":
        raise InputError(f"load_rdms: {place.name} is no .nc, .h5 or .hdf5 file.")
    if stimuli is not None or dim is not None:
        raise InputError(f"load_rdms: {place.name} names stimuli and dims itself; `stimuli`, `dim` are of rsatoolbox.")
    return _checked(storage.read_array(place), f"load_rdms: {place.name}").rename(None)


def _checked(rdms: Any, who: str) -> xr.DataArray:
    """Return RDMs with 0 on the diagonal, in which single entries may be NaN on both sides."""
    if not isinstance(rdms, xr.DataArray):
        with asked_by(who, "as_rdm"):
            return as_rdm(rdms, missing=True)
    if rdms.dtype.kind != "f" or not bool(rdms.isnull().any()):
        return check_rdm(rdms, who)
    known, lost = (check_rdm(x, who) for x in (rdms.fillna(0.0), rdms.isnull().astype(float)))
    return known.where(lost == 0).assign_attrs(known.attrs)


def _of_rsatoolbox(path: Path, stimuli: str | None, dim: str) -> xr.DataArray:
    import h5py

    storage.check_hdf5(path)
    with storage.readable(path, "HDF5"), h5py.File(path, "r") as file:
        lost = [k for k in ("dissimilarities", "rdm_descriptors", "pattern_descriptors") if k not in file]
        if lost:
            raise InputError(f"load_rdms: {path.name} has no {', '.join(lost)}; RDMs.save of rsatoolbox writes them.")
        vectors = np.asarray(file["dissimilarities"][()], dtype=float)
        patterns, rdms = (_descriptors(file[k]) for k in ("pattern_descriptors", "rdm_descriptors"))
        measure = str(file.attrs.get("dissimilarity_measure", "unknown")).lower()
    n = round((1 + np.sqrt(1 + 8 * vectors.shape[-1])) / 2) if vectors.ndim == 2 and vectors.size else 0
    if n * (n - 1) // 2 != vectors.shape[-1] or n < 3:
        raise InputError(f"load_rdms: {path.name}: dissimilarities of shape {vectors.shape} are no RDMs of 3 stimuli.")
    patterns, rdms = _along(patterns, n), _along(rdms, len(vectors))
    names = _names(patterns, stimuli, path.name)
    square = np.zeros((len(vectors), n, n))
    rows, columns = np.triu_indices(n, 1)
    square[:, rows, columns] = square[:, columns, rows] = vectors
    found = xr.DataArray(square, dims=(dim, STIMULUS, STIMULUS_OTHER))
    ids = np.arange(n) if names is None else patterns[names]
    labels: dict[str, Any] = {k: (STIMULUS, v) for k, v in patterns.items() if k not in (names, STIMULUS)}
    labels |= {k: (dim, v) for k, v in rdms.items() if k not in labels}
    found = found.assign_coords(labels | {STIMULUS: np.asarray(ids, dtype=str)})
    found = _checked(found, f"load_rdms: {path.name}")
    return found.assign_attrs(quantity="dissimilarity", metric=METRIC_OF.get(measure, "unknown"))


def _names(patterns: Mapping[str, np.ndarray], stimuli: str | None, name: str) -> str | None:
    """Return the descriptor that names the stimuli, or None where there is but ``index``."""
    unique = [k for k, v in patterns.items() if len(set(v.tolist())) == len(v)]
    if stimuli is not None:
        if stimuli not in unique:
            raise InputError(
                f"load_rdms: {name}: no descriptor {stimuli!r} that names each stimulus once; those that do: "
                f"{', '.join(unique) or 'none'}."
            )
        return stimuli
    others = [k for k in unique if k != "index"]
    if len(others) > 1:
        raise InputError(f"load_rdms: {name}: {', '.join(others)} could name the stimuli; say which, stimuli=...")
    return others[0] if others else None


def _descriptors(group: Any) -> dict[str, np.ndarray]:
    """Return what a group holds by name, bytes as text; what has no values or is a group is left out."""
    arrays = {str(k): v[()] for k, v in group.items() if getattr(v, "shape", None)}
    return {k: np.char.decode(v, "utf-8") if v.dtype.kind == "S" else v for k, v in arrays.items()}


def _along(descriptors: dict[str, np.ndarray], n: int) -> dict[str, np.ndarray]:
    """Return the descriptors that have one text or number for each of n."""
    found = {k: np.array([_text(x) for x in v.tolist()]) for k, v in descriptors.items() if v.shape == (n,)}
    return {k: v for k, v in found.items() if v.ndim == 1 and v.dtype.kind in "biufU"}


def _text(value: Any) -> Any:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value
