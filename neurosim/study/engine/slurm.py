"""Steps for a queue of hours: one SLURM array job for each kind of step, each after those whose results it reads.

A job is a file that names a plan and a step; its key depends on results that are not there yet, so the worker computes
it when the job starts, from the store. Steps that are in the store, and jobs that wait or run, are not submitted again.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from neurosim import storage
from neurosim.refusals import InputError
from neurosim.study.engine.keys import digest_of
from neurosim.study.engine.launch import ENVIRONMENT, WORKER
from neurosim.study.engine.orders import Queued, write_plan, written
from neurosim.study.engine.scheduler import look_up
from neurosim.study.engine.step import Step
from neurosim.study.engine.store import Store

MOST_TASKS = 1000  # slurm's MaxArraySize is 1001 where nobody changed it
SUBMITTED = "submitted.json"
REPORT = "report"


@dataclass(frozen=True)
class Array:
    """One array job: the steps that its tasks make, the arrays of this study that it waits for, and its id in SLURM.

    The last one has no steps; it writes the results folder.
    """

    name: str
    steps: tuple[str, ...]
    after: tuple[str, ...] = ()
    job: str = ""


def submit_steps(
    steps: list[Step], store: Store, *, name: str, device: str, options: str, last: list[str]
) -> list[Array]:
    """Submit the steps that are not in the store, and after them the command `last`; return the array jobs.

    Parameters
    ----------
    steps : in an order in which they can run. store : on a file system that all nodes share.
    name : of the study, for SLURM and for the folder ``slurm/<name>`` of the store, where job files and logs go.
    device : "cpu" or "cuda". options : further options of sbatch, as typed.

    Raises
    ------
    InputError : SLURM is not here, or refuses.
    """
    for tool in ("sbatch", "squeue"):
        if shutil.which(tool) is None:
            raise InputError(f"submit: there is no {tool} here; submit on a machine with SLURM, or run with --launch.")
    home = store.root.resolve() / "slurm" / name
    home.mkdir(parents=True, exist_ok=True)
    with store.writing(f"slurm-{name}"):
        alive = _alive()  # before the store: what ends in between is found in it
        missing = [look.step.name for look in look_up(steps, store, device) if look.state != "hit"]
        identities = _identities(steps, device)
        known: dict[str, str] = storage.read_json(home / SUBMITTED) if (home / SUBMITTED).is_file() else {}
        queued = {s: known[identities[s]] for s in missing if known.get(identities[s]) in alive}
        arrays = arrays_of(steps, [s for s in missing if s not in queued])
        if not arrays:
            return []
        folder = _new_folder(home)
        write_plan(folder / "plan.json", steps)
        done: list[Array] = []
        for array in arrays:
            jobs = {a.name: a.job for a in done}
            inputs = {n for s in steps if s.name in array.steps for n in s.inputs}
            before = [jobs[n] for n in array.after] + [queued[n].partition("_")[0] for n in inputs & queued.keys()]
            for k, step in enumerate(array.steps):
                job = Queued(str(store.root.resolve()), device, str(folder / "plan.json"), step)
                storage.write_text(folder / array.name / f"{k}.json", written(job) + "\n")
            command = [*WORKER, f"{folder / array.name}/"]
            job_id = _sbatch(folder, f"{name}:{array.name}", command, before, options, len(array.steps))
            done.append(replace(array, job=job_id))
            known |= {identities[step]: f"{job_id}_{k}" for k, step in enumerate(array.steps)}
            storage.write_json(home / SUBMITTED, known)
        before = sorted({a.job for a in done} | {j.partition("_")[0] for j in queued.values()})
        job_id = _sbatch(folder, f"{name}:{REPORT}", last, before, options, 0)
        return [*done, Array(REPORT, (), tuple(a.name for a in done), job_id)]


def arrays_of(steps: list[Step], wanted: list[str]) -> list[Array]:
    """Return the arrays that make the steps `wanted`, in an order in which they can be submitted.

    An array holds the steps of one kind, the word before the colon; where a kind reads itself, also through others, it
    is divided into waves.

    Examples
    --------
    >>> steps = [Step("a:1", "m:f", {}), Step("b:1", "m:f", {}, ("a:1",)), Step("a:2", "m:f", {})]
    >>> [(array.name, array.steps, array.after) for array in arrays_of(steps, ["a:1", "b:1", "a:2"])]
    [('a', ('a:1', 'a:2'), ()), ('b', ('b:1',), ('a',))]
    """
    of = {s.name: s for s in steps if s.name in set(wanted)}
    reads: dict[str, set[str]] = defaultdict(set)
    depth: dict[str, int] = {}
    for step in of.values():
        inputs = [n for n in step.inputs if n in of]
        depth[step.name] = max((depth[n] + 1 for n in inputs), default=0)
        reads[_kind(step.name)] |= {_kind(n) for n in inputs}
    waves = {kind for kind in reads if kind in _all_read(kind, reads)}
    groups: dict[str, list[str]] = defaultdict(list)
    for name in of:
        kind = _kind(name)
        groups[f"{kind}-{depth[name]}" if kind in waves else kind].append(name)
    parts = {
        f"{group}.{k // MOST_TASKS}" if len(names) > MOST_TASKS else group: names[k : k + MOST_TASKS]
        for group, names in groups.items()
        for k in range(0, len(names), MOST_TASKS)
    }
    part_of = {name: part for part, names in parts.items() for name in names}
    after = {p: {part_of[i] for n in names for i in of[n].inputs if i in of} for p, names in parts.items()}
    order: list[Array] = []
    while len(order) < len(parts):
        placed = {a.name for a in order}
        order += [
            Array(p, tuple(names), tuple(sorted(after[p])))
            for p, names in parts.items()
            if p not in placed and after[p] <= placed
        ]
    return order


def _kind(name: str) -> str:
    return name.partition(":")[0]


def _all_read(kind: str, reads: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [kind]
    while waiting:
        new = reads.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def _identities(steps: list[Step], device: str) -> dict[str, str]:
    """Return what tells a step from those of other plans before its key is known."""
    found: dict[str, str] = {}
    for step in steps:
        found[step.name] = digest_of([asdict(step), device, [found[n] for n in step.inputs]])
    return found


def _alive() -> set[str]:
    """Return the tasks of the user's array jobs that wait or run, as "job_task"."""
    return set(_called(["squeue", "--me", "--noheader", "--array", "--format=%F_%K"]).split())


