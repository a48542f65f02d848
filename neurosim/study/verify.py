"""Check a results folder: whether its files are those that were written, and whether a fresh run gives the same."""

from __future__ import annotations

import math
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurosim import runtime, storage
from neurosim.refusals import InputError
from neurosim.study.differences import TOLERANCE, difference
from neurosim.study.engine.locks import held
from neurosim.study.engine.scheduler import Report, run_steps, silent
from neurosim.study.engine.seal import HEX
from neurosim.study.engine.step import Step
from neurosim.study.engine.store import Store
from neurosim.study.engine.worker import PRIVATE
from neurosim.study.files import find_study, load_study
from neurosim.study.folder import MANIFEST, OF_EVERY_STUDY, moved_inside, step_folder, write_results
from neurosim.study.functions import functions_in
from neurosim.study.plan import input_files, plan
from neurosim.study.study import Study
from neurosim.study.tables import StudyError, as_values

ENVIRONMENT: dict[str, tuple[type, ...]] = {
    "neurosim": (str,),
    "libraries": (dict,),
    "machine": (dict,),
    "git": (dict, type(None)),
}
MACHINE: dict[str, tuple[type, ...]] = {
    "system": (str,),
    "processor": (str,),
    "cpu_count": (int, type(None)),
    "gpu": (str, type(None)),
}


@dataclass(frozen=True)
class Verdict:
    """What a fresh run says of one step, or of one file of no step.

    Parameters
    ----------
    step : name of the step or file. verdict : "bitwise", "within tolerance" or "differs".
    detail : where and by how much.
    """

    step: str
    verdict: str
    detail: str = ""


def check_results(folder: str | Path) -> None:
    """Check that a results folder holds what its manifest lists, every file of it, and nothing else.

    Parameters
    ----------
    folder : the results folder.

    Raises
    ------
    StorageError : not a results folder, or files are missing, changed, or not of the run that wrote it.

    Examples
    --------
    >>> ns.study.check_results("no_such_folder")
    Traceback (most recent call last):
    neurosim.storage.StorageError: no_such_folder: no MANIFEST.sha256, so not a results folder of neurosim.
    """
    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        raise storage.StorageError(f"{folder}: no {MANIFEST}, so not a results folder of neurosim.")
    listed = set(storage.read_manifest(folder, MANIFEST))
    missing = sorted(OF_EVERY_STUDY - listed)
    if missing:
        raise storage.StorageError(f"{folder}: its manifest does not list {missing[0]}; run the study again.")
    there = _files(folder)
    odd = sorted(name for name, mode in there.items() if name in listed and not stat.S_ISREG(mode))
    if odd:
        raise storage.StorageError(f"{folder}: {odd[0]!r} is no plain file; run the study again.")
    bad = storage.damaged_files(folder, MANIFEST)
    if bad:
        raise storage.StorageError(
            f"{folder}: {len(bad)} files are missing or changed, such as {bad[0]}; run the study again."
        )
    strangers = sorted(there.keys() - listed - {MANIFEST})
    if strangers:
        raise storage.StorageError(
            f"{folder}: {len(strangers)} files are not of the run that wrote it, such as {strangers[0]!r}; your own "
            "notes are kept there, but nobody can vouch for them: move them out to verify the rest."
        )


