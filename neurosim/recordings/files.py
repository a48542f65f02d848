"""Responses from files: netCDF, ``.npz`` and tables of spikes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.schema import InputError, as_responses, check_responses

SPIKE_COLUMNS = ("stimulus", "unit", "time")
NPZ_LABELS = ("layer", "area", "subject", "cell_type")


def load_responses(path: str | Path, *, time_bin: float | None = None) -> xr.DataArray:
    """Read responses of any subject from a file.

    * ``.nc``: one variable with dims ``stimulus, [trial, time,] unit``; with ``time``, its coordinate in s or the
      attribute ``time_step``.
    * ``.npz``: an array ``responses`` and, optionally, ``stimulus`` (ids), ``dims``, ``time_step`` (s) and ``layer``,
      ``area``, ``subject``, ``cell_type`` along ``unit``.
    * ``.csv``: one row a spike, columns ``stimulus``, ``unit``, ``time`` (s from onset) and optionally ``trial``.

    Parameters
    ----------
    path : the file.
    time_bin : for spikes, width of the bins in s; one bin over everything when absent.

    Raises
    ------
    StorageError : missing, truncated or unsafe file.
    InputError : a format that is not known, missing columns or labels, NaN.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending == ".nc":
        return _with_time_step(check_responses(storage.read_array(path), path.name), path.name)
    if ending == ".npz":
        return _with_time_step(_from_npz(path), path.name)
    if ending == ".csv":
        return bin_spikes(storage.read_table(path), time_bin=time_bin, name=path.name)
    raise InputError(f"load_responses: {path.name} ends in {ending!r}; known: .nc, .npz, .csv.")


def bin_spikes(table: Any, *, time_bin: float | None = None, name: str = "bin_spikes") -> xr.DataArray:
    """Count spikes of a table in time bins.

    Parameters
    ----------
    table : pandas DataFrame with columns ``stimulus``, ``unit``, ``time`` (s) and optionally ``trial``.
    time_bin : width of the bins, s; one bin over everything when absent.
    name : what to call the table in errors.

    Returns
    -------
    responses (stimulus, [trial,] [time,] unit) of spike counts. A stimulus, trial or unit without any spike is not in
    the table and so not in the result.

    Examples
    --------
    >>> import pandas as pd
    >>> spikes = pd.DataFrame({"stimulus": ["a", "b", "b"], "unit": [1, 1, 2], "time": [0.1, 0.2, 0.3]})
    >>> bin_spikes(spikes).values.tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    missing = [c for c in SPIKE_COLUMNS if c not in table.columns]
    if missing:
        raise InputError(f"{name}: a table of spikes has the columns {', '.join(SPIKE_COLUMNS)}; missing: {missing}.")
    if not len(table):
        raise InputError(f"{name}: the table holds no spike.")
    times = table["time"].to_numpy(dtype=float)
    if not np.isfinite(times).all():
        raise InputError(
            f"{name}: {int((~np.isfinite(times)).sum())} spike times are NaN or infinite; drop those rows."
        )
    stimuli, stimulus = np.unique(table["stimulus"].astype(str), return_inverse=True)
    units, unit = np.unique(table["unit"].astype(str), return_inverse=True)
    trials, trial = np.unique(table["trial"], return_inverse=True) if "trial" in table else (np.zeros(1), 0 * unit)
    start = min(0.0, float(times.min()))
    bins = np.zeros(len(times), dtype=int) if time_bin is None else ((times - start) // time_bin).astype(int)
    counts = np.zeros((len(stimuli), len(trials), int(bins.max()) + 1, len(units)))
    np.add.at(counts, (stimulus, trial, bins, unit), 1)
    responses = as_responses(
        counts,
        dims=("stimulus", "trial", "time", "unit"),
        stimuli=stimuli.tolist(),
        coords={"unit": units},
        quantity="spike_count",
        time_step=time_bin,
    )
    drop: dict[str, int] = {} if time_bin is not None else {"time": 0}
    if "trial" not in table:
        drop["trial"] = 0
    return responses.isel(drop, drop=True)


def _from_npz(path: Path) -> xr.DataArray:
    content = storage.read_npz(path)
    if "responses" not in content:
        raise InputError(f"{path.name}: no array called 'responses'; it holds {', '.join(content) or 'nothing'}.")
    dims = tuple(str(d) for d in content["dims"]) if "dims" in content else None
    stimuli = content["stimulus"].astype(str).tolist() if "stimulus" in content else None
    coords = {k: ("unit", content[k].astype(str)) for k in NPZ_LABELS if k in content}
    step = float(content["time_step"]) if "time_step" in content else None
    return as_responses(content["responses"], dims=dims, stimuli=stimuli, coords=coords, time_step=step)


def _with_time_step(responses: xr.DataArray, name: str) -> xr.DataArray:
    """Return responses whose ``time_step`` is known: given, or the even spacing of the time coordinate."""
    if "time" not in responses.dims or responses.attrs.get("time_step"):
        return responses
    gaps = np.diff(responses["time"].values) if "time" in responses.coords else np.empty(0)
    if not len(gaps) or gaps[0] <= 0 or not np.allclose(gaps, gaps[0]):
        raise InputError(
            f"{name}: the responses have a 'time' dim but neither a time_step nor an even time coordinate, both in s."
        )
    return responses.assign_attrs(time_step=float(gaps[0]))
