"""Run a study from its file or record to its results folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from neurosim import storage
from neurosim.study.engine.launch import HERE, Launch
from neurosim.study.engine.scheduler import Look, Report, look_up, run_steps, silent
from neurosim.study.engine.store import Store
from neurosim.study.files import find_study, load_study
from neurosim.study.folder import MANIFEST, assemble, replaceable
from neurosim.study.functions import check_no_file_is_imported, functions_in, module_of
from neurosim.study.outcome import Outcome
from neurosim.study.plan import check_files, input_files, plan
from neurosim.study.study import Study, checked, moved_to
from neurosim.study.tables import StudyError

STORE = ".steps"


def run_study(
    study: Study | str | Path,
    *,
    out: str | Path | None = None,
    store: str | Path | None = None,
    jobs: int | None = None,
    launch: Launch = HERE,
    report: Report = silent,
) -> Outcome:
    """Run a study; steps whose result is in the store are taken from there.

    Parameters
    ----------
    study : a :class:`Study`, the path of a study file, or the name of a built-in study.
    out : results folder; ``results/<name>`` by default.
    store : folder of step results; ``.steps`` beside the results folder by default.
    jobs : how many steps run at once; the number of cores by default.
    launch : where they run, and on what device; in processes on this machine by default.
    report : called with (step, event, text) as the run goes on.

    Returns
    -------
    the results folder, with its report, scores, RDMs and figures.

    Raises
    ------
    InputError : something in the study cannot be done. StepError : a step failed; nothing finished is lost.

    Examples
    --------
    >>> ns.run_study("digts")
    Traceback (most recent call last):
    neurosim.study.tables.StudyError: digts: no such study file, nor a built-in study (digits, ... mean 'digits'?
    """
    check_no_file_is_imported("run_study")
    study, text, base = read_study(study)
    folder = results_folder(study, out)
    replaceable(folder)
    storage.check_writable(folder.parent)
    if folder.exists():
        storage.check_writable(folder)
    check_files(study, base)
    steps = plan(study, base)
    root = store_of(folder, store)
    storage.check_writable(root)
    for place in root.glob("[0-9a-f][0-9a-f]"):
        storage.remove_leftovers(place)
    n_hits = 0
    report(study.name, "steps", str(len(steps)))

    def count(step: str, event: str, message: str) -> None:
        nonlocal n_hits
        n_hits += event == "hit"
        report(step, event, message)

    n_jobs = jobs or os.cpu_count() or 1
    entries = run_steps(steps, Store(root), jobs=n_jobs, report=count, launch=launch)
    with Store(root).writing(f"folder-{folder.name}"):
        assemble(study, text, input_files(study, base), steps, entries, folder)
    return Outcome(folder, len(steps), n_hits)


def check_study(
    study: Study | str | Path,
    *,
    out: str | Path | None = None,
    store: str | Path | None = None,
    device: str = "auto",
) -> list[Look]:
    """Return every step of a study with what the store has of it, and run nothing.

    Parameters
    ----------
    study : as of :func:`run_study`.
    out : results folder.
    store : folder of step results; ``.steps`` beside the results folder by default.
    device : what steps run on, "cpu", "cuda" or "auto" for what this machine has.

    Raises
    ------
    InputError : something in the study cannot be done.

    Examples
    --------
    >>> [look.state for look in ns.study.check_study("digits")][:1]
    ['miss']
    """
    study, _, base = read_study(study)
    check_files(study, base)
    return look_up(plan(study, base), Store(store_of(results_folder(study, out), store)), Launch(device=device).device)


def study_status(
    study: Study | str | Path,
    *,
    out: str | Path | None = None,
    store: str | Path | None = None,
    device: str = "auto",
) -> dict[str, Any]:
    """Return how many steps of a study are done, where its results folder is, and whether that is whole.

    Parameters
    ----------
    study, out, store, device : as of :func:`check_study`.

    Returns
    -------
    ``hits`` of ``steps``, ``folder``, and ``whole``: None where it was not written yet.

    Raises
    ------
    InputError : something in the study cannot be done.

    Examples
    --------
    >>> ns.study.study_status("digits", out="nowhere/digits")["whole"] is None
    True
    """
    looks = check_study(study, out=out, store=store, device=device)
    folder = results_folder(read_study(study)[0], out)
    manifest = folder / MANIFEST
    whole = not storage.damaged_files(folder) if manifest.is_file() else None
    return {"hits": sum(x.state == "hit" for x in looks), "steps": len(looks), "folder": str(folder), "whole": whole}


def read_study(study: Study | str | Path) -> tuple[Study, str | None, Path]:
    """Return a study, the text of its file where it has one, and the folder that its paths are relative to."""
    if isinstance(study, Study):
        return checked(study), None, Path()
    path = find_study(study)
    if path.suffix == ".py":
        made = study_in(path)
        places = {str(row.path): str((path.parent / row.path).resolve()) for row in functions_in(made)}
        return checked(moved_to(made, places)), None, path.parent
    return load_study(path), storage.read_text(path), path.parent


def study_in(path: Path) -> Study:
    """Return the one study that stands at the top of a Python file, which is run for it.

    Raises
    ------
    StudyError : there is none, or more than one.
    """
    found = [thing for thing in vars(module_of(path)).values() if isinstance(thing, Study)]
    if len(found) != 1:
        raise StudyError(f"{path.name}: one Study at its top asked, found {len(found)}.")
    return found[0]


def results_folder(study: Study, out: str | Path | None) -> Path:
    """Return the results folder of a study."""
    return Path(out) if out else Path("results") / study.name


def store_of(folder: Path, store: str | Path | None = None) -> Path:
    """Return the store that was asked for, or the one beside a results folder."""
    return Path(store) if store else folder.parent / STORE
