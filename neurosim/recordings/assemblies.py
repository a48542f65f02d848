"""Assemblies of Brain-Score and BrainIO: presentations by neuroids become responses by stimulus and trial, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.recordings.columns import as_text, coded, shown
from neurosim.schema import InputError, as_responses, check_responses, step_of

PRESENTATION, NEUROID, TIME_BIN = "presentation", "neuroid", "time_bin"
STIMULUS_IDS = ("stimulus_id", "image_id", "stimulus_path")
OURS = {"neuroid_id": "unit", "region": "area", "animal": "subject"}
OF_TIME = (f"{TIME_BIN}_start", f"{TIME_BIN}_end")
MS = 1e-3


def is_assembly(array: xr.DataArray) -> bool:
    """Whether an array is laid out as those of Brain-Score are."""
    return PRESENTATION in array.dims or NEUROID in array.dims


def from_assembly(assembly: xr.DataArray, name: str) -> xr.DataArray:
    """Return the responses that an assembly (presentation, neuroid, [time_bin]) holds.

    Parameters
    ----------
    assembly : with a label of the stimuli along ``presentation`` (``stimulus_id``, ``image_id`` or ``stimulus_path``,
        any of which may take its place) and ``neuroid_id`` along ``neuroid``, as levels of an index or not. Where
        ``repetition`` tells the presentations of every stimulus apart, it is the trial, in the order of their names;
        else they are counted. Bins are in ms, one after the other. name : of it, for errors.

    Returns
    -------
    responses (stimulus, [trial,] [time,] unit), NaN where a stimulus has fewer presentations; ``region`` is called
    ``area``, ``animal`` ``subject``; ids that several layers count are named by the layer. Labels that differ between
    presentations of a stimulus are left out.

    Raises
    ------
    InputError : other dims, stimuli or neuroids without names, a neuroid that is there twice, bins that are
        uneven, overlap or leave gaps.
    """
    alone = next((d for d in STIMULUS_IDS if d in assembly.dims), None)
    if alone is not None and alone in assembly.coords:
        held = (PRESENTATION, assembly[alone].values)
        assembly = assembly.drop_vars(alone).rename({alone: PRESENTATION}).assign_coords({alone: held})
    if not {PRESENTATION, NEUROID} <= set(assembly.dims) <= {PRESENTATION, NEUROID, TIME_BIN}:
        raise InputError(
            f"{name}: an assembly (presentation, neuroid, [time_bin]) asked, found {tuple(map(str, assembly.dims))}; "
            "select or average over the others."
        )
    flat = assembly.reset_index([d for d in assembly.dims if d in assembly.indexes and assembly.indexes[d].nlevels > 1])
    timed = TIME_BIN in flat.dims
    values = flat.transpose(PRESENTATION, *([TIME_BIN] if timed else []), NEUROID)
    along = {d: {str(k): c.values for k, c in values.coords.items() if c.dims == (d,)} for d in values.dims}
    ids = next((k for k in STIMULUS_IDS if k in along[PRESENTATION]), None)
    if ids is None or "neuroid_id" not in along[NEUROID]:
        lacks = f"{' or '.join(STIMULUS_IDS)} along presentation" if ids is None else "neuroid_id along neuroid"
        raise InputError(
            f"{name}: the assembly has no {lacks}; it has {', '.join(map(str, flat.coords)) or 'no label'}."
        )
    stimuli, of_row, trial, names_of_trials = _places(along[PRESENTATION], ids, name)
    n_trials = len(names_of_trials)
    labels = _labels(along, {ids, "repetition"}, of_row, name)
    if names_of_trials.tolist() != list(range(n_trials)):
        labels["trial"] = names_of_trials
    filled = np.full((len(stimuli), n_trials, *values.shape[1:]), np.nan)
    filled[of_row, trial] = values.values
    dims = ("stimulus", "trial", *(["time"] if timed else []), "unit")
    found = as_responses(
        filled,
        dims=dims,
        stimuli=stimuli,
        coords=labels,
        quantity=str(flat.attrs.get("quantity", "activation")),
        time_step=_step(along[TIME_BIN], name) if timed and values.sizes[TIME_BIN] > 1 else None,
    )
    if timed and values.sizes[TIME_BIN] > 1:
        found = found.assign_coords(time=np.asarray(along[TIME_BIN][OF_TIME[0]], dtype=float) * MS)
    elif timed:
        found = found.isel(time=0, drop=True)
    kept = {k: str(flat.attrs[k]) for k in ("identifier", "stimulus_set_identifier") if k in flat.attrs}
    once = n_trials == 1 and not np.isnan(filled).any()
    return (found.isel(trial=0, drop=True) if once else found).assign_attrs(kept)


def _places(labels: dict[str, Any], ids: str, name: str) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Return the stimuli, which stimulus and trial every presentation is of, and the names of the trials."""
    stimuli, of_row, _ = coded(labels[ids], name, ids)
    order = np.argsort(of_row, kind="stable")
    counts = np.bincount(of_row)
    trial = np.empty(len(order), dtype=int)
    trial[order] = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    if "repetition" in labels:
        known, of_repetition, numbers = coded(labels["repetition"], name, "repetition")
        if len(set(zip(of_row.tolist(), of_repetition.tolist(), strict=True))) == len(of_row):
            return stimuli.tolist(), of_row, of_repetition, known if numbers is None else numbers
    return stimuli.tolist(), of_row, trial, np.arange(counts.max())


