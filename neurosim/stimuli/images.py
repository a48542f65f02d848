"""Images as stimuli: the scanned digits of scikit-learn, and folders of pictures."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.arrays import PICTURE_ENDINGS
from neurosim.pictures import check_background, resampled, resized_and_cropped
from neurosim.runtime import track
from neurosim.schema import InputError, as_stimuli, labelled, stimulus_labels

SOUND_ENDINGS = (".wav", ".flac", ".ogg", ".mp3")


def load_digits() -> xr.DataArray:
    """Return the 1797 scanned handwritten digits that ship with scikit-learn (https://doi.org/10.24432/C50P49).

    Returns
    -------
    stimuli (stimulus, y, x), 8 x 8 pixels in 0..1, with ``category`` "0".."9".

    Examples
    --------
    >>> ns.load_digits().shape
    (1797, 8, 8)
    """
    rows = np.loadtxt(storage.existing(_scikit_learn() / "datasets" / "data" / "digits.csv.gz"), delimiter=",")
    return as_stimuli(
        (rows[:, :-1].reshape(-1, 8, 8) / 16.0).astype(np.float32),
        ids=[f"digit_{i:04d}" for i in range(len(rows))],
        coords={"category": rows[:, -1].astype(int).astype(str)},
    )


def _scikit_learn() -> Path:
    """Return the folder of scikit-learn, which takes a second to import."""
    spec = importlib.util.find_spec("sklearn")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


def load_image_folder(folder: str | Path, *, size: int | None = None, background: float | None = None) -> xr.DataArray:
    """Return the pictures of a folder; sub-folders give the ``category``.

    Parameters
    ----------
    folder : folder of pictures, or of one folder a category (the ``ImageFolder`` layout).
    size : side in pixels to which every picture is resized; needed when their sizes differ.
    background : gray, 0 (black) to 1 (white), that is seen where pictures are transparent; asked for where some are.

    Returns
    -------
    stimuli (stimulus, channel, y, x), RGB in 0..1; the stimulus id is the path inside the folder.

    Raises
    ------
    InputError : no picture found, sizes differ and `size` is not given, or a picture is transparent in places and
        `background` is not given.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as place:
    ...     Path(place, "cat").mkdir()
    ...     Image.new("RGB", (8, 8)).save(Path(place, "cat", "one.png"))
    ...     found = ns.stimuli.load_image_folder(place)
    >>> found.shape, found.category.values.tolist()
    ((1, 3, 8, 8), ['cat'])
    """
    pictures = picture_files(folder, size, background)
    return pictures.read_all(range(len(pictures)))


@dataclass(frozen=True)
class PictureFiles:
    """The pictures of a folder, read one by one: their names, the side to which they are resized, and their ground."""

    folder: Path
    names: tuple[str, ...]
    size: int | None = None
    background: float | None = None
    dims: tuple[str, ...] = ("channel", "y", "x")
    is_sequence: bool = False

    @functools.cached_property
    def categories(self) -> list[str]:
        """The innermost folder of each picture."""
        return [Path(name).parent.name or "image" for name in self.names]

    def __len__(self) -> int:
        return len(self.names)

    def read(self, place: int, transform: Callable[[Any], Any] | None = None) -> Any:
        """Return the pixels of one picture (channel, y, x), of 8 or 16 bits, or what `transform` makes of it."""
        path = self.folder / self.names[place]
        if transform is not None:
            return transform(storage.read_picture(path, background=self.background))
        pixels = storage.read_image(path, background=self.background)
        return np.ascontiguousarray(np.moveaxis(pixels if self.size is None else _resize(pixels, self.size), -1, 0))

    def read_all(self, places: Iterable[int]) -> xr.DataArray:
        """Return pictures as stimuli (stimulus, channel, y, x) in 0..1, with ``category``."""
        chosen = [int(place) for place in places]
        pixels = [self.read(place) for place in track(chosen, "reading pictures")]
        shapes = {p.shape[1:] for p in pixels}
        if len(shapes) > 1:
            raise InputError(
                f"load_image_folder: pictures have {len(shapes)} sizes (y, x), such as {sorted(shapes)[:2]}; "
                "pass size=."
            )
        return as_stimuli(
            np.stack([_intensity(p) for p in pixels]),
            dims=("stimulus", *self.dims),
            ids=[self.names[place] for place in chosen],
            coords={"category": [self.categories[place] for place in chosen]},
        )

    def identity(self) -> list[Any]:
        """Return the side, the ground if there is one, and the digest of names and contents of all files."""
        digest = hashlib.sha256()
        for name in self.names:
            digest.update(f"{name} {storage.sha256(self.folder / name)}\n".encode())
        return [digest.hexdigest(), self.size, *([] if self.background is None else [self.background])]


def picture_files(folder: str | Path, size: int | None = None, background: float | None = None) -> PictureFiles:
    """Return the pictures of a folder, unread.

    Raises
    ------
    InputError : no picture found. StorageError : no such folder.
    """
    folder, background = storage.as_path(folder, "load_image_folder"), check_background(background, "load_image_folder")
    if not storage.is_folder(folder):
        raise storage.StorageError(f"{folder}: no such folder.")
    storage.check_links(folder)
    paths = storage.pictures_in(folder)
    if not paths:
        sounds = storage.files_of(folder, SOUND_ENDINGS)
        heard = (
            f"; its {len(sounds)} sounds are read by scipy.io.wavfile.read one by one, and heard by "
            "ns.stimuli.cochlea_spikes(sounds, rate) or ns.stimuli.mel_spectrogram(sound, rate)"
            if sounds
            else ""
        )
        raise InputError(f"load_image_folder: no picture ({', '.join(sorted(PICTURE_ENDINGS))}) in {folder}{heard}.")
    return PictureFiles(folder, tuple(p.relative_to(folder).as_posix() for p in paths), size, background)


def iterate_image_folder(
    folder: str | Path, *, size: int = 256, crop: int = 224, batch_size: int = 64, progress: bool = True
) -> Iterator[xr.DataArray]:
    """Yield the pictures of a folder in batches, as published networks are evaluated: resized, then cropped.

    Parameters
    ----------
    folder : one folder a category (the ``ImageFolder`` layout).
    size : pixels of the shorter side after resizing (bilinear). crop : side of the square taken from the middle.
    batch_size : pictures at once; no more are held. progress : show a bar.

    Yields
    ------
    stimuli (stimulus, channel, y, x), RGB in 0..1, with ``category``.

    Raises
    ------
    InputError : no picture found, or a crop larger than `size`.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as place:
    ...     Path(place, "cat").mkdir()
    ...     Image.new("RGB", (8, 8)).save(Path(place, "cat", "one.png"))
    ...     found = next(ns.stimuli.iterate_image_folder(place, size=8, crop=4, progress=False))
    >>> found.shape, found.category.values.tolist()
    ((1, 3, 4, 4), ['cat'])
    """
    folder = Path(folder)
    paths = [p for p in storage.pictures_in(folder) if p.parent != folder]
    if not paths or crop > size:
        raise InputError(
            f"iterate_image_folder: folders of pictures in {folder} and a crop of at most {size} pixels asked; found "
            f"{len(paths)} pictures, crop {crop}."
        )
    for start in track(range(0, len(paths), batch_size), "reading pictures", progress=progress):
        chosen = paths[start : start + batch_size]
        pixels = np.stack([_intensity(resized_and_cropped(storage.read_image(p), size, crop)) for p in chosen])
        yield as_stimuli(
            np.moveaxis(pixels, -1, 1),
            dims=("stimulus", "channel", "y", "x"),
            ids=[p.relative_to(folder).as_posix() for p in chosen],
            coords={"category": [p.relative_to(folder).parts[0] for p in chosen]},
        )


def resize_images(stimuli: xr.DataArray, size: int) -> xr.DataArray:
    """Return the images resized to `size` x `size` pixels (bicubic), values kept in 0..1.

    Parameters
    ----------
    stimuli : (stimulus, [channel,] y, x) in 0..1.
    size : side in pixels.
    """
    stimuli = labelled(stimuli, "resize_images", "stimuli")
    images = np.asarray(stimuli.values)
    gray = images.ndim == 3
    rgb = np.repeat(images[:, None], 3, axis=1) if gray else images
    bytes_ = np.round(np.moveaxis(rgb, 1, -1) * 255).clip(0, 255).astype(np.uint8)
    resized = np.stack([_resize(image, size) for image in bytes_]).astype(np.float32) / 255
    values = resized[..., 0] if gray else np.moveaxis(resized, -1, 1)
    dims = ("stimulus", "y", "x") if gray else ("stimulus", "channel", "y", "x")
    return as_stimuli(values, dims=dims, ids=stimuli.stimulus.values.tolist(), coords=stimulus_labels(stimuli))


def to_gray(stimuli: xr.DataArray) -> xr.DataArray:
    """Return images (stimulus, y, x) as luminance (ITU-R BT.601 weights); gray images pass through."""
    if "channel" not in stimuli.dims:
        return stimuli
    weights = xr.DataArray([0.299, 0.587, 0.114], dims="channel")
    return stimuli.dot(weights) if stimuli.sizes["channel"] == 3 else stimuli.isel(channel=0)


def _intensity(image: np.ndarray) -> np.ndarray:
    """Return pixels of 8 or 16 bits as intensities in 0..1."""
    return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)


def _resize(image: np.ndarray, size: int) -> np.ndarray:
    from PIL import Image

    return resampled(image, (size, size), Image.Resampling.BICUBIC)
