"""Which file or folder is meant: paths as users give them, kept inside their folder, never through a link elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

from neurosim.refusals import InputError
from neurosim.storage import bounds
from neurosim.storage.failures import StorageError, reachable


def as_path(path: object, who: str) -> Path:
    """Return a path that was given as text or as a path object.

    Parameters
    ----------
    path : what was given. who : the function that was called, for the message.

    Raises
    ------
    InputError : anything else, or a name that no file can have.

    Examples
    --------
    >>> ns.storage.as_path("a/b.nc", "here").name
    'b.nc'
    """
    if not isinstance(path, str | os.PathLike) or isinstance(os.fspath(path), bytes):
        raise InputError(f"{who}: the path of a file asked, as text or pathlib.Path, found {type(path).__name__}.")
    if "\0" in os.fspath(path):
        raise StorageError(f"{who}: {os.fspath(path)!r} is no path; it holds a null character.")
    return Path(path)


def is_folder(path: Path) -> bool:
    """Whether a path is a folder that can be reached.

    Parameters
    ----------
    path : anything that could be a path.

    Examples
    --------
    >>> from pathlib import Path
    >>> ns.storage.is_folder(Path(".")), ns.storage.is_folder(Path("a" * 5000))
    (True, False)
    """
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def existing(path: Path, *, any_size: bool = False) -> Path:
    """Return the path of a file that is there and small enough to be read at once, unless `any_size` is bearable.

    Parameters
    ----------
    path : the file. any_size : it is read in parts, so it may be large.

    Raises
    ------
    StorageError : no such file, a folder, it cannot be reached, or is too large.

    Examples
    --------
    >>> from pathlib import Path
    >>> ns.storage.existing(Path("nothing.nc"))
    Traceback (most recent call last):
    neurosim.storage.StorageError: nothing.nc: no such file.
    """
    path = Path(path)
    try:
        size = path.stat().st_size if path.is_file() else -1
    except (OSError, ValueError) as error:
        raise StorageError(f"{path}: cannot be reached ({getattr(error, 'strerror', error)}).") from error
    if size < 0:
        raise StorageError(f"{path}: {'a folder, where one file is asked' if is_folder(path) else 'no such file'}.")
    if size > bounds.MAX_BYTES and not any_size:
        raise StorageError(f"{path}: {size / 2**30:.0f} GiB is more than is read at once (16 GiB).")
    return path


def read_start(path: Path, n: int) -> bytes:
    """Read the first bytes of a file, fewer where it is shorter, of whatever size it is.

    Parameters
    ----------
    path : the file. n : how many bytes.

    Raises
    ------
    StorageError : no such file, or it cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a.txt").write_text("sep=;")
    ...     ns.storage.read_start(Path(folder) / "a.txt", 3)
    b'sep'
    """
    with reachable(path), existing(path, any_size=True).open("rb") as file:
        return file.read(n)


def inside(folder: Path, name: str) -> Path:
    """Return `folder`/`name`, which must not lead out of `folder`.

    Parameters
    ----------
    folder : a folder. name : a path below it, as a file from outside names it.

    Raises
    ------
    StorageError : `name` leads out, by ``..`` or by a link, or is no name.

    Examples
    --------
    >>> from pathlib import Path
    >>> ns.storage.inside(Path("data"), "../secret")
    Traceback (most recent call last):
    neurosim.storage.StorageError: '../secret' leads out of its folder; give a path inside it.
    """
    root = resolved(folder)
    try:
        path = (folder / name).resolve()
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        raise StorageError(f"{name!r} is no path inside its folder ({_reason(error)}).") from error
    if not path.is_relative_to(root):
        raise StorageError(f"{name!r} leads out of its folder; give a path inside it.")
    return path


def check_links(folder: Path) -> None:
    """Refuse a folder of which a part lies elsewhere.

    Parameters
    ----------
    folder : a folder, searched at all depths.

    Raises
    ------
    StorageError : something in it is a link to another place, or to itself.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (Path(folder) / "away").symlink_to("/etc/hostname")
    ...     ns.storage.check_links(Path(folder))
    Traceback (most recent call last):
    neurosim.storage.StorageError: ...: 'away' links to another place; such folders are not opened.
    """
    root = resolved(folder)
    for path in folder.rglob("*"):
        try:
            inside_of_it = path.resolve().is_relative_to(root)
        except (OSError, RuntimeError):
            inside_of_it = False
        if not inside_of_it:
            raise StorageError(f"{folder}: {path.name!r} links to another place; such folders are not opened.")


def resolved(path: Path) -> Path:
    """Return a path without links in it, or refuse one that leads nowhere."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise StorageError(f"{path}: is no path ({_reason(error)}).") from error


def _reason(error: Exception) -> str:
    return "links that lead in a circle" if isinstance(error, RuntimeError | OSError) else str(error)