def _labels(along: dict[Any, dict[str, Any]], used: set[str], of_row: np.ndarray, name: str) -> dict[str, Any]:
    """Return labels of the units, and of the stimuli where all presentations of one agree."""
    unit = {OURS.get(k, k): ("unit", _plain(v)) for k, v in along[NEUROID].items() if k != NEUROID}
    names_of = _plain(along[NEUROID]["neuroid_id"]).astype(str)
    if "layer" in unit and len(set(names_of)) < len(names_of):
        names_of = np.char.add(np.char.add(unit["layer"][1].astype(str), "."), names_of)
    ids, code, _ = coded(names_of, name, "neuroid_id")
    if len(ids) < len(code):
        twice = str(ids[np.bincount(code).argmax()])
        raise InputError(f"{name}: neuroid_id {twice!r} is there twice; give every neuroid an id of its own.")
    unit["unit"] = ("unit", ids[code])
    first = np.unique(of_row, return_index=True)[1]
    found: dict[str, Any] = {}
    for key, held in along[PRESENTATION].items():
        values = _plain(held)
        if key not in used | {PRESENTATION} and (values == values[first][of_row]).all():
            found[f"stimulus_{key}" if key in unit else key] = ("stimulus", values[first])
    return found | unit


def _plain(values: Any) -> np.ndarray:
    held = np.asarray(values)
    return held if held.dtype.kind in "biuf" else np.array([as_text(v) for v in held.tolist()], dtype=str)


def _step(labels: dict[str, Any], name: str) -> float:
    """Return the time from bin to bin, s."""
    if OF_TIME[0] not in labels:
        raise InputError(f"{name}: the assembly has no {OF_TIME[0]} (ms) along {TIME_BIN}; assign it.")
    begin = np.asarray(labels[OF_TIME[0]], dtype=float) * MS
    gaps = np.diff(begin)
    if not (gaps > 0).all() or not np.allclose(gaps, gaps[0]):
        raise InputError(f"{name}: the bins of the assembly do not follow each other evenly; select or rebin them.")
    end = np.asarray(labels[OF_TIME[1]], dtype=float) * MS if OF_TIME[1] in labels else begin + gaps[0]
    if not np.allclose(end - begin, gaps[0], rtol=1e-3, atol=0):
        raise InputError(
            f"{name}: bins of {(end - begin)[0] / MS:g} ms begin every {gaps[0] / MS:g} ms, so that they overlap or "
            "leave gaps; select with .isel(time_bin=...) those that follow each other, or one."
        )
    return float(gaps[0])


