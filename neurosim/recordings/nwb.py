"""Neurodata Without Borders: units and trials, sampled series and intracellular sweeps in; responses out.

Needs ``pip install 'neurosim[nwb]'``. Files are checked before they are opened: links that leave the file are refused.
"""

from __future__ import annotations

import hashlib
import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.recordings.columns import shown
from neurosim.recordings.events import align_series, check_fired
from neurosim.recordings.nwb_before_2 import events_before_2, is_before_2, protocols_before_2, series_before_2
from neurosim.recordings.nwb_content import (
    by_protocol,
    check_pairs,
    contents_of,
    events_of,
    labels_of,
    observed_of,
    on_disk,
    series_of,
    session_of,
    si_unit,
    stacked,
    sweep_pairs,
    trains_of,
    unit_table,
)
from neurosim.recordings.observed import only_observed
from neurosim.recordings.spikes import align_spikes
from neurosim.schema import UNITS_OF, InputError, check_responses, step_of, suggest

if TYPE_CHECKING:
    import pandas as pd
    import pynwb

QUANTITY_OF = {"V": "electric_potential", "T": "magnetic_field"}
PAUSE = 0.5
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def load_nwb_responses(
    path: str | Path,
    *,
    by: str,
    window: tuple[float, float] = (0.0, 0.5),
    time_bin: float | None = None,
    align_to: str = "start_time",
    series: str | None = None,
    balance: bool = False,
    intervals: str | None = None,
) -> xr.DataArray:
    """Read the units of an NWB file as responses to the events of its trials, or of another table of intervals.

    Parameters
    ----------
    path : ``.nwb`` file.
    by : column of the trials that says what was shown; it becomes ``stimulus``. Trials without it are left out.
    window : from and to, s from the event. time_bin : width of the bins, s; one bin over the window when absent.
    align_to : column of the trials with the time of the event, s; trials without one are left out.
    series : align this sampled series (see :func:`load_nwb_series`) in place of the spikes of the units. Of files
        of NWB 1 of the Brain Observatory, "DfOverF" by default.
    balance : take of every stimulus the first trials, as many as the rarest has; otherwise what it lacks is NaN.
    intervals : name of the table that takes the place of the trials: "epochs", or the presentations of a stimulus such
        as "drifting_gratings_presentations" of the Allen Institute. By default the trials, or the only table.

    Returns
    -------
    responses (stimulus, trial, [time,] unit), with the columns of the table of units as labels along ``unit`` and those
    of the trials that have one value a stimulus along ``stimulus``; ``subject`` and ``area`` (of the electrode) along
    ``unit`` where the file names them. A unit is NaN in trials whose window leaves its ``obs_intervals``.

    Raises
    ------
    StorageError : no NWB file, truncated, or with links that leave it.
    InputError : no intervals or units, an unknown table or column (the message lists those there are), events outside
        the recording, spikes of which none falls into any trial, a time bin for a series.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> shown = ns.as_responses(np.ones((2, 2, 3)), quantity="spike_count", stimuli=["a", "b"], time_step=0.1)
    >>> with tempfile.TemporaryDirectory() as place:
    ...     ns.recordings.save_nwb(Path(place, "x.nwb"), shown, description="an example")
    ...     found = ns.recordings.load_nwb_responses(Path(place, "x.nwb"), by="stimulus", window=(0, 0.2))
    >>> found.values[:, 0].tolist()
    [[2.0, 2.0, 2.0], [2.0, 2.0, 2.0]]
    """
    if series is not None and time_bin is not None:
        raise InputError(
            f"{Path(path).name}: a time_bin is of spikes, the series {shown(series)} has none; leave it out."
        )
    if is_before_2(path):
        if time_bin is not None:
            raise InputError(f"{Path(path).name}: a time_bin is of spikes, imaging has none; leave it out.")
        events = events_before_2(Path(path), intervals, (by, align_to))
        held = series_before_2(Path(path), series or "DfOverF")
        return align_series(held, events, window=window, align_to=align_to, by=by, balance=balance)
    with _opened(path) as nwb:
        events = events_of(nwb, intervals, Path(path).name, (by, align_to))
        if series is None:
            table = unit_table(nwb, Path(path).name)
            trains = trains_of(table["spike_times"], Path(path).name)
            responses = align_spikes(
                trains,
                events,
                window=window,
                time_bin=time_bin,
                align_to=align_to,
                by=by,
                session=session_of(nwb, trains, events),
                balance=balance,
                units=labels_of(nwb, table),
            )
            check_fired(responses, trains, window, Path(path).name)
            responses = only_observed(responses, observed_of(table), window)
        subject = nwb.subject.subject_id if nwb.subject is not None and nwb.subject.subject_id else None
    if series is not None:
        whole = load_nwb_series(path, series)
        with storage.readable(Path(path), "NWB"):
            responses = align_series(whole, events, window=window, align_to=align_to, by=by, balance=balance)
    if subject is not None:
        responses = responses.assign_coords(subject=("unit", np.repeat(subject, responses.sizes["unit"])))
    return responses


