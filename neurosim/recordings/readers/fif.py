"""FIF: epochs and evoked responses of MEG and EEG, as MNE-Python writes them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr

from neurosim.recordings.meg import load_epochs
from neurosim.recordings.reader import Reader


@dataclass(frozen=True)
class FIFOptions:
    """Which sensors and trials are taken.

    Parameters
    ----------
    picks : "mag" (T), "grad" (T/m) or "eeg" (V).
    balance : take of every stimulus the first trials, as many as the rarest has; otherwise what it lacks is NaN.
    subject : label along ``unit``; empty for none.
    """

    picks: Literal["mag", "grad", "eeg"] = "mag"
    balance: bool = False
    subject: str | None = None


def read_responses(path: Path, options: FIFOptions) -> xr.DataArray:
    """Read the epochs or evoked responses of one kind of sensor."""
    return load_epochs(path, **asdict(options))


def example(path: Path) -> FIFOptions:
    """Write two trials of two events at two magnetometers."""
    import mne

    events = np.stack([np.arange(4) * 50, np.zeros(4, int), [1, 2, 1, 2]], axis=1)
    values = np.random.default_rng(0).normal(size=(4, 2, 10)) * 1e-13
    epochs = mne.EpochsArray(
        values, mne.create_info(["M1", "M2"], 100.0, "mag"), events, event_id={"a": 1, "b": 2}, verbose="error"
    )
    epochs.save(path.with_name(path.name), overwrite=True, verbose="error")
    return FIFOptions()


FIF = Reader(
    name="fif",
    caption="epochs (-epo) and evoked responses (-ave) of MEG and EEG",
    endings=(".fif", ".fif.gz"),
    responses=read_responses,
    options=FIFOptions,
    extra="meg",
    bounds="one stimulus at a time",
    citation="https://doi.org/10.3389/fnins.2013.00267",
    example=example,
)