def rerun_results(
    folder: str | Path, *, trust_code: bool = False, jobs: int | None = None, report: Report = silent
) -> list[Verdict]:
    """Recompute a results folder, every file of it, from nothing but its study and inputs, and compare.

    Files must be the same bytes. Where a step ran on a GPU, or libraries or the machine changed, numbers may move
    within 1e-6 of their range. What nobody can recompute (where it ran, how long a step took) is believed, but must
    be the same in the report and in ``provenance.json``.

    Parameters
    ----------
    folder : the results folder.
    trust_code : run the functions of the study's author that the folder holds in ``inputs``; they can do whatever you
        can.
    jobs : how many steps run at once; the number of cores by default.
    report : called with (step, event, text) as the run goes on.

    Raises
    ------
    InputError : the study in it cannot be run, reads files outside of it, has functions that are not trusted, or its
        provenance is malformed.

    Examples
    --------
    >>> ns.study.rerun_results("no_such_folder")
    Traceback (most recent call last):
    neurosim.study.tables.StudyError: ...no_such_folder/resolved.json: no such study file, nor a built-in study ...
    """
    folder = Path(folder).resolve()
    study = load_study(find_study(folder / "resolved.json"), code=True)
    _check_inputs(study, folder)
    if functions_in(study) and not trust_code:
        files = ", ".join(sorted({row.path.relative_to(folder).as_posix() for row in functions_in(study)}))
        raise StudyError(
            f"{folder}: its study runs functions of {files}, which is code that can do whatever you can; read it, then "
            "say --trust-code (trust_code=True) to run it."
        )
    before = _provenance(folder)
    steps = plan(study, folder)
    with _fresh_folder() as place:
        entries = run_steps(steps, Store(place / "store"), jobs=jobs or os.cpu_count() or 1, report=report)
        changed = bool(environment_changes(folder)) or _edited(before, {n: e.record["key"] for n, e in entries.items()})
        fresh = place / "results"
        fresh.mkdir()
        text = storage.read_text(folder / "study.toml")

        def as_said(made: dict[str, Any]) -> dict[str, Any]:
            said = {name: before[name] for name in ENVIRONMENT}
            in_order = [*made["libraries"], *said["libraries"]]
            said["libraries"] = {name: said["libraries"][name] for name in in_order if name in said["libraries"]}
            return made | said | {"steps": [_as_said(s, before["steps"], changed) for s in made["steps"]]}

        write_results(fresh, study, text, input_files(study, folder), steps, entries, as_said)
        loose = changed or any(entry.record["device"] != "cpu" for entry in entries.values())
        return [*_verdicts(folder, fresh, steps, loose), _of_toml(study, folder)]


def environment_changes(folder: str | Path) -> list[str]:
    """Return what changed in the environment since the folder was written.

    Parameters
    ----------
    folder : the results folder.

    Examples
    --------
    >>> ns.study.environment_changes("no_such_folder")
    Traceback (most recent call last):
    neurosim.storage.StorageError: no_such_folder/provenance.json: no such file.
    """
    before, now = _provenance(Path(folder)), runtime.provenance()
    changes = [
        f"{name}: {old} then, {now['libraries'].get(name, 'absent')} now"
        for name, old in before["libraries"].items()
        if now["libraries"].get(name) != old
    ]
    changes += [
        f"{k}: {before['machine'][k]} then, {v} now" for k, v in now["machine"].items() if before["machine"].get(k) != v
    ]
    if before["neurosim"] != now["neurosim"]:
        changes.append(f"neurosim: {before['neurosim']} then, {now['neurosim']} now")
    then, today = (p["git"]["commit"][:12] if p.get("git") else None for p in (before, now))
    return changes + ([f"commit: {then} then, {today} now"] if then != today else [])


def _edited(before: dict[str, Any], keys: dict[str, str]) -> bool:
    """Whether the source of the steps is another one, of a commit with changes that git does not know."""
    modified = any((about.get("git") or {}).get("modified") for about in (before, runtime.provenance()))
    return modified and any(before["steps"].get(name, {}).get("key") != key for name, key in keys.items())


def _verdicts(folder: Path, fresh: Path, steps: list[Step], loose: bool) -> Iterator[Verdict]:
    """Compare all files of two results folders, those of a step together."""
    of_step = {_owner(step): step.name for step in steps}
    parts: dict[str, list[str]] = {step.name: [] for step in steps if not step.is_part}
    for name in sorted((_files(folder).keys() | _files(fresh).keys()) - {MANIFEST, "study.toml"}):
        place = Path(name)
        owner = of_step.get(f"figures/{place.stem}" if place.parts[0] == "figures" else "/".join(place.parts[:2]), name)
        parts.setdefault(owner, []).append(name)
    for owner, names in parts.items():
        gaps = [(*difference(folder / name, fresh / name), name) for name in names]
        worst, words, name = max(gaps, default=(0.0, "", ""))
        if worst == 0:
            yield Verdict(owner, "bitwise")
        elif loose and worst <= TOLERANCE:
            yield Verdict(owner, "within tolerance", f"up to {worst:.1e} of the range")
        else:
            yield Verdict(owner, "differs", f"{Path(name).name} {words}")


