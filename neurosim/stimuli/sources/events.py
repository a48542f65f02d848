"""Recordings of events, put into steps of time: of a public set by its official split, or of a table of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.event_arrays import EventBins, EventRows, joined
from neurosim.schema import InputError, as_stimuli
from neurosim.stimuli.event_set import EVENT_DATA, bin_events, folder_of, load_events
from neurosim.stimuli.parts import PartOptions, Rng, check_part, part_of, parts_read, some_of
from neurosim.stimuli.source import Source


@dataclass(frozen=True)
class EventsOptions(PartOptions):
    """Which recordings are given, and how.

    Parameters
    ----------
    part, n_per_category, n : see :class:`~neurosim.stimuli.parts.PartOptions`; recordings of an official validation set
        are in no part.
    set, path : as for :func:`~neurosim.stimuli.load_events`; a table says how large its sensor is.
    n_steps, time_step, n_events, downsample, merged, binary : as for :class:`~neurosim.stimuli.EventBins`; when neither
        a time step nor a number of events is said, the steps last as long together as most recordings of the set.
    """

    set: str = "table"
    path: Path | None = None
    n_steps: int = 50
    time_step: float | None = None
    n_events: int | None = None
    downsample: int = 1
    merged: bool = False
    binary: bool = False


def load(options: EventsOptions, rng: Rng) -> xr.DataArray:
    """Return a part of the recordings; only those that are given are put into steps."""
    check_part(options, "events")
    rows = staying(options)
    places = as_stimuli(np.arange(len(rows))[:, None], ids=rows.names, coords=dict(rows.events.labels))
    if rows.official is None:
        chosen = part_of(places, options, rng, "events")
    else:
        chosen = some_of(places[np.concatenate([rows.official[part] for part in parts_read(options)])], options)
    return bin_events(rows.events.chosen(chosen.values[:, 0]), rows.bins)


def staying(options: EventsOptions) -> EventRows:
    """Return all recordings as events, and which are learned and tested where that is official."""
    kind, bins = EVENT_DATA.get(options.set), bins_of(options)
    if kind is None or "test" not in kind.splits:
        return EventRows(load_events(options.set, "all", path=options.path), bins)
    parts = [load_events(options.set, part, path=options.path) for part in ("train", "test")]
    train, test = np.split(np.arange(sum(map(len, parts))), [len(parts[0])])
    return EventRows(joined(parts), bins, {"train": train, "test": test})


def bins_of(options: EventsOptions) -> EventBins:
    """Return the steps that the options ask for."""
    step = options.time_step
    if step is None and options.n_events is None:
        if options.set not in EVENT_DATA:
            raise InputError("events: a table asks for time_step (s), or for n_events a step.")
        step = EVENT_DATA[options.set].duration / options.n_steps
    return EventBins(options.n_steps, step, options.n_events, options.downsample, options.merged, options.binary)


def files(options: EventsOptions) -> dict[str, str]:
    """Return the checksums of the files of a set in the data folder, by their path in its folder."""
    kind = EVENT_DATA.get(options.set)
    if kind is None or options.path is not None:
        return {}
    folder = folder_of(options.set, None)
    parts = parts_read(options) if "test" in kind.splits else kind.splits
    read = {path for part in parts for path in kind.files(folder, part)}
    return {path.relative_to(folder.resolve()).as_posix(): storage.sha256(path) for path in sorted(read)}


def example(folder: Path) -> EventsOptions:
    """Write thirty recordings of two categories."""
    path, n = folder / "events.npz", np.full(30, 6)
    times = np.tile(np.arange(6) * 1000, 30)
    units = np.repeat(np.arange(30) % 2, 6) * 3 + np.tile(np.arange(6) % 3, 30) * (np.arange(180) % 7 > 1)
    np.savez(path, t=times, unit=units, n_events=n, sensor=[6], category=list("ab" * 15))
    return EventsOptions(path=path, n_per_category=1, n_steps=3, time_step=2e-3)


EVENTS = Source(
    name="events",
    caption="recordings of events of a camera or an ear, in steps of time",
    load=load,
    options=EventsOptions,
    teaches=True,
    staying=staying,
    files=files,
    citation="Gallego G, Delbruck T, Orchard G, et al. (2022) IEEE Trans Pattern Anal Mach Intell 44:154, "
    "https://doi.org/10.1109/TPAMI.2020.3008413, on cameras that send events; and the set that is shown",
    licence="that of the set",
    example=example,
)
