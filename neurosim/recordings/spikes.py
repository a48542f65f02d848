"""Tables of spikes, and how they become responses: binned as they stand, or cut out around events of the session."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.clock import NARROWEST, TOLERANCE, bin_index, n_before, whole_number
from neurosim.recordings.columns import as_text, check_frame, coded, label_names, names, seconds, shown, span
from neurosim.recordings.events import RESERVED, check_fired, check_reached, event_layout
from neurosim.recordings.observed import known_support, only_observed
from neurosim.recordings.pynapple_objects import as_trains, kind_of
from neurosim.recordings.reader import reader_of
from neurosim.registry import called
from neurosim.schema import InputError, as_responses

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

SPIKE_COLUMNS = ("unit", "time")
UNIT_LABELS_LEFT = (RESERVED - {"id"}) | {"spike_times"}


def load_spikes(path: str | Path, *, reader: str | None = None) -> pd.DataFrame:
    """Read a table of spikes from a file.

    Parameters
    ----------
    path : ``.csv``, ``.tsv`` or ``.parquet`` with one row a spike, columns ``unit`` and ``time`` (s), and optionally
        ``stimulus`` and ``trial``; ``.npz`` with these as arrays of one length, or of SpikeInterface or pynapple;
        ``.nwb`` with units; a folder of phy, Kilosort or ALF; what Neo reads.
    reader : name of its reader, where the ending does not tell.

    Returns
    -------
    pandas DataFrame, sorted by unit and time.

    Raises
    ------
    StorageError : missing, truncated or unsafe file. InputError : missing columns, NaN or infinite times, no spikes.

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(os.path.join(folder, "x.npz"), unit=["v", "u"], time=[0.25, 0.5])
    ...     ns.recordings.load_spikes(os.path.join(folder, "x.npz")).unit.tolist()
    ['u', 'v']
    """
    path = storage.as_path(path, "load_spikes")
    read = reader_of(path, "spikes", "load_spikes", reader).spikes
    assert read is not None
    return check_spikes(called(read)(path), path.name)


def check_spikes(table: pd.DataFrame, name: str, columns: tuple[str, ...] = SPIKE_COLUMNS) -> pd.DataFrame:
    """Return a table of spikes sorted by unit and time, or say what is wrong with it."""
    table = _checked(table, name, columns)
    if table["unit"].dtype == object:
        text = names(table["unit"], name, "unit")
        return table.iloc[np.lexsort((table["time"], text))].reset_index(drop=True)
    return table.sort_values(["unit", "time"], kind="stable", ignore_index=True)


def _cure(columns: list[str], missing: list[str]) -> str:
    """Say what to do with a table that lacks columns: name one, or label its numbers where it has no spikes."""
    other = [c for c in columns if c not in (*SPIKE_COLUMNS, "trial")]
    if len(missing) == 1 and other:
        return f" Rename the one that says it, such as {{{other[0]!r}: {missing[0]!r}}}."
    if {"unit", "time"} <= set(missing):
        return " One row a stimulus, one column a unit? as_responses(pandas.read_csv(...).set_index(...))."
    return ""


def _checked(table: pd.DataFrame, name: str, columns: tuple[str, ...] = SPIKE_COLUMNS) -> pd.DataFrame:
    """Return a table of spikes with times in s, or say what is wrong with it."""
    check_frame(table, name, f"the columns {', '.join(columns)} (times in s), one row a spike,")
    missing = [c for c in columns if c not in table.columns]
    if missing:
        raise InputError(
            f"{name}: a table of spikes has the columns {', '.join(columns)}; missing: {', '.join(missing)}, found: "
            f"{', '.join(map(str, table.columns))}.{_cure(list(map(str, table.columns)), missing)}"
        )
    if not len(table):
        raise InputError(f"{name}: the table holds no spike.")
    for column in (*columns, *({"trial"} & set(table.columns))):
        if column != "time" and table[column].isna().any():
            raise InputError(f"{name}: {int(table[column].isna().sum())} spikes have no {column}; drop those rows.")
    return table.assign(time=seconds(table["time"], name, "spike times", samples=True))


def check_bin(time_bin: Any, name: str) -> float:
    """Return the width of bins in s, or say what is asked."""
    try:
        width = float(time_bin)
    except (TypeError, ValueError):
        width = np.nan
    if not NARROWEST <= width < np.inf:
        raise InputError(f"{name}: a time_bin of at least {NARROWEST:g} s asked, found {shown(time_bin)}.")
    return width


def bin_spikes(
    table: pd.DataFrame,
    *,
    time_bin: float | None = None,
    trials: pd.DataFrame | Literal["all"] | None = None,
    name: str = "bin_spikes",
) -> xr.DataArray:
    """Count the spikes of a table in time bins from the onset of each stimulus.

    Parameters
    ----------
    table : pandas DataFrame with columns ``stimulus``, ``unit``, ``time`` (s from onset) and optionally ``trial``.
    time_bin : width of the bins, s; one bin over everything when absent. An edge lies at 0 s, and a spike on an edge
        belongs to the bin that starts there; before 0 s bins have negative times.
    trials : which trials were run, a pandas DataFrame with columns ``stimulus`` and ``trial``, one row each: one
        without a spike is silent, one that is not there is NaN. "all": every stimulus in every trial. May be left out
        where each has a spike of some unit.
    name : what to call the table in errors.

    Returns
    -------
    responses (stimulus, [trial,] [time,] unit) of spike counts, trials by name, numbers in order. Without `trials`, a
    stimulus or trial without any spike is not in the table and so not in the result; nor is a unit, in any case.

    Raises
    ------
    InputError : missing columns, NaN times, no spikes, trials without a name, bins too many to hold, a stimulus without
        a spike in a trial that others have, of which only `trials` can say whether it was run, or spikes in trials that
        were not.

    Examples
    --------
    >>> import pandas as pd
    >>> spikes = pd.DataFrame({"stimulus": ["a", "b", "b"], "unit": [1, 1, 2], "time": [0.1, 0.2, 0.3]})
    >>> ns.recordings.bin_spikes(spikes).values.tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    if time_bin is not None:
        time_bin = check_bin(time_bin, name)
    table = check_spikes(table, name, ("stimulus", *SPIKE_COLUMNS))
    times = table["time"].to_numpy()
    units, unit, _ = coded(table["unit"], name, "unit")
    stimuli, kinds, (stimulus, trial), run = _trials_run(table, trials, name)
    bins = np.zeros(len(times), dtype=int)
    if time_bin is not None:
        bins = bin_index(times, time_bin)
    first = min(0, int(bins.min()))
    n_bins = int(bins.max()) - first + 1
    _check_cells(name, *run.shape, n_bins, len(units))
    counts = np.zeros((*run.shape, n_bins, len(units)))
    np.add.at(counts, (stimulus, trial, bins - first, unit), 1)
    counts[~run] = np.nan
    responses = as_responses(
        counts,
        dims=("stimulus", "trial", "time", "unit"),
        stimuli=stimuli.tolist(),
        coords={"unit": units, "trial": kinds},
        quantity="spike_count",
        time_step=time_bin,
    )
    drop: dict[str, int] = {} if time_bin is not None else {"time": 0}
    if "trial" not in table:
        drop["trial"] = 0
    found = responses.isel(drop, drop=True)
    return found if time_bin is None else found.assign_coords(time=(first + np.arange(n_bins)) * time_bin)


