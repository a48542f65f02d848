"""Stimuli from files."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from neurosim import storage
from neurosim.schema import InputError, as_stimuli
from neurosim.stimuli.images import load_image_folder


def load_stimuli(path: str | Path, *, size: int | None = None) -> xr.DataArray:
    """Read stimuli from a netCDF file (one variable with a ``stimulus`` dim) or from a folder of pictures.

    Parameters
    ----------
    path : the file or folder.
    size : side in pixels, for folders whose pictures differ in size.

    Raises
    ------
    InputError : neither a folder nor a .nc file, or content that is not stimuli.
    """
    path = Path(path)
    if path.is_dir():
        return load_image_folder(path, size=size)
    if path.suffix.lower() != ".nc":
        raise InputError(f"load_stimuli: {path.name} is neither a folder of pictures nor a .nc file.")
    return as_stimuli(storage.read_array(path))
