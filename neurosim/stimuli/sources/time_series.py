"""Labelled time series of a file of the UCR and UEA archives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from neurosim.schema import InputError
from neurosim.stimuli.parts import PartOptions, Rng, of_parts, part_of
from neurosim.stimuli.source import Source
from neurosim.stimuli.time_series import load_time_series


@dataclass(frozen=True, kw_only=True)
class TimeSeriesOptions(PartOptions):
    """Which series are given, and how.

    Parameters
    ----------
    part, n_per_category, n : see :class:`~neurosim.stimuli.parts.PartOptions`.
    path : ``.ts`` file; where `test` is given, its training cases.
    test : ``.ts`` file with the cases that are held back; by the seed when absent.
    time_step : seconds between two samples; the files do not say. pad : fill shorter cases with 0 at the end.
    """

    path: Path
    test: Path | None = None
    time_step: float = 1.0
    pad: bool = False


def load(options: TimeSeriesOptions, rng: Rng) -> xr.DataArray:
    """Return a part of the series."""
    files = {"train": options.path, "test": options.test}
    if options.test is not None and Path(options.path).stem == options.test.stem:
        raise InputError(f"time_series: both files are called {options.test.stem}; their cases would be too.")

    def read(part: str) -> xr.DataArray:
        return load_time_series(files[part] or options.path, time_step=options.time_step, pad=options.pad)

    if options.test is not None:
        return of_parts(read, options, "time_series")
    return part_of(read("train"), options, rng, "time_series")


def example(folder: Path) -> TimeSeriesOptions:
    """Write ten cases of two categories."""
    lines = [f"{k}.0,{k + 1}.0,{k % 3}.5:{k % 2}" for k in range(10)]
    path = folder / "series.ts"
    path.write_text("@problemName x\n@classLabel true 0 1\n@data\n" + "\n".join(lines), encoding="utf-8")
    return TimeSeriesOptions(path=path, n_per_category=1)


TIME_SERIES = Source(
    name="time_series",
    caption="labelled time series of a .ts file",
    load=load,
    dims=("stimulus", "time", "unit"),
    options=TimeSeriesOptions,
    teaches=True,
    endings=(".ts",),
    citation="Bagnall A et al. (2018) The UEA multivariate time series classification archive, "
    "https://doi.org/10.48550/arXiv.1811.00075",
    licence="that of the file",
    example=example,
)
