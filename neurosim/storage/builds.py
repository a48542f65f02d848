"""Compiled code that is kept between processes: private to its user, checked before use, rebuilt when damaged."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
from pathlib import Path

from neurosim.storage.atomic import atomic_file, write_text
from neurosim.storage.checksums import sha256
from neurosim.storage.failures import StorageError
from neurosim.storage.texts import read_text


def cache_folder(kind: str) -> Path:
    """Return the folder in which compiled code is kept between processes, which only its owner can enter.

    Parameters
    ----------
    kind : name of a folder below ``$XDG_CACHE_HOME/neurosim``.

    Raises
    ------
    StorageError : the folder belongs to another user, whose code would be run.

    Examples
    --------
    >>> cache_folder("libraries").parts[-2:]
    ('neurosim', 'libraries')
    """
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "neurosim"
    for folder in (root, root / kind):
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _keep_private(folder)
    return root / kind


def compiled_library(source: Path, compiler: str, flags: tuple[str, ...]) -> Path:
    """Return the shared library of a C++ file of this package, built once for this compiler, processor and these flags.

    Beside it stands its checksum; a library that is not the one that was built is built again.

    Parameters
    ----------
    source : the C++ file. compiler : name of the program. flags : how it is called.

    Raises
    ------
    StorageError : the compiler fails, the cache cannot be written, or belongs to another user.

    Examples
    --------
    >>> compiled_library(Path("a.cpp"), "no-such-compiler", ())
    Traceback (most recent call last):
    neurosim.storage.StorageError: no-such-compiler: cannot be started (No such file or directory).
    """
    target = _run([compiler, *flags, "-Q", "--help=target"]).stdout
    key = hashlib.sha256(b"\0".join([source.read_bytes(), target, *(f.encode() for f in (compiler, *flags))]))
    path = cache_folder("libraries") / f"{source.stem}-{key.hexdigest()[:32]}.so"
    if not _is_whole(path):
        with atomic_file(path) as temporary:
            done = _run([compiler, *flags, "-shared", "-fPIC", "-x", "c++", str(source), "-o", str(temporary)])
            if done.returncode:
                raise StorageError(f"{compiler} cannot build {source.name}: {done.stderr.decode().strip()[-300:]}")
            digest = sha256(temporary)
        write_text(_checksum_of(path), f"{digest}  {path.name}\n")
    return path


def _run(command: list[str]) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(command, capture_output=True, check=False)
    except OSError as error:
        raise StorageError(f"{command[0]}: cannot be started ({error.strerror}).") from error


def _is_whole(path: Path) -> bool:
    try:
        return read_text(_checksum_of(path)) == f"{sha256(path)}  {path.name}\n"
    except StorageError:
        return False


def _checksum_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _keep_private(folder: Path) -> None:
    if not hasattr(os, "getuid") or not folder.exists():
        return
    about = folder.stat()
    if about.st_uid != os.getuid():
        raise StorageError(f"{folder}: belongs to another user, whose code would be run; name another XDG_CACHE_HOME.")
    if about.st_mode & 0o077:
        with contextlib.suppress(OSError):
            folder.chmod(0o700)
