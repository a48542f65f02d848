"""Zarr: a folder with one variable of responses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from neurosim.recordings.reader import Reader
from neurosim.recordings.readers.netcdf import open_responses
from neurosim.registry import NoOptions


def read_responses(path: Path, options: NoOptions) -> xr.DataArray:
    """Read the one variable of a folder."""
    return open_responses(path, options).load()


def example(path: Path) -> NoOptions:
    """Write three stimuli and two units."""
    xr.Dataset({"responses": (("stimulus", "unit"), np.arange(6.0).reshape(3, 2))}).to_zarr(path)
    return NoOptions()


ZARR = Reader(
    name="zarr",
    caption="labelled responses in a folder, as xarray writes them",
    endings=(".zarr",),
    responses=read_responses,
    lazy=open_responses,
    bounds="whole, or what is used of it",
    citation="https://doi.org/10.5281/zenodo.3773449",
    example=example,
)
