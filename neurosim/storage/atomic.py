"""Writing so that a file or folder is there whole or not at all, and nothing of the user's is lost."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from neurosim.storage.failures import StorageError, writable

AT_CWD, EXCHANGE = -100, 2  # of Linux's renameat2
LEFTOVER = re.compile(r"\.[0-9a-f]{64}\.[a-z0-9_]{8}")


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; what was written there appears under `path` whole or not at all.

    Parameters
    ----------
    path : where it goes; its folder is made.

    Raises
    ------
    StorageError : the disk is full, or nothing can be written there.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with ns.storage.atomic_file(Path(folder) / "a.txt") as temporary:
    ...         _ = temporary.write_text("whole")
    ...     print([p.name for p in Path(folder).iterdir()])
    ['a.txt']
    """
    path = Path(path)
    with writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o644)
            _sync(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path, listed: frozenset[str] | None = None, *, first_stays: bool = False) -> Iterator[Path]:
    """Give an empty temporary folder that replaces `path` when the block ends without an error.

    Parameters
    ----------
    path : where it goes. listed : names inside an old folder that may go; everything else in it moves to the new one.
        By default all of an old folder goes. first_stays : leave a folder that is there by then as it is.

    Raises
    ------
    StorageError : the disk is full, or nothing can be written there.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for k in range(2):
    ...         with ns.storage.atomic_folder(Path(folder) / "results", listed=frozenset({"0.txt"})) as temporary:
    ...             ns.storage.write_text(temporary / f"{k}.txt", "whole")
    ...     print([p.name for p in (Path(folder) / "results").iterdir()])
    ['1.txt']
    """
    path = Path(path)
    with writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        try:
            yield temporary
            temporary.chmod(0o755)
            for file in temporary.rglob("*"):
                if file.is_file():
                    _sync(file)
            if first_stays:
                _put_first(temporary, path)
            else:
                replace_folder(temporary, path, listed)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(folder: Path, older_than: float = 86400.0) -> None:
    """Remove half-written entries, named after a digest, that runs killed `older_than` seconds ago left in `folder`.

    Parameters
    ----------
    folder : where entries are written. older_than : in s.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     half = Path(folder) / f".{'a' * 64}.abcdefgh"
    ...     half.mkdir()
    ...     ns.storage.remove_leftovers(Path(folder), older_than=-1)
    ...     print(half.exists())
    False
    """
    for path in folder.glob(".*.*"):
        with contextlib.suppress(OSError):
            if LEFTOVER.fullmatch(path.name) and time.time() - path.lstat().st_mtime > older_than:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def replace_folder(new: Path, path: Path, listed: frozenset[str] | None = None) -> None:
    """Put the folder `new` in the place of `path`, which then is gone but for what is not `listed`.

    Where the file system can exchange two names, there is no moment without a folder.
    """
    if not path.exists():
        new.replace(path)
        return
    if _exchanged(new, path):
        old = new
    else:
        old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.old.")) / path.name
        path.replace(old)
        new.replace(path)
    if listed is not None:
        for file in [p for p in old.rglob("*") if p.is_symlink() or not p.is_dir()]:
            name = file.relative_to(old).as_posix()
            if name not in listed:
                _kept(file, path / name)
    shutil.rmtree(old, ignore_errors=True)
    if old is not new:
        shutil.rmtree(old.parent, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    r"""Write text as UTF-8, with the ends of lines that it has.

    Parameters
    ----------
    path : the file. text : its content.

    Raises
    ------
    StorageError : the disk is full, nothing can be written there, or the text has no place in UTF-8.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ns.storage.write_text(Path(folder) / "a.txt", "18 °C")
    ...     print((Path(folder) / "a.txt").read_bytes())
    b'18 \xc2\xb0C'
    """
    try:
        content = text.encode()
    except UnicodeEncodeError as error:
        raise StorageError(f"{path}: {text[error.start]!r} is half a character; text holds whole ones.") from error
    write_bytes(path, content)


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes as they are.

    Parameters
    ----------
    path : the file. content : its bytes.

    Raises
    ------
    StorageError : the disk is full, or nothing can be written there.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ns.storage.write_bytes(Path(folder) / "new folder" / "a.png", b"PNG")
    """
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


def check_writable(folder: Path) -> None:
    """Refuse a folder in which nothing can be written now, rather than after hours of work.

    Parameters
    ----------
    folder : it is made where it is not there.

    Raises
    ------
    StorageError : nothing can be written there, or the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     ns.storage.check_writable(Path(file.name))
    Traceback (most recent call last):
    neurosim.storage.StorageError: ...: cannot be written (File exists); choose another folder.
    """
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"neurosim")


def _put_first(new: Path, path: Path) -> None:
    """Give the folder `new` the name `path` unless a folder that holds something has it."""
    try:
        new.replace(path)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


def _exchanged(a: Path, b: Path) -> bool:
    """Exchange two names in one step, if the system knows how."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    return rename is not None and not rename(AT_CWD, os.fsencode(a), AT_CWD, os.fsencode(b), EXCHANGE)


def _kept(file: Path, target: Path) -> None:
    """Move a file of the user's to the new folder; beside a new file of its name it is called ``NAME.old``."""
    while target.is_symlink() or target.exists():
        target = target.with_name(f"{target.name}.old")
    target.parent.mkdir(parents=True, exist_ok=True)
    file.replace(target)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