def _trials_run(
    table: pd.DataFrame, trials: pd.DataFrame | Literal["all"] | None, name: str
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Return the stimuli and trials by name, those of every spike by place, and which (stimulus, trial) were run."""
    if "trial" not in table:
        if trials is not None:
            raise InputError(f"{name}: trials say which were run, and the spikes have no column 'trial'; add it.")
        stimuli, stimulus, _ = coded(table["stimulus"], name, "stimulus")
        run = np.ones((len(stimuli), 1), dtype=bool)
        return stimuli, np.zeros(1, dtype=int), (stimulus, np.zeros(len(stimulus), dtype=int)), run
    if trials is None or isinstance(trials, str):
        if trials not in (None, "all"):
            raise InputError(f"{name}: trials are a table with columns stimulus and trial, or 'all', found {trials!r}.")
        run_table = table
    else:
        run_table = _table_of_trials(trials, name)
    of_spike, shown_stimuli = _names_alike(table["stimulus"], run_table["stimulus"], name, "stimulus")
    trial_of_spike, shown_trials = _names_alike(table["trial"], run_table["trial"], name, "trial", numbers=True)
    stimuli, row = np.unique(shown_stimuli, return_inverse=True)
    if run_table["stimulus"].dtype.kind in "iuf":  # 2 before 10
        order = np.argsort(stimuli.astype(float), kind="stable")
        stimuli, row = stimuli[order], np.argsort(order)[row]
    kinds, column = np.unique(shown_trials, return_inverse=True)
    run = np.zeros((len(stimuli), len(kinds)), dtype=bool)
    run[row, column] = True
    if isinstance(trials, str):
        run[:] = True
    elif trials is None and not run.all():
        at = np.argwhere(~run)[0]
        raise InputError(
            f"{name}: {int((~run).sum())} trials of a stimulus have no spike, the first is trial {kinds[at[1]]} of "
            f"{str(stimuli[at[0]])!r}; say which were run by trials=, a table of columns stimulus and trial, or 'all'."
        )
    by_name = np.argsort(stimuli)
    place = (
        by_name[np.minimum(np.searchsorted(stimuli, of_spike, sorter=by_name), len(stimuli) - 1)],
        np.minimum(np.searchsorted(kinds, trial_of_spike), len(kinds) - 1),
    )
    known = (stimuli[place[0]] == of_spike) & (kinds[place[1]] == trial_of_spike) & run[place]
    if not known.all():
        lost = int((~known).sum())
        raise InputError(f"{name}: {lost} spikes are of trials that were not run, by the table of trials.")
    return stimuli, kinds, place, run


def _table_of_trials(trials: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the table that says which trials were run, each row of which names a stimulus and a trial."""
    check_frame(trials, name, "columns stimulus and trial, one row a trial that was run,")
    if not len(trials) or not {"stimulus", "trial"} <= set(trials.columns):
        found = ", ".join(map(str, trials.columns)) if len(trials) else "no row"
        raise InputError(f"{name}: the table of trials has the columns stimulus and trial, found: {found}.")
    for column in ("stimulus", "trial"):
        nameless = int(trials[column].isna().sum())
        if nameless:
            raise InputError(f"{name}: {nameless} rows of the table of trials name no {column}; drop those rows.")
    return trials


def _names_alike(
    first: pd.Series, second: pd.Series, name: str, what: str, *, numbers: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return the names of two columns as text, or as they are where both are `numbers`.

    A column of whole numbers becomes one of floats where it once lacked some: beside whole ones 1.0 is called 1.
    """
    columns = [first, second]
    if {c.dtype.kind for c in columns} == {"i", "f"}:
        columns = [c.astype(int) if c.dtype.kind == "f" and (c % 1 == 0).all() else c for c in columns]
    if numbers and all(c.dtype.kind in "biuf" for c in columns):
        a, b = (c.to_numpy() for c in columns)
    else:
        a, b = (names(c, name, what) for c in columns)
    return a, b


def align_spikes(
    spikes: Any,
    events: Any,
    *,
    window: tuple[float, float] = (0.0, 0.5),
    time_bin: float | None = None,
    align_to: str = "start_time",
    by: str = "stimulus",
    session: tuple[float, float] | None = None,
    balance: bool = False,
    units: Any = None,
) -> xr.DataArray:
    """Cut the spikes of a session into responses around its events.

    Parameters
    ----------
    spikes : table of spikes with columns ``unit`` and ``time`` (s in the session), or a mapping of unit to times, such
        as Neo spike trains or ``spike_trains()`` of Brian2; in any order. Times with a unit are converted to s. Or a
        TsGroup of pynapple, whose metadata are labels of the units; trials outside its time support are NaN, unless
        that begins and ends with spikes: then pynapple made it up, and a line in the log says so.
    events : pandas DataFrame, one row a presentation, with a column of times (s) and one that says what was shown; or
        an IntervalSet or Tsd of pynapple.
    window : from and to, s from the event. time_bin : width of the bins, s; one bin over the window when absent.
    align_to, by : the two columns of `events`; numbers of `by` order the stimuli and are a label along them.
    session : from and to, s: when spikes were recorded. Spikes outside it, and events whose window leaves it, are
        refused; where it is not said, events of which most lie far from all spikes, and spikes of which none falls
        into any window.
    balance : take of every stimulus the first trials, as many as the rarest has; otherwise what it lacks is NaN.
    units : pandas DataFrame indexed by unit, whose columns become labels along ``unit``, one that is called like a
        label of the stimuli with ``unit_`` before it. Its units are those of the result: one without any spike is
        silent, not absent, and spikes of other units are left out. A table of other names than the spikes is refused.

    Returns
    -------
    responses (stimulus, trial, [time,] unit) of spike counts, NaN in trials that a stimulus lacks; ``time`` in s from
    the event is the left edge of a bin.

    Raises
    ------
    InputError : missing columns, NaN, events outside the session, or an empty window.

    Examples
    --------
    >>> import pandas as pd
    >>> shown = pd.DataFrame({"start_time": [1.0, 2.0, 3.0, 4.0], "stimulus": ["a", "b", "a", "b"]})
    >>> found = ns.recordings.align_spikes({"u": [1.1, 1.2, 3.1, 2.9]}, shown, window=(0, 0.5))
    >>> found.values[:, :, 0].tolist()
    [[2.0, 1.0], [0.0, 0.0]]
    """
    support = None
    if kind_of(spikes) == "TsGroup":
        spikes, said, support = as_trains(spikes)
        units = said if units is None else units
        support = known_support(support, np.concatenate(list(spikes.values())), "align_spikes")
    trains = _by_unit(spikes)
    chosen = list(trains) if units is None else _chosen(units, trains)
    start, stop = span(window, "align_spikes")
    n_bins = 1 if time_bin is None else whole_number(stop - start, check_bin(time_bin, "align_spikes"))
    if not stop > start or n_bins is None:
        raise InputError(f"align_spikes: a window of whole bins asked, found {window} s and time_bin = {time_bin} s.")
    if session is not None:
        session = span(session, "align_spikes")
        lost = sum(int(((t < session[0] - TOLERANCE) | (t > session[1] + TOLERANCE)).sum()) for t in trains.values())
        if lost:
            raise InputError(
                f"align_spikes: {lost} spikes lie outside the recording ({session[0]:g} to {session[1]:g} s); are "
                "times in s from the start of the session?"
            )
    layout = event_layout(events, align_to, by, (start, stop), session, balance, "align_spikes")
    ends = [t[[0, -1]] for t in trains.values() if len(t)]
    if session is None and ends:
        reached = float(np.min(ends)), float(np.max(ends))
        check_reached(layout.times[np.isfinite(layout.times)], (start, stop), reached, "align_spikes")
    n_stimuli, n_trials = layout.times.shape
    _check_cells("align_spikes", n_stimuli, n_trials, n_bins, len(chosen))
    edges = start + np.arange(n_bins + 1) * (stop - start) / n_bins
    counts = np.empty((n_stimuli, n_trials, n_bins, len(chosen)), dtype=np.float32)
    there = np.isfinite(layout.times)
    places = (np.where(there, layout.times, 0.0)[..., None] + edges).reshape(-1, n_bins + 1)
    for column, name in enumerate(chosen):
        before = n_before(trains.get(name, np.empty(0)), places)
        counts[..., column] = np.diff(before, axis=1).reshape(n_stimuli, n_trials, n_bins)
    if not there.all():
        counts[~there] = np.nan
    own = [] if units is None else [(str(k), v) for k, v in units.items() if str(k) not in UNIT_LABELS_LEFT]
    named = label_names([k for k, _ in own], layout.labels)
    labels = {named[k]: ("unit", _plain(v)) for k, v in own}
    responses = as_responses(
        counts,
        dims=("stimulus", "trial", "time", "unit"),
        stimuli=layout.stimuli,
        coords={"unit": chosen, "onset": (("stimulus", "trial"), layout.times), **layout.labels, **labels},
        quantity="spike_count",
        time_step=(stop - start) / n_bins,
    ).assign_coords(time=edges[:-1])
    responses = responses if time_bin is not None else responses.isel(time=0, drop=True)
    if session is None:
        check_fired(responses, trains, (start, stop), "align_spikes")
    return responses if support is None else only_observed(responses, dict.fromkeys(chosen, support), (start, stop))


def _by_unit(spikes: object) -> dict[str, np.ndarray]:
    if isinstance(spikes, Mapping):
        keys = names(list(spikes), "align_spikes", "unit")
        times = [seconds(v, "align_spikes", f"spike times of unit {k}", samples=True) for k, v in spikes.items()]
        bad = [str(k) for k, t in zip(keys, times, strict=True) if t.ndim != 1]
        if bad or not times:
            raise InputError(f"align_spikes: times of one dimension asked, found others in {bad[:3] or 'none'}.")
        return {str(k): _in_order(t) for k, t in zip(keys, times, strict=True)}
    if hasattr(spikes, "spike_trains"):
        raise InputError(
            f"align_spikes: a {type(spikes).__name__} gives its times by unit with .spike_trains(); pass those."
        )
    table = _checked(spikes, "align_spikes")
    times, (text, unit, _) = table["time"].to_numpy(), coded(table["unit"], "align_spikes", "unit")
    order = np.argsort(unit.astype(np.min_scalar_type(len(text))), kind="stable")  # small integers: as quick as reading
    trains = np.split(times[order], np.cumsum(np.bincount(unit, minlength=len(text)))[:-1])
    return {str(name): _in_order(train) for name, train in zip(text, trains, strict=True)}


def _in_order(times: np.ndarray) -> np.ndarray:
    return times if (times[1:] >= times[:-1]).all() else np.sort(times)


def _chosen(units: Any, trains: Mapping[str, np.ndarray]) -> list[str]:
    """Names of the units of a table, of which some at least have spikes."""
    check_frame(units, "align_spikes", "one row a unit, indexed by unit,")
    chosen = [str(u) for u in names(units.index.to_series(), "align_spikes", "unit")]
    if len(set(chosen)) < len(chosen) or ("unit" in units and list(map(str, units["unit"])) != chosen):
        raise InputError(
            "align_spikes: the index of units names every unit once; set it, as with units.set_index('unit')."
        )
    silent, left = [u for u in chosen if u not in trains], [u for u in trains if u not in set(chosen)]
    unset = type(units.index).__name__ == "RangeIndex"
    if len(silent) == len(chosen):
        raise InputError(
            f"align_spikes: units names {', '.join(chosen[:3])} ..., spikes come from {', '.join(list(trains)[:3])} "
            "...; none is in both."
        )
    if silent and left and (unset or len(silent) > len(chosen) / 2):
        raise InputError(
            f"align_spikes: {len(silent)} of {len(chosen)} rows of units have no spikes ({', '.join(silent[:3])}) and "
            f"{len(left)} units with spikes no row ({', '.join(left[:3])}); let its index name the units as spikes do."
        )
    return chosen


def _plain(values: object) -> np.ndarray:
    array = np.asarray(values)
    return array if array.dtype.kind in "biuf" else np.array([as_text(v) for v in array])


def _check_cells(name: str, *sizes: int) -> None:
    if np.prod([float(s) for s in sizes]) > 2**31:
        raise InputError(
            f"{name}: {' x '.join(map(str, sizes))} stimuli, trials, bins and units are too many to hold; take wider "
            "bins, or check that times are in s."
        )
