"""Events of a session, and what was recorded around them: every series becomes responses the same way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from neurosim.arrays import check_numbers
from neurosim.clock import whole_number
from neurosim.schema import InputError, as_responses, suggest


@dataclass(frozen=True)
class EventLayout:
    """Where the presentations of a session lie.

    Parameters
    ----------
    stimuli : what was shown. times : (stimulus, trial), when, s.
    labels : further columns of the events that have one value a stimulus, as labels along it.
    """

    stimuli: list[str]
    times: np.ndarray
    labels: Mapping[str, Any]


def event_layout(
    events: Any,
    align_to: str,
    by: str,
    window: tuple[float, float],
    session: tuple[float, float] | None,
    balance: bool,
    who: str,
) -> EventLayout:
    """Arrange a table of events by stimulus and trial, in the order of time; see :func:`align_series`."""
    columns = [str(c) for c in events.columns]
    for column in (align_to, by):
        if column not in columns:
            raise InputError(
                f"{who}: no column {column!r} of events. Columns: {', '.join(columns)}.{suggest(column, columns)}"
            )
    times = _times(events[align_to], align_to, who)
    if session is not None:
        outside = (times + window[0] < session[0]) | (times + window[1] > session[1] * (1 + 1e-12) + 1e-9)
        if outside.any():
            raise InputError(
                f"{who}: {int(outside.sum())} of {len(times)} events lie outside the recording ({session[0]:g} to "
                f"{session[1]:g} s), the first at {times[outside][0]:g} s; drop them, or take a shorter window."
            )
    if events[by].isna().any():
        raise InputError(f"{who}: {int(events[by].isna().sum())} events have no {by}; drop those rows.")
    if "trial" in columns and events.duplicated([by, "trial"]).any():
        twice = events[events.duplicated([by, "trial"])].iloc[0]
        raise InputError(
            f"{who}: trial {twice['trial']} of {by} {str(twice[by])!r} is there twice; number the trials anew."
        )
    shown = events[by].astype(str).to_numpy()
    stimuli = sorted(set(shown))
    order = np.argsort(times, kind="stable")
    rows = [order[shown[order] == s] for s in stimuli]
    counts = [len(r) for r in rows]
    if len(set(counts)) > 1 and not balance:
        raise InputError(
            f"{who}: stimuli have {min(counts)} to {max(counts)} trials; balance=True takes the first {min(counts)}."
        )
    kept = np.stack([r[: min(counts)] for r in rows])
    return EventLayout(stimuli, times[kept], _labels(events, rows, {align_to, by}))


def align_series(
    series: xr.DataArray,
    events: Any,
    *,
    window: tuple[float, float] = (0.0, 0.5),
    align_to: str = "start_time",
    by: str = "stimulus",
    balance: bool = False,
) -> xr.DataArray:
    """Cut a sampled series (LFP, calcium, behaviour) into responses around events; only what is cut out is read.

    Parameters
    ----------
    series : (time, unit) or (time,), with its ``time`` in s, evenly spaced, ``quantity`` in attrs.
    events : pandas DataFrame, one row a presentation, with a column of times (s) and one that says what was shown.
    window : from and to, s from the event.
    align_to, by : the two columns of `events`.
    balance : take of every stimulus the first trials, as many as the rarest has; otherwise all need equally many.

    Returns
    -------
    responses (stimulus, trial, time, unit); ``time`` is that of the sample nearest to the start of the window, and on.

    Raises
    ------
    InputError : no even time, missing columns, events outside the recording, trials not equally many.

    Examples
    --------
    >>> import pandas as pd
    >>> ramp = xr.DataArray(np.arange(100.0), dims="time", coords={"time": np.arange(100) * 0.01})
    >>> shown = pd.DataFrame({"start_time": [0.1, 0.5], "stimulus": ["a", "b"]})
    >>> align_series(ramp, shown, window=(0, 0.03)).values[..., 0].tolist()
    [[[10.0, 11.0, 12.0]], [[50.0, 51.0, 52.0]]]
    """
    if not isinstance(series, xr.DataArray):
        raise InputError(
            f"align_series: a series (time, unit) with its time in s asked, found {type(series).__name__}."
        )
    check_numbers(series, "align_series")
    series = series if "unit" in series.dims else series.expand_dims("unit", axis=-1)
    if set(series.dims) != {"time", "unit"} or series.sizes["time"] < 2:
        raise InputError(f"align_series: a series (time, unit) asked, found {dict(series.sizes)}.")
    clock = series["time"].values
    step = float(clock[-1] - clock[0]) / (len(clock) - 1)
    if not step > 0 or not np.allclose(np.diff(clock), step, rtol=1e-3, atol=1e-3 * step):
        raise InputError("align_series: the samples are not evenly spaced in time; interpolate the series first.")
    n = whole_number(window[1] - window[0], step)
    if n is None:
        raise InputError(
            f"align_series: a window of whole samples asked, found {window} s; one comes every {step:g} s."
        )
    layout = event_layout(
        events, align_to, by, window, (float(clock[0]), float(clock[-1]) + step), balance, "align_series"
    )
    first = np.rint((layout.times + window[0] - clock[0]) / step).astype(int)
    first = np.clip(first, 0, len(clock) - n)
    ordered = series.transpose("time", "unit")
    cut = np.stack([[np.asarray(ordered[f : f + n].values) for f in row] for row in first])
    labels = {str(k): v for k, v in series.coords.items() if v.dims == ("unit",)}
    responses = as_responses(
        cut,
        dims=("stimulus", "trial", "time", "unit"),
        stimuli=layout.stimuli,
        coords={"onset": (("stimulus", "trial"), layout.times), **layout.labels, **labels},
        quantity=series.attrs.get("quantity", "activation"),
        time_step=step,
    )
    return responses.assign_coords(time=window[0] + np.arange(n) * step)


def _times(column: Any, name: str, who: str) -> np.ndarray:
    try:
        times = column.to_numpy(dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(f"{who}: the column {name!r} of events holds no times in s.") from error
    if not len(times):
        raise InputError(f"{who}: the table of events is empty.")
    if not np.isfinite(times).all():
        bad = int((~np.isfinite(times)).sum())
        raise InputError(f"{who}: {bad} of {len(times)} event times are NaN or infinite; drop those rows.")
    return times


def _labels(events: Any, rows: list[np.ndarray], used: set[str]) -> dict[str, Any]:
    """Columns that have one value a stimulus, such as its category."""
    found = {}
    for name, column in events.items():
        if str(name) in used | {"trial", "unit", "time", "onset", "id", "stimulus"}:
            continue
        values = [set(map(str, column.to_numpy()[r])) for r in rows]
        if all(len(v) == 1 for v in values):
            raw = np.asarray([column.to_numpy()[r[0]] for r in rows])
            found[str(name)] = ("stimulus", raw if raw.dtype.kind in "biuf" else raw.astype(str))
    return found
