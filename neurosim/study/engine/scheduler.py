"""Run the steps of a plan: what is in the store is taken, the rest is made, several at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from neurosim import storage
from neurosim.refusals import InputError
from neurosim.study.engine.keys import key_of
from neurosim.study.engine.launch import HERE, Launch, local_device
from neurosim.study.engine.orders import Order
from neurosim.study.engine.start import started
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


def look_up(steps: list[Step], store: Store, device: str = "auto", *, only: str | None = None) -> list[Look]:
    """Return, for every step, whether its result is in the store. Runs nothing.

    Parameters
    ----------
    steps : in an order in which they can run. store : where results are.
    device : the one that the steps run on; "auto" is that of this machine.
    only : name of the one step to look up, with all that it depends on.
    """
    device = local_device(device)
    steps = steps if only is None else _leading_to(only, steps)
    entries: dict[str, Entry] = {}
    looks = []
    for step in steps:
        if all(name in entries for name in step.inputs):
            entry = store.find(step_key(step, entries, device))
            if entry is not None:
                entries[step.name] = entry
            looks.append(Look(step, "hit" if entry else "miss", entry))
        else:
            looks.append(Look(step, "waits"))
    return looks


def run_steps(steps: list[Step], store: Store, *, jobs: int, report: Report, launch: Launch = HERE) -> dict[str, Entry]:
    """Run all steps, `jobs` at once, where `launch` says, and return their entries by name.

    Raises
    ------
    InputError : a step found that what the user asked cannot be done.
    StepError : a step failed; what was finished stays in the store.
    """
    entries: dict[str, Entry] = {}
    waiting = {s.name: s for s in steps}
    running: dict[Future[None], tuple[Step, str]] = {}
    problem: Exception | None = None
    with _Workers(store, jobs, report, launch, steps) as workers:
        while waiting or running:
            for step in [s for s in waiting.values() if all(n in entries for n in s.inputs)] if problem is None else []:
                del waiting[step.name]
                key = step_key(step, entries, workers.device)
                found = store.find(key)
                if found is not None:
                    entries[step.name] = found
                    report(step.name, "hit", "")
                else:
                    running[workers.submit(step, entries)] = (step, key)
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


def _leading_to(name: str, steps: list[Step]) -> list[Step]:
    """Return a step and all that it depends on, in their order."""
    wanted = {name}
    for step in reversed(steps):
        if step.name in wanted:
            wanted.update(step.inputs)
    return [s for s in steps if s.name in wanted]


def step_key(step: Step, entries: dict[str, Entry], device: str) -> str:
    """Return the key of a step whose inputs are all there; `device` counts for steps that can run on a GPU."""
    digests = {name: entries[name].digest for name in step.inputs}
    return key_of(step.work, step.config, digests, _device(step, device))


def order_of(step: Step, entries: dict[str, Entry], store: Store, device: str) -> Order:
    """Return the job description of a step whose inputs are all there."""
    return Order(
        store=str(store.root.resolve()),
        key=step_key(step, entries, device),
        name=step.name,
        work=step.work,
        config=step.config,
        device=_device(step, device),
        inputs={n: str(entries[n].folder.resolve()) for n in step.inputs},
        inputs_digests={n: entries[n].digest for n in step.inputs},
        files=step.files,
    )


def _device(step: Step, device: str) -> str:
    return device if step.on_gpu else "cpu"


class _Workers:
    """Threads that hand steps to what makes them and turn answers into errors."""

    def __init__(self, store: Store, n: int, report: Report, launch: Launch, steps: list[Step]) -> None:
        self.store, self.report, self.log = store, report, store.root / "workers.log"
        works = [s.work for s in steps]
        self.runner, self.device = started(
            launch, store.root, self.log, works, lambda text: report(launch.who, "note", text)
        )
        self.pool = ThreadPoolExecutor(n)

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None and not issubclass(error, Exception):
            self.runner.kill()
        self.pool.shutdown(cancel_futures=True)
        self.runner.close()

    def submit(self, step: Step, entries: dict[str, Entry]) -> Future[None]:
        """Hand a step to the next free worker."""
        return self.pool.submit(self._work, step, order_of(step, entries, self.store, self.device))

    def _work(self, step: Step, order: Order) -> None:
        self.report(step.name, "start", "")
        answer = self.runner.do(order, lambda text: self.report(step.name, "progress", text))
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
        log = self.store.root / "failed" / f"{order.key[:16]}.log"
        storage.write_text(log, answer["traceback"])
        raise StepError(f"{step.name}: {answer['error']} (details in {log}).")
