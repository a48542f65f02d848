"""Steps on a dask cluster: each task starts a worker process on its machine, hands it the job and returns its answer.

A process of its own, because a step limits threads, seeds generators and changes the working folder, all of which tasks
in the threads of one dask worker would share; a step that is killed also leaves the dask worker alive.
"""

from __future__ import annotations

import importlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from neurosim.refusals import InputError
from neurosim.study.engine.launch import Launch, Processes, Told
from neurosim.study.engine.orders import Answer, Description, parse, written

ANSWERS, COMES = 5.0, 30.0  # seconds until a scheduler answers, until a first worker has come


class Dask:
    """The workers of the dask scheduler at `address`.

    Raises
    ------
    InputError : dask.distributed is not installed, nothing answers at the address, or there are no workers.
    """

    def __init__(self, launch: Launch, log: Path) -> None:
        self.who, self.log = launch.who, str(log.resolve())
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
            future = self.client.submit(answer_of_worker, written(order), self.log, pure=False)
            answer: Answer | None = future.result()
        except lost:
            return None
        except ModuleNotFoundError as error:
            raise InputError(f"{self.who}: its workers lack {error.name}; install neurosim there.") from None
        return answer

    def close(self) -> None:
        """Leave the cluster."""
        with suppress(OSError, TimeoutError):
            self.client.close()

    def kill(self) -> None:
        """Leave the cluster; it drops the tasks that nobody waits for."""
        self.close()


def answer_of_worker(text: str, log: str) -> Answer | None:
    """Hand the job that `text` describes to a worker process here, and return its answer; it ends with its caller."""
    processes = Processes("", Path(log))
    try:
        return processes.do(parse(text, "dask"), lambda _: None)
    finally:
        processes.close()
