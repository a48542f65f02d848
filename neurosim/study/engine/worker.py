"""The process in which steps run: job descriptions come as JSON, reports leave as lines of JSON on stdout.

One job comes from a file or from standard input, and the process ends with the code of its step: 0 done, 2 something
the user can mend, 3 failed. With ``--serve``, jobs come as lines until standard input closes; then it ends, whatever it
is doing. It works in a private empty folder, which holds the temporary files of the step too and vanishes with it.
"""

from __future__ import annotations

import io
import json
import logging
import os
import queue
import shutil
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from filelock import FileLock, Timeout

from neurosim import registry, runtime, storage
from neurosim.refusals import InputError
from neurosim.study.engine.keys import source_digest
from neurosim.study.engine.launch import ENVIRONMENT, SERVE, STEP_BEGINS, gpu_there
from neurosim.study.engine.locks import held
from neurosim.study.engine.orders import Answer, Order, Question, Queued, Side, parse, read_plan
from neurosim.study.engine.scheduler import Look, look_up, order_of
from neurosim.study.engine.seal import MadeFrom
from neurosim.study.engine.step import Job
from neurosim.study.engine.store import Store

DONE, USER_ERROR, STEP_ERROR = 0, 2, 3
PRIVATE = "neurosim-worker-"
A_MINUTE = 60.0
OFTEN, SELDOM = 0.1, 10.0  # seconds between reports of progress


def _serve() -> None:
    """Do jobs, a line each, until standard input closes."""
    reports = _stdout()
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    with _private_folder() as folder:
        threading.Thread(target=_read_jobs, args=(jobs, folder), daemon=True).start()
        while True:
            job = jobs.get()
            _tell_step(job)
            found = answer(job, "standard input", reports)
            _flush()
            _say(reports, found)


def _tell_step(text: str) -> None:
    """Say on standard error which step what follows is from."""
    with suppress(InputError):
        name = getattr(parse(text, "standard input"), "name", "")
        os.write(2, STEP_BEGINS + name.encode() + b"\n")


def _work_once(file: Path | None) -> int:
    """Do the one job that `file`, or standard input, describes; return the code to end with."""
    text, source = (storage.read_text(file), str(file)) if file else (_standard_input(), "standard input")
    reports = _stdout()
    with _private_folder():
        found = answer(text, source, reports, every=SELDOM)
        _say(reports, found)
    if found["done"]:
        return DONE
    sys.stderr.write(found.get("traceback", ""))
    sys.stderr.write(f"neurosim: {' '.join(found['error'].split())}\n")
    return USER_ERROR if found["user"] else STEP_ERROR


def answer(text: str, source: str, reports: TextIO, *, every: float = OFTEN) -> Answer:
    """Do the job that `text` describes and return the report; progress goes out at most once in `every` seconds."""
    notes = _collect_warnings()
    _send_progress(reports, every)
    try:
        job = parse(text, source)
        if isinstance(job, Question):
            return {"done": True, "about": about_here(job)}
        order = _resolved(job) if isinstance(job, Queued) else job
        if order is not None:
            make(order)
    except InputError as error:
        return {"done": False, "user": True, "error": str(error)}
    except SystemExit as error:
        return {"done": False, "user": True, "error": f"it called sys.exit({error.code!r}); it has to return."}
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else ""
        return {
            "done": False,
            "user": False,
            "error": f"{type(error).__name__}: {reason}",
            "traceback": traceback.format_exc(),
        }
    return {"done": True, "notes": notes}


def make(order: Order) -> None:
    """Make the entry of a step, unless another process has just made it."""
    store = Store(Path(order.store))
    with store.writing(order.key):
        if store.find(order.key) is not None:
            return
        runtime.use_device(order.device)
        run = registry.called(order.work)
        runtime.limit_threads(1)
        about: MadeFrom = {
            "name": order.name,
            "work": order.work,
            "config": order.config,
            "inputs_digests": order.inputs_digests,
            "device": order.device,
            "libraries": runtime.library_versions(),
        }
        with store.new_entry(order.key, about) as out:
            inputs = {name: Path(path) for name, path in order.inputs.items()}
            files = {role: Path(path) for role, path in order.files.items()}
            run(Job(order.config, inputs, files, out))


def about_here(question: Question) -> Side:
    """Return what this side has."""
    return {
        "host": socket.gethostname(),
        "device": "cuda" if gpu_there() else "cpu",
        "libraries": runtime.library_versions(),
        "sources": {work: source_digest(work.partition(":")[0]) for work in question.works},
        "store": storage.is_folder(Path(question.store)),
    }


