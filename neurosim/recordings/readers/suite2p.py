"""Folders of suite2p: fluorescence of the cells of one imaged plane."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.recordings.events import align_series
from neurosim.recordings.reader import Reader
from neurosim.schema import InputError

SIGNALS = ("F", "spks")


@dataclass(frozen=True)
class Suite2pOptions:
    """How fluorescence becomes responses.

    Parameters
    ----------
    frame_rate : of the plane, Hz; it is in ``ops.npy``, a pickle, which is never opened.
    events : table (CSV, TSV, Parquet), one row a presentation: when, in s from the first frame, and what.
    by, align_to : its columns that say what was shown and when.
    window : from and to, s from the event.
    signal : "F" (fluorescence less `neuropil` times that of its surround) or "spks" (deconvolved).
    neuropil : share of the surround that is taken off; 0.7 is suite2p's own.
    cells : units that suite2p takes for cells alone; otherwise all regions, with ``cell_probability``.
    balance : take of every stimulus the first trials, as many as the rarest has; otherwise what it lacks is NaN.
    """

    frame_rate: float
    events: Path
    by: str = "stimulus"
    align_to: str = "start_time"
    window: tuple[float, float] = (0.0, 1.0)
    signal: str = "F"
    neuropil: float = 0.7
    cells: bool = True
    balance: bool = False


def read_responses(path: Path, options: Suite2pOptions) -> xr.DataArray:
    """Cut the series of all cells into responses around the events."""
    rate = options.frame_rate
    if not isinstance(rate, int | float) or not 0 < rate < 1e5:
        raise InputError(f"{path.name}: a frame_rate in Hz asked, found {rate!r}.")
    table = storage.read_table(options.events, ids=(options.by,))
    frames = round((options.window[1] - options.window[0]) * rate)
    window = (options.window[0], options.window[0] + frames / rate)
    return align_series(
        _series(path, options),
        table,
        window=window,
        align_to=options.align_to,
        by=options.by,
        balance=options.balance,
    )


def _series(folder: Path, options: Suite2pOptions) -> xr.DataArray:
    """Return the signal (time, unit) of the regions of a plane."""
    if options.signal not in SIGNALS:
        raise InputError(f"{folder.name}: signal is {' or '.join(SIGNALS)}, found {options.signal!r}.")
    values = storage.open_npy(storage.inside(folder, f"{options.signal}.npy"))
    judged = storage.read_npy(storage.inside(folder, "iscell.npy"))
    if values.ndim != 2 or judged.shape != (len(values), 2):
        raise InputError(
            f"{folder.name}: {options.signal}.npy is (region, frame) and iscell.npy (region, 2), found {values.shape} "
            f"and {judged.shape}."
        )
    regions = np.flatnonzero(judged[:, 0] > 0) if options.cells else np.arange(len(values))
    if not len(regions):
        raise InputError(f"{folder.name}: no region is a cell; cells=False takes all {len(values)}.")
    signal = np.asarray(values[regions], dtype=float)
    if options.signal == "F" and options.neuropil:
        surround = storage.open_npy(storage.inside(folder, "Fneu.npy"))
        if surround.shape != values.shape:
            raise InputError(f"{folder.name}: Fneu.npy has shape {surround.shape}, F.npy {values.shape}.")
        signal -= options.neuropil * np.asarray(surround[regions], dtype=float)
    coords = {
        "time": np.arange(signal.shape[1]) / options.frame_rate,
        "unit": [f"roi_{k}" for k in regions],
        "cell_probability": ("unit", judged[regions, 1]),
    }
    about = {"quantity": "fluorescence" if options.signal == "F" else "activation", "units": "1"}
    return xr.DataArray(signal.T, dims=("time", "unit"), coords=coords, attrs=about)


def example(path: Path) -> Suite2pOptions:
    """Write two cells and what is none, over two events."""
    path.mkdir()
    frames = np.arange(40, dtype=np.float32)
    np.save(path / "F.npy", np.stack([frames, frames + 100, frames * 0]))
    np.save(path / "Fneu.npy", np.ones((3, 40), np.float32))
    np.save(path / "spks.npy", np.ones((3, 40), np.float32))
    np.save(path / "iscell.npy", np.array([[1, 0.9], [1, 0.8], [0, 0.1]]))
    storage.write_text(path / "events.csv", "start_time,stimulus\n0,a\n2,b\n")
    return Suite2pOptions(frame_rate=10.0, events=path / "events.csv")


SUITE2P = Reader(
    name="suite2p",
    caption="fluorescence of imaged cells, one plane",
    holds=("F.npy", "iscell.npy"),
    responses=read_responses,
    options=Suite2pOptions,
    bounds="the cells of one plane",
    citation="https://doi.org/10.1101/061507",
    example=example,
)
