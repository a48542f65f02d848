"""Stimuli from files, folders, arrays and lists of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy.typing as npt
import xarray as xr

from neurosim import storage
from neurosim.pictures import Layout
from neurosim.schema import InputError, as_stimuli
from neurosim.stimuli.source import SOURCES, source_of, whole


def load_stimuli(
    path: Path | npt.ArrayLike | Sequence[object],
    *,
    size: int | None = None,
    background: float | None = None,
    ids: Sequence[str] | None = None,
    layout: Layout | None = None,
    scale: float | None = None,
) -> xr.DataArray:
    """Read stimuli from a folder of pictures or a file, or take an array or a list of pictures.

    Parameters
    ----------
    path : a folder of pictures; a netCDF file (one variable with a ``stimulus`` dim); a ``.npy`` file, or a ``.npz``
        file with one array or with ``stimuli`` and, optionally, ``stimulus`` (ids) and ``category``; a ``.ts`` file of
        time series; an array or tensor (stimulus, channel, y, x); a list of PIL images.
    size : side in pixels, for folders whose pictures differ in size.
    background : gray, 0 (black) to 1 (white), for folders whose pictures are transparent in places.
    ids : unique name of each stimulus, for arrays and lists.
    layout, scale : as for :func:`~neurosim.schema.as_stimuli`, where an array does not say.

    Returns
    -------
    stimuli; pictures (stimulus, [channel,] y, x) in 0..1.

    Raises
    ------
    InputError : neither a folder nor a file of these kinds, content that is not stimuli, an option that what is read
        does not take, or a layout or scale that is not certain.

    Examples
    --------
    >>> ns.load_stimuli(np.full((2, 8, 8, 3), 51, dtype=np.uint8)).isel(stimulus=0, y=0, x=0).round(3).values
    array([0.2, 0.2, 0.2], dtype=float32)
    """
    asked = {"size": size, "background": background, "ids": ids, "layout": layout, "scale": scale}
    given = {name: value for name, value in asked.items() if value is not None}
    if isinstance(path, str | Path):
        path = storage.as_path(path, "load_stimuli")
        source = SOURCES["folder"] if storage.is_folder(path) else source_of(path, "load_stimuli")
        return whole(source, {"path": path, **given}, "load_stimuli")
    if size is not None or background is not None:
        raise InputError("load_stimuli: size= and background= are for folders of pictures; change arrays before.")
    return as_stimuli(path, ids=ids, layout=layout, scale=scale)
