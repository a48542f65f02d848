"""CIFAR-10 photographs: from the data folder, or from where they were published."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import splits, storage
from neurosim.runtime import track
from neurosim.schema import InputError, as_stimuli

HOME = "https://www.cs.toronto.edu/~kriz/cifar.html"
ARCHIVE_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
ARCHIVE_HASH = "md5:c32a1d4ab5d03f1284b67883e8d87530"
COPIES = {
    "train": ("cifar10_jpeg_train20000.npz", "8ed2e9b35606ff412039af433ea7409b8d519d8f0c03219e5a4669c7a0a57087"),
    "test": ("cifar10_jpeg_test10000.npz", "dd00491715a919f1932034db49d38036180b58c773339baa4dfc5d4e483b17ea"),
}
BATCHES = {"train": [f"data_batch_{i}.bin" for i in range(1, 6)], "test": ["test_batch.bin"]}
CATEGORIES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIDE = 32


def load_cifar10(split: str = "train", n: int | None = None, *, in_turn: bool = False) -> xr.DataArray:
    """Return CIFAR-10 photographs (https://www.cs.toronto.edu/~kriz/cifar.html).

    Taken from the JPEG copies in the data folder (20000 for training, 10000 to test) where they are, else from the
    original archive (50000 and 10000), which is fetched and checked.

    Parameters
    ----------
    split : "train" or "test".
    n : take only the first `n` images; the JPEG copies are sorted by category.
    in_turn : take these `n` evenly, the first of every category, the second of every category, ...

    Returns
    -------
    stimuli (stimulus, channel, y, x), 32 x 32 RGB in 0..1, with ``category``.

    Raises
    ------
    StorageError : neither is to be had; the message says which file goes where.

    Examples
    --------
    >>> ns.stimuli.load_cifar10("valid")
    Traceback (most recent call last):
    neurosim.schema.InputError: load_cifar10: unknown split 'valid'; known: train, test.
    """
    path = cifar10_file(split)
    pixels, chosen, labels = (_from_copies if path.suffix == ".npz" else _from_archive)(path, split, n, in_turn)
    return as_stimuli(
        pixels,
        dims=("stimulus", "channel", "y", "x"),
        ids=[f"{split}_{i:05d}" for i in chosen],
        coords={"category": np.asarray(CATEGORIES)[labels]},
    )


def cifar10_checksum(split: str) -> tuple[str, str]:
    """Return name and checksum of the file that a split is read from here: the JPEG copy, or the original."""
    return COPIES[split] if _copy(split) else (ARCHIVE_URL.rpartition("/")[2], ARCHIVE_HASH)


def cifar10_file(split: str) -> Path:
    """Return the verified file that holds a split, fetching it if need be."""
    if split not in COPIES:
        raise InputError(f"load_cifar10: unknown split {split!r}; known: {', '.join(COPIES)}.")
    name, sha256 = COPIES[split]
    copy = _copy(split)
    if copy is not None:
        storage.check_sha256(copy, sha256)
        return copy
    advice = (
        f"put {name} into the folder cifar10_jpeg of the data folder and name the data folder in the variable "
        f"{storage.DATA_FOLDER_VARIABLE} (now: {storage.data_folder() or 'not set'}); it comes from {HOME}"
    )
    return storage.fetch(ARCHIVE_URL, ARCHIVE_HASH, "cifar10", "CIFAR-10", advice)


def _copy(split: str) -> Path | None:
    folder = storage.data_folder()
    path = folder / "cifar10_jpeg" / COPIES[split][0] if folder else None
    return path if path is not None and path.is_file() else None


def _from_copies(path: Path, split: str, n: int | None, turns: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    packed = storage.read_npz(path)
    chosen, offset = _chosen(packed["labels"], n, turns), packed["offset"]
    spans = [(int(offset[i]), int(offset[i + 1])) for i in chosen]
    pixels = np.stack([_decode(packed["jpeg"][a:b]) for a, b in track(spans, f"decoding CIFAR-10 {split}")])
    return np.moveaxis(pixels, -1, 1), chosen, packed["labels"][chosen]


def _from_archive(path: Path, split: str, n: int | None, turns: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read the binary version: records of one byte for the category and 3 x 32 x 32 bytes of pixels."""
    parts = [storage.read_tar_member(path, f"cifar-10-batches-bin/{name}") for name in BATCHES[split]]
    records = np.frombuffer(b"".join(parts), dtype=np.uint8).reshape(-1, 1 + 3 * SIDE * SIDE)
    chosen = _chosen(records[:, 0], n, turns)
    records = records[chosen]
    return records[:, 1:].reshape(-1, 3, SIDE, SIDE).astype(np.float32) / 255, chosen, records[:, 0]


def _chosen(labels: np.ndarray, n: int | None, turns: bool) -> np.ndarray:
    """Return which images are taken."""
    return splits.in_turn(labels, n) if turns and n is not None else np.arange(len(labels))[:n]


def _decode(jpeg: np.ndarray) -> np.ndarray:
    from PIL import Image

    with Image.open(io.BytesIO(jpeg.tobytes())) as picture:
        return np.asarray(picture.convert("RGB"), dtype=np.float32) / 255
