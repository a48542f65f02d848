"""The store of step results: keyed by content, written atomically, sealed, a hit only if everything in it agrees."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from neurosim import storage
from neurosim.refusals import InputError
from neurosim.study.engine import keys
from neurosim.study.engine.locks import held
from neurosim.study.engine.seal import ENTRY, MadeFrom, NotWholeError, Record, checked, sealed

KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """A finished step: its folder and what is known about it."""

    folder: Path
    record: Record

    @property
    def digest(self) -> str:
        """Digest of what the step made, without when and how long."""
        return self.record["digest"]

    @property
    def files(self) -> list[Path]:
        """Files that the step made."""
        return [self.folder / name for name in sorted(self.record["files"])]


class Store:
    """Results of steps below `root`, one folder a key.

    Entries appear whole or not at all; a damaged one is set aside and made again, never patched.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, key: str) -> Path:
        """Return where the entry of `key` is or will be."""
        return self.root / key[:2] / key

    def find(self, key: str) -> Entry | None:
        """Return the entry of `key` if it is there and its seal holds; whatever else is in its place is set aside."""
        folder = self.folder(key)
        if not os.path.lexists(folder):
            return None
        try:
            record = checked(folder, key)
        except NotWholeError:
            self.set_aside(folder)
            return None
        with suppress(OSError):
            os.utime(folder / ENTRY)
        return Entry(folder, record)

    def places(self) -> Iterator[Path]:
        """Return the folders in which entries are, whole or not, in the order of their keys."""
        for place in sorted(self.root.glob("[0-9a-f][0-9a-f]/*")):
            if KEY.fullmatch(place.name) and place.name.startswith(place.parent.name):
                yield place

    @contextmanager
    def writing(self, key: str) -> Iterator[None]:
        """Hold the lock of `key`, so that two runs do not make the same entry."""
        locks = self.root / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        with held(locks / f"{key[:32]}.lock"):
            yield

    @contextmanager
    def new_entry(self, key: str, about: MadeFrom) -> Iterator[Path]:
        """Give a folder to fill; it becomes the entry of `key` when the block ends without an error.

        `about` says what it is made from: ``name``, ``work``, ``config``, ``inputs_digests``, ``device`` and
        ``libraries``. Where another process has made that entry meanwhile, its own stays: others may be reading it.
        """
        started = time.time()
        with storage.atomic_folder(self.folder(key), first_stays=True) as folder:
            yield folder
            keys.forget()
            made = {
                **about,
                "source": keys.source_of(about["work"], about["config"]),
                "started": round(started, 3),
                "seconds": round(time.time() - started, 3),
            }
            record = sealed(made, folder)
            if record["key"] != key:
                raise InputError(
                    "its source, or a library, changed while the study ran, or is another where it ran; run it again."
                )
            storage.write_json(folder / ENTRY, record)

    def set_aside(self, folder: Path) -> None:
        """Move what is in the place of an entry to ``damaged/``, so that the entry is made again."""
        damaged = self.root / "damaged"
        target = damaged / f"{folder.name}-{time.time_ns()}"
        try:
            damaged.mkdir(parents=True, exist_ok=True)
            folder.rename(target)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