def save_assembly(path: str | Path, responses: xr.DataArray, *, identifier: str, stimulus_set: str) -> None:
    """Write responses as a BrainIO assembly (presentation, neuroid, [time_bin]), as Brain-Score reads them.

    Parameters
    ----------
    path : ``.nc`` file; :func:`load_responses` reads it back.
    responses : (stimulus, [trial,] [time,] unit). A trial in which no unit was measured (NaN) is no presentation; NaN
        of some units stay NaN. Trials keep their names, as ``repetition``. Labels along ``unit`` go along ``neuroid``,
        ``area`` as ``region``; times become ``time_bin_start`` and ``time_bin_end``, in ms.
    identifier : name of the assembly. stimulus_set : identifier of the stimuli, whose ``stimulus_id`` are those here.

    Raises
    ------
    InputError : no text as identifier, responses that are none, a label that has a name of BrainIO's own, such as
        ``stimulus_id``. StorageError : the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> shown = ns.as_responses(np.ones((2, 3, 4)), dims=("stimulus", "trial", "unit"), stimuli=["a", "b"])
    >>> with tempfile.TemporaryDirectory() as place:
    ...     ns.recordings.save_assembly(Path(place, "x.nc"), shown, identifier="mine", stimulus_set="letters")
    ...     dict(ns.load_responses(Path(place, "x.nc")).sizes)
    {'stimulus': 2, 'trial': 3, 'unit': 4}
    """
    path = storage.as_path(path, "save_assembly")
    for asked, text in {"identifier": identifier, "stimulus_set": stimulus_set}.items():
        if not isinstance(text, str) or not text:
            raise InputError(f"save_assembly: {asked} is a text, found {shown(text)}.")
    responses = check_responses(responses, "save_assembly", missing=True)
    rows = responses if "trial" in responses.dims else responses.expand_dims("trial")
    rows = rows.transpose("stimulus", "trial", ..., "unit")
    measured = ~np.isnan(rows.values).all(axis=tuple(range(2, rows.ndim)))
    of_stimulus, of_trial = np.nonzero(measured)
    dims = (PRESENTATION, *([TIME_BIN] if "time" in rows.dims else []), NEUROID)
    trials = rows["trial"].values if "trial" in rows.coords else np.arange(rows.sizes["trial"])
    coords: dict[str, Any] = {"stimulus_id": (PRESENTATION, rows["stimulus"].values[of_stimulus].astype(str))}
    coords["repetition"] = (PRESENTATION, trials[of_trial])
    named = {ours: theirs for theirs, ours in OURS.items() if ours != "subject"}
    _check_names(rows)
    for key, label in ((str(k), v) for k, v in rows.coords.items()):
        if label.dims == ("stimulus",) and key != "stimulus":
            coords[key] = (PRESENTATION, label.values[of_stimulus])
        elif label.dims == ("stimulus", "trial") and key != "measured":
            coords[key] = (PRESENTATION, label.values[of_stimulus, of_trial])
        elif label.dims == ("unit",):
            coords[named.get(key, key)] = (NEUROID, label.values)
    coords.setdefault("neuroid_id", (NEUROID, np.arange(rows.sizes["unit"])))
    if "time" in rows.dims:
        step = step_of(rows, "save_assembly")
        begin = rows["time"].values if "time" in rows.coords else np.arange(rows.sizes["time"]) * step
        coords |= {OF_TIME[0]: (TIME_BIN, begin / MS), OF_TIME[1]: (TIME_BIN, (begin + step) / MS)}
    about = {"identifier": identifier, "stimulus_set_identifier": stimulus_set}
    about |= {k: responses.attrs[k] for k in ("quantity", "units") if k in responses.attrs}
    data = xr.DataArray(rows.values[of_stimulus, of_trial], dims=dims, coords=coords, name="data", attrs=about)
    data = data.transpose(PRESENTATION, NEUROID, ...)
    storage.write_dataset(path, data.to_dataset().assign_attrs(about))


def _check_names(responses: xr.DataArray) -> None:
    """Refuse labels that would take the place of what BrainIO calls so."""
    held = {str(k): c.dims for k, c in responses.coords.items()}
    of_unit = [k for k, dims in held.items() if dims == ("unit",)]
    own = {"stimulus_id", "repetition", PRESENTATION, NEUROID, TIME_BIN, *OF_TIME}
    taken = [k for k, dims in held.items() if k in own and dims in {("stimulus",), ("stimulus", "trial"), ("unit",)}]
    taken += [theirs for theirs, ours in OURS.items() if theirs in of_unit and (ours in of_unit or ours == "unit")]
    if taken:
        raise InputError(
            f"save_assembly: the label {taken[0]!r} has a name that BrainIO gives to something else; rename it, as "
            f"with .rename({taken[0]}=...)."
        )
