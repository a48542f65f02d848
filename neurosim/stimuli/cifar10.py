"""CIFAR-10 photographs: from the data folder, or from where they were published."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
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


def load_cifar10(split: str = "train", n: int | None = None) -> xr.DataArray:
    """Return CIFAR-10 photographs (https://www.cs.toronto.edu/~kriz/cifar.html).

    Taken from the JPEG copies in the data folder (20000 for training, 10000 to test) where they are, else from the
    original archive (50000 and 10000), which is fetched and checked.

    Parameters
    ----------
    split : "train" or "test".
    n : take only the first `n` images.

    Returns
    -------
    stimuli (stimulus, channel, y, x), 32 x 32 RGB in 0..1, with ``category``.

    Raises
    ------
    StorageError : neither is to be had; the message says which file goes where.
    """
    path = cifar10_file(split)
    pixels, labels = _from_copies(path, split, n) if path.suffix == ".npz" else _from_archive(path, split, n)
    return as_stimuli(
        pixels,
        dims=("stimulus", "channel", "y", "x"),
        ids=[f"{split}_{i:05d}" for i in range(len(labels))],
        coords={"category": np.asarray(CATEGORIES)[labels]},
    )


def cifar10_source() -> str:
    """Return which version is used here: "jpeg copies" of the data folder, or the "original"."""
    return "jpeg copies" if all(_copy(split) for split in COPIES) else "original"


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


def _from_copies(path: Path, split: str, n: int | None) -> tuple[np.ndarray, np.ndarray]:
    packed = storage.read_npz(path)
    labels = packed["labels"][:n]
    offset = packed["offset"]
    spans = [(int(offset[i]), int(offset[i + 1])) for i in range(len(labels))]
    pixels = np.stack([_decode(packed["jpeg"][a:b]) for a, b in track(spans, f"decoding CIFAR-10 {split}")])
    return np.moveaxis(pixels, -1, 1), labels


def _from_archive(path: Path, split: str, n: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Read the binary version: records of one byte for the category and 3 x 32 x 32 bytes of pixels."""
    parts = [storage.read_tar_member(path, f"cifar-10-batches-bin/{name}") for name in BATCHES[split]]
    records = np.frombuffer(b"".join(parts), dtype=np.uint8).reshape(-1, 1 + 3 * SIDE * SIDE)[:n]
    return records[:, 1:].reshape(-1, 3, SIDE, SIDE).astype(np.float32) / 255, records[:, 0]


def _decode(jpeg: np.ndarray) -> np.ndarray:
    from PIL import Image

    with Image.open(io.BytesIO(jpeg.tobytes())) as picture:
        return np.asarray(picture.convert("RGB"), dtype=np.float32) / 255