def load_nwb_spikes(path: Path) -> pd.DataFrame:
    """Read the spikes of the units of an NWB file as a table, with or without trials; silent units are not in it."""
    import pandas as pd

    with _opened(path) as nwb:
        trains = trains_of(unit_table(nwb, path.name)["spike_times"], path.name)
    unit = np.repeat(list(trains), [len(t) for t in trains.values()])
    return pd.DataFrame({"unit": unit, "time": np.concatenate(list(trains.values()))})


def load_nwb_series(path: str | Path, name: str | None = None) -> xr.DataArray:
    """Open a sampled series of an NWB file (LFP, calcium, behaviour) lazily.

    Parameters
    ----------
    path : ``.nwb`` file.
    name : name of the series; may be left out when the file has only one.

    Returns
    -------
    (time, unit), read when used; ``time`` in s of the session, ``quantity`` and ``units`` in attrs. Volts, tesla and
    amperes with any prefix come in SI units, others in the unit that the file names.

    Raises
    ------
    StorageError : no NWB file, truncated, or with links that leave it.
    InputError : no such series (the message lists those there are).

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> shown = ns.as_responses(np.ones((2, 2, 3)), quantity="activation", stimuli=["a", "b"], time_step=0.1)
    >>> with tempfile.TemporaryDirectory() as place:
    ...     ns.recordings.save_nwb(Path(place, "x.nwb"), shown, description="an example")
    ...     found = ns.recordings.load_nwb_series(Path(place, "x.nwb")).load()
    >>> found.dims
    ('time', 'unit')
    """
    if is_before_2(path):
        return series_before_2(Path(path), name)
    with _opened(path) as nwb:
        found = dict(series_of(nwb))
        if name is None and len(found) == 1:
            name = next(iter(found))
        if not isinstance(name, str) or name not in found:
            raise InputError(
                f"{Path(path).name}: no series {shown(name)}. Series: {', '.join(found) or 'none'}."
                f"{suggest(str(name), found)}"
            )
        item = found[name]
        if item.data.ndim > 2:
            kept = ", its frames in other files" if getattr(item, "external_file", None) is not None else ""
            raise InputError(f"{Path(path).name}: {name} has shape {item.data.shape}{kept}; a series is (time, unit).")
        unit, scale = si_unit(str(item.unit))
        values = on_disk(item, Path(path), scale)
        clock = np.asarray(item.timestamps[:]) if item.timestamps is not None else None
        rate, start = item.rate, float(item.starting_time or 0.0)
    clock = start + np.arange(values.sizes["time"]) / rate if clock is None else clock
    values = values if "unit" in values.dims else values.expand_dims("unit", axis=-1)
    quantity = QUANTITY_OF.get(unit, "activation")
    attrs = {"quantity": quantity, "units": UNITS_OF[quantity] if quantity != "activation" else unit}
    return values.assign_coords(time=clock).rename(name).assign_attrs(attrs)


def load_nwb_protocols(path: str | Path) -> dict[str, xr.Dataset]:
    """Read the current-clamp sweeps of an NWB file, those of one length and rate together.

    Parameters
    ----------
    path : ``.nwb`` file.

    Returns
    -------
    Dataset of ``current`` (A) and ``voltage`` (V), (sweep, time), paired by the table of recordings where there is one,
    else by sweep number or order: under "sweeps" where all are of one length and rate, else under the description of
    their stimulus, with length and rate where it has several.

    Raises
    ------
    StorageError : no NWB file, truncated, or with links that leave it. InputError : no current-clamp sweeps.
    """
    if is_before_2(path):
        return protocols_before_2(Path(path))
    with _opened(path) as nwb:
        pairs = list(sweep_pairs(nwb))
        if not pairs:
            raise InputError(f"{Path(path).name}: holds no current-clamp sweeps; it has {contents_of(nwb)}.")
        check_pairs(pairs, Path(path).name)
        about = {"subject": nwb.subject.subject_id} if nwb.subject is not None and nwb.subject.subject_id else {}
        return {name: stacked(held, about) for name, held in by_protocol(pairs).items()}


