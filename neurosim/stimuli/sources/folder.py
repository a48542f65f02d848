"""A folder of pictures of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.stimuli.images import PictureFiles, picture_files
from neurosim.stimuli.parts import Part, PartOptions, Rng, part_of
from neurosim.stimuli.source import Source


@dataclass(frozen=True, kw_only=True)
class FolderOptions(PartOptions):
    """Which pictures are given, and how.

    Parameters
    ----------
    path : folder of pictures, or of one folder a category.
    size : side in pixels to which every picture is resized; needed when their sizes differ.
    background : gray, 0 (black) to 1 (white), that is seen where pictures are transparent; asked for where some are.
    part, n_per_category, n : see :class:`~neurosim.stimuli.parts.PartOptions`; by default all pictures.
    """

    path: Path
    size: int | None = None
    background: float | None = None
    part: Part = "all"
    n_per_category: int | None = None


def load(options: FolderOptions, rng: Rng) -> xr.DataArray:
    """Return a part of the pictures; the others are not read."""
    pictures = staying(options)
    labels = {"category": ("stimulus", pictures.categories)}
    places = xr.DataArray(np.arange(len(pictures)), dims="stimulus", coords=labels)
    return pictures.read_all(part_of(places, options, rng, "folder").values)


def staying(options: FolderOptions) -> PictureFiles:
    """Return all pictures, unread."""
    return picture_files(options.path, options.size, options.background)


def n_stimuli(options: FolderOptions) -> int | None:
    """Return how many pictures there are, where all are given."""
    return (
        len(storage.pictures_in(Path(options.path)))
        if options == FolderOptions(path=options.path, size=options.size, background=options.background)
        else None
    )


def example(folder: Path) -> FolderOptions:
    """Write two pictures of each of two categories."""
    from PIL import Image

    for k in range(4):
        place = folder / "pictures" / "ab"[k % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4, 3), 60 * k, np.uint8)).save(place / f"{k}.png")
    return FolderOptions(path=folder / "pictures")


FOLDER = Source(
    name="folder",
    caption="the pictures of a folder",
    load=load,
    dims=("stimulus", "channel", "y", "x"),
    options=FolderOptions,
    teaches=True,
    staying=staying,
    n_stimuli=n_stimuli,
    licence="that of the pictures",
    example=example,
)
