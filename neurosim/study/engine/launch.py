"""Where the steps of a study run: worker processes here, behind any command, or on the machines of a dask cluster."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from neurosim import storage
from neurosim.refusals import InputError, suggest
from neurosim.study.engine.orders import DEVICES, Answer, Description, written

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
ENVIRONMENT = ONE_THREAD | {"MPLBACKEND": "agg", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
WORKER = (sys.executable, "-m", "neurosim.study.engine.worker")
SERVE = "--serve"
STEP_BEGINS = b"\x1eneurosim-step "  # then the name of a step, on a line of standard error that is not for people
PATIENCE = 5.0
ADDRESS = re.compile(r"[a-z]+://[^\s/]+:\d+")
CUDA_BUILD = re.compile(r"^cuda\b[^=]*= *['\"]", re.MULTILINE)
Told = Callable[[str], None]


@dataclass(frozen=True)
class Launch:
    """Where steps run, and on what device.

    Parameters
    ----------
    prefix : command in front of each worker, such as "srun -n1 -c2" or "ssh node2"; none starts them on this machine.
        One that ends in "worker" is taken whole, as of containers with a Python of their own.
    dask : address of a dask scheduler, ``"tcp://host:8786"``.
    device : "cpu", "cuda", or "auto" for a GPU where there is one.

    Raises
    ------
    InputError : an unknown device, a command that cannot be split, or both ways at once.

    Examples
    --------
    >>> ns.study.Launch("srun -n1 -c2", device="cuda").device
    'cuda'
    """

    prefix: str = ""
    dask: str = ""
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.device not in ("auto", *DEVICES):
            known = ("auto", *DEVICES)
            hint = suggest(self.device, known)
            raise InputError(f"--device: {self.device!r} is not known; known: {', '.join(known)}.{hint}")
        if self.prefix and self.dask:
            raise InputError("--launch and --dask were both given; steps run in one way or the other.")
        if self.dask and not ADDRESS.fullmatch(self.dask):
            raise InputError(f"--dask: {self.dask!r} is no address of a scheduler, such as tcp://host:8786.")
        try:
            shlex.split(self.prefix)
        except ValueError as error:
            raise InputError(f"--launch: {self.prefix!r} cannot be split into words ({error}).") from None

    @property
    def who(self) -> str:
        """How an error calls the side that works."""
        return f"--dask {self.dask}" if self.dask else f"--launch {self.prefix!r}"


HERE = Launch()


class Runner(Protocol):
    """What makes steps, called by several threads at once."""

    def do(self, order: Description, told: Told) -> Answer | None:
        """Return the answer of a worker, or None where it ended without one; `told` hears how far it is."""

    def close(self) -> None:
        """Let the workers end."""

    def kill(self) -> None:
        """End the workers at once."""


class Processes:
    """Worker processes, started when they are first needed and kept for the next step.

    What they write to standard error stands in `log`, line by line, after the name of the step that wrote it.
    """

    def __init__(self, prefix: str, log: Path) -> None:
        self.prefix, self.log = prefix, log
        self.command = command(prefix)
        self.idle: list[subprocess.Popen[str]] = []
        self.started: list[subprocess.Popen[str]] = []
        self.lock = threading.Lock()
        self.listening: list[threading.Thread] = []
        self.ended = False

    def do(self, order: Description, told: Told) -> Answer | None:
        """Hand a job to a free worker and listen."""
        with self._worker() as process:
            if process is None:
                return None
            assert process.stdin is not None and process.stdout is not None
            with suppress(BrokenPipeError):
                process.stdin.write(written(order) + "\n")
                process.stdin.flush()
                for line in process.stdout:
                    message = _message(line)
                    if "progress" in message:
                        name, done, total = message["progress"]
                        told(f"{name} {done}/{total}" if total else name)
                    elif "done" in message:
                        return message
            _end(process)
            return None

    def close(self) -> None:
        """Let idle workers end and wait for them."""
        for process in self.idle:
            assert process.stdin is not None
            process.stdin.close()
        for process in self.idle:
            process.wait()
        for thread in self.listening:
            thread.join(PATIENCE)

    def kill(self) -> None:
        """End all workers and start no other; what stands in front of them is asked, so that it can end its side."""
        with self.lock:
            self.ended = True
        for process in self.started:
            process.terminate() if self.prefix else process.kill()
        for process in self.started:
            _end(process)

    @contextmanager
    def _worker(self) -> Iterator[subprocess.Popen[str] | None]:
        """Take a free worker, or start one; none when all were ended."""
        with self.lock:
            process = None if self.ended else self.idle.pop() if self.idle else self._start()
        yield process
        if process is not None and process.poll() is None:
            with self.lock:
                self.idle.append(process)

    def _start(self) -> subprocess.Popen[str]:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        said, errors = os.pipe()
        thread = threading.Thread(target=_write_down, args=(said, self.log), daemon=True)
        thread.start()
        try:
            process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=os.environ | ENVIRONMENT,
            )
        except OSError as error:
            raise InputError(f"--launch: {self.command[0]!r} cannot be started ({error.strerror}).") from None
        finally:
            os.close(errors)
        self.started.append(process)
        self.listening.append(thread)
        return process


def _write_down(said: int, log: Path) -> None:
    """Write the lines that a worker says to a log, each whole, after the name of the step that it told before them."""
    step = b""
    with os.fdopen(said, "rb") as lines, log.open("ab", buffering=0) as file:
        for line in lines:
            text, begins, name = line.rstrip(b"\n").partition(STEP_BEGINS)
            if text or not begins:
                file.write(step + text + b"\n")
            step = name + b": " if begins else step


def command(prefix: str) -> list[str]:
    """Return the words that start a worker; the threads are limited before it loads anything.

    Examples
    --------
    >>> command("srun -n1")[:3]
    ['srun', '-n1', 'env']
    """
    words = shlex.split(prefix)
    if not words:
        return [*WORKER, SERVE]
    if words[-1] == "worker":
        return [*words, SERVE]
    return [*words, "env", *(f"{k}={v}" for k, v in ENVIRONMENT.items()), *WORKER, SERVE]


def gpu_there() -> bool:
    """Whether torch could find a GPU, without importing torch."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    return (Path("/dev/nvidiactl").exists() or sys.platform == "win32") and _torch_for_gpus()


def _torch_for_gpus() -> bool:
    found = importlib.util.find_spec("torch")
    version = Path(found.origin).with_name("version.py") if found and found.origin else None
    return version is not None and version.is_file() and CUDA_BUILD.search(storage.read_text(version)) is not None


def local_device(device: str) -> str:
    """Return "cpu" or "cuda" for what was asked of this machine."""
    return device if device != "auto" else "cuda" if gpu_there() else "cpu"


def _message(line: str) -> Answer:
    """Return a line of a worker; what a login shell or a launcher prints in between counts as nothing."""
    try:
        message: Answer = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def _end(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
