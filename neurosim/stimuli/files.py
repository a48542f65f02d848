"""Stimuli from files, folders, arrays and lists of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.pictures import Layout
from neurosim.schema import InputError, as_stimuli
from neurosim.stimuli.images import load_image_folder


def load_stimuli(
    path: Any,
    *,
    size: int | None = None,
    ids: Sequence[str] | None = None,
    layout: Layout | None = None,
    scale: float | None = None,
) -> xr.DataArray:
    """Read stimuli from a folder of pictures or a file, or take an array or a list of pictures.

    Parameters
    ----------
    path : a folder of pictures; a netCDF file (one variable with a ``stimulus`` dim); a ``.npy`` file, or a ``.npz``
        file with one array or with ``stimuli`` and, optionally, ``stimulus`` (ids) and ``category``; an array or
        tensor (stimulus, channel, y, x); a list of PIL images.
    size : side in pixels, for folders whose pictures differ in size.
    ids : unique name of each stimulus, for arrays and lists.
    layout, scale : as for :func:`~neurosim.schema.as_stimuli`, where an array does not say.

    Returns
    -------
    stimuli; pictures (stimulus, [channel,] y, x) in 0..1.

    Raises
    ------
    InputError : neither a folder nor a file of these kinds, content that is not stimuli, `size` of what is no folder,
        or a layout or scale that is not certain.

    Examples
    --------
    >>> load_stimuli(np.full((2, 8, 8, 3), 51, dtype=np.uint8)).isel(stimulus=0, y=0, x=0).round(3).values
    array([0.2, 0.2, 0.2], dtype=float32)
    """
    named = isinstance(path, str | Path)
    if named and storage.is_folder(storage.as_path(path, "load_stimuli")):
        if ids is not None or layout is not None or scale is not None:
            raise InputError("load_stimuli: a folder of pictures knows its ids, layout and scale; pass size= only.")
        return load_image_folder(path, size=size)
    if size is not None:
        raise InputError("load_stimuli: size= is for folders of pictures; resize arrays before.")
    if not named:
        return as_stimuli(path, ids=ids, layout=layout, scale=scale)
    path = Path(path)
    if path.suffix.lower() == ".nc":
        return as_stimuli(storage.read_array(path), ids=ids, layout=layout, scale=scale)
    if path.suffix.lower() not in (".npy", ".npz"):
        raise InputError(f"load_stimuli: {path.name} is neither a folder of pictures nor a .nc, .npy or .npz file.")
    values, names, labels = _from_numpy(path)
    return as_stimuli(values, ids=names if ids is None else ids, coords=labels, layout=layout, scale=scale)


def _from_numpy(path: Path) -> tuple[np.ndarray, list[str] | None, dict[str, Any]]:
    """Return the array of a .npy or .npz file, the ids and the labels it has."""
    if path.suffix.lower() == ".npy":
        return storage.read_npy(path), None, {}
    content = storage.read_npz(path)
    if len(content) > 1 and "stimuli" not in content:
        raise InputError(f"load_stimuli: {path.name} holds {', '.join(content)}; call the array 'stimuli'.")
    values = content["stimuli"] if "stimuli" in content else next(iter(content.values()), np.empty(0))
    names = content["stimulus"].astype(str).tolist() if "stimulus" in content else None
    return values, names, {"category": content["category"].astype(str)} if "category" in content else {}
