"""The store of step results: keyed by content, written atomically, a hit only if every checksum holds."""

from __future__ import annotations

import ast
import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock

from neurosim import runtime, storage

SCHEMA_VERSION = 1
ENTRY = "entry.json"
ROOT = Path(__file__).resolve().parent.parent.parent
DATA = (".toml", ".mplstyle", ".cpp")


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
        with FileLock(locks / f"{key[:32]}.lock"):
            yield

    @contextmanager
    def new_entry(self, key: str, about: dict[str, Any]) -> Iterator[Path]:
        """Give a folder to fill; it becomes the entry of `key` when the block ends without an error."""
        started = time.time()
        with storage.atomic_folder(self.folder(key)) as folder:
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


def digest_of(value: Any) -> str:
    """Return the SHA-256 of `value` as canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def key_of(kind: str, module: str, config: dict[str, Any], inputs: dict[str, str], device: str) -> str:
    """Return the key of a step: everything that its result depends on.

    That is the kind of step and its configuration, the digests of what goes in, the source of the modules it runs,
    the versions of the numeric libraries, the class of device and the code-generation target of Brian2.
    """
    return digest_of(
        {
            "schema_version": SCHEMA_VERSION,
            "kind": kind,
            "config": config,
            "inputs": inputs,
            "source": source_digest(module),
            "libraries": _versions(),
            "device": device,
            "brian2_target": "numpy",
        }
    )


@cache
def _versions() -> dict[str, str]:
    return runtime.library_versions()


@cache
def source_digest(module: str) -> str:
    """Return the digest of the source of `module` and of every neurosim module and data file it imports."""
    return digest_of({p.relative_to(ROOT).as_posix(): storage.sha256(p) for p in sorted(_sources(module))})


def _sources(module: str) -> set[Path]:
    seen: set[Path] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        base = ROOT / Path(*name.split("."))
        path = base.with_suffix(".py") if base.with_suffix(".py").is_file() else base / "__init__.py"
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        seen.update(p for p in path.parent.glob("*") if p.suffix in DATA)
        for node in ast.walk(ast.parse(storage.read_text(path))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("neurosim"):
                waiting += [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names if alias.name.startswith("neurosim")]
    return {p for p in seen if p != ROOT / "neurosim" / "__init__.py"}
