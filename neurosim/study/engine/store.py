"""The store of step results: keyed by content, written atomically, a hit only if every checksum holds."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurosim import storage
from neurosim.study.engine.keys import digest_of
from neurosim.study.engine.locks import held

ENTRY = "entry.json"


@dataclass(frozen=True)
class Entry:
    """A finished step: its folder and what is known about it."""

    folder: Path
    record: dict[str, Any]

    @property
    def digest(self) -> str:
        """Digest of what the step made, without when and how long."""
        return str(self.record["digest"])

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
        """Return the entry of `key` if it is there and every size and checksum holds; set a damaged one aside."""
        folder = self.folder(key)
        if not folder.is_dir():
            return None
        try:
            record = storage.read_json(folder / ENTRY)
            whole = all(
                (folder / name).stat().st_size == file["size"] and storage.sha256(folder / name) == file["sha256"]
                for name, file in record["files"].items()
            )
        except (OSError, KeyError, TypeError, storage.StorageError):
            whole = False
        if whole:
            return Entry(folder, record)
        self._set_aside(folder)
        return None

    @contextmanager
    def writing(self, key: str) -> Iterator[None]:
        """Hold the lock of `key`, so that two runs do not make the same entry."""
        locks = self.root / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        with held(locks / f"{key[:32]}.lock"):
            yield

    @contextmanager
    def new_entry(self, key: str, about: dict[str, Any]) -> Iterator[Path]:
        """Give a folder to fill; it becomes the entry of `key` when the block ends without an error.

        Where another process has made that entry meanwhile, its own stays: others may be reading it.
        """
        started = time.time()
        with storage.atomic_folder(self.folder(key), first_stays=True) as folder:
            yield folder
            files = {
                p.relative_to(folder).as_posix(): {"size": p.stat().st_size, "sha256": storage.sha256(p)}
                for p in sorted(folder.rglob("*"))
                if p.is_file()
            }
            record = about | {
                "key": key,
                "files": files,
                "digest": digest_of({n: f["sha256"] for n, f in files.items()}),
                "started": round(started, 3),
                "seconds": round(time.time() - started, 3),
            }
            storage.write_json(folder / ENTRY, record)

    def _set_aside(self, folder: Path) -> None:
        damaged = self.root / "damaged"
        damaged.mkdir(parents=True, exist_ok=True)
        target = damaged / f"{folder.name}-{time.time_ns()}"
        try:
            folder.replace(target)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
