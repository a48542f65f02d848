"""Times of responses as files hold them: in s, with a time step that they agree with."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from neurosim.recordings.columns import SECONDS, seconds, shown
from neurosim.schema import InputError, step_of

TIMES = "times of the responses"


def in_seconds(responses: xr.DataArray, name: str) -> xr.DataArray:
    """Return responses with numbers of s along ``time``.

    Raises
    ------
    InputError : whole numbers without a unit or a ``time_step``, which may count samples; other units than of time.
    """
    if "time" not in responses.coords:
        return responses
    known = responses["time"].attrs.get("units") in SECONDS or says_step(responses.attrs)
    clock = seconds(responses["time"], name, TIMES, samples=not known)
    return responses.assign_coords(time=(responses["time"].dims, clock))


def with_time_step(responses: xr.DataArray, name: str) -> xr.DataArray:
    """Return responses whose ``time_step`` is known: given, or the even spacing of the time coordinate."""
    if "time" not in responses.dims:
        return responses
    if says_step(responses.attrs):
        responses = responses.assign_attrs(time_step=said_step(responses.attrs["time_step"], name))
        step_of(responses, name)
        return responses
    gaps = np.diff(responses["time"].values) if "time" in responses.coords else np.empty(0)
    if not len(gaps) or gaps[0] <= 0 or not np.allclose(gaps, gaps[0]):
        raise InputError(
            f"{name}: the responses have a 'time' dim but neither a time_step nor an even time coordinate, both in s."
        )
    return responses.assign_attrs(time_step=float(gaps[0]))


def says_step(attrs: Any) -> bool:
    """Return whether the attributes of a file hold a ``time_step``, right or wrong; 0 and nothing stand for none."""
    said = attrs.get("time_step")
    return said is not None and not (np.ndim(said) == 0 and said in (0, "", "null"))


def said_step(value: object, name: str) -> float:
    """Return a ``time_step`` of a file as one number of s.

    >>> said_step(np.array([0.5]), "here")
    0.5
    """
    held = np.asarray(value)
    step = float(held.reshape(())) if held.size == 1 and held.dtype.kind in "iuf" else np.nan
    if not 0 < step < np.inf:
        raise InputError(f"{name}: time_step is one positive number of s, found {shown(value)}; write it as such.")
    return step
