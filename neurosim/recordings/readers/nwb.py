"""Neurodata Without Borders: units and trials, sampled series, sweeps of current clamp."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from neurosim.recordings.nwb import load_nwb_protocols, load_nwb_responses, load_nwb_series, load_nwb_spikes, save_nwb
from neurosim.recordings.reader import Reader
from neurosim.schema import as_responses


@dataclass(frozen=True)
class NWBOptions:
    """How the trials of an NWB file become responses.

    Parameters
    ----------
    by : column of the trials that says what was shown; it becomes ``stimulus``. Trials without it are left out.
    window : from and to, s from the event. time_bin : width of the bins, s; one bin over the window when absent.
    align_to : column of the trials with the time of the event, s; trials without one are left out.
    series : align this sampled series in place of the spikes of the units, without a time bin.
    balance : take of every stimulus the first trials, as many as the rarest has; otherwise what it lacks is NaN.
    intervals : name of the table that takes the place of the trials; by default the trials, or the only table.
    """

    by: str = "stimulus"
    window: tuple[float, float] = (0.0, 0.5)
    time_bin: float | None = None
    align_to: str = "start_time"
    series: str | None = None
    balance: bool = False
    intervals: str | None = None


def read_responses(path: Path, options: NWBOptions) -> xr.DataArray:
    """Align the units, or a series, to the trials."""
    return load_nwb_responses(path, **asdict(options))


def read_sweeps(path: Path) -> dict[str, xr.Dataset]:
    """Read all sweeps of current clamp, those of one length and rate together."""
    return load_nwb_protocols(path)


def example(path: Path) -> NWBOptions:
    """Write two stimuli, one trial, two bins, two units."""
    counts = as_responses(np.arange(8.0).reshape(2, 2, 2), quantity="spike_count", stimuli=["a", "b"], time_step=0.1)
    save_nwb(path, counts, description="an example")
    return NWBOptions(window=(0, 0.2), time_bin=0.1)


NWB = Reader(
    name="nwb",
    caption="sessions with units and trials or other intervals, sampled series, sweeps of current clamp",
    endings=(".nwb",),
    responses=read_responses,
    spikes=load_nwb_spikes,
    series=load_nwb_series,
    sweeps=read_sweeps,
    options=NWBOptions,
    extra="nwb",
    bounds="tables up to 16 GiB; series are read as they are used",
    citation="https://doi.org/10.7554/eLife.78362",
    example=example,
)
