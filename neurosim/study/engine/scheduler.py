"""Run the steps of a plan: what is in the store is taken, the rest is made, several at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurosim import storage
from neurosim.schema import InputError
from neurosim.study.engine.keys import key_of
from neurosim.study.engine.step import Step
from neurosim.study.engine.store import Entry, Store

Report = Callable[[str, str, str], None]


def silent(_step: str, _event: str, _text: str) -> None:
    """Report nothing."""


class StepError(RuntimeError):
    """A step failed for a reason that is not the user's."""

    exit_code = 3


@dataclass(frozen=True)
class Look:
    """What the store says of a step: "hit", "miss", or "waits" when it depends on a miss."""

    step: Step
    state: str
    entry: Entry | None = None


def look_up(steps: list[Step], store: Store) -> list[Look]:
    """Return, for every step, whether its result is in the store. Runs nothing."""
    entries: dict[str, Entry] = {}
    looks = []
    for step in steps:
        if all(name in entries for name in step.inputs):
            entry = store.find(step_key(step, entries))
            if entry is not None:
                entries[step.name] = entry
            looks.append(Look(step, "hit" if entry else "miss", entry))
        else:
            looks.append(Look(step, "waits"))
    return looks


def run_steps(steps: list[Step], store: Store, *, jobs: int, report: Report) -> dict[str, Entry]:
    """Run all steps and return their entries by name.

    Raises
    ------
    InputError : a step found that what the user asked cannot be done.
    StepError : a step failed; what was finished stays in the store.
    """
    entries: dict[str, Entry] = {}
    waiting = {s.name: s for s in steps}
    running: dict[Future[None], tuple[Step, str]] = {}
    problem: Exception | None = None
    with _Workers(store, jobs, report) as workers:
        while waiting or running:
            for step in [s for s in waiting.values() if all(n in entries for n in s.inputs)] if problem is None else []:
                del waiting[step.name]
                key = step_key(step, entries)
                found = store.find(key)
                if found is not None:
                    entries[step.name] = found
                    report(step.name, "hit", "")
                else:
                    running[workers.submit(step, key, entries)] = (step, key)
            if not running:
                if problem is not None or not waiting:
                    break
                continue
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                step, key = running.pop(future)
                try:
                    future.result()
                    entry = store.find(key)
                    if entry is None:
                        raise StepError(f"{step.name}: its result is gone or damaged right after it was made.")
                    entries[step.name] = entry
                    report(step.name, "done", f"{entry.record['seconds']:.1f} s")
                except (InputError, StepError) as error:
                    problem = problem or error
                    report(step.name, "failed", "")
            if problem is not None:
                for future in [f for f in running if f.cancel()]:
                    del running[future]
    if problem is not None:
        raise problem
    return {step.name: entries[step.name] for step in steps}


def step_key(step: Step, entries: dict[str, Entry]) -> str:
    """Return the key of a step whose inputs are all there."""
    digests = {name: entries[name].digest for name in step.inputs}
    return key_of(step.work, step.config, digests, _device(step))


def gpu_there() -> bool:
    """Whether torch could find a GPU, without importing torch."""
    return Path("/dev/nvidiactl").exists() or sys.platform == "win32"


def _device(step: Step) -> str:
    return "cuda" if step.on_gpu and gpu_there() else "cpu"


class _Workers:
    """Worker processes, started when first needed, each driven by one thread."""

    def __init__(self, store: Store, n: int, report: Report) -> None:
        self.store, self.report, self.log = store, report, store.root / "workers.log"
        self.pool = ThreadPoolExecutor(n)
        self.idle: list[subprocess.Popen[str]] = []
        self.started: list[subprocess.Popen[str]] = []
        self.lock = threading.Lock()

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None and not issubclass(error, Exception):
            for process in self.started:
                process.kill()
        self.pool.shutdown(cancel_futures=True)
        for process in self.idle:
            assert process.stdin is not None
            process.stdin.close()
        for process in self.idle:
            process.wait()

    def submit(self, step: Step, key: str, entries: dict[str, Entry]) -> Future[None]:
        """Hand a step to the next free worker."""
        job = {
            "store": str(self.store.root.resolve()),
            "key": key,
            "name": step.name,
            "work": step.work,
            "config": step.config,
            "device": _device(step),
            "inputs": {n: str(entries[n].folder.resolve()) for n in step.inputs},
            "inputs_digests": {n: entries[n].digest for n in step.inputs},
            "files": step.files,
        }
        return self.pool.submit(self._work, step, job)

    def _work(self, step: Step, job: dict[str, Any]) -> None:
        self.report(step.name, "start", "")
        with self._worker() as process:
            assert process.stdin is not None and process.stdout is not None
            try:
                process.stdin.write(json.dumps(job) + "\n")
                process.stdin.flush()
                answer = self._listen(step, process)
            except BrokenPipeError:
                answer = None
        if answer is None:
            raise StepError(
                f"{step.name}: its process ended unexpectedly (killed, or out of memory; see {self.log}); "
                "run again to resume."
            )
        for note in answer.get("notes", []):
            self.report(step.name, "note", note)
        if answer["done"]:
            return
        if answer["user"]:
            raise InputError(f"{step.name}: {answer['error']}")
        log = self.store.root / "failed" / f"{job['key'][:16]}.log"
        storage.write_text(log, answer["traceback"])
        raise StepError(f"{step.name}: {answer['error']} (details in {log}).")

    def _listen(self, step: Step, process: subprocess.Popen[str]) -> dict[str, Any] | None:
        assert process.stdout is not None
        for line in process.stdout:
            message: dict[str, Any] = json.loads(line)
            if "progress" not in message:
                return message
            name, done, total = message["progress"]
            self.report(step.name, "progress", f"{name} {done}/{total}" if total else name)
        return None

    @contextmanager
    def _worker(self) -> Iterator[subprocess.Popen[str]]:
        with self.lock:
            if not self.idle:
                self.idle.append(_start(self.log))
                self.started.append(self.idle[-1])
            process = self.idle.pop()
        yield process
        if process.poll() is None:
            with self.lock:
                self.idle.append(process)


def _start(log: Path) -> subprocess.Popen[str]:
    log.parent.mkdir(parents=True, exist_ok=True)
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with log.open("ab") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "neurosim.study.engine.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | one | {"MPLBACKEND": "agg", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"},
        )
