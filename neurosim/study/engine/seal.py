"""The seal of an entry of the store: what its record says, its place and its files must agree with each other.

A record is never believed about itself: its key is made anew from what it says it was made from, its digest from the
files, and the files are those that are there, plain and alone. The seal finds what changed by damage or by mistake; it
is no signature: who can write the store can also make a whole entry.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from neurosim.storage import StorageError
from neurosim.study.engine.keys import digest_of, key_from

ENTRY = "entry.json"
MAX_RECORD = 64 * 2**20
HEX = re.compile(r"[0-9a-f]{64}")
MAX_NAME = 1024
FIELDS: dict[str, type | tuple[type, ...]] = {
    "key": str,
    "name": str,
    "work": str,
    "config": dict,
    "inputs_digests": dict,
    "source": str,
    "libraries": dict,
    "device": str,
    "files": dict,
    "digest": str,
    "started": (int, float),
    "seconds": (int, float),
    "seal": str,
}


class FileSeal(TypedDict):
    """What a record says of a file."""

    size: int
    sha256: str


class MadeFrom(TypedDict):
    """What an entry is made from, as far as the one who makes it knows."""

    name: str
    work: str
    config: dict[str, Any]
    inputs_digests: dict[str, str]
    device: str
    libraries: dict[str, str]


class Record(MadeFrom):
    """What is known of an entry: what it was made from, when, its files, and the digests that seal it."""

    source: str
    started: float
    seconds: float
    files: dict[str, FileSeal]
    digest: str
    key: str
    seal: str


class NotWholeError(StorageError):
    """An entry is damaged, or not what its place says."""


def sealed(about: Mapping[str, object], folder: Path) -> Record:
    """Return the record of what lies in `folder`, with the list of its files, its digest, its key and its seal."""
    content = sorted(_content(folder).items())
    files: dict[str, FileSeal] = {name: {"size": size, "sha256": digest} for name, (size, digest) in content}
    whole = {**about, "files": files, "digest": _digest(files)}
    record: Record = json.loads(json.dumps(whole | {"key": key_from(whole)}, allow_nan=False))
    record["seal"] = digest_of(record)
    return record


def checked(folder: Path, key: str) -> Record:
    """Return the record of the entry of `key` in `folder`, after everything in it was checked.

    Raises
    ------
    NotWholeError : with the reason in one line.
    """
    try:
        _check(stat.S_ISDIR(folder.lstat().st_mode), "it is no folder")
        record = _record(folder / ENTRY)
        _check(record.keys() == FIELDS.keys(), "its record has other fields")
        for name, kind in FIELDS.items():
            value = record.get(name)
            _check(isinstance(value, kind) and not isinstance(value, bool), f"{name!r} is malformed")
        _check(record["seal"] == digest_of({k: v for k, v in record.items() if k != "seal"}), "its seal is broken")
        _check(record["key"] == key, "it is the entry of another key")
        _check(key_from(record) == key, "its key does not follow from what it was made from")
        listed = {name: _listed(name, about) for name, about in record["files"].items()}
        _check(_digest(record["files"]) == record["digest"], "its digest is not that of its files")
        _check(_content(folder, {name: size for name, (size, _) in listed.items()}) == listed, "its files changed")
    except NotWholeError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise NotWholeError(f"it cannot be read ({reason})") from None
    return record


def read_record(folder: Path) -> Record:
    """Return what the record of an entry says, unchecked.

    Raises
    ------
    NotWholeError : there is none that can be read.
    """
    try:
        return _record(folder / ENTRY)
    except NotWholeError:
        raise
    except (OSError, ValueError, RecursionError):
        raise NotWholeError("its record cannot be read") from None


def plain_file(path: Path) -> os.stat_result:
    """Return what is known of a plain file that has this one name, or raise :class:`NotWholeError`."""
    found = path.lstat()
    _check(stat.S_ISREG(found.st_mode) and found.st_nlink == 1, f"{path.name!r} is no plain file of its own")
    return found


def strict_json(text: bytes) -> Any:
    """Return what JSON `text` holds; no NaN, no name twice.

    Raises
    ------
    ValueError : not such a text. RecursionError : nested too deeply.
    """

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        _check(len({name for name, _ in pairs}) == len(pairs), "a name stands twice in its record")
        return dict(pairs)

    def never(word: str) -> None:
        raise ValueError(f"{word} in a record")

    return json.loads(text.decode(), object_pairs_hook=once, parse_constant=never)


def _record(path: Path) -> Record:
    _check(plain_file(path).st_size <= MAX_RECORD, "its record is too large")
    record: Record = strict_json(path.read_bytes())
    _check(isinstance(record, dict), "its record is no table")
    return record


def _listed(name: str, about: Any) -> tuple[int, str]:
    parts = name.split("/")
    fine = 0 < len(name) <= MAX_NAME and not {"", ".", ".."} & set(parts) and not set("\0\\") & set(name)
    _check(fine and name != ENTRY, f"{name[:60]!r} is no name of a file in it")
    _check(
        isinstance(about, dict) and about.keys() == {"size", "sha256"}, f"what it says of {name[:60]!r} is malformed"
    )
    size, digest = about["size"], about["sha256"]
    _check(type(size) is int and isinstance(digest, str), f"what it says of {name[:60]!r} is malformed")
    _check(HEX.fullmatch(digest) is not None, f"what it says of {name[:60]!r} is malformed")
    return size, digest


def _content(folder: Path, sizes: dict[str, int] | None = None) -> dict[str, tuple[int, str]]:
    """Return size and SHA-256 of every file below `folder` but the record; nothing is hashed whose size is wrong."""
    found = {}
    waiting = [folder]
    while waiting:
        for path in waiting.pop().iterdir():
            if stat.S_ISDIR(path.lstat().st_mode):
                waiting.append(path)
                continue
            name, size = path.relative_to(folder).as_posix(), plain_file(path).st_size
            if name == ENTRY:
                continue
            _check(sizes is None or sizes.get(name) == size, f"{name[:60]!r} is not listed or has another size")
            with path.open("rb") as file:
                found[name] = (size, hashlib.file_digest(file, "sha256").hexdigest())
    return found


def _digest(files: dict[str, FileSeal]) -> str:
    return digest_of({name: about["sha256"] for name, about in files.items()})


def _check(fine: bool, reason: str) -> None:
    if not fine:
        raise NotWholeError(reason)
