"""netCDF-4: one variable of responses, or a Dataset of sweeps."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.recordings.assemblies import from_assembly, is_assembly
from neurosim.recordings.columns import seconds
from neurosim.recordings.reader import Reader
from neurosim.registry import NoOptions
from neurosim.schema import InputError, as_responses, check_step, check_sweeps

CHUNK_BYTES = 2**21


def read_responses(path: Path, _options: NoOptions) -> xr.DataArray:
    """Read the one variable of a file, laid out as here or as an assembly of Brain-Score."""
    found = storage.read_array(path)
    return from_assembly(found, path.name) if is_assembly(found) else found


def open_responses(path: Path, _options: NoOptions) -> xr.DataArray:
    """Open the one variable of a netCDF file or a Zarr folder, its values left on disk."""
    dataset = storage.open_dataset(path)
    names = [str(v) for v in dataset.data_vars]
    if len(names) != 1:
        raise InputError(f"{path.name}: holds {len(names)} variables ({', '.join(names[:8])}); responses are one.")
    return _in_chunks(dataset[names[0]])


def _in_chunks(responses: xr.DataArray) -> xr.DataArray:
    """Return values on disk as chunks, along those of the file, read when they are used (with dask)."""
    if importlib.util.find_spec("dask") is None:
        return responses
    stored = responses.encoding.get("preferred_chunks") or {}
    sizes = {d: min(int(stored.get(d, n)), n) if stored else 1 for d, n in responses.sizes.items()}
    for dim in reversed(responses.dims):
        more = CHUNK_BYTES // max(1, math.prod(sizes.values()) * responses.dtype.itemsize)
        sizes[dim] = min(responses.sizes[dim], sizes[dim] * max(1, more))
    return responses.chunk(sizes)


def read_sweeps(path: Path) -> dict[str, xr.Dataset]:
    """Read ``current`` and ``voltage`` (sweep, time), as ``as_sweeps`` makes them."""
    sweeps = check_sweeps(storage.read_dataset(path), path.name)
    if "time" in sweeps.coords:
        clock = seconds(sweeps["time"], path.name, "times of the sweeps")
        check_step(clock, float(sweeps.attrs["time_step"]), path.name)
    return {"sweeps": sweeps}


def example(path: Path) -> NoOptions:
    """Write three stimuli, two units, two bins."""
    responses = as_responses(np.arange(12.0).reshape(3, 2, 2), stimuli=["a", "b", "c"], time_step=0.1)
    storage.write_dataset(path, responses.rename("responses"))
    return NoOptions()


NETCDF = Reader(
    name="netcdf",
    caption="labelled responses or sweeps, as xarray writes them, and assemblies of Brain-Score",
    endings=(".nc",),
    responses=read_responses,
    lazy=open_responses,
    sweeps=read_sweeps,
    bounds="whole, up to 16 GiB, or what is used of it",
    citation="https://doi.org/10.5334/jors.148",
    example=example,
)