def _resolved(job: Queued) -> Order | None:
    """Return the order of a step whose inputs are in the store by now; None if its own result is there too."""
    plan = read_plan(Path(job.plan))
    steps = plan.steps
    if job.step not in steps:
        raise InputError(f"{job.plan}: no step {job.step!r} in this plan; submit the study again.")
    store = Store(Path(job.store))
    looks = {look.step.name: look for look in look_up(list(steps.values()), store, job.device, only=job.step)}
    look: Look = looks[job.step]
    if look.state == "waits":
        absent = [name for name in steps[job.step].inputs if looks[name].entry is None]
        raise InputError(
            f"{job.step}: the results of {', '.join(absent)} are not in the store; submit the study again."
        )
    if look.state == "hit":
        return None
    plan.check_files(job.step)
    entries = {name: looks[name].entry for name in steps[job.step].inputs}
    return order_of(look.step, {n: e for n, e in entries.items() if e is not None}, store, job.device)


def _stdout() -> TextIO:
    """Return standard output for reports alone; whatever else is printed goes to standard error."""
    reports = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # so that lines of both streams stay whole, and in their order
    return reports


def _flush() -> None:
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()


def _standard_input() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError:
        raise InputError("standard input: not a job description, it is no text.") from None


def _read_jobs(jobs: queue.SimpleQueue[str], private: Path) -> None:
    with suppress(UnicodeDecodeError):
        for line in sys.stdin:
            jobs.put(line)
    os.chdir(private.parent)
    shutil.rmtree(private, ignore_errors=True)
    os._exit(0)


@contextmanager
def _private_folder() -> Iterator[Path]:
    """Work, and keep temporary files, in a folder that vanishes; remove those of workers that were killed."""
    os.environ.update(ENVIRONMENT)
    runtime.limit_threads(1)
    with tempfile.TemporaryDirectory(prefix=f"{PRIVATE}{os.getpid()}-", ignore_cleanup_errors=True) as name:
        folder, before = Path(name), tempfile.tempdir
        with held(folder / ".alive"):
            for left in folder.parent.glob(f"{PRIVATE}*"):
                _remove_if_left(left)
            (folder / "work").mkdir()
            os.chdir(folder / "work")
            tempfile.tempdir = str(folder)
            try:
                yield folder
            finally:
                tempfile.tempdir = before
                os.chdir(folder.parent)


def _remove_if_left(folder: Path) -> None:
    with suppress(OSError, Timeout, NotImplementedError):
        own = not hasattr(os, "getuid") or folder.lstat().st_uid == os.getuid()
        if own and time.time() - folder.lstat().st_mtime > A_MINUTE:
            with FileLock(folder / ".alive", timeout=0, fallback_to_soft=False):
                shutil.rmtree(folder, ignore_errors=True)


def _send_progress(reports: TextIO, every: float) -> None:
    last = time.monotonic()

    def told(name: str, done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= every:
            last = time.monotonic()
            _say(reports, {"progress": (name, done, total)})

    runtime.send_progress_to(told)


def _say(reports: TextIO, message: Answer) -> None:
    reports.write(json.dumps(message) + "\n")


class _Collector(logging.Handler):
    def __init__(self, notes: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.notes = notes

    def emit(self, record: logging.LogRecord) -> None:
        self.notes.append(record.getMessage())


def _collect_warnings() -> list[str]:
    notes: list[str] = []
    logger = logging.getLogger("neurosim")
    logger.handlers = [_Collector(notes)]
    logger.propagate = False
    return notes


def do_job(file: Path | None = None, *, serve: bool = False) -> int:
    """Do the job that a file, or standard input, describes and return the code to end the process with.

    Parameters
    ----------
    file : a job description, JSON; standard input by default.
    serve : whether jobs come as lines until standard input closes; then this does not return.

    Returns
    -------
    0 done, 2 something the user can mend, 3 the step failed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as place:
    ...     file = Path(place, "job.json")
    ...     _ = file.write_text("no job")
    ...     ns.study.do_job(file)
    2
    """
    if serve:
        _serve()
    try:
        return _work_once(file)
    except InputError as error:
        sys.stderr.write(f"neurosim: {error}\n")
        return USER_ERROR


if __name__ == "__main__":
    words = sys.argv[1:]
    sys.exit(do_job(Path(words[0]) if words and words != [SERVE] else None, serve=words == [SERVE]))
