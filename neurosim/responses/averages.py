"""Averages over trials and time, and coarser time bins."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim.arrays import check_numbers
from neurosim.clock import whole_number
from neurosim.labels import check_not_empty, is_lazy
from neurosim.schema import InputError, SchemaError, check_missing, check_responses, labelled, step_of


def average_trials(responses: xr.DataArray) -> xr.DataArray:
    """Return the mean over ``trial``; responses without trials pass through.

    Parameters
    ----------
    responses : (..., [trial,] ...); trials that were not measured do not count, and where a unit has none of a stimulus
        the mean is NaN.

    Raises
    ------
    SchemaError : NaN in a part of a trial, no real numbers, or a bare array of 3 dims, whose second may be trials or
        time.

    Examples
    --------
    >>> ns.responses.average_trials(ns.as_trials([[1.0], [2.0], [5.0]], ["a", "b", "a"])).values.tolist()
    [[3.0], [2.0]]
    """
    found = _checked(responses, "average_trials")
    if not isinstance(responses, xr.DataArray) and found.dims == ("stimulus", "time", "unit"):
        raise SchemaError(
            f"average_trials: an array of shape {found.shape} may hold trials or time; label it with "
            "as_responses(values, dims=(...))."
        )
    return found.mean("trial", keep_attrs=True) if "trial" in found.dims else found


def over_time(responses: xr.DataArray) -> xr.DataArray:
    """Return one value a stimulus and unit: the sum of spike counts, the mean of anything else.

    Parameters
    ----------
    responses : (..., [time,] ...); a bare array is (stimulus, unit) or (stimulus, time, unit). A trial that was not
        measured stays so (NaN), and is never a silent one.

    Raises
    ------
    SchemaError : NaN in a part of a trial, or no real numbers.

    Examples
    --------
    >>> ns.responses.over_time(np.arange(6.0).reshape(1, 3, 2)).values.tolist()
    [[2.0, 3.0]]
    """
    found = _checked(responses, "over_time")
    if "time" not in found.dims:
        return found
    count = found.attrs.get("quantity") == "spike_count"
    total = found.sum if count else found.mean
    return total("time", skipna=False, keep_attrs=True)


def _checked(responses: object, who: str) -> xr.DataArray:
    """Return an array whose dims are its own, or a bare one as responses."""
    if not isinstance(responses, xr.DataArray):
        return labelled(responses, who)
    check_numbers(responses, who)
    check_not_empty(responses, who, "arrays")
    return check_missing(responses, who)


def rebin(responses: xr.DataArray, time_bin: float) -> xr.DataArray:
    """Return responses in bins of `time_bin` seconds: spike counts are summed, other quantities averaged.

    Parameters
    ----------
    responses : (stimulus, [trial,] time, unit). A trial that was not measured stays so (NaN).
    time_bin : a multiple of the present step, s. Samples that fill no whole bin at the end are left out.

    Raises
    ------
    InputError : no ``time`` dim, or `time_bin` is no multiple of the step.

    Examples
    --------
    >>> r = ns.as_responses(np.ones((2, 6, 1)), quantity="spike_count", time_step=1e-3)
    >>> ns.responses.rebin(r, 3e-3).values[0, :, 0].tolist()
    [3.0, 3.0]
    """
    responses = check_responses(responses, "rebin", missing=True)
    if "time" not in responses.dims or not responses.attrs.get("time_step"):
        raise InputError("rebin: the responses need a 'time' dim and a time_step in attrs.")
    step = step_of(responses, "rebin")
    ratio = whole_number(time_bin, step)
    if ratio is None:
        raise InputError(f"rebin: time_bin = {time_bin:g} s is not a multiple of the step {step:g} s.")
    if ratio > responses.sizes["time"]:
        whole = responses.sizes["time"] * step
        raise InputError(f"rebin: time_bin = {time_bin:g} s is longer than the responses, which last {whole:g} s.")
    coarse = responses.coarsen(time=ratio, boundary="trim")
    binned = coarse.sum() if responses.attrs.get("quantity") == "spike_count" else coarse.mean()
    if is_lazy(responses) or bool(responses.isnull().any()):
        binned = binned.where(responses.isel(time=0, drop=True).notnull())
    start = responses["time"].values[0]
    binned = binned.assign_coords(time=start + np.arange(binned.sizes["time"]) * time_bin)
    return binned.assign_attrs(responses.attrs | {"time_step": time_bin})
