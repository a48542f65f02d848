"""Events of a session, and what was recorded around them: every series becomes responses the same way."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from neurosim.clock import TOLERANCE, whole_number
from neurosim.recordings.columns import as_text, check_frame, coded, label_names, seconds, shown, span
from neurosim.recordings.pynapple_objects import as_series, as_table
from neurosim.schema import InputError, as_responses

log = logging.getLogger(__name__)

TIMES = frozenset({"start_time", "stop_time", "event_time", "onset", "offset", "duration", "time"})
IN_OPTIONS = "{0}={1!r} (of load_responses, options={{{0!r}: {1!r}}})"
FAR = 20  # times what was recorded
THOUSAND = (300, 3000)  # times what the trials span: about ms in s
RESERVED = frozenset({"trial", "unit", "time", "onset", "id", "stimulus"})


@dataclass(frozen=True)
class EventLayout:
    """Where the presentations of a session lie.

    Parameters
    ----------
    stimuli : what was shown. times : (stimulus, trial), when, s; NaN for trials that a stimulus lacks.
    labels : columns of the events that have one value a stimulus, as labels along it; numbers of what was shown, too.
    """

    stimuli: list[str]
    times: np.ndarray
    labels: Mapping[str, Any]


def check_columns(columns: Sequence[str], align_to: object, by: object, who: str, example: str = "{}={!r}") -> None:
    """Refuse a table of events without one of two columns; `example` is how another name for it is given.

    >>> check_columns(["onset", "image"], "onset", "stimulus", "here")
    Traceback (most recent call last):
    neurosim.schema.InputError: here: no column 'stimulus' of events. Columns: onset, image. What was shown: by='image'.
    """
    for option, asked, what in (("align_to", align_to, "When"), ("by", by, "What was shown")):
        if isinstance(asked, str) and asked in columns:
            continue
        fitting = [c for c in columns if (c in TIMES) == (option == "align_to")]
        others = fitting if option == "by" else [c for c in columns if c != by]
        meant = difflib.get_close_matches(str(asked), others, n=1, cutoff=0.75)
        near = meant or difflib.get_close_matches(str(asked), others, n=1, cutoff=0.5) or fitting
        hint = f"{what}: {example.format(option, near[0])}" if near else f"None says {what.lower()}; add it"
        hint = f"Did you mean {meant[0]!r}? {hint}" if meant else hint
        raise InputError(f"{who}: no column {shown(asked)} of events. Columns: {', '.join(columns)}. {hint}.")


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
    events = as_table(events, who)
    check_frame(events, who, f"the columns {align_to} (s) and {by}, one row a presentation,")
    columns = [str(c) for c in events.columns]
    events = events.set_axis(columns, axis=1)
    check_columns(columns, align_to, by, who)
    if not len(events):
        raise InputError(f"{who}: the table of events is empty.")
    times = seconds(events[align_to], who, "event times")
    if session is not None:
        outside = (times + window[0] < session[0] - TOLERANCE) | (times + window[1] > session[1] + TOLERANCE)
        if outside.any():
            raise InputError(
                f"{who}: {int(outside.sum())} of {len(times)} events lie outside the recording ({session[0]:g} to "
                f"{session[1]:g} s), the first at {times[outside][0]:g} s; {_cure(times, session)}."
            )
    if events[by].isna().any():
        raise InputError(f"{who}: {int(events[by].isna().sum())} events have no {by}; drop those rows.")
    if "trial" in columns and events.duplicated([by, "trial"]).any():
        twice = events[events.duplicated([by, "trial"])].iloc[0]
        raise InputError(
            f"{who}: trial {twice['trial']} of {by} {str(twice[by])!r} is there twice; number the trials anew."
        )
    stimuli, code, numbers = coded(events[by], who, by)
    order = np.argsort(times, kind="stable")
    order = order[np.argsort(code[order], kind="stable")]
    counts = np.bincount(code, minlength=len(stimuli))
    rows = np.split(order, np.cumsum(counts)[:-1])
    n_trials = int(counts.min() if balance else counts.max())
    kept = np.full((len(stimuli), n_trials), np.nan)
    for at, row in zip(kept, rows, strict=True):
        at[: len(row)] = times[row[:n_trials]]
    labels = _labels(events, rows, {align_to, by})
    if numbers is not None and by not in RESERVED | {align_to}:
        labels = {by: ("stimulus", numbers)} | labels
    return EventLayout(stimuli.tolist(), kept, labels)


def _cure(times: np.ndarray, session: tuple[float, float]) -> str:
    """Say what to do about events outside of what was recorded."""
    in_ms = session[0] <= float(np.median(times)) / 1000 <= session[1] < float(np.median(times))
    return "in ms? s asked: divide by 1000" if in_ms else "drop them, or take a shorter window"


def check_reached(times: np.ndarray, window: tuple[float, float], reached: tuple[float, float], who: str) -> None:
    """Refuse events of which half lie so far from all that was recorded that their clock or unit is another one."""
    far = FAR * (reached[1] - reached[0] + window[1] - window[0])
    outside = (times < reached[0] - far) | (times > reached[1] + far)
    if outside.mean() > 0.5:
        hint = "in ms? s asked: divide by 1000; " if times[outside].max() > reached[1] else ""
        raise InputError(
            f"{who}: {int(outside.sum())} of {len(times)} events lie far outside the spikes ({reached[0]:g} to "
            f"{reached[1]:g} s), the first at {times[outside].min():g} s; {hint}where none fired, session= says so."
        )


def check_fired(
    counts: xr.DataArray, trains: Mapping[str, np.ndarray], window: tuple[float, float], who: str
) -> xr.DataArray:
    """Return counts around events, or refuse spikes of which none falls into any trial: their clock or unit is another.

    Where few do and the spikes span about a thousand times what the trials do, a line in the log says so.
    """
    ends = [t[[0, -1]] for t in trains.values() if len(t)]
    if not ends:
        return counts
    first, last = float(np.min(ends)), float(np.max(ends))
    times = counts["onset"].values
    begin, end = float(np.nanmin(times)) + window[0], float(np.nanmax(times)) + window[1]
    counted, n_spikes = int(counts.sum()), sum(map(len, trains.values()))
    in_ms = THOUSAND[0] < (last - first) / (end - begin) < THOUSAND[1] or begin <= last / 1000 <= end < first
    n_trials = int(np.isfinite(times).sum())
    spans = f"the trials lie at {begin:g} to {end:g} s, the spikes at {first:g} to {last:g} s"
    if not counted:
        cure = "spikes in ms? s asked: divide by 1000" if in_ms else "give both in s from the start of the session"
        raise InputError(f"{who}: none of {n_spikes} spikes falls into any of {n_trials} trials; {spans}; {cure}.")
    if in_ms and counted < n_spikes / 100:
        log.warning("%s: only %d of %d spikes fall into trials; %s; are they in ms?", who, counted, n_spikes, spans)
    return counts


def align_series(
    series: xr.DataArray,
    events: object,
    *,
    window: tuple[float, float] = (0.0, 0.5),
    align_to: str = "start_time",
    by: str = "stimulus",
    balance: bool = False,
) -> xr.DataArray:
    """Cut a sampled series (LFP, calcium, behaviour) into responses around events; only what is cut out is read.

    Parameters
    ----------
    series : (time, unit) or (time,), with its ``time`` in s, evenly spaced, ``quantity`` in attrs; or a Tsd, TsdFrame
        or TsdTensor of pynapple.
    events : pandas DataFrame, one row a presentation, with a column of times (s) and one that says what was shown; or
        an IntervalSet or Tsd of pynapple.
    window : from and to, s from the event.
    align_to, by : the two columns of `events`; numbers of `by` order the stimuli and are a label along them.
    balance : take of every stimulus the first trials, as many as the rarest has; otherwise what it lacks is NaN.

    Returns
    -------
    responses (stimulus, trial, time, unit), NaN in trials that a stimulus lacks. The first sample of a presentation is
    the one nearest to the start of the window; ``first_sample`` (stimulus, trial) is when it was taken, s from the
    event. ``time`` starts there, at the mean over presentations where samples fall differently between them.

    Raises
    ------
    InputError : no series with an even ``time``, missing columns, or events outside the recording.

    Examples
    --------
    >>> import pandas as pd
    >>> import xarray as xr
    >>> ramp = xr.DataArray(np.arange(100.0), dims="time", coords={"time": np.arange(100) * 0.01})
    >>> shown = pd.DataFrame({"start_time": [0.1, 0.5], "stimulus": ["a", "b"]})
    >>> ns.recordings.align_series(ramp, shown, window=(0, 0.03)).values[..., 0].tolist()
    [[[10.0, 11.0, 12.0]], [[50.0, 51.0, 52.0]]]
    """
    series = as_series(series, "align_series")
    clock, step = _clock(series)
    window = span(window, "align_series")
    n = whole_number(window[1] - window[0], step)
    if n is None:
        raise InputError(
            f"align_series: a window of whole samples asked, found {window} s; one comes every {step:g} s."
        )
    session = (float(clock[0]), float(clock[-1]) + step)
    layout = event_layout(events, align_to, by, window, session, balance, "align_series")
    there = np.isfinite(layout.times)
    sought = np.where(there, layout.times, session[0] - window[0]) + window[0]
    first = np.clip(_nearest(clock, sought, step), 0, len(clock) - n)
    ordered = (series if "unit" in series.dims else series.expand_dims("unit", axis=-1)).transpose("time", "unit")
    cut = np.stack([[np.asarray(ordered[f : f + n].values) for f in row] for row in first])
    cut = cut if there.all() else np.where(there[..., None, None], cut, np.nan)
    begin = clock[first] - layout.times
    if np.abs(clock[first + n - 1] - clock[first] - (n - 1) * step).max() > step / 2:
        raise InputError("align_series: the clock of the samples drifts within a window; interpolate the series first.")
    kept = (RESERVED - {"unit"}) | {"first_sample"}
    own = {str(k): v for k, v in ordered.coords.items() if v.dims == ("unit",) and str(k) not in kept}
    named = label_names(own, layout.labels)
    labels = {named[k]: v for k, v in own.items()}
    responses = as_responses(
        cut,
        dims=("stimulus", "trial", "time", "unit"),
        stimuli=layout.stimuli,
        coords={
            "onset": (("stimulus", "trial"), layout.times),
            "first_sample": (("stimulus", "trial"), begin),
            **layout.labels,
            **labels,
        },
        quantity=series.attrs.get("quantity", "activation"),
        time_step=step,
    )
    as_asked = np.nanmax(np.abs(begin - window[0])) <= TOLERANCE
    return responses.assign_coords(time=(window[0] if as_asked else np.nanmean(begin)) + np.arange(n) * step)


def _clock(series: object) -> tuple[np.ndarray, float]:
    """Return the times of the samples of a series, s, and the step between them."""
    if not isinstance(series, xr.DataArray) or not {"time"} <= set(series.dims) <= {"time", "unit"}:
        found = dict(series.sizes) if isinstance(series, xr.DataArray) else type(series).__name__
        raise InputError(f"align_series: a DataArray (time, unit) asked, found {found}.")
    if "time" not in series.coords:
        raise InputError("align_series: the series has no 'time' coordinate; assign the times of its samples, in s.")
    clock = seconds(series["time"], "align_series", "times of the samples")
    if len(clock) < 2:
        raise InputError(f"align_series: a series of 2 samples or more asked, found {len(clock)}.")
    step = float(clock[-1] - clock[0]) / (len(clock) - 1)
    if not step > 0 or not np.allclose(np.diff(clock), step, rtol=1e-3, atol=1e-3 * step):
        raise InputError("align_series: the samples are not evenly spaced in time; interpolate the series first.")
    return clock, step


def _nearest(clock: np.ndarray, times: np.ndarray, step: float) -> np.ndarray:
    """Index of the sample nearest to each time; of two as near, the earlier."""
    after = np.clip(np.searchsorted(clock, times - TOLERANCE), 1, len(clock) - 1)
    return np.asarray(after - (times - clock[after - 1] <= clock[after] - times + 1e-6 * step))


def _labels(events: Any, rows: list[np.ndarray], used: set[str]) -> dict[str, Any]:
    """Columns that have one value a stimulus, such as its category."""
    found = {}
    for name, column in events.items():
        if str(name) in used | RESERVED:
            continue
        values = [set(map(str, column.to_numpy()[r])) for r in rows]
        if all(len(v) == 1 for v in values):
            raw = np.asarray([column.to_numpy()[r[0]] for r in rows])
            plain = raw.dtype.kind in "biuf"
            found[str(name)] = ("stimulus", raw if plain else np.array([as_text(v) for v in raw.tolist()]))
    return found
