"""Whether files are those that they were: SHA-256, one file at a time or a folder by its manifest."""

from __future__ import annotations

import hashlib
from pathlib import Path

from neurosim.storage.atomic import write_text
from neurosim.storage.failures import StorageError, reachable
from neurosim.storage.paths import existing, inside
from neurosim.storage.texts import read_text

ESCAPES = (("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"))


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file.

    Parameters
    ----------
    path : the file.

    Raises
    ------
    StorageError : it cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     print(ns.storage.sha256(Path(file.name))[:12])
    e3b0c44298fc
    """
    with reachable(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_sha256(path: Path, expected: str) -> None:
    """Refuse a file that does not have the checksum it should have.

    Parameters
    ----------
    path : the file. expected : its SHA-256 in hexadecimal digits.

    Raises
    ------
    StorageError : no such file, or another checksum.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     ns.storage.check_sha256(Path(file.name), "0" * 64)
    Traceback (most recent call last):
    neurosim.storage.StorageError: ...: wrong checksum, expected 000000000000…, found e3b0c44298fc…; ...
    """
    found = sha256(existing(path))
    if found != expected:
        raise StorageError(
            f"{path.name}: wrong checksum, expected {expected[:12]}…, found {found[:12]}…; "
            "the file is damaged or another version: fetch it again."
        )


def write_manifest(folder: Path, name: str = "MANIFEST.sha256") -> None:
    """List every file of a folder with its checksum, in the format of ``sha256sum -c``.

    Parameters
    ----------
    folder : all files in it, at all depths. name : of the manifest in it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ns.storage.write_text(Path(folder) / "a.txt", "")
    ...     ns.storage.write_manifest(Path(folder))
    ...     print(ns.storage.read_text(Path(folder) / "MANIFEST.sha256"))
    e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a.txt
    """
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != name)
    write_text(folder / name, "".join(_line(sha256(p), p.relative_to(folder).as_posix()) for p in files))


def read_manifest(folder: Path, name: str = "MANIFEST.sha256") -> dict[str, str]:
    """Return the checksum of every file that the manifest of a folder lists.

    Parameters
    ----------
    folder : holds the manifest. name : of the manifest in it.

    Returns
    -------
    checksums by name, a path below `folder` each.

    Raises
    ------
    StorageError : no manifest, or a line of it that is none.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ns.storage.write_text(Path(folder) / "a.txt", "")
    ...     ns.storage.write_manifest(Path(folder))
    ...     print(list(ns.storage.read_manifest(Path(folder))))
    ['a.txt']
    """
    listed = {}
    for number, line in enumerate(read_text(folder / name).split("\n"), 1):
        escaped = line.startswith("\\")
        digest, mark, relative = line.removeprefix("\\").partition("  ")
        if not line:
            continue
        if len(digest) != 64 or not mark or not relative:
            raise StorageError(f"{folder / name}: line {number} is not a checksum and a name.")
        listed[_unescaped(relative) if escaped else relative] = digest
    return listed


def damaged_files(folder: Path, name: str = "MANIFEST.sha256") -> list[str]:
    """Return the names of the files that the manifest of a folder lists and that are missing or changed.

    Parameters
    ----------
    folder : holds the files and the manifest. name : of the manifest in it.

    Raises
    ------
    StorageError : no manifest, or one that names files elsewhere.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ns.storage.write_text(Path(folder) / "a.txt", "as it was")
    ...     ns.storage.write_manifest(Path(folder))
    ...     ns.storage.write_text(Path(folder) / "a.txt", "as it is")
    ...     print(ns.storage.damaged_files(Path(folder)))
    ['a.txt']
    """
    bad = []
    for relative, digest in read_manifest(folder, name).items():
        path = inside(folder, relative)
        if not path.is_file() or sha256(path) != digest:
            bad.append(relative)
    return bad


def _line(digest: str, name: str) -> str:
    """Return a line of a manifest; a name that would end the line is escaped as ``sha256sum`` does."""
    escaped = name
    for character, code in ESCAPES:
        escaped = escaped.replace(character, code)
    return f"{'' if escaped == name else chr(92)}{digest}  {escaped}\n"


def _unescaped(name: str) -> str:
    codes = {code: character for character, code in ESCAPES}
    parts, rest = [], name
    while rest:
        taken = 2 if rest[:2] in codes else 1
        parts.append(codes.get(rest[:2], rest[0]))
        rest = rest[taken:]
    return "".join(parts)