def _new_folder(home: Path) -> Path:
    number = max((int(p.name) for p in home.iterdir() if p.name.isdecimal()), default=0) + 1
    folder = home / str(number)
    (folder / "logs").mkdir(parents=True)
    return folder


def _sbatch(folder: Path, name: str, command: list[str], before: list[str], options: str, n_tasks: int) -> str:
    """Submit `command`, for arrays with the number of the task and ".json" behind it; return the job's id."""
    short = name.rpartition(":")[2]
    line = shlex.join(["exec", "env", *(f"{k}={v}" for k, v in ENVIRONMENT.items()), *command])
    script = folder / f"{short}.sh"
    storage.write_text(script, "#!/bin/sh\n" + line + ('"$SLURM_ARRAY_TASK_ID".json' if n_tasks else "") + "\n")
    log = folder / "logs" / (f"{short}-%a.log" if n_tasks else f"{short}.log")
    words = ["sbatch", "--parsable", f"--job-name={name}", f"--output={log}", "--kill-on-invalid-dep=yes"]
    words += [f"--array=0-{n_tasks - 1}"] if n_tasks else []
    words += [f"--dependency=afterok:{':'.join(sorted(set(before)))}"] if before else []
    return _called([*words, *_words(options), str(script)]).strip().partition(";")[0]


def _words(options: str) -> list[str]:
    try:
        return shlex.split(options)
    except ValueError as error:
        raise InputError(f"--slurm-options: {options!r} cannot be split into words ({error}).") from None


def _called(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"code {done.returncode}"
        raise InputError(f"submit: {words[0]} refuses: {said}")
    return done.stdout


def python_command(*words: str) -> list[str]:
    """Return the command line of this Python's neurosim."""
    return [sys.executable, "-m", "neurosim", *words]
