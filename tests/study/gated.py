"""Steps that wait at a gate, so that a test knows when they are in the middle; what tests of many machines share."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from neurosim.study.engine import keys
from neurosim.study.engine.step import Step

MODULE = """
import json, os, time
from pathlib import Path


def run(job):
    place, name = Path(job.config["place"]), job.config["name"]
    written, attempt = place / f".{name}.{os.getpid()}", 0
    written.write_text(str(os.getpid()))
    while True:  # another process may do the same step at the same moment
        try:
            os.link(written, place / f"{name}.pid.{attempt}")
            break
        except FileExistsError:
            attempt += 1
    while (place / f"{name}.gate").exists():
        time.sleep(0.01)
    read = {k: json.loads((v / "value.json").read_text()) for k, v in sorted(job.inputs.items())}
    (job.out / "value.json").write_text(json.dumps([name, read]))
"""


class Gated:
    """A folder of steps; a step whose gate is closed waits there until it opens."""

    def __init__(self, folder: Path) -> None:
        self.place = folder / "place"
        self.place.mkdir(parents=True)
        (folder / "modules").mkdir()
        (folder / "modules" / "gated_step.py").write_text(MODULE)
        self.path = os.pathsep.join([str(folder / "modules"), os.environ.get("PYTHONPATH", "")])

    def seen(self, monkeypatch: pytest.MonkeyPatch) -> "Gated":
        """Let this process, and those that it starts, import the module of the steps."""
        monkeypatch.setenv("PYTHONPATH", self.path)
        monkeypatch.syspath_prepend(self.path.partition(os.pathsep)[0])
        keys.forget()
        return self

    def step(self, name: str, *inputs: str) -> Step:
        config = {"place": str(self.place), "name": name.replace(":", "_")}
        return Step(name, "gated_step:run", config, inputs)

    def chain(self) -> list[Step]:
        return [self.step("a:1"), self.step("a:2"), self.step("b:1", "a:1", "a:2"), self.step("c", "b:1")]

    def close(self, name: str) -> None:
        (self.place / f"{name.replace(':', '_')}.gate").touch()

    def open(self, name: str) -> None:
        (self.place / f"{name.replace(':', '_')}.gate").unlink()

    def process(self, name: str, attempt: int = 0) -> int:
        """Wait until a step is in the middle; return its process."""
        file = self.place / f"{name.replace(':', '_')}.pid.{attempt}"
        until(file.exists)
        return int(file.read_text())

    def n_started(self, name: str) -> int:
        return len(list(self.place.glob(f"{name.replace(':', '_')}.pid.*")))


def until(is_so: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for an event."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def values(entries: dict) -> dict:
    """Return what gated steps made, and the digests."""
    return {n: (json.loads((e.folder / "value.json").read_text()), e.digest) for n, e in entries.items()}
