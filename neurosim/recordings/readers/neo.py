"""Formats of acquisition systems that Neo reads: Plexon, Blackrock, Spike2, Intan, Axon and others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from neurosim.recordings.neo import load_neo, neo_events, neo_series, neo_spikes
from neurosim.recordings.reader import Reader
from neurosim.recordings.spikes import align_spikes

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class NeoOptions:
    """How the spikes of a session become responses.

    Parameters
    ----------
    events : name of the events whose labels say what was shown; may be left out when there are only one.
    window : from and to, s from the event. time_bin : width of the bins, s; one bin over the window when absent.
    balance : take of every stimulus the first trials, as many as the rarest has; otherwise what it lacks is NaN.
    segment : index of the segment. format : class of ``neo.io``, where the ending does not tell.
    """

    events: str | None = None
    window: tuple[float, float] = (0.0, 0.5)
    time_bin: float | None = None
    balance: bool = False
    segment: int = 0
    format: str | None = None


def read_responses(path: Path, options: NeoOptions) -> xr.DataArray:
    """Cut out the spikes of a segment around its events."""
    block = load_neo(path, reader=options.format)
    return align_spikes(
        neo_spikes(block, segment=options.segment),
        neo_events(block, options.events, segment=options.segment),
        window=options.window,
        time_bin=options.time_bin,
        balance=options.balance,
    )


def read_spikes(path: Path) -> pd.DataFrame:
    """Return the spikes of the first segment as a table."""
    import pandas as pd

    trains = neo_spikes(load_neo(path))
    unit = np.repeat(list(trains), [len(t) for t in trains.values()])
    return pd.DataFrame({"unit": unit, "time": np.concatenate(list(trains.values()))})


def read_series(path: Path, name: str | None = None) -> xr.DataArray:
    """Return an analog signal of the first segment, by its number."""
    return neo_series(load_neo(path), int(name or 0))


NEO = Reader(
    name="neo",
    caption="sessions of acquisition systems: spikes, events, sampled signals",
    endings=(".plx", ".nev", ".smr", ".smrx", ".rhd", ".rhs", ".abf", ".nix", ".ncs", ".vhdr"),
    responses=read_responses,
    spikes=read_spikes,
    series=read_series,
    options=NeoOptions,
    extra="neo",
    bounds="as the reader of Neo does it; signals are read as they are used where it can",
    citation="https://doi.org/10.3389/fninf.2014.00010",
)
