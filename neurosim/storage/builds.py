"""Compiled code that is kept between processes: private to its user, checked before use, rebuilt when damaged."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from neurosim.storage.atomic import atomic_file, write_text
from neurosim.storage.checksums import damaged_files, read_manifest, sha256
from neurosim.storage.failures import StorageError
from neurosim.storage.texts import read_text

MANIFEST = "MANIFEST.sha256"
BUILD = re.compile(r"[0-9a-f]{32}")
KINDS = ("standalone", "libraries", "cython-strict", "cython-avx2")  # the last where a processor has AVX2
A_MINUTE = 60.0
A_MOMENT = 1.0  # s, longer than a file system takes for the same time


def cache_folder(kind: str) -> Path:
    """Return the folder in which compiled code is kept between processes, which only its owner can enter.

    Parameters
    ----------
    kind : name of a folder below ``$XDG_CACHE_HOME/neurosim``.

    Raises
    ------
    StorageError : the folder belongs to another user, whose code would be run, or is not empty and others can enter
        it, or can write into the one around it; it is left as it is.

    Examples
    --------
    >>> ns.storage.cache_folder("libraries").parts[-2:]
    ('neurosim', 'libraries')
    """
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "neurosim"
    for folder in (root, root / kind):
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _check_owner(root, others=0o022, cure="chmod go-w")
    if _is_open(root / kind) and not any((root / kind).iterdir()):
        (root / kind).chmod(0o700)
    _check_owner(root / kind, others=0o077, cure="chmod 700")
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
    >>> from pathlib import Path
    >>> ns.storage.compiled_library(Path("a.cpp"), "no-such-compiler", ())
    Traceback (most recent call last):
    neurosim.storage.StorageError: no-such-compiler: cannot be started (No such file or directory).
    """
    target = _run([compiler, *flags, "-Q", "--help=target"]).stdout
    key = hashlib.sha256(b"\0".join([source.read_bytes(), target, *(f.encode() for f in (compiler, *flags))]))
    path = cache_folder("libraries") / f"{source.stem}-{key.hexdigest()[:32]}.so"
    if not is_whole_build(path):
        with atomic_file(path) as temporary:
            done = _run([compiler, *flags, "-shared", "-fPIC", "-x", "c++", str(source), "-o", str(temporary)])
            if done.returncode:
                raise StorageError(f"{compiler} cannot build {source.name}: {done.stderr.decode().strip()[-300:]}")
            digest = sha256(temporary)
        write_text(_checksum_of(path), f"{digest}  {path.name}\n")
        if not is_whole_build(path):
            raise StorageError(f"{path}: is damaged again right after it was built; look at the disk.")
    return path


@functools.cache
def checked_modules(folder: Path) -> Path:
    """Return a folder of compiled modules after those that changed since they were first seen were removed from it.

    Looked at once a process. Modules of the last minute may still be written and are left as they are.

    Parameters
    ----------
    folder : where Cython keeps its modules.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ns.storage.checked_modules(Path(folder)) == Path(folder)
    True
    """
    for path in folder.glob("*.so"):
        with contextlib.suppress(OSError, StorageError):
            if _checksum_of(path).exists():
                if not is_whole_build(path):
                    remove_build(path)
            elif time.time() - path.stat().st_mtime > A_MINUTE:
                write_text(_checksum_of(path), f"{sha256(path)}  {path.name}\n")
    return folder


def kept_builds() -> Iterator[Path]:
    """Return everything compiled that is kept between processes: folders and libraries.

    Examples
    --------
    >>> all(path.is_absolute() for path in ns.storage.kept_builds())
    True
    """
    for kind in KINDS:
        for path in sorted(cache_folder(kind).glob("*")):
            if not path.is_symlink() and (BUILD.fullmatch(path.name) or path.suffix == ".so"):
                yield path


@functools.cache
def processor_has(feature: str) -> bool:
    """Whether Linux says that the processor has a feature; elsewhere nothing is known of it.

    Parameters
    ----------
    feature : name of the feature as ``/proc/cpuinfo`` has it, such as "avx2".

    Examples
    --------
    >>> ns.storage.processor_has("no such feature")
    False
    """
    try:
        flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        return False
    return flags is not None and feature in flags.group(1).split()


def is_whole_build(path: Path) -> bool:
    """Whether a compiled library, or every file of a compiled folder, is what was built.

    A process reads them once, and again where one of them was written, replaced or moved since.

    Parameters
    ----------
    path : the library or the folder.

    Examples
    --------
    >>> from pathlib import Path
    >>> ns.storage.is_whole_build(Path("nowhere.so"))
    False
    """
    try:
        seen, latest = _seen(path)
        is_settled = time.time() - latest > A_MOMENT
        return _is_whole(path, seen) if is_settled else _is_whole.__wrapped__(path, seen)
    except (StorageError, OSError):
        return False


def remove_build(path: Path) -> None:
    """Remove a compiled library or folder, with its checksum; what uses it now goes on.

    Parameters
    ----------
    path : the library or the folder.

    Examples
    --------
    >>> from pathlib import Path
    >>> ns.storage.remove_build(Path("nowhere.so"))
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    for file in (path, _checksum_of(path)):
        with contextlib.suppress(OSError):
            file.unlink()


def _seen(path: Path) -> tuple[tuple[tuple[str, int, int, int, int], ...], float]:
    """Return what the file system says of the files of a build, which writing any of them changes, and when it was."""
    files = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path, _checksum_of(path)]
    found = [(str(file), file.stat()) for file in sorted(files)]
    seen = tuple((file, at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns) for file, at in found)
    return seen, max((at.st_ctime for _, at in found), default=0.0)


@functools.lru_cache(maxsize=256)
def _is_whole(path: Path, seen: tuple[tuple[str, int, int, int, int], ...]) -> bool:
    """Whether files that the file system describes so have the checksums with which they were built."""
    if path.is_dir():
        return "main" in read_manifest(path, MANIFEST) and not damaged_files(path, MANIFEST)
    return read_text(_checksum_of(path)) == f"{sha256(path)}  {path.name}\n"


def _run(command: list[str]) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(command, capture_output=True, check=False)
    except OSError as error:
        raise StorageError(f"{command[0]}: cannot be started ({error.strerror}).") from error


def _checksum_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _is_open(folder: Path, others: int = 0o077) -> bool:
    """Whether other users may do with a folder what the bits `others` say."""
    return hasattr(os, "getuid") and folder.exists() and bool(folder.stat().st_mode & others)


def _check_owner(folder: Path, *, others: int, cure: str) -> None:
    if hasattr(os, "getuid") and folder.exists() and folder.stat().st_uid != os.getuid():
        raise StorageError(f"{folder}: belongs to another user, whose code would be run; name another XDG_CACHE_HOME.")
    if _is_open(folder, others):
        raise StorageError(
            f"{folder}: is there already, and other users could change what is run from it; {cure} {folder}, or name "
            "another XDG_CACHE_HOME."
        )
