"""What else went on in a trial: running, pupil or eyes, series on the clock of the session, as labels of trials."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from neurosim.clock import TOLERANCE
from neurosim.recordings.columns import as_text, seconds, span
from neurosim.recordings.pynapple_objects import as_series
from neurosim.refusals import check_known
from neurosim.schema import RESPONSE_DIMS, InputError

COARSEST = 10.0  # windows between two samples of a series whose times are in s

STATISTICS: Mapping[str, Callable[[np.ndarray], Any]] = {
    "mean": np.mean,
    "median": np.median,
    "min": np.min,
    "max": np.max,
    "std": np.std,
    "range": np.ptp,
}


def label_trials(
    responses: xr.DataArray,
    series: Mapping[str, xr.DataArray],
    *,
    window: tuple[float, float] = (0.0, 0.25),
    statistic: str = "mean",
) -> xr.DataArray:
    """Label every trial with what a series, such as running speed or the size of the pupil, did around its event.

    ``labelled.where(labelled["running"] < 0.01)`` then keeps the still trials, and the others count as not measured;
    ``ns.responses.regress_out(labelled, "running")`` takes off what runs with it.

    Parameters
    ----------
    responses : (stimulus, trial, ...) with ``onset`` (stimulus, trial), s of the session, as align_spikes, align_series
        and load_responses of a session give it.
    series : by the name of the label, (time,) or (time, unit), its ``time`` in s of the session, evenly spaced or not;
        of several units each is a label, "eye_x" for unit "x" of "eye". Tsd and TsdFrame of pynapple too.
    window : from and to, s from the event; the samples from its start on and before its end count.
    statistic : of the samples: "mean", "median", "min", "max", "std" or "range".

    Returns
    -------
    the responses with the labels along (stimulus, trial), in the unit of the series. NaN where a trial is missing, or
    the window leaves the series, or has a NaN in it or a gap of more than twice the usual step.

    Raises
    ------
    InputError : no onsets, no times of samples, a label that is there already, an empty window, a series that knows no
        trial, or a statistic that is not known.

    Examples
    --------
    >>> import pandas as pd
    >>> import xarray as xr
    >>> shown = pd.DataFrame({"start_time": [1.0, 2.0, 3.0, 4.0], "stimulus": ["a", "b", "a", "b"]})
    >>> found = ns.recordings.align_spikes({"u": [1.1, 1.2, 3.1, 2.9]}, shown)
    >>> speed = xr.DataArray(np.repeat([0.0, 0.5], 30), dims="time", coords={"time": np.arange(60) * 0.1})
    >>> labelled = ns.recordings.label_trials(found, {"running": speed})
    >>> labelled["running"].values.tolist()
    [[0.0, 0.5], [0.0, 0.5]]
    >>> labelled.where(labelled["running"] < 0.1).values[:, :, 0].tolist()
    [[2.0, nan], [0.0, nan]]
    """
    who = "label_trials"
    check_known(statistic, STATISTICS, f"{who}: no statistic")
    start, stop = span(window, who)
    if not stop > start:
        raise InputError(f"{who}: a window (from, to) in s asked, found {window}.")
    onsets = _onsets(responses)
    if not isinstance(series, Mapping) or not series:
        raise InputError(f"{who}: series by the name of their label asked, as {{'running': speed}}.")
    labels: dict[str, xr.DataArray] = {}
    for name, given in series.items():
        if not isinstance(name, str) or not name:
            raise InputError(f"{who}: a label is a word, found {name!r}.")
        one = as_series(given, who)
        if not isinstance(one, xr.DataArray) or not {"time"} <= set(one.dims) <= {"time", "unit"}:
            found = dict(one.sizes) if isinstance(one, xr.DataArray) else type(one).__name__
            raise InputError(f"{who}: {name!r} is a DataArray (time,) or (time, unit), found {found}.")
        if "time" not in one.coords:
            raise InputError(f"{who}: {name!r} has no 'time' coordinate; assign the times of its samples, in s.")
        if one.dtype.kind not in "biuf":
            raise InputError(f"{who}: {name!r} is a series of real numbers, found dtype {one.dtype}.")
        clock = seconds(one["time"], who, f"times of {name!r}")
        usual = float(np.median(np.diff(clock))) if len(clock) > 1 else 0.0
        if usual > COARSEST * (stop - start):
            raise InputError(
                f"{who}: {name!r} has a sample every {usual:g} s, far more than the window of {stop - start:g} s; is "
                "it on the clock of the session, in s?"
            )
        table = np.asarray(one.expand_dims("unit", -1) if "unit" not in one.dims else one.transpose("time", "unit"))
        units = one["unit"].values if "unit" in one.coords and "unit" in one.dims else range(table.shape[1])
        by_trial = _by_trial(table.astype(float), clock, onsets, (start, stop), STATISTICS[statistic], name)
        for unit, values in zip(units, np.moveaxis(by_trial, -1, 0), strict=True):
            label = name if table.shape[1] == 1 else f"{name}_{as_text(unit)}"
            if label in labels or label in responses.coords or label in RESPONSE_DIMS:
                raise InputError(f"{who}: a label {label!r} is there already; name the series otherwise.")
            about = {"statistic": statistic, "window": [start, stop]}
            about |= {k: one.attrs[k] for k in ("units",) if k in one.attrs}
            labels[label] = xr.DataArray(values, dims=("stimulus", "trial"), attrs=about)
    return responses.assign_coords(labels)


def _onsets(responses: object) -> np.ndarray:
    """Return when the events of the trials were (stimulus, trial), s; NaN for trials that are missing."""
    found = responses.coords.get("onset") if isinstance(responses, xr.DataArray) else None
    if found is None or set(found.dims) != {"stimulus", "trial"}:
        raise InputError(
            "label_trials: responses with their 'onset' (stimulus, trial) in s of the session asked, as align_spikes "
            'and align_series give them; assign it with .assign_coords(onset=(("stimulus", "trial"), times)).'
        )
    onset = found.transpose("stimulus", "trial")
    known = onset.notnull()
    return np.where(known, seconds(onset.where(known, 0.0), "label_trials", "onsets"), np.nan)


def _by_trial(
    values: np.ndarray,
    clock: np.ndarray,
    onsets: np.ndarray,
    window: tuple[float, float],
    statistic: Callable[[np.ndarray], Any],
    name: str,
) -> np.ndarray:
    """Return the statistic (stimulus, trial, unit) of samples (time, unit) around events."""
    who = "label_trials"
    if len(clock) < 2 or not (np.diff(clock) > 0).all():
        raise InputError(
            f"{who}: {name!r} has two samples or more, in the order of time; sort it with .sortby('time')."
        )
    step = float(np.median(np.diff(clock)))
    longest = 2 * step + TOLERANCE
    is_gap = np.diff(clock) > longest
    begins, ends = onsets + window[0], onsets + window[1]
    inside = (begins >= clock[0] - TOLERANCE) & (ends <= clock[-1] + step + TOLERANCE)
    first = np.searchsorted(clock, begins - TOLERANCE)
    end = np.searchsorted(clock, ends - TOLERANCE)
    found = np.full((*onsets.shape, values.shape[1]), np.nan)
    for place in map(tuple, np.argwhere(inside)):
        a, b = first[place], end[place]
        near = a < b and clock[a] - begins[place] <= longest and ends[place] - clock[b - 1] <= longest
        if near and not is_gap[a : b - 1].any():
            found[place] = [statistic(column) for column in values[a:b].T]
    if not np.isfinite(found).any():
        raise InputError(
            f"{who}: {name!r} ({clock[0]:g} to {clock[-1]:g} s) is known in the window of no trial ("
            f"{np.nanmin(onsets):g} to {np.nanmax(onsets):g} s); is it on the clock of the session, in s?"
        )
    return found
