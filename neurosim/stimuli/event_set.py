"""What a public set of recordings of events is: a record of its splits and sensor, of who reads it, of whom to cite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.event_arrays import EventBins, EventSet, as_events, binned, check_bins, check_events, joined
from neurosim.registry import Registry
from neurosim.schema import InputError, as_stimuli, suggest
from neurosim.stimuli.event_files import read_table

MOST = np.iinfo(np.uint16).max


@dataclass(frozen=True)
class EventData:
    """A public set of recordings of events.

    Parameters
    ----------
    name : of the set. caption : what was recorded, in one line.
    read : (folder, split) -> events; it refuses a folder that lacks a file by :func:`file_in`.
    splits : official ones; "all" where there is none.
    files : (folder, split) -> the files that are read, which must be there.
    sensor : sizes by dim. n_categories : how many there are. duration : s that most recordings take.
    citation, licence : how to cite the recordings, with the DOI, and under which terms they come.
    folder : in the data folder; the name of the set when absent.
    """

    name: str
    caption: str
    read: Callable[[Path, str], EventSet]
    files: Callable[[Path, str], list[Path]]
    splits: tuple[str, ...]
    sensor: Mapping[str, int]
    n_categories: int
    duration: float
    citation: str
    licence: str
    folder: str = ""


__all__ = ["EventBins", "EventSet", "as_events", "bin_events", "load_events"]

EVENT_DATA: Registry[EventData] = Registry("set of events", "neurosim.stimuli.event_sets", EventData)


def load_events(
    name: str,
    split: str = "train",
    *,
    path: Path | str | None = None,
    sensor: Mapping[str, int] | None = None,
    time_unit: float | None = None,
) -> EventSet:
    """Return recordings of events as they were published, kept as events.

    Parameters
    ----------
    name : "shd", "ssc" (spoken digits and words by a model of the ear), "dvs_gesture", "cifar10_dvs", "nmnist" (seen by
        event cameras), "spoken_digits" (the free spoken digits by :func:`cochlea_spikes`); or "table", one's own.
    split : "train", "test", "validation" as the set has them, or "all".
    path : folder of the set, as it was unpacked; by default its own in the data folder. Of a table the file, ``.npz``
        or ``.h5``: ``t`` and ``n_events``; ``unit``, or ``x``, ``y`` and ``p`` (0 is off, 1 is on); where it
        knows them ``sensor`` (sizes, channel before y before x), ``time_unit`` (s), ``stimulus``, ``category``,
        ``speaker``.
    sensor, time_unit : of a table that does not say, as for :func:`as_events`.

    Returns
    -------
    the recordings with ``category`` and, where it is known, ``speaker``.

    Raises
    ------
    InputError : unknown set or split, or a sensor of a set that has its own.
    StorageError : a file is missing, truncated, damaged or without events, has events outside the sensor or the time,
        or does not reach to a trial that is listed.

    Examples
    --------
    >>> ns.stimuli.load_events("dvs_gestures")
    Traceback (most recent call last):
    neurosim.schema.InputError: load_events: unknown set of events 'dvs_gestures'; ... Did you mean 'dvs_gesture'?
    """
    if name == "table":
        if path is None or split not in ("train", "all"):
            raise InputError(f"load_events: a table is a file, path=, without splits; found {path!r} and {split!r}.")
        return read_table(storage.existing(storage.as_path(path, "load_events")), sensor, time_unit, "load_events")
    known = (*EVENT_DATA, "table")
    if name not in EVENT_DATA:
        raise InputError(
            f"load_events: unknown set of events {name!r}; known: {', '.join(known)}.{suggest(name, known)}"
        )
    if sensor is not None or time_unit is not None:
        raise InputError(f"load_events: sensor= and time_unit= are of tables; those of {name!r} are known.")
    kind = EVENT_DATA[name]
    if split != "all" and split not in kind.splits:
        raise InputError(f"load_events: {name!r} has no split {split!r}; it has {', '.join(kind.splits)} and all.")
    folder = folder_of(name, path)
    return joined([kind.read(folder, part) for part in (kind.splits if split == "all" else (split,))])


def bin_events(events: EventSet, bins: EventBins) -> xr.DataArray:
    """Return recordings of events as stimuli, all of them put into steps of time at once.

    ``event_task`` does it for each batch when it is needed; this is for few recordings, or coarse steps.

    Parameters
    ----------
    events : the recordings. bins : the steps.

    Returns
    -------
    stimuli (stimulus, time, unit) or (stimulus, time, [channel,] y, x) of numbers of events, with the labels of the
    recordings; steps of a number of events are one second apart in ``time``, as they have no duration.

    Raises
    ------
    InputError : no set of events, no steps, more than is held at once (16 GiB), or more than 65535 events in one place.

    Examples
    --------
    >>> events = ns.stimuli.as_events([10, 40, 5], {"unit": [0, 2, 1]}, [2, 1], sensor={"unit": 3})
    >>> ns.stimuli.bin_events(events, ns.stimuli.EventBins(2, time_step=20e-6)).values.tolist()
    [[[1, 0, 0], [0, 0, 0]], [[0, 1, 0], [0, 0, 0]]]
    """
    check_events(events, "bin_events")
    check_bins(bins, "bin_events", events)
    sizes = bins.sizes(events.sensor)
    shape = (len(events), *sizes.values())
    storage.check_claim(int(np.prod(shape, dtype=np.float64)) * (1 if bins.binary else 2), "bin_events: the stimuli")
    values = np.empty(shape, dtype=np.uint8 if bins.binary else np.uint16)
    for k in range(len(events)):
        counts = binned(events.recording(k), bins)
        if counts.max(initial=0) > MOST:
            raise InputError(
                f"bin_events: {events.ids[k]}: over {MOST} events in one place and step; take binary=True."
            )
        values[k] = counts
    return as_stimuli(
        values,
        dims=("stimulus", *sizes),
        ids=events.ids.tolist(),
        coords=dict(events.labels),
        time_step=bins.time_step or 1.0,
    )


def folder_of(name: str, path: Path | str | None) -> Path:
    """Return the folder of a set, or say where it goes."""
    if path is not None:
        folder = storage.as_path(path, "load_events")
        if not storage.is_folder(folder):
            raise storage.StorageError(f"load_events: {folder}: no such folder; {name!r} is a folder of files.")
        return folder
    root, kept = storage.data_folder(), EVENT_DATA[name].folder or name
    folder = (root or Path()) / kept
    if root is None or not storage.is_folder(folder):
        raise storage.StorageError(
            f"load_events: unpack {name} into the folder {kept} of the data folder and name the data folder in the "
            f"variable {storage.DATA_FOLDER_VARIABLE} (now: {root or 'not set'}); cite {EVENT_DATA[name].citation}."
        )
    return folder


def file_in(folder: Path, name: str, home: str) -> Path:
    """Return a file of the folder of a set, or say which one is missing and where it comes from."""
    path = storage.inside(folder, name)
    if not path.is_file():
        raise storage.StorageError(f"load_events: {folder} lacks {name}, which comes from {home}.")
    return path
