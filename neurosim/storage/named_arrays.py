"""Arrays by name, without labels: npz, npy, MATLAB and safetensors."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from neurosim.storage.atomic import write_bytes
from neurosim.storage.bounds import check_inflation, check_npy, check_npz
from neurosim.storage.failures import StorageError, readable
from neurosim.storage.matlab_hdf5 import is_hdf5_mat, read_hdf5_mat
from neurosim.storage.paths import existing


def names_inside(path: Path) -> list[str]:
    """Return the names of what a folder, or an archive of arrays, holds; none where it is neither.

    Parameters
    ----------
    path : of the folder, or of the ``.npz`` file; nothing is unpacked.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(Path(folder) / "a.npz", labels=np.array([3, 1]))
    ...     ns.storage.names_inside(Path(folder)), ns.storage.names_inside(Path(folder) / "a.npz")
    (['a.npz'], ['labels'])
    """
    try:
        if path.is_dir():
            return sorted(entry.name for entry in path.iterdir())
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return []


def read_npz(path: Path, *, without: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Read a ``.npz`` file of plain arrays; pickled objects, and arrays larger than their file says, are refused.

    Parameters
    ----------
    path : the file. without : names of arrays that are left unread.

    Raises
    ------
    StorageError : missing, damaged or unsafe file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(Path(folder) / "a.npz", labels=np.array([3, 1]))
    ...     print(ns.storage.read_npz(Path(folder) / "a.npz"))
    {'labels': array([3, 1])}
    """
    with readable(path, "npz"):
        check_npz(existing(path))
        with np.load(path, allow_pickle=False) as archive:
            return {
                k: _plain(partial(archive.__getitem__, k), repr(k), path) for k in archive.files if k not in without
            }


def _plain(load: Callable[[], np.ndarray], what: str, path: Path) -> np.ndarray:
    """Return one array of a file, or say which holds pickled objects."""
    try:
        return load()
    except ValueError as error:
        if "Object arrays" not in str(error):
            raise
        raise StorageError(
            f"{path}: {what} holds Python objects, which are never read; save it as numbers, or names as text, "
            "np.array(names, dtype=str)."
        ) from None


def read_npy(path: Path) -> np.ndarray:
    """Read a ``.npy`` file of a plain array; pickled objects are refused.

    Parameters
    ----------
    path : the file.

    Raises
    ------
    StorageError : missing, damaged or unsafe file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(Path(folder) / "a.npy", np.array([3, 1]))
    ...     print(ns.storage.read_npy(Path(folder) / "a.npy"))
    [3 1]
    """
    with readable(path, "npy"), existing(path).open("rb") as file:
        check_npy(path, path.name, file, path.stat().st_size)
        return np.asarray(_plain(partial(np.load, path, allow_pickle=False), "the array", path))


def open_npy(path: Path) -> np.ndarray:
    """Open a ``.npy`` file of a plain array as a memory map: values are read when they are used.

    Parameters
    ----------
    path : the file.

    Raises
    ------
    StorageError : missing, damaged or unsafe file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(Path(folder) / "a.npy", np.array([3, 1]))
    ...     print(ns.storage.open_npy(Path(folder) / "a.npy")[1])
    1
    """
    with readable(path, "npy"), existing(path, any_size=True).open("rb") as file:
        check_npy(path, path.name, file, path.stat().st_size)
        return np.asanyarray(np.load(path, mmap_mode="r", allow_pickle=False))


def read_mat(path: Path) -> dict[str, Any]:
    """Read the variables of a MATLAB file, dims in the order of MATLAB, those of one element left out.

    Parameters
    ----------
    path : the file, of version 5 to 7.2, or of 7.3, which is HDF5: arrays, text and cells of these; structures of 7.3
        are left out.

    Raises
    ------
    StorageError : missing or damaged file, or one that expands without bound.

    Examples
    --------
    >>> import tempfile, scipy.io
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     scipy.io.savemat(Path(folder) / "a.mat", {"labels": np.array([3, 1])})
    ...     print(ns.storage.read_mat(Path(folder) / "a.mat"))
    {'labels': array([3, 1])}
    """
    import scipy.io

    with readable(path, "MATLAB"):
        if is_hdf5_mat(existing(path)):
            return read_hdf5_mat(path)
        check_inflation(path)
        content = scipy.io.loadmat(path, squeeze_me=True)
    return {k: v for k, v in content.items() if not k.startswith("__")}


def write_weights(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write named arrays as safetensors.

    Parameters
    ----------
    path : the file. tensors : arrays of any shape, by name.

    Raises
    ------
    StorageError : the disk is full, or nothing can be written there.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ns.storage.write_weights(Path(folder) / "a.safetensors", {"bias": np.zeros(2)})
    ...     print(ns.storage.read_weights(Path(folder) / "a.safetensors"))
    {'bias': array([0., 0.])}
    """
    from safetensors.numpy import save

    write_bytes(path, save({k: np.asarray(v, order="C") for k, v in sorted(tensors.items())}))


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Read named arrays from safetensors.

    Parameters
    ----------
    path : the file.

    Raises
    ------
    StorageError : missing or damaged file.

    Examples
    --------
    >>> from pathlib import Path
    >>> ns.storage.read_weights(Path("nothing.safetensors"))
    Traceback (most recent call last):
    neurosim.storage.StorageError: nothing.safetensors: no such file.
    """
    from safetensors.numpy import load

    with readable(path, "safetensors"):
        return dict(load(existing(path).read_bytes()))