def load_nwb_sweeps(path: str | Path) -> xr.Dataset:
    """Read the current-clamp sweeps of an NWB file that has them of one length and rate."""
    found = load_nwb_protocols(path)
    if len(found) > 1:
        raise InputError(f"{Path(path).name}: sweeps of several lengths and rates; load_sweeps gives {list(found)}.")
    return next(iter(found.values()))


def save_nwb(
    path: str | Path,
    responses: xr.DataArray,
    *,
    description: str,
    species: str = "Homo sapiens",
    sex: str = "U",
    age: str = "P0D/",
    session_start: datetime = LONG_AGO,
) -> None:
    """Write responses as an NWB file that other tools read; :func:`load_nwb_responses` reads it back.

    Presentations follow each other with pauses of half a second, in whole steps. Spike counts become the spike times of
    units, each in its bin; other quantities become a sampled series called ``responses``. ``start_time`` of a trial is
    where its responses begin; where their ``time`` does not begin at 0 s, ``event_time`` is when it was 0 s.

    Parameters
    ----------
    path : ``.nwb`` file.
    responses : (stimulus, [trial,] time, unit) with a ``time_step``. Labels along ``unit`` become columns of the units,
        labels along ``stimulus`` columns of the trials.
    description : what was done.
    species, sex, age : of the subject, as NWB wants them: Latin name; "M", "F", "O" or "U"; ISO 8601 duration.
    session_start : with its time zone.

    Raises
    ------
    InputError : no ``time`` dim or time step, counts that are no whole numbers, several subjects.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> shown = ns.as_responses(np.ones((2, 2, 3)), quantity="spike_count", stimuli=["a", "b"], time_step=0.1)
    >>> with tempfile.TemporaryDirectory() as place:
    ...     ns.recordings.save_nwb(Path(place, "x.nwb"), shown, description="an example")
    ...     found = ns.recordings.load_nwb_responses(Path(place, "x.nwb"), by="stimulus", window=(0, 0.2))
    >>> found.stimulus.values.tolist()
    ['a', 'b']
    """
    path = storage.as_path(path, "save_nwb")
    responses = check_responses(responses, "save_nwb")
    _check_texts({"description": description, "species": species, "sex": sex, "age": age}, session_start)
    if "time" not in responses.dims or not responses.attrs.get("time_step"):
        raise InputError("save_nwb: responses over time with a time_step asked; NWB holds times, not averages.")
    step = step_of(responses, "save_nwb")
    is_count = responses.attrs.get("quantity") == "spike_count"
    values = (responses if "trial" in responses.dims else responses.expand_dims("trial")).transpose(
        "stimulus", "trial", "time", "unit"
    )
    counts = np.asarray(values.values)
    if is_count and not (np.equal(counts, np.round(counts)).all() and counts.min() >= 0):
        raise InputError(
            "save_nwb: spike counts that are no whole numbers from 0 asked to be spikes; set another quantity."
        )
    digest = hashlib.sha256(np.ascontiguousarray(counts).tobytes()).hexdigest()
    pynwb = _pynwb()
    file = pynwb.NWBFile(
        session_description=description,
        identifier=digest,
        session_start_time=session_start,
        file_create_date=session_start,
    )
    file.subject = pynwb.file.Subject(subject_id=_only_subject(responses), species=species, sex=sex, age=age)
    n_stimuli, n_trials, n_time, _ = counts.shape
    length, pause = n_time * step, int(np.ceil(PAUSE / step - 1e-9)) * step
    onsets = pause + (length + pause) * np.arange(n_stimuli * n_trials).reshape(n_trials, n_stimuli).T
    _add_trials(file, values, onsets, length)
    if is_count:
        _add_units(file, values, counts, onsets, step)
    else:
        _add_series(file, pynwb.TimeSeries, values, counts, onsets, step)
    with storage.atomic_file(path) as temporary, _quiet(), pynwb.NWBHDF5IO(str(temporary), "w") as io:
        io.write(file)


# --- reading ------------------------------------------------------------------------------------------------------


