"""Responses from files: netCDF, Zarr, ``.npz`` and tables of spikes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.recordings.columns import seconds
from neurosim.recordings.spikes import bin_spikes, load_spikes
from neurosim.schema import InputError, SchemaError, as_responses, check_responses, check_step

NPZ_LABELS = ("layer", "area", "subject", "cell_type")


def load_responses(path: str | Path, *, time_bin: float | None = None, lazy: bool = False) -> xr.DataArray:
    """Read responses of any subject from a file.

    * ``.nc``, ``.zarr``: one variable with dims ``stimulus, [trial, time,] unit``; with ``time``, its coordinate in s
      or the attribute ``time_step``.
    * ``.npz``: an array ``responses`` and, optionally, ``stimulus`` (ids), ``dims``, ``time_step`` (s) and ``layer``,
      ``area``, ``subject``, ``cell_type`` along ``unit``.
    * ``.csv``, ``.tsv``, ``.parquet``: one row a spike, columns ``stimulus``, ``unit``, ``time`` (s from onset) and
      optionally ``trial``.

    Parameters
    ----------
    path : the file.
    time_bin : for spikes, width of the bins in s; one bin over everything when absent.
    lazy : for ``.nc`` and ``.zarr``, leave the values on disk until they are used; they are then not searched for NaN.

    Raises
    ------
    StorageError : missing, truncated or unsafe file.
    InputError : a format that is not known, missing columns or labels, NaN.
    """
    path = storage.as_path(path, "load_responses")
    ending = path.suffix.lower()
    if ending in (".nc", ".zarr"):
        return _with_time_step(_from_dataset(path, lazy), path.name)
    if ending == ".npz":
        with storage.readable(path, "npz of responses"):
            return _with_time_step(_from_npz(path), path.name)
    if ending in (".csv", ".tsv", ".parquet"):
        return bin_spikes(load_spikes(path), time_bin=time_bin, name=path.name)
    raise InputError(
        f"load_responses: {path.name} ends in {ending!r}; known: .nc, .zarr, .npz, .csv, .tsv, .parquet. For NWB: "
        "load_nwb_responses."
    )


def _from_dataset(path: Path, lazy: bool) -> xr.DataArray:
    if not lazy and path.suffix.lower() == ".nc":
        return check_responses(_in_seconds(storage.read_array(path), path.name), path.name)
    dataset = storage.open_dataset(path)
    names = [str(v) for v in dataset.data_vars]
    if len(names) != 1:
        raise InputError(f"{path.name}: holds {len(names)} variables ({', '.join(names[:8])}); responses are one.")
    responses = _in_seconds(dataset[names[0]], path.name)
    if not lazy:
        return check_responses(responses.load(), path.name)
    missing = [d for d in ("stimulus", "unit") if d not in responses.dims]
    if missing:
        raise SchemaError(f"{path.name}: responses have dims {tuple(responses.dims)} and lack {missing}; rename them.")
    return responses


def _from_npz(path: Path) -> xr.DataArray:
    content = storage.read_npz(path)
    if "responses" not in content:
        raise InputError(f"{path.name}: no array called 'responses'; it holds {', '.join(content) or 'nothing'}.")
    dims = tuple(str(d) for d in content["dims"]) if "dims" in content else None
    stimuli = content["stimulus"].astype(str).tolist() if "stimulus" in content else None
    coords = {k: ("unit", content[k].astype(str)) for k in NPZ_LABELS if k in content}
    step = float(content["time_step"]) if "time_step" in content else None
    return as_responses(content["responses"], dims=dims, stimuli=stimuli, coords=coords, time_step=step)


def _in_seconds(responses: xr.DataArray, name: str) -> xr.DataArray:
    """Return responses with their time coordinate as numbers of s."""
    if "time" not in responses.coords:
        return responses
    clock = seconds(responses["time"], name, "times of the responses")
    return responses.assign_coords(time=(responses["time"].dims, clock))


def _with_time_step(responses: xr.DataArray, name: str) -> xr.DataArray:
    """Return responses whose ``time_step`` is known: given, or the even spacing of the time coordinate."""
    if "time" not in responses.dims:
        return responses
    gaps = np.diff(responses["time"].values) if "time" in responses.coords else np.empty(0)
    if responses.attrs.get("time_step"):
        if len(gaps):
            check_step(responses["time"].values, float(responses.attrs["time_step"]), name)
        return responses
    if not len(gaps) or gaps[0] <= 0 or not np.allclose(gaps, gaps[0]):
        raise InputError(
            f"{name}: the responses have a 'time' dim but neither a time_step nor an even time coordinate, both in s."
        )
    return responses.assign_attrs(time_step=float(gaps[0]))
