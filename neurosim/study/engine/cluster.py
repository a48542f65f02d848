"""Steps on a dask cluster: each task hands its job to a worker process on its machine and returns the answer.

A process of its own, because a step limits threads, seeds generators and changes the working folder, all of which tasks
in the threads of one dask worker would share; a step that is killed also leaves the dask worker alive. It is kept for
the next task of the same run, and of no other, whose code may be another.
"""

from __future__ import annotations

import importlib
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from neurosim.refusals import InputError
from neurosim.study.engine.launch import Launch, Processes, Told
from neurosim.study.engine.orders import Answer, Description, parse, written

ANSWERS, COMES = 5.0, 30.0  # seconds until a scheduler answers, until a first worker has come
FORGOTTEN = 60.0  # seconds after which processes end that no task has asked, as those of a run that was killed


class Dask:
    """The workers of the dask scheduler at `address`.

    Raises
    ------
    InputError : dask.distributed is not installed, nothing answers at the address, or there are no workers.
    """

    def __init__(self, launch: Launch, log: Path) -> None:
        self.who, self.log, self.run = launch.who, str(log.resolve()), uuid.uuid4().hex
        try:
            self.distributed: Any = importlib.import_module("distributed")
        except ImportError:
            raise InputError(f"{self.who}: dask.distributed is needed: pip install 'neurosim[cluster]'.") from None
        try:
            self.client = self.distributed.Client(launch.dask, timeout=ANSWERS, set_as_default=False)
        except (OSError, ValueError) as error:
            reason = (str(error).splitlines() or ["no answer"])[0]
            raise InputError(f"{self.who}: no dask scheduler answers there ({reason}).") from None
        try:
            self.client.wait_for_workers(1, timeout=COMES)
        except TimeoutError:
            self.close()
            raise InputError(f"{self.who}: the scheduler has no workers; start some with dask worker.") from None

    def do(self, order: Description, told: Told) -> Answer | None:
        """Submit a job and wait for the answer; how far a step is stays on its machine."""
        lost = (self.distributed.KilledWorker, self.distributed.client.FutureCancelledError)
        try:
            future = self.client.submit(answer_of_worker, written(order), self.log, self.run, pure=False)
            answer: Answer | None = future.result()
        except lost:
            return None
        except ModuleNotFoundError as error:
            raise InputError(f"{self.who}: its workers lack {error.name}; install neurosim there.") from None
        return answer

    def close(self) -> None:
        """Let the processes of this run end, and leave the cluster."""
        with suppress(OSError, TimeoutError):
            self.client.run(let_go, self.run, on_error="ignore")
            self.client.close()

    def kill(self) -> None:
        """Leave the cluster; it drops the tasks that nobody waits for."""
        self.close()


class Kept:
    """Worker processes of one run on this machine, until it is over or no task has asked them for a while."""

    def __init__(self, run: str, log: Path) -> None:
        self.run, self.processes = run, Processes("", log)
        self.lock, self.asking, self.over = threading.Lock(), 0, False
        self.forgotten = self._timer()

    def answer(self, order: Description) -> Answer | None:
        """Hand a job to one of them and return its answer."""
        with self.lock:
            self.asking += 1
            self.forgotten.cancel()
        try:
            return self.processes.do(order, lambda _: None)
        finally:
            with self.lock:
                self.asking -= 1
                self.forgotten.cancel()
                self.forgotten = self._timer()
                if not self.over:
                    self.forgotten.start()
                elif not self.asking:
                    self.processes.close()

    def end(self) -> None:
        """Let those end that do nothing, and the others when they have answered."""
        with self.lock:
            self.over = True
            self.forgotten.cancel()
            if not self.asking:
                self.processes.close()

    def _timer(self) -> threading.Timer:
        timer = threading.Timer(FORGOTTEN, let_go, (self.run,))
        timer.daemon = True
        return timer


kept: dict[str, Kept] = {}
keeping = threading.Lock()


def answer_of_worker(text: str, log: str, run: str) -> Answer | None:
    """Hand the job that `text` describes to a worker process of a run here, and return its answer."""
    with keeping:
        mine = kept.setdefault(run, Kept(run, Path(log)))
    return mine.answer(parse(text, "dask"))


def let_go(run: str) -> None:
    """Let the processes of a run end here."""
    with keeping:
        mine = kept.pop(run, None)
    if mine is not None:
        threading.Thread(target=mine.end).start()
