"""What a format of recordings is: a record of its endings, of what its files hold, and of who reads them."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurosim import storage
from neurosim.registry import NoOptions, Registry
from neurosim.schema import InputError, suggest

KINDS = ("responses", "spikes", "series", "sweeps")
Read = Callable[..., Any] | str


@dataclass(frozen=True)
class Reader:
    """A format of files.

    Parameters
    ----------
    name : of the format. caption : what its files hold, in one line.
    endings : in small letters, such as (".nc",); of two that fit a file the longer one counts.
    holds : names that tell the format: of files in a folder, or of arrays in an archive, with wildcards; of two formats
        of one ending the one whose names are there counts.
    responses : (path, options) -> responses (stimulus, [trial,] [time,] unit), or "module:function" where what reads it
        is heavy.
    lazy : (path, options) -> the same, its values read when they are used.
    spikes : (path) -> table of spikes with columns ``unit`` and ``time`` (s).
    series : (path, name) -> (time, unit), one sampled series of the file.
    sweeps : (path) -> Dataset of ``current`` and ``voltage`` (sweep, time) by protocol.
    options : frozen record of the options of `responses`; fields of type ``pathlib.Path`` are files beside the first.
    extra : extra of neurosim that installs what it needs, such as "nwb"; empty where nothing more is needed.
    bounds : how much is held in memory at once, in words.
    citation : of the format.
    example : (path) -> options; writes a small file there for tests and tells the options that read it.
    """

    name: str
    caption: str
    endings: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    responses: Read | None = None
    lazy: Read | None = None
    spikes: Read | None = None
    series: Read | None = None
    sweeps: Read | None = None
    options: type[Any] = NoOptions
    extra: str = ""
    bounds: str = "whole, up to 16 GiB"
    citation: str = ""
    example: Callable[[Path], Any] | str | None = None

    @property
    def gives(self) -> tuple[str, ...]:
        """What its files hold, out of responses, spikes, series, sweeps."""
        return tuple(kind for kind in KINDS if getattr(self, kind) is not None)


READERS: Registry[Reader] = Registry("format", "neurosim.recordings.readers", Reader)


def reader_of(path: Path, kind: str, asked_by: str, name: str | None = None) -> Reader:
    """Return the reader that gives `kind` of thing from a file: the one called `name`, or the one of its ending.

    Raises
    ------
    InputError : no reader has that ending or name; the known ones that give `kind` are listed.

    Examples
    --------
    >>> reader_of(Path("a.CSV"), "spikes", "here").name
    'spike_table'
    """
    giving = {n: r for n, r in READERS.items() if kind in r.gives}
    if name is not None:
        found = READERS.find(name, asked_by)
        if name not in giving:
            raise InputError(f"{asked_by}: files of {name!r} hold no {kind}; those that do: {', '.join(giving)}.")
        return found
    fitting = [(len(ending), reader) for reader in giving.values() for ending in reader.endings if _ends(path, ending)]
    if not fitting and storage.is_folder(path):
        fitting = [(0, reader) for reader in giving.values() if reader.holds and not reader.endings]
        fitting = [(0, reader) for _, reader in fitting if _is_told(path, reader)]
    if fitting:
        longest = max(length for length, _ in fitting)
        chosen = [reader for length, reader in fitting if length == longest]
        if len(chosen) > 1:
            chosen = [r for r in chosen if r.holds and _is_told(path, r)] or [r for r in chosen if not r.holds]
        if len(chosen) != 1:
            chosen = chosen or [reader for length, reader in fitting if length == longest]
            named = ", ".join(r.name for r in chosen)
            raise InputError(f"{asked_by}: {path.name} may be of the formats {named}; say which with reader=.")
        return chosen[0]
    endings = list(dict.fromkeys(ending for reader in giving.values() for ending in reader.endings))
    elsewhere = _elsewhere(path, kind)
    ending = (
        f"is a folder that no reader takes (folders: {_folders(giving)})"
        if storage.is_folder(path)
        else f"ends in {path.suffix.lower()!r}"
    )
    raise InputError(
        f"{asked_by}: {path.name or path} {ending}; known: {', '.join(endings)}."
        f"{elsewhere or suggest(path.suffix.lower(), endings)}"
    )


def _folders(readers: Mapping[str, Reader]) -> str:
    return (
        "; ".join(f"{n} with {', '.join(r.holds)}" for n, r in readers.items() if r.holds and not r.endings) or "none"
    )


def _is_told(path: Path, reader: Reader) -> bool:
    """Whether every name that tells a format is there."""
    names = storage.names_inside(path)
    return all(any(fnmatch.fnmatchcase(name, pattern) for name in names) for pattern in reader.holds)


def _ends(path: Path, ending: str) -> bool:
    return path.name.lower().endswith(ending) and len(path.name) > len(ending)


def _elsewhere(path: Path, kind: str) -> str:
    """Say what else files of this ending hold."""
    other = [
        f"{gives} ({reader.name})"
        for reader in READERS.values()
        for gives in reader.gives
        if gives != kind and any(_ends(path, ending) for ending in reader.endings)
    ]
    return f" Such files hold {', '.join(other)}." if other else ""
