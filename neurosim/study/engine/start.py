"""Start what makes the steps of a study, here or elsewhere, and ask an other side once what it has."""

from __future__ import annotations

from pathlib import Path

from neurosim import runtime
from neurosim.refusals import InputError
from neurosim.study.engine.cluster import Dask
from neurosim.study.engine.keys import source_digest
from neurosim.study.engine.launch import Launch, Processes, Runner, Told, local_device
from neurosim.study.engine.orders import Question, Side


def started(launch: Launch, store: Path, log: Path, works: list[str], told: Told) -> tuple[Runner, str]:
    """Return what makes steps where `launch` says, and the device that they run on, "cpu" or "cuda".

    The other side of a launcher is asked once what it has.

    Raises
    ------
    InputError : it cannot be reached, sees another store, or has other versions or another source than this side.
    """
    runner: Runner = Dask(launch, log) if launch.dask else Processes(launch.prefix, log)
    if launch == Launch(device=launch.device):
        return runner, local_device(launch.device)
    try:
        there = _asked(runner, launch, Question(str(store.resolve()), sorted(set(works))), log)
    except BaseException:
        runner.kill()
        raise
    device = there["device"] if launch.device == "auto" else launch.device
    told(f"the steps run on {there['host']}, device {device}.")
    return runner, device


def _asked(runner: Runner, launch: Launch, question: Question, log: Path) -> Side:
    at = log.stat().st_size if log.exists() else 0
    answer = runner.do(question, lambda _: None)
    if answer is None:
        said = log.read_bytes()[at:].decode(errors="replace").split("\n") if log.exists() else []
        last = next((line.strip() for line in reversed(said) if line.strip()), "it said nothing")
        raise InputError(f"{launch.who}: ended before its worker answered ({last}).")
    if not answer["done"]:
        raise InputError(f"{launch.who}: {answer['error']}")
    there = answer["about"]
    if not there["store"]:
        raise InputError(
            f"{launch.who}: {there['host']} does not see {question.store}; results go through that folder."
        )
    for name, version in runtime.library_versions().items():
        if there["libraries"].get(name) != version:
            found = there["libraries"].get(name, "none")
            raise InputError(
                f"{launch.who}: {there['host']} has {name} {found}, here it is {version}; install the same."
            )
    for work, digest in there["sources"].items():
        if source_digest(work.partition(":")[0]) != digest:
            raise InputError(f"{launch.who}: {there['host']} has another source of {work}; install the same neurosim.")
    return there
