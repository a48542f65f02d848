"""When units were observed: responses are NaN in trials whose window leaves it."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np
import xarray as xr

from neurosim.clock import TOLERANCE
from neurosim.schema import InputError

log = logging.getLogger(__name__)


def only_observed(
    responses: xr.DataArray, observed: Mapping[str, np.ndarray], window: tuple[float, float]
) -> xr.DataArray:
    """Return responses (stimulus, trial, [time,] unit) that are NaN where a unit was not observed all the window long.

    Parameters
    ----------
    responses : with ``onset`` (stimulus, trial), s. observed : by unit, (interval, from and to), s; a unit that is not
        in it, or has no interval, was observed throughout. window : from and to, s from the onset.

    Raises
    ------
    InputError : no trial of any unit was observed.
    """
    held = {u: np.asarray(observed.get(str(u), ()), dtype=float).reshape(-1, 2) for u in responses["unit"].values}
    if not any(map(len, held.values())):
        return responses
    begin, end = (responses["onset"].transpose("stimulus", "trial").values + edge for edge in window)
    always = np.ones(begin.shape, dtype=bool)
    there = np.stack([_within(begin, end, spans) if len(spans) else always for spans in held.values()], axis=-1)
    if not there.any():
        raise InputError(
            f"align_spikes: no unit was observed in the window {window} s of any event, by the intervals of the file; "
            "take a shorter window, or other events."
        )
    return responses.where(xr.DataArray(there, dims=("stimulus", "trial", "unit")))


def _within(begin: np.ndarray, end: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """Which windows lie inside one of some intervals; those that touch are one."""
    ordered = spans[np.argsort(spans[:, 0], kind="stable")]
    reached = np.maximum.accumulate(ordered[:, 1])
    first = np.r_[True, ordered[1:, 0] > reached[:-1] + TOLERANCE]
    starts, stops = ordered[first, 0], np.r_[reached[:-1][first[1:]], reached[-1]]
    at = np.searchsorted(starts, begin + TOLERANCE, side="right") - 1
    return np.asarray((at >= 0) & (end <= stops[np.maximum(at, 0)] + TOLERANCE))


def known_support(support: np.ndarray, times: np.ndarray, who: str) -> np.ndarray | None:
    """Return the time support (interval, from and to) of spikes, or None and a line in the log where it is a default.

    pynapple takes what lies between the first and the last spike for what was recorded, unless it is told. A support
    whose intervals begin and end with spikes is taken for that: trials at its edges are then counted, not NaN.
    """
    spans = np.asarray(support, dtype=float).reshape(-1, 2)
    if not len(times) or not np.isin(spans, times).all():
        return spans
    log.warning(
        "%s: the time support (%g to %g s) begins and ends with spikes, as pynapple sets it where none is given, and "
        "says nothing of when was recorded; trials beyond are counted as silent. Give TsGroup(..., time_support=...).",
        who,
        spans.min(),
        spans.max(),
    )
    return None
