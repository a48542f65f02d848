"""Tables of spikes as text or Parquet, one row a spike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import xarray as xr

from neurosim import storage
from neurosim.recordings.reader import Reader
from neurosim.recordings.spikes import bin_spikes, check_spikes

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SpikeTableOptions:
    """How a table of spikes is counted.

    Parameters
    ----------
    time_bin : width of the bins, s; one bin over everything when absent.
    trials : path of a table (CSV, TSV, Parquet) with columns stimulus and trial, one row a trial that was run; or
        "all", every stimulus in every trial; may be left out where each has a spike.
    """

    time_bin: float | None = None
    trials: Path | Literal["all"] | None = None


def read_responses(path: Path, options: SpikeTableOptions) -> xr.DataArray:
    """Count the spikes of a table from the onset of each stimulus."""
    trials: Any = options.trials
    if trials is not None and trials != "all":
        trials = storage.read_table(storage.as_path(trials, f"{path.name}: trials"))
    spikes = check_spikes(read_spikes(path), path.name)
    return bin_spikes(spikes, time_bin=options.time_bin, trials=trials, name=path.name)


def read_spikes(path: Path) -> pd.DataFrame:
    """Read the table."""
    return storage.read_table(path)


def example(path: Path) -> SpikeTableOptions:
    """Write three spikes of two units."""
    import pandas as pd

    table = pd.DataFrame({"stimulus": ["a", "a", "b"], "unit": ["u", "v", "u"], "time": [0.125, 0.25, 0.375]})
    if path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep="\t" if ".tsv" in path.name else ",")
    return SpikeTableOptions(time_bin=0.125)


SPIKE_TABLE = Reader(
    name="spike_table",
    caption="one row a spike: columns unit, time (s) and, for responses, stimulus and trial",
    endings=(".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet"),
    responses=read_responses,
    spikes=read_spikes,
    options=SpikeTableOptions,
    example=example,
)
