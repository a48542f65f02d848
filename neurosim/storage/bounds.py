"""How much is read at once: what expands without bound, or claims more than it holds, is refused before it is read."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from neurosim.storage.failures import StorageError, readable
from neurosim.storage.matlab_elements import check_elements

MAX_BYTES = 16 * 2**30
MAT_COMPRESSED = 15
Header = tuple[tuple[int, ...], bool, np.dtype[Any]]  # shape, in the order of Fortran, dtype


def check_claim(held: int, what: str) -> None:
    """Refuse what claims more bytes than are read at once.

    Parameters
    ----------
    held : bytes that would be read. what : is read, for the message.

    Raises
    ------
    StorageError : it is more than 16 GiB.

    Examples
    --------
    >>> ns.storage.check_claim(10**12, "a.nwb: the table units")
    Traceback (most recent call last):
    neurosim.storage.StorageError: a.nwb: the table units claims 931 GiB, more than is read at once (16 GiB).
    """
    if held > MAX_BYTES:
        raise StorageError(f"{what} claims {held / 2**30:.0f} GiB, more than is read at once (16 GiB).")


def check_inflation(path: Path) -> None:
    """Refuse a MATLAB file whose compressed elements expand without bound, or whose elements cannot be.

    They are inflated piece by piece, never as a whole.

    Parameters
    ----------
    path : the file, of MATLAB 5 to 7.2.

    Raises
    ------
    StorageError : it expands to more than is read at once, or is damaged.

    Examples
    --------
    >>> import tempfile, scipy.io
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.mat"
    ...     scipy.io.savemat(path, {"a": np.zeros(1000)}, do_compression=True)
    ...     ns.storage.check_inflation(path)
    """
    total = 0
    with path.open("rb") as file:
        order = "<" if file.read(128)[126:128] == b"IM" else ">"
        while len(tag := file.read(8)) == 8:
            kind, size = struct.unpack(f"{order}II", tag)
            if kind != MAT_COMPRESSED:
                file.seek(size, os.SEEK_CUR)
                continue
            inflate, end = zlib.decompressobj(), file.tell() + size
            while (left := end - file.tell()) > 0 and (piece := file.read(min(left, 2**20))):
                while piece:
                    total += len(inflate.decompress(piece, 2**24))
                    piece = inflate.unconsumed_tail
                    if total > MAX_BYTES:
                        raise StorageError(f"{path}: expands to more than is read at once ({MAX_BYTES} bytes).")
    check_elements(path)


def pieces(path: Path, kind: str = "gzip") -> Iterator[bytes]:
    """Give the content of a file piece by piece, unpacked where it is packed by gzip.

    Parameters
    ----------
    path : the file. kind : what it is read as, for the message: "NIfTI".

    Raises
    ------
    StorageError : it unpacks to more than is read at once, or is damaged.

    Examples
    --------
    >>> import gzip
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.gz"
    ...     _ = path.write_bytes(gzip.compress(b"spikes"))
    ...     print(b"".join(ns.storage.pieces(path)))
    b'spikes'
    """
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    total = 0
    with readable(path, kind), gzip.open(path) if packed else path.open("rb") as file:
        while piece := file.read(2**20):
            total += len(piece)
            if packed and total > MAX_BYTES:
                raise StorageError(f"{path}: unpacks to more than is read at once ({MAX_BYTES} bytes); unpack it.")
            yield piece


def check_npz(path: Path) -> None:
    """Refuse an archive of arrays that expands without bound, or whose arrays claim more than they hold."""
    with zipfile.ZipFile(path) as archive:
        total = sum(member.file_size for member in archive.infolist())
        if total > MAX_BYTES:
            raise StorageError(f"{path}: expands to {total} bytes, more than is read at once ({MAX_BYTES}).")
        for member in archive.infolist():
            with archive.open(member) as file:
                check_npy(path, member.filename, file, member.file_size)


def check_npy(path: Path, name: str, file: IO[bytes], held: int) -> None:
    """Refuse an array called `name` whose header claims more than the `held` bytes."""
    version = np.lib.format.read_magic(file)
    read: Callable[[IO[bytes]], Header] | None = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise StorageError(f"{path}: {name} is of npy version {version}; save plain arrays with names in ASCII.")
    shape, _, dtype = read(file)
    if not dtype.hasobject and math.prod(shape) * dtype.itemsize > held:
        raise StorageError(f"{path}: {name} claims {math.prod(shape)} values and holds {held} bytes; it is damaged.")


def check_parquet(path: Path) -> None:
    """Refuse a table whose columns unpack without bound."""
    import pyarrow.parquet  # type: ignore[import-untyped]

    about = pyarrow.parquet.read_metadata(path)
    packed = sum(about.row_group(g).total_byte_size for g in range(about.num_row_groups))
    claimed = max(packed, 8 * about.num_rows * about.num_columns)
    if claimed > MAX_BYTES:
        raise StorageError(f"{path}: expands to {claimed} bytes, more than is read at once ({MAX_BYTES}).")
