"""The process in which steps run: jobs come as lines of JSON on stdin, reports leave as lines of JSON.

It works in a private empty folder and ends by itself when the process that started it is gone.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import Any, TextIO

from neurosim import registry, runtime
from neurosim.schema import InputError
from neurosim.study.engine.step import Job
from neurosim.study.engine.store import Store


def main() -> None:
    """Serve jobs until stdin closes."""
    reports = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    jobs: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read_jobs, args=(jobs,), daemon=True).start()
    runtime.limit_threads(1)
    with tempfile.TemporaryDirectory(prefix="neurosim-", ignore_cleanup_errors=True) as private:
        os.chdir(private)
        while True:
            _say(reports, work(jobs.get(), reports))


def work(job: dict[str, Any], reports: TextIO) -> dict[str, Any]:
    """Make the entry of one job, unless another process has just made it, and return the report."""
    store, key = Store(Path(job["store"])), job["key"]
    notes = _collect_warnings()
    runtime.send_progress_to(lambda name, done, total: _say(reports, {"progress": [name, done, total]}))
    try:
        with store.writing(key):
            if store.find(key) is None:
                run = registry.called(job["work"])
                runtime.limit_threads(1)
                about = {k: job[k] for k in ("name", "work", "config", "inputs_digests", "device")}
                with store.new_entry(key, about | {"libraries": runtime.library_versions()}) as out:
                    inputs = {name: Path(path) for name, path in job["inputs"].items()}
                    files = {role: Path(path) for role, path in job["files"].items()}
                    run(Job(job["config"], inputs, files, out))
    except InputError as error:
        return {"done": False, "user": True, "error": str(error)}
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else ""
        return {
            "done": False,
            "user": False,
            "error": f"{type(error).__name__}: {reason}",
            "traceback": traceback.format_exc(),
        }
    return {"done": True, "notes": notes}


def _read_jobs(jobs: queue.SimpleQueue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        jobs.put(json.loads(line))
    os._exit(0)


def _say(reports: TextIO, message: dict[str, Any]) -> None:
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


if __name__ == "__main__":
    main()
