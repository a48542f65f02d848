"""Objects of pynapple, in and out: groups of spikes, time series and intervals.

Needs ``pip install 'neurosim[pynapple]'`` on the way out; what comes in was made by it.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from neurosim.recordings.columns import as_text, check_frame, label_names, names, seconds, shown, span
from neurosim.schema import InputError

if TYPE_CHECKING:
    import pandas as pd

OWN_LABELS = {"rate"}  # of units, which pynapple computes from the time support


def kind_of(value: object) -> str:
    """Return which object of pynapple this is, by name; nothing for anything else.

    >>> kind_of(np.zeros(3))
    ''
    """
    made_by = type(value).__module__.split(".")[0]
    return type(value).__name__ if made_by == "pynapple" else ""


def as_series(value: Any, who: str) -> Any:
    """Return a Tsd, TsdFrame or TsdTensor as a series (time[, unit]); what is not of pynapple as it is.

    Raises
    ------
    InputError : another object of pynapple, which holds no samples.
    """
    kind = kind_of(value)
    if not kind:
        return value
    if kind not in ("Tsd", "TsdFrame", "TsdTensor"):
        raise InputError(f"{who}: a {kind} of pynapple holds no samples; a Tsd, TsdFrame or TsdTensor asked.")
    clock, data = np.asarray(value.t, dtype=float), np.asarray(value.d)
    if kind == "Tsd":
        return xr.DataArray(data, dims="time", coords={"time": clock})
    if kind == "TsdFrame":
        labels = {str(k): ("unit", _plain(v)) for k, v in unit_labels(value.metadata).items()}
        units = names(list(value.columns), who, "columns")
    else:
        places = np.indices(data.shape[1:]).reshape(data.ndim - 1, -1)
        labels = {f"place_{k}": ("unit", place) for k, place in enumerate(places)}
        units = np.array(["_".join(map(str, place)) for place in places.T])
    flat = data.reshape(len(data), -1)
    return xr.DataArray(flat, dims=("time", "unit"), coords={"time": clock, "unit": units, **labels})


def as_table(value: Any, who: str) -> Any:
    """Return an IntervalSet as a table of events with ``start_time``, ``stop_time``, s, and its metadata, a Tsd as one
    with ``start_time`` and ``stimulus``, its values; what is not of pynapple as it is.

    Raises
    ------
    InputError : another object of pynapple, which does not say what was shown.
    """
    import pandas as pd

    kind = kind_of(value)
    if not kind:
        return value
    if kind == "IntervalSet":
        said = {str(k): np.asarray(v) for k, v in value.metadata.items()}
        return pd.DataFrame({"start_time": value.start, "stop_time": value.end, **said})
    if kind == "Tsd":
        return pd.DataFrame({"start_time": np.asarray(value.t), "stimulus": np.asarray(value.d)})
    raise InputError(
        f"{who}: a {kind} of pynapple does not say what was shown; give an IntervalSet with that as metadata, or a Tsd "
        "of it."
    )


def as_trains(value: Any) -> tuple[dict[str, np.ndarray], pd.DataFrame, np.ndarray]:
    """Return the spikes of a TsGroup by unit, the labels of its units, and its time support (interval, from and to)."""
    keys = names(list(value.keys()), "align_spikes", "unit")
    trains = {str(k): np.asarray(value[k].t, dtype=float) for k in value}
    labels = unit_labels(value.metadata.drop(columns=[c for c in value.metadata.columns if c in OWN_LABELS]))
    return trains, labels.set_axis(keys, axis=0), np.asarray(value.time_support.values, dtype=float)


def unit_labels(metadata: pd.DataFrame) -> pd.DataFrame:
    """Return labels of units; one that is called "unit", as here their names are, becomes ``unit_unit``."""
    return metadata.rename(columns={"unit": label_names(["unit"], map(str, metadata.columns))["unit"]})


def to_pynapple(thing: Any, *, session: tuple[float, float] | None = None, units: pd.DataFrame | None = None) -> Any:
    """Return spikes, a series or a table of events as an object of pynapple (https://doi.org/10.7554/eLife.85786).

    Parameters
    ----------
    thing : a table of spikes, columns ``unit`` and ``time`` (s), becomes a TsGroup; a series (time,) or (time, unit)
        with ``time`` in s a Tsd or TsdFrame; a table of events, columns ``start_time`` and ``stop_time`` (s), an
        IntervalSet with the other columns as metadata.
    session : from and to, s: when was recorded. Asked for spikes, since pynapple would take first to last spike for it;
        a series keeps what lies within.
    units : of spikes: pandas DataFrame indexed by unit, whose columns become metadata; units without a spike are kept.

    Returns
    -------
    TsGroup, Tsd, TsdFrame or IntervalSet.

    Raises
    ------
    InputError : anything else, a series whose times do not rise, an option that is not read, spikes without a unit or a
        session or outside it, units that are named by no number (pynapple wants whole numbers; the name becomes
        metadata ``name`` where none is one), or overlapping intervals, which pynapple would merge.

    Examples
    --------
    >>> import pandas as pd
    >>> spikes = pd.DataFrame({"unit": ["u", "u", "v"], "time": [0.1, 0.7, 0.4]})
    >>> group = ns.recordings.to_pynapple(spikes, session=(0.0, 1.0))
    >>> len(group), group.metadata["name"].tolist(), float(group.time_support.end[0])
    (2, ['u', 'v'], 1.0)
    """
    if isinstance(thing, xr.DataArray):
        return _series_out(thing, session, units)
    columns = set(map(str, getattr(thing, "columns", ())))
    if {"unit", "time"} <= columns and "stimulus" not in columns:
        return _spikes_out(thing, session, units)
    if {"start_time", "stop_time"} <= columns:
        if session is not None or units is not None:
            raise InputError("to_pynapple: session= and units= are read with spikes, not with a table of events.")
        return _intervals_out(thing)
    raise InputError(
        "to_pynapple: a table of spikes (unit, time), a series (time[, unit]) or a table of events (start_time, "
        f"stop_time) asked, found {shown(sorted(columns)) if columns else type(thing).__name__}."
    )


def _series_out(series: xr.DataArray, session: tuple[float, float] | None, units: pd.DataFrame | None) -> Any:
    nap = _pynapple()
    if not {"time"} <= set(series.dims) <= {"time", "unit"} or "time" not in series.coords:
        raise InputError(
            f"to_pynapple: a series (time[, unit]) with its 'time' in s asked, found {dict(series.sizes)}; of "
            "responses take one trial, as with .isel(stimulus=0, trial=0)."
        )
    support = None if session is None else nap.IntervalSet(*span(session, "to_pynapple"))
    if units is not None:
        raise InputError("to_pynapple: units= are read with spikes; the labels of a series stand along its 'unit'.")
    clock = seconds(series["time"], "to_pynapple")
    if not np.isfinite(clock).all() or (np.diff(clock) <= 0).any():
        raise InputError("to_pynapple: the times of the series do not rise; .sortby('time') first.")
    if "unit" not in series.dims:
        return nap.Tsd(t=clock, d=np.asarray(series.values), time_support=support)
    ordered = series.transpose("time", "unit")
    labels = {str(k): v.values for k, v in ordered.coords.items() if v.dims == ("unit",) and k != "unit"}
    columns = ordered["unit"].values if "unit" in ordered.coords else None
    return nap.TsdFrame(
        t=clock, d=np.asarray(ordered.values), columns=columns, time_support=support, metadata=labels or None
    )


def _spikes_out(table: pd.DataFrame, session: tuple[float, float] | None, units: pd.DataFrame | None) -> Any:
    who = "to_pynapple"
    if session is None:
        raise InputError(
            f"{who}: session=(from, to) in s asked with spikes: pynapple would take the first to the last spike for it."
        )
    start, stop = span(session, who)
    lost = int(table["unit"].isna().sum())
    if lost:
        raise InputError(f"{who}: {lost} spikes have no unit; drop those rows.")
    if units is not None and (units.index.isna().any() or units.index.has_duplicates):
        raise InputError(f"{who}: the index of units names every unit once; found names that repeat or are missing.")
    check_frame(table, who, "columns unit and time (s), one row a spike,")
    times, whose = seconds(table["time"], who, "spike times", samples=True), names(table["unit"], who, "unit")
    outside = int(((times < start) | (times > stop)).sum())
    if outside:
        raise InputError(f"{who}: {outside} spikes lie outside the session ({start:g} to {stop:g} s).")
    kept = sorted(set(whose.tolist())) if units is None else names(units.index.to_series(), who, "unit").tolist()
    unknown = sorted(set(whose.tolist()) - set(kept))
    if unknown:
        raise InputError(f"{who}: {len(unknown)} units spike and are not in units, the first is {unknown[0]}.")
    plain = all(name.isdecimal() and str(int(name)) == name for name in kept)
    kept = sorted(kept, key=int) if plain else kept
    labels: dict[str, Any] = {} if plain else {"name": kept}
    if units is not None:
        ordered = units.set_axis(names(units.index.to_series(), who, "unit"), axis=0).loc[kept]
        labels |= {str(k): _plain(v) for k, v in ordered.items() if str(k) not in OWN_LABELS}
    keys = [int(name) for name in kept] if plain else range(len(kept))
    nap = _pynapple()
    support = nap.IntervalSet(start, stop)
    trains = {
        k: nap.Ts(np.sort(times[whose == name]), time_support=support) for k, name in zip(keys, kept, strict=True)
    }
    return nap.TsGroup(trains, time_support=support, metadata=labels or None)


def _intervals_out(table: pd.DataFrame) -> Any:
    who = "to_pynapple"
    check_frame(table, who, "columns start_time and stop_time (s)")
    ordered = table.sort_values("start_time", kind="stable")
    start, stop = (seconds(ordered[c], who, c) for c in ("start_time", "stop_time"))
    if (stop <= start).any() or (start[1:] < stop[:-1]).any():
        raise InputError(f"{who}: intervals that end before they begin, or overlap; an IntervalSet has none such.")
    said = {str(k): _plain(v) for k, v in ordered.items() if str(k) not in ("start_time", "stop_time")}
    return _pynapple().IntervalSet(start, stop, metadata=said or None)


def _plain(values: Any) -> np.ndarray:
    array = np.asarray(values)
    return array if array.dtype.kind in "biuf" else np.array([as_text(v) for v in array])


def _pynapple() -> ModuleType:
    try:
        return importlib.import_module("pynapple")
    except ImportError as error:
        raise InputError("to_pynapple: pynapple is needed: pip install 'neurosim[pynapple]'.") from error
