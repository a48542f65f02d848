"""Handwritten digits of MNIST, from the data folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.schema import InputError, as_stimuli

HOME = "http://yann.lecun.com/exdb/mnist/"
FILES = {
    "train": ("mnist_train.npz", "b89eacc0abe39154406d98988d00aafd03a8c4e30547aa389dbf7c0969cc75e6"),
    "test": ("mnist_test.npz", "43b7d051593f2ffd8bc231c439a62feec11a7ce14257c55f14a99a3b7adc5028"),
}


def load_mnist(split: str = "train", n: int | None = None) -> xr.DataArray:
    """Return handwritten digits of MNIST (https://doi.org/10.1109/5.726791).

    Parameters
    ----------
    split : "train" (60000 images) or "test" (10000).
    n : take only the first `n` images.

    Returns
    -------
    stimuli (stimulus, y, x), 28 x 28 in 0..1, with ``category``.

    Raises
    ------
    InputError : unknown split.
    StorageError : the file is not in the data folder, or is damaged; the message says which file goes where.

    Examples
    --------
    >>> ns.stimuli.load_mnist("valid")
    Traceback (most recent call last):
    neurosim.schema.InputError: load_mnist: unknown split 'valid'; known: train, test.
    """
    packed = storage.read_npz(mnist_file(split))
    labels = packed["labels"][:n]
    return as_stimuli(
        packed["images"][:n].astype(np.float32) / 255,
        dims=("stimulus", "y", "x"),
        ids=[f"{split}_{i:05d}" for i in range(len(labels))],
        coords={"category": labels.astype(str)},
    )


def mnist_file(split: str) -> Path:
    """Return the verified file that holds a split."""
    if split not in FILES:
        raise InputError(f"load_mnist: unknown split {split!r}; known: {', '.join(FILES)}.")
    name, sha256 = FILES[split]
    path = storage.data_file("mnist", name, "load_mnist", "arrays 'images' and 'labels'", HOME)
    storage.check_sha256(path, sha256)
    return path
