"""A file of one's own that holds an array of stimuli."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.arrays import listed
from neurosim.pictures import Layout
from neurosim.schema import InputError, as_stimuli
from neurosim.stimuli.parts import Part, PartOptions, Rng, part_of
from neurosim.stimuli.source import Source


@dataclass(frozen=True, kw_only=True)
class FileOptions(PartOptions):
    """Which stimuli are given, and how the file is meant.

    Parameters
    ----------
    path : a netCDF file (one variable with a ``stimulus`` dim), a ``.npy`` file, or a ``.npz`` file with one array or
        with ``stimuli`` and, optionally, ``stimulus`` (ids) and ``category``.
    ids : unique name of each stimulus, where the file does not name them.
    layout, scale : as for :func:`~neurosim.schema.as_stimuli`, where the array does not say.
    part, n_per_category, n : see :class:`~neurosim.stimuli.parts.PartOptions`; by default all stimuli.
    """

    path: Path
    ids: tuple[str, ...] | None = None
    layout: Layout | None = None
    scale: float | None = None
    part: Part = "all"
    n_per_category: int | None = None


def load(options: FileOptions, rng: Rng) -> xr.DataArray:
    """Return a part of the stimuli."""
    path, labels = Path(options.path), None
    values: np.ndarray | xr.DataArray
    ids: Any = options.ids
    if path.suffix.lower() == ".nc":
        values = storage.read_array(path)
    else:
        values, names, labels = _from_numpy(path)
        ids = names if ids is None else ids
    whole = as_stimuli(values, ids=ids, coords=labels, layout=options.layout, scale=options.scale)
    return part_of(whole, options, rng, "file")


def example(folder: Path) -> FileOptions:
    """Write four images of two categories."""
    images = np.linspace(0, 1, 64, dtype=np.float32).reshape(4, 4, 4)
    np.savez(folder / "images.npz", stimuli=images, stimulus=list("pqrs"), category=list("abab"))
    return FileOptions(path=folder / "images.npz")


def _from_numpy(path: Path) -> tuple[np.ndarray, list[str] | None, dict[str, Any]]:
    """Return the array of a .npy or .npz file, the ids and the labels it has."""
    if path.suffix.lower() == ".npy":
        return storage.read_npy(path), None, {}
    content = storage.read_npz(path)
    if len(content) > 1 and "stimuli" not in content:
        raise InputError(f"load_stimuli: {path.name} holds {', '.join(content)}; call the array 'stimuli'.")
    values = content["stimuli"] if "stimuli" in content else next(iter(content.values()), np.empty(0))
    names, category = (
        [str(v) for v in listed(content[k], path.name)] if k in content else None for k in ("stimulus", "category")
    )
    return values, names, {} if category is None else {"category": category}


FILE = Source(
    name="file",
    caption="the stimuli of a file",
    load=load,
    options=FileOptions,
    teaches=True,
    endings=(".nc", ".npy", ".npz"),
    licence="that of the file",
    example=example,
)
