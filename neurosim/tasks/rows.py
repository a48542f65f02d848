"""Stimuli that are read one by one: the pictures of a folder, the rows of a netCDF, Zarr or npy file.

What is opened is opened by each process for itself, so that worker processes share no file.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.pictures import is_picture, picture_dims, resized_and_cropped
from neurosim.schema import STIMULUS_DIMS, InputError

Transform = Callable[[Any], Any]
Draw = Callable[[], np.random.Generator]  # gives the random numbers of one showing of one stimulus
SOME = 32  # stimuli that are read to tell these data from others


class View(Protocol):
    """How what is read becomes an input, in training and otherwise."""

    def transform(self, is_training: bool, draw: Draw) -> Transform | None:
        """Return what is made of one stimulus, or None where it is shown as it is read."""


class Rows(Protocol):
    """Stimuli by their place."""

    @property
    def dims(self) -> tuple[str, ...]:
        """Dims of one stimulus."""

    @property
    def is_sequence(self) -> bool:
        """Whether stimuli have time."""

    @property
    def time_step(self) -> float | None:
        """Duration of a step, s; None where stimuli have no time, or do not say it."""

    def __len__(self) -> int:
        """Return how many there are."""

    def read(self, place: int, transform: Transform | None) -> Any:
        """Return one stimulus: bytes of a picture ([channel,] y, x) or floats; what `transform` makes of it."""

    def identity(self) -> list[Any]:
        """Return what tells them from other data, without reading them all."""


@dataclass(frozen=True)
class PictureView:
    """How a picture of any size becomes an input.

    Parameters
    ----------
    size : pixels of the shorter side after resizing (bilinear). crop : side of the square taken from the middle.
    train : what training makes of a picture instead, a function of a PIL image such as one of
        ``torchvision.transforms.v2``; its random numbers are those of (seed, epoch, stimulus).
    test : what validation and test make of it instead.

    Raises
    ------
    InputError : a crop that is larger than `size`, or what is no function.

    Examples
    --------
    >>> ns.tasks.PictureView(size=36, crop=32).crop
    32
    """

    size: int = 256
    crop: int = 224
    train: Transform | None = None
    test: Transform | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.crop <= self.size:
            raise InputError(f"PictureView: crop = {self.crop}; at least 1 and at most size = {self.size} is asked.")
        for name in ("train", "test"):
            if getattr(self, name) is not None and not callable(getattr(self, name)):
                raise InputError(f"PictureView: {name} is a function of a picture, found {getattr(self, name)!r}.")

    def transform(self, is_training: bool, _draw: Draw) -> Transform | None:
        """Return what is made of a picture in training, or otherwise."""
        return self.train if is_training else self.test


def some_of(n: int) -> list[int]:
    """Return the places of a few of `n` stimuli, the first and the last among them, by which other data are told.

    >>> some_of(3), len(some_of(10**6))
    ([0, 1, 2], 32)
    """
    return sorted({int(place) for place in np.linspace(0, n - 1, min(n, SOME))})


@dataclass(frozen=True)
class Pictures:
    """The pictures of folders; their names are one array, of which worker processes make no copies."""

    folder: Path
    names: np.ndarray
    view: PictureView
    dims: tuple[str, ...] = ("channel", "y", "x")
    is_sequence: bool = False
    time_step: float | None = None

    def __len__(self) -> int:
        return len(self.names)

    def read(self, place: int, transform: Transform | None) -> Any:
        """Return the bytes of a picture (channel, y, x), or what the transform makes of it."""
        path = self.folder / str(self.names[place])
        if transform is not None:
            found = transform(storage.read_picture(path))
            return np.ascontiguousarray(np.moveaxis(np.array(found), -1, 0)) if is_picture(found) else found
        pixels = resized_and_cropped(storage.read_image(path), self.view.size, self.view.crop)
        if pixels.dtype != np.uint8:
            pixels = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
        return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))

    def identity(self) -> list[Any]:
        """Return the digest of names and sizes of the files and of what some of them hold, and the view."""
        digest = hashlib.sha256()
        for place in some_of(len(self)):
            digest.update(storage.sha256(self.folder / str(self.names[place])).encode())
        for name in self.names.tolist():
            digest.update(f"{name} {(self.folder / name).stat().st_size}\n".encode())
        return [digest.hexdigest(), self.view]


@dataclass(frozen=True)
class ArrayRows:
    """The stimuli of one variable of a netCDF or Zarr file, or of a npy file."""

    path: Path
    dims: tuple[str, ...]
    n: int

    @property
    def is_sequence(self) -> bool:
        """Whether stimuli have time."""
        return "time" in self.dims

    @property
    def time_step(self) -> float | None:
        """Duration of a step, s; None where inputs have no time of their own."""
        return opened_now(self.path).attrs.get("time_step") if self.is_sequence else None

    def __len__(self) -> int:
        return self.n

    def read(self, place: int, transform: Transform | None) -> Any:
        """Return one stimulus, its dims in the order of the data model."""
        opened = opened_now(self.path)
        values = opened.isel(stimulus=place).transpose(*self.dims).values
        if transform is not None:
            return transform(values)
        is_picture = values.dtype == np.uint8 and "y" in self.dims and not self.is_sequence
        return values if is_picture else values.astype(np.float32)

    def identity(self) -> list[Any]:
        """Return the size of the file, of a Zarr folder that of all its files, and the digest of some stimuli."""
        files = [self.path] if self.path.is_file() else sorted(p for p in self.path.rglob("*") if p.is_file())
        digest = hashlib.sha256()
        for place in some_of(len(self)):
            digest.update(np.ascontiguousarray(self.read(place, None)).tobytes())
        return [self.path.name, [p.stat().st_size for p in files], self.dims, digest.hexdigest()]


def opened_now(path: Path) -> xr.DataArray:
    """Return the one variable with a ``stimulus`` dim of a file as it is now, its values unread."""
    if not path.exists():
        raise storage.StorageError(f"{path}: no such file.")
    about = path.stat()
    return open_rows(path, (os.getpid(), about.st_mtime_ns, about.st_size))


@functools.lru_cache(maxsize=16)
def open_rows(path: Path, _version: tuple[int, ...]) -> xr.DataArray:
    """Open a file; anew in each process, and where it has changed."""
    if path.suffix.lower() == ".npy":
        values = storage.open_npy(path)
        known = {2: ("stimulus", "unit"), 3: ("stimulus", "y", "x")}
        dims = known.get(values.ndim) or picture_dims(values.shape, None, "lazy_task")
        if dims is None:
            raise InputError(f"lazy_task: {path.name} has {values.ndim} dims; save it as netCDF, with their names.")
        return xr.DataArray(values, dims=dims)
    opened = storage.open_dataset(path)
    found = [str(name) for name, variable in opened.data_vars.items() if "stimulus" in variable.dims]
    if len(found) != 1:
        raise InputError(
            f"lazy_task: {path.name} holds {len(found)} variables with a stimulus dim ({', '.join(found[:5])}); one is "
            "asked."
        )
    return opened[found[0]]


def array_rows(path: Path) -> ArrayRows:
    """Return the stimuli of a file.

    Raises
    ------
    InputError : no variable with a ``stimulus`` dim or several, or dims that stimuli do not have.
    """
    opened = opened_now(path)
    unknown = [str(d) for d in opened.dims if d not in STIMULUS_DIMS]
    if unknown or opened.dtype.kind not in "biuf":
        raise InputError(
            f"lazy_task: {path.name} holds dims {tuple(opened.dims)} of {opened.dtype}; numbers with the dims "
            f"{', '.join(STIMULUS_DIMS)} are asked."
        )
    dims = tuple(d for d in STIMULUS_DIMS[1:] if d in opened.dims)
    return ArrayRows(path.resolve(), dims, opened.sizes["stimulus"])


def folder_rows(folder: Path, view: PictureView) -> tuple[Pictures, list[str]]:
    """Return the pictures of a folder of one folder a category (the ``ImageFolder`` layout), and their categories.

    Raises
    ------
    InputError : no picture in such folders.
    """
    storage.check_links(folder)
    paths = [p for p in storage.pictures_in(folder) if p.parent != folder]
    if not paths:
        raise InputError(f"lazy_task: no picture in the folders of {folder}; one folder a category is asked.")
    names = [p.relative_to(folder).as_posix() for p in paths]
    return Pictures(folder.resolve(), np.array(names), view), [name.split("/", maxsplit=1)[0] for name in names]


@dataclass(frozen=True)
class Joined:
    """Several sets of stimuli, one after another."""

    parts: Sequence[Rows]

    @property
    def dims(self) -> tuple[str, ...]:
        """Dims of one stimulus."""
        return self.parts[0].dims

    @property
    def is_sequence(self) -> bool:
        """Whether stimuli have time."""
        return self.parts[0].is_sequence

    @property
    def time_step(self) -> float | None:
        """Duration of a step, s; None where inputs have no time of their own."""
        return self.parts[0].time_step

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def read(self, place: int, transform: Transform | None) -> Any:
        """Return one stimulus."""
        for part in self.parts:
            if place < len(part):
                return part.read(place, transform)
            place -= len(part)
        raise IndexError(place)

    def identity(self) -> list[Any]:
        """Return what tells them from other data, without reading them all."""
        return [part.identity() for part in self.parts]
