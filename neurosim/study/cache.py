"""What is kept between runs: results of steps in a store, and compiled code; listed, checked, and pruned."""

from __future__ import annotations

import re
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from neurosim import storage
from neurosim.refusals import InputError
from neurosim.showing import shown
from neurosim.study.engine.seal import ENTRY, NotWholeError, checked, read_record
from neurosim.study.engine.store import Store

DAY = 86400.0
DAMAGED = re.compile(r"[0-9a-f]{64}-\d+")
FAILED = re.compile(r"[0-9a-f]{16}\.log")
BUILDING = "build-"
STEP, DAMAGED_STEP, LOG, BUILD, UNFINISHED = "step", "damaged step", "failed log", "build", "unfinished build"


@shown
@dataclass(frozen=True)
class Kept:
    """One thing that is kept.

    Parameters
    ----------
    kind : "step", "damaged step" (set aside), "failed log", "build" (compiled code) or "unfinished build".
    name : of the step, or of the file. path : where it is. size : bytes. unused : days since it was last used.
    damage : what is wrong with it; empty if nothing is, or if it was not looked at.

    Examples
    --------
    >>> from pathlib import Path
    >>> ns.study.Kept("build", "kernel.so", Path("kernel.so"), size=1000, unused=2.0).damage
    ''
    """

    kind: str
    name: str
    path: Path
    size: int
    unused: float
    damage: str = ""


def kept(store: str | Path, *, check: bool = False) -> list[Kept]:
    """Return everything that is kept in a store, and all compiled code of this user.

    Parameters
    ----------
    store : folder of step results. check : whether every file is read and compared with its seal or checksum.

    Examples
    --------
    >>> [thing for thing in ns.study.kept("no_such_store") if thing.kind == "step"]
    []
    """
    return [*_of_store(Path(store), check), *_builds(check)]


def prune(store: str | Path, *, older_than: float | None = None) -> list[Kept]:
    """Delete what is of no use any more, and return it: nothing but what neurosim itself keeps there.

    That is what is damaged or was set aside, logs of failed steps, what killed runs left half-written; with
    `older_than` also whole results and compiled code that were not used for so many days.

    Parameters
    ----------
    store : folder of step results. older_than : days.

    Raises
    ------
    InputError : a number of days below 0.

    Examples
    --------
    >>> [thing for thing in ns.study.prune("no_such_store") if thing.kind == "step"]
    []
    """
    if older_than is not None and not older_than >= 0:
        raise InputError(f"prune: days of 0 or more asked, found {older_than}.")
    gone = []
    for thing in kept(store, check=True):
        old = older_than is not None and thing.unused >= older_than
        left = thing.kind in (DAMAGED_STEP, LOG) or (thing.kind == UNFINISHED and thing.unused > 1)
        if left or thing.damage or old:
            _remove(thing)
            gone.append(thing)
    for place in Path(store).glob("[0-9a-f][0-9a-f]"):
        storage.remove_leftovers(place)
    return gone


def _of_store(root: Path, check: bool) -> Iterator[Kept]:
    for path in Store(root).places():
        name, damage = "?", ""
        try:
            record = checked(path, path.name) if check else read_record(path)
            name = str(record.get("name", "?"))
        except NotWholeError as error:
            damage = str(error)
        yield _kept(STEP, name, path, path / ENTRY, damage)
    for kind, folder, pattern in ((DAMAGED_STEP, "damaged", DAMAGED), (LOG, "failed", FAILED)):
        for path in sorted((root / folder).glob("*")):
            if pattern.fullmatch(path.name):
                yield _kept(kind, path.name[:16], path, path)


def _builds(check: bool) -> Iterator[Kept]:
    for path in storage.kept_builds():
        whole = not check or path.parent.name.startswith("cython-") or storage.is_whole_build(path)
        yield _kept(BUILD, path.name, path, path, "" if whole else "its files are not those that were built")
    for path in sorted(storage.cache_folder("standalone").glob(f"{BUILDING}*")):
        yield _kept(UNFINISHED, path.name, path, path)


def _kept(kind: str, name: str, path: Path, used: Path, damage: str = "") -> Kept:
    when = _time(used) or _time(path)
    return Kept(kind, name, path, _size(path), max(0.0, (time.time() - when) / DAY), damage)


def _time(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    """Return the bytes below a path; links are not followed."""
    try:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode):
            return found.st_size
        return sum(p.lstat().st_size for p in path.rglob("*") if not stat.S_ISDIR(p.lstat().st_mode))
    except OSError:
        return 0


def _remove(thing: Kept) -> None:
    if thing.kind == BUILD:
        storage.remove_build(thing.path)
    elif thing.path.is_symlink() or not thing.path.is_dir():
        thing.path.unlink(missing_ok=True)
    else:
        shutil.rmtree(thing.path, ignore_errors=True)
