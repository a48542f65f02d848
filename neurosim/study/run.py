"""Run a study from its file to its results folder."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurosim import storage
from neurosim.schema import suggest
from neurosim.study.config import Study, StudyError, builtin, load_study, parse_study
from neurosim.study.engine.launch import HERE, Launch
from neurosim.study.engine.scheduler import Look, Report, look_up, run_steps, silent
from neurosim.study.engine.store import Store
from neurosim.study.folder import MANIFEST, assemble, replaceable
from neurosim.study.graph import check_files, input_files, plan

STORE = ".steps"
BUILTIN_STUDIES = ("digits", "object_vision")


@dataclass(frozen=True)
class Outcome:
    """Where the results of a run are, and how many of its steps were already in the store."""

    folder: Path
    report: Path
    n_steps: int
    n_hits: int


def find_study(name: str | Path) -> Path:
    """Return the study file called `name`: a path, or the name of a built-in study.

    Raises
    ------
    StudyError : neither is there.
    """
    path = Path(name)
    if path.is_file():
        return path
    found = builtin("analyses", f"{name}/study.toml")
    if found is None:
        hint = suggest(str(name), BUILTIN_STUDIES)
        raise StudyError(f"{name}: no such study file, nor a built-in study ({', '.join(BUILTIN_STUDIES)}).{hint}")
    return found


def study_status(path: str | Path, *, out: str | Path | None = None, device: str = "auto") -> dict[str, Any]:
    """Return how many steps of a study are done, where its results folder is, and whether that is whole."""
    looks = check_study(path, out=out, device=device)
    folder = results_folder(read_study(Path(path))[0], out)
    manifest = folder / MANIFEST
    whole = not storage.damaged_files(folder) if manifest.is_file() else None
    return {"hits": sum(x.state == "hit" for x in looks), "steps": len(looks), "folder": str(folder), "whole": whole}


def read_study(path: Path) -> tuple[Study, str]:
    """Return a study and the text of its file; ``resolved.json`` of a results folder is a study too."""
    if path.suffix == ".json":
        return parse_study(storage.read_json(path), path.name), storage.read_text(path)
    return load_study(path), storage.read_text(path)


def check_study(path: str | Path, *, out: str | Path | None = None, device: str = "auto") -> list[Look]:
    """Return every step of a study with what the store has of it, for steps run on `device`. Runs nothing."""
    path = Path(path)
    study, _ = read_study(path)
    check_files(study, path.parent)
    return look_up(plan(study, path.parent), Store(store_of(results_folder(study, out))), Launch(device=device).device)


def run_study(
    path: str | Path,
    *,
    out: str | Path | None = None,
    store: str | Path | None = None,
    jobs: int | None = None,
    launch: Launch = HERE,
    report: Report = silent,
) -> Outcome:
    """Run a study file; steps whose result is in the store are taken from there.

    Parameters
    ----------
    path : the study file.
    out : results folder; ``results/<name>`` by default.
    store : folder of step results; ``.steps`` beside the results folder by default.
    jobs : how many steps run at once; the number of cores by default.
    launch : where they run, and on what device; in processes on this machine by default.
    report : called with (step, event, text) as the run goes on.

    Raises
    ------
    InputError : something in the study cannot be done. StepError : a step failed; nothing finished is lost.
    """
    path = Path(path)
    study, text = read_study(path)
    folder = results_folder(study, out)
    replaceable(folder)
    storage.check_writable(folder.parent)
    if folder.exists():
        storage.check_writable(folder)
    check_files(study, path.parent)
    steps = plan(study, path.parent)
    root = Path(store) if store else store_of(folder)
    storage.check_writable(root)
    for place in root.glob("[0-9a-f][0-9a-f]"):
        storage.remove_leftovers(place)
    jobs = jobs or os.cpu_count() or 1
    n_hits = 0
    report(study.name, "steps", str(len(steps)))

    def count(step: str, event: str, message: str) -> None:
        nonlocal n_hits
        n_hits += event == "hit"
        report(step, event, message)

    entries = run_steps(steps, Store(root), jobs=jobs, report=count, launch=launch)
    with Store(root).writing(f"folder-{folder.name}"):
        page = assemble(study, text, input_files(study, path.parent), steps, entries, folder)
    return Outcome(folder, page, len(steps), n_hits)


def results_folder(study: Study, out: str | Path | None) -> Path:
    """Return the results folder of a study."""
    return Path(out) if out else Path("results") / study.name


def store_of(folder: Path) -> Path:
    """Return the store beside a results folder."""
    return folder.parent / STORE


def fresh_store() -> tempfile.TemporaryDirectory[str]:
    """Return an empty store that vanishes, to recompute without any memory."""
    return tempfile.TemporaryDirectory(prefix="neurosim-store-")