def _owner(step: Step) -> str:
    kind, _, name = step.name.partition(":")
    return f"figures/{name}" if kind == "figure" else f"results/{step_folder(step.name)}"


def _of_toml(study: Study, folder: Path) -> Verdict:
    """Compare the file that the user wrote with the study that was run; it may name a model that is elsewhere."""
    try:
        written = load_study(folder / "study.toml", code=True)
    except storage.StorageError as error:
        return Verdict("study.toml", "bitwise", f"not compared with resolved.json: {error}")
    except InputError as error:
        return Verdict("study.toml", "differs", str(error))
    inside, wanted = (as_values(moved_inside(s, input_files(s, folder))) for s in (written, study))
    same = inside == wanted
    return Verdict("study.toml", "bitwise") if same else Verdict("study.toml", "differs", "is not what was run")


def _as_said(made: dict[str, Any], said: Mapping[str, dict[str, Any]], changed: bool) -> dict[str, Any]:
    """Return what a fresh run says of a step, with what cannot be recomputed as the folder says it."""
    before = said.get(made["name"], {})
    kept = ("seconds", "key") if changed else ("seconds",)
    return made | {name: before[name] for name in kept if name in before}


def _provenance(folder: Path) -> dict[str, Any]:
    """Return the provenance of a folder, its steps by name, after what is believed of it was found well-formed."""
    path = folder / "provenance.json"
    found = storage.read_json(path)
    try:
        fine = all(isinstance(found[name], kinds) for name, kinds in ENVIRONMENT.items())
        fine &= (
            all(isinstance(v, str) for v in found["libraries"].values()) and found["machine"].keys() == MACHINE.keys()
        )
        fine &= all(isinstance(found["machine"][name], kinds) for name, kinds in MACHINE.items())
        git = found["git"] or {"commit": "", "modified": False}
        fine &= git.keys() == {"commit", "modified"} and isinstance(git["commit"], str)
        fine &= isinstance(git["modified"], bool)
        steps = {step["name"]: step for step in found["steps"]}
        fine &= all(type(s["seconds"]) in (int, float) and math.isfinite(s["seconds"]) for s in steps.values())
        fine &= all(HEX.fullmatch(s["key"]) for s in steps.values())
    except (KeyError, TypeError, AttributeError, OverflowError):
        fine = False
    if not fine:
        raise storage.StorageError(f"{path}: not the provenance of a study; run the study again.")
    return dict(found) | {"steps": steps}


def _check_inputs(study: Study, folder: Path) -> None:
    """Refuse a study that reads what is not in its own results folder."""
    functions = {str(row.path) for row in functions_in(study)}
    for given, path in input_files(study, folder).items():
        named = given in functions or Path(given).parts[:1] == ("inputs",)
        inside = named and path.resolve().is_relative_to(folder / "inputs")
        if not inside:
            raise storage.StorageError(f"{folder}: its study reads {given!r}, which is not among its inputs.")


def _files(folder: Path) -> dict[str, int]:
    """Return the mode of everything below a folder that is no folder, by name; links are not followed."""
    return {
        p.relative_to(folder).as_posix(): p.lstat().st_mode
        for p in folder.rglob("*")
        if not stat.S_ISDIR(p.lstat().st_mode)
    }


@contextmanager
def _fresh_folder() -> Iterator[Path]:
    """Give an empty folder that vanishes; one of a run that was killed is removed by the next worker."""
    prefix = f"{PRIVATE}verify-"
    with (
        tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name,
        held(Path(name) / ".alive"),
    ):
        yield Path(name)