@contextmanager
def _opened(path: str | Path) -> Iterator[pynwb.NWBFile]:
    path = storage.as_path(path, "NWB")
    if is_before_2(path):
        raise InputError(f"{path.name}: a version of NWB before 2, of which sweeps and imaging alone are read.")
    pynwb = _pynwb()
    with storage.readable(path, "NWB"), _quiet(), pynwb.NWBHDF5IO(str(path), "r", load_namespaces=True) as io:
        yield io.read()


def _pynwb() -> ModuleType:
    try:
        importlib.import_module("pynwb.file")
        return importlib.import_module("pynwb")
    except ImportError as error:
        raise InputError("NWB files need pynwb: pip install 'neurosim[nwb]'.") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep pynwb from warning of what is harmless: cached namespaces, the ending of a temporary file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


# --- writing ------------------------------------------------------------------------------------------------------


def _check_texts(texts: dict[str, Any], session_start: object) -> None:
    for name, value in texts.items():
        if not isinstance(value, str):
            raise InputError(f"save_nwb: {name} is a text, found a {type(value).__name__}.")
    if not isinstance(session_start, datetime):
        raise InputError(f"save_nwb: session_start is a datetime, found a {type(session_start).__name__}.")


def _only_subject(responses: xr.DataArray) -> str:
    names = (
        sorted(set(responses["subject"].values.ravel().astype(str))) if "subject" in responses.coords else ["subject"]
    )
    if len(names) > 1:
        raise InputError(
            f"save_nwb: one file holds one subject, found {', '.join(names[:5])}; select with .isel(unit=...)."
        )
    return names[0]


def _add_trials(file: pynwb.NWBFile, values: xr.DataArray, onsets: np.ndarray, length: float) -> None:
    labels = {str(k): v.values for k, v in values.coords.items() if v.dims == ("stimulus",) and k != "stimulus"}
    file.add_trial_column("stimulus", "what was shown")
    for name in labels:
        file.add_trial_column(name, f"{name} of the stimulus")
    begin = float(values["time"].values[0]) if "time" in values.coords else 0.0
    if begin and "event_time" not in labels:
        file.add_trial_column("event_time", "when the event was to which the responses are aligned, s")
    order = np.argsort(onsets, axis=None)
    for s, t in zip(*np.unravel_index(order, onsets.shape), strict=True):
        row = {k: v[s].item() if hasattr(v[s], "item") else v[s] for k, v in labels.items()}
        onset = float(onsets[s, t])
        if begin:
            row.setdefault("event_time", onset - begin)
        file.add_trial(start_time=onset, stop_time=onset + length, stimulus=str(values["stimulus"].values[s]), **row)


def _add_units(file: pynwb.NWBFile, values: xr.DataArray, counts: np.ndarray, onsets: np.ndarray, step: float) -> None:
    """Put the spikes of a bin evenly inside it."""
    labels = {
        str(k): v.values for k, v in values.coords.items() if v.dims == ("unit",) and k not in ("unit", "subject")
    }
    file.add_unit_column("label", "name of the unit")
    for name in labels:
        file.add_unit_column(name, f"{name} of the unit")
    names = values["unit"].values if "unit" in values.coords else np.arange(counts.shape[-1])
    for u in range(counts.shape[-1]):
        s, t, b = np.nonzero(counts[..., u])
        n = counts[s, t, b, u].astype(int)
        inside = (np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n) + 0.5) / np.repeat(n, n)
        times = np.sort(np.repeat(onsets[s, t] + b * step, n) + inside * step)
        row = {k: v[u].item() if hasattr(v[u], "item") else v[u] for k, v in labels.items()}
        file.add_unit(spike_times=times, label=str(names[u]), **row)


def _add_series(
    file: pynwb.NWBFile, kind: Any, values: xr.DataArray, samples: np.ndarray, onsets: np.ndarray, step: float
) -> None:
    total = round((float(onsets.max()) + samples.shape[2] * step + PAUSE) / step)
    whole = np.zeros((total, samples.shape[-1]), dtype=samples.dtype)
    for s, t in np.ndindex(onsets.shape):
        first = round(float(onsets[s, t]) / step)
        whole[first : first + samples.shape[2]] = samples[s, t]
    unit = {"V": "volts", "T": "tesla"}.get(str(values.attrs.get("units")), str(values.attrs.get("units", "1")))
    series = kind(
        name="responses", description="what the units answered", data=whole, unit=unit, rate=1 / step, starting_time=0.0
    )
    file.create_processing_module("ecephys", "responses of the units").add(series)
