"""What is said when a file cannot be read or written: one line, whatever a reader of a format or the disk raises."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from neurosim.refusals import InputError

LONGEST = 300  # characters of what a reader says
FULL_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
UNWRITABLE = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG,
}  # fmt: skip


class StorageError(InputError):
    """A file is missing, damaged, unsafe or cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> ns.storage.read_text(Path("nothing.txt"))
    Traceback (most recent call last):
    neurosim.storage.StorageError: nothing.txt: no such file.
    """

    __module__ = "neurosim.storage"  # where it is public


@contextlib.contextmanager
def readable(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a reader of a public format raises into one line: truncated, or not such a file.

    Parameters
    ----------
    path : the file. kind : what it was read as, for the message: "NWB".

    Raises
    ------
    StorageError : anything but an InputError is raised in the block.

    Examples
    --------
    >>> from pathlib import Path
    >>> with ns.storage.readable(Path("a.nwb"), "NWB"):
    ...     raise KeyError("units")
    Traceback (most recent call last):
    neurosim.storage.StorageError: a.nwb: cannot be read as NWB, truncated or not such a file ('units').
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        reason = str(error).splitlines()[0][:LONGEST] if str(error) else type(error).__name__
        reason = reason if reason.isprintable() else ascii(reason)[1:-1]
        raise StorageError(f"{path}: cannot be read as {kind}, truncated or not such a file ({reason}).") from error


@contextlib.contextmanager
def reachable(path: Path) -> Iterator[None]:
    """Turn what the disk raises while a file is read into one line."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error.strerror}).") from error


@contextlib.contextmanager
def writable(path: Path) -> Iterator[None]:
    """Turn what the disk raises while something is written into one line."""
    if "\0" in str(path):
        raise StorageError(f"{path}: cannot be written, the name holds a null character; choose another one.")
    try:
        yield
    except OSError as error:
        if error.errno in FULL_DISK:
            raise StorageError(f"{path}: the disk is full; free some space and run again, nothing is lost.") from error
        if error.errno in UNWRITABLE:
            raise StorageError(f"{path}: cannot be written ({error.strerror}); choose another folder.") from error
        raise
