"""Run the steps of a plan: what is in the store is taken, the rest is made, several at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

from neurosim import storage
from neurosim.refusals import InputError
from neurosim.study.engine import keys
from neurosim.study.engine.keys import key_of
from neurosim.study.engine.launch import HERE, Launch, local_device
from neurosim.study.engine.orders import Answer, Order
from neurosim.study.engine.start import started
from neurosim.study.engine.step import Step
from neurosim.study.engine.store import Entry, Store

Report = Callable[[str, str, str], None]


def silent(_step: str, _event: str, _text: str) -> None:
    """Report nothing."""


class StepError(RuntimeError):
    """A step failed for a reason that is not the user's."""

    exit_code = 3


@dataclass(frozen=True, repr=False)
class Look:
    """What the store says of a step: "hit", "miss", or "waits" when it depends on a miss."""

    step: Step
    state: str
    entry: Entry | None = None

    def __repr__(self) -> str:
        """Return the step and its state."""
        return f"<{self.step.name}: {self.state}>"


def look_up(steps: list[Step], store: Store, device: str = "auto", *, only: str | None = None) -> list[Look]:
    """Return, for every step, whether its result is in the store. Runs nothing.

    Parameters
    ----------
    steps : in an order in which they can run. store : where results are.
    device : the one that the steps run on; "auto" is that of this machine.
    only : name of the one step to look up, with all that it depends on.
    """
    keys.forget()
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
    keys.forget()
    queue = _Queue(steps)
    running: dict[Future[None], tuple[Step, str]] = {}
    finished: SimpleQueue[Future[None]] = SimpleQueue()
    problem: Exception | None = None
    with _Workers(store, jobs, report, launch, steps) as workers:
        while queue.ready or running:
            while queue.ready and problem is None:
                step = queue.ready.popleft()
                key = step_key(step, queue.entries, workers.device)
                found = store.find(key)
                if found is not None:
                    queue.done(step, found)
                    report(step.name, "hit", "")
                else:
                    future = workers.submit(step, key, queue.entries)
                    running[future] = (step, key)
                    future.add_done_callback(finished.put)
            if not running:
                break
            future = finished.get()
            if future not in running:
                continue
            step, key = running.pop(future)
            try:
                future.result()
                entry = store.find(key)
                if entry is None:
                    raise StepError(f"{step.name}: its result is gone or damaged right after it was made.")
                queue.done(step, entry)
                report(step.name, "done", f"{entry.record['seconds']:.1f} s")
            except (InputError, StepError) as error:
                problem = problem or error
                report(step.name, "failed", "")
                for future in [f for f in running if f.cancel()]:
                    del running[future]
    if problem is not None:
        raise problem
    return {step.name: queue.entries[step.name] for step in steps}


class _Queue:
    """The steps that can run now; each is counted down as what it reads is done, so that all take linear time."""

    def __init__(self, steps: list[Step]) -> None:
        self.entries: dict[str, Entry] = {}
        self.missing = {s.name: len(set(s.inputs)) for s in steps}
        self.readers: dict[str, list[Step]] = {}
        for step in steps:
            for name in dict.fromkeys(step.inputs):
                self.readers.setdefault(name, []).append(step)
        self.ready = deque(s for s in steps if not self.missing[s.name])

    def done(self, step: Step, entry: Entry) -> None:
        self.entries[step.name] = entry
        for reader in self.readers.get(step.name, ()):
            self.missing[reader.name] -= 1
            if not self.missing[reader.name]:
                self.ready.append(reader)


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


def order_of(step: Step, entries: dict[str, Entry], store: Store, device: str, key: str = "") -> Order:
    """Return the job description of a step whose inputs are all there, and of its key where that is known already."""
    return Order(
        store=str(store.root.resolve()),
        key=key or step_key(step, entries, device),
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
        self.stopped = False

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None and not issubclass(error, Exception):
            self.stopped = True
            self.runner.kill()
        self.pool.shutdown(cancel_futures=True)
        self.runner.close()

    def submit(self, step: Step, key: str, entries: dict[str, Entry]) -> Future[None]:
        """Hand a step to the next free worker."""
        return self.pool.submit(self._work, step, order_of(step, entries, self.store, self.device, key))

    def _work(self, step: Step, order: Order) -> None:
        self.report(step.name, "start", "")
        answer = self._answer(step, order)
        if answer is None and not self.stopped:
            self.report(step.name, "note", "its process ended unexpectedly; it is tried once more.")
            answer = self._answer(step, order)
        if answer is None:
            raise StepError(
                f"{step.name}: its process ended unexpectedly twice (killed, or out of memory; see {self.log}); "
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

    def _answer(self, step: Step, order: Order) -> Answer | None:
        return self.runner.do(order, lambda text: self.report(step.name, "progress", text))
