"""The results folder of a study: everything a reader needs to check, redraw and repeat it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neurosim import runtime, storage
from neurosim.study.citations import as_bibtex
from neurosim.study.engine.keys import digest_of
from neurosim.study.engine.step import Step
from neurosim.study.engine.store import Entry
from neurosim.study.files import to_toml
from neurosim.study.functions import own_modules
from neurosim.study.report import told_by, write_report
from neurosim.study.results import Results
from neurosim.study.score_tables import is_table_of_scores, save_scores
from neurosim.study.study import Study, moved_to
from neurosim.study.tables import StudyError, as_values

MAX_TABLE_CELLS = 20_000
MANIFEST = "MANIFEST.sha256"
OF_EVERY_STUDY = {"study.toml", "resolved.json", "provenance.json", "report.html"}


def assemble(
    study: Study, text: str | None, files: dict[str, Path], steps: list[Step], entries: dict[str, Entry], out: Path
) -> Path:
    """Write the results folder whole, or leave the old one as it was; return the path of the report.

    ``study.toml`` (verbatim), ``resolved.json`` (every default spelled out), ``inputs/`` (files the study reads),
    ``results/<step>/`` (netCDF, CSV and LaTeX), ``figures/`` (SVG, PDF, PNG and the numbers drawn), ``numbers.json``,
    ``provenance.json``, ``citations.bib``, ``report.html`` and ``MANIFEST.sha256``. Files of the user's in an old
    folder are kept.
    """
    with storage.atomic_folder(out, replaceable(out)) as folder:
        write_results(folder, study, text, files, steps, entries)
        storage.write_manifest(folder, MANIFEST)
    return out / "report.html"


def write_results(
    folder: Path,
    study: Study,
    text: str | None,
    files: dict[str, Path],
    steps: list[Step],
    entries: dict[str, Entry],
    as_said: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> None:
    """Write everything but the manifest into an empty folder; `as_said` may change what is said of when and where."""
    moved = moved_inside(study, files)
    for given, place in _places(files).items():
        (folder / "inputs").mkdir(exist_ok=True)
        if files[given].is_dir():
            shutil.copytree(files[given], folder / place)
        else:
            shutil.copyfile(files[given], folder / place)
    for place, module in own_modules(study).items():
        target = folder / "inputs" / place
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(module, target)
    storage.write_text(folder / "study.toml", to_toml(moved) if text is None else text)
    storage.write_json(folder / "resolved.json", as_values(moved), sort_keys=False)
    for step in steps:
        if not step.is_part:
            _copy_step(step, entries[step.name], folder)
    folders = {name: entry.folder for name, entry in entries.items()}
    results = Results(study, folders, {step.name: step.config for step in steps})
    told = told_by(study, results)
    storage.write_json(folder / "numbers.json", told.numbers)
    provenance = as_said(_provenance(study, steps, entries) | {"citations": [list(c) for c in told.cited]})
    storage.write_json(folder / "provenance.json", provenance)
    storage.write_text(folder / "citations.bib", as_bibtex(told.cited))
    write_report(folder / "report.html", study, results, told, provenance)


def moved_inside(study: Study, files: dict[str, Path]) -> Study:
    """Return the study as it stands in its results folder, reading what was copied into ``inputs/``."""
    return moved_to(study, _places(files))


def replaceable(out: Path) -> frozenset[str]:
    """Return the names of the files in the folder `out` that a run of a study made and a new one may replace.

    Raises
    ------
    StudyError : `out` is no folder, or holds files and is not the results folder of a study.
    """
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        what = "is a link, and a link is not followed" if out.is_symlink() else "is not a folder"
        raise StudyError(f"{out} {what}; choose another folder for the results (-o FOLDER).")
    if not out.exists() or not any(out.iterdir()):
        return frozenset()
    listed: set[str] = set()
    if (out / MANIFEST).is_file():
        listed = {line.partition("  ")[2] for line in storage.read_text(out / MANIFEST).splitlines()}
    if not listed >= OF_EVERY_STUDY:
        raise StudyError(
            f"{out} holds files and is not the results folder of a study, so nothing in it is touched; choose another "
            "folder for the results (-o FOLDER)."
        )
    return frozenset(listed | {MANIFEST})


def step_folder(name: str) -> str:
    """Return the name of a step as a folder name: names hold no points, so no two steps share one."""
    return name.replace(":", "_", 1).replace(":", ".")


def _places(files: dict[str, Path]) -> dict[str, str]:
    """Return where each file and folder that the study reads goes; two of one name get different ones."""
    places: dict[str, str] = {}
    for given, path in files.items():
        name = path.name
        if name in {Path(p).name for p in places.values()}:
            name = f"{digest_of(given)[:8]}_{name}"
        places[given] = f"inputs/{name}"
    return places


def _copy_step(step: Step, entry: Entry, folder: Path) -> None:
    kind, _, name = step.name.partition(":")
    if kind == "figure":
        (folder / "figures").mkdir(exist_ok=True)
        for file in entry.files:
            if file.stem == "figure":
                shutil.copyfile(file, folder / "figures" / f"{name}{file.suffix}")
        return
    target = folder / "results" / step_folder(step.name)
    target.mkdir(parents=True)
    for file in entry.files:
        shutil.copyfile(file, target / file.name)
        if file.suffix == ".nc":
            content = storage.read_dataset(file)
            for suffix in (".tex", ".csv") if is_table_of_scores(content) else ():
                save_scores(target / f"{file.stem}.table{suffix}", content)
            for variable, values in content.data_vars.items():
                if values.ndim > 0 and values.size <= MAX_TABLE_CELLS:
                    storage.write_table(target / f"{file.stem}.{variable}.csv", values.rename(str(variable)))


def _provenance(study: Study, steps: list[Step], entries: dict[str, Entry]) -> dict[str, Any]:
    return runtime.provenance() | {
        "study": study.name,
        "seed": study.seed,
        "analyses": [s.name for s in steps if s.name.partition(":")[0] in study.analyses],
        "threads_per_step": 1,
        "steps": [
            {
                "name": s.name,
                "key": entries[s.name].record["key"],
                "digest": entries[s.name].digest,
                "files": {n: f["sha256"] for n, f in entries[s.name].record["files"].items()},
                "seconds": entries[s.name].record["seconds"],
                "device": entries[s.name].record["device"],
                "reproducible": "bitwise" if entries[s.name].record["device"] == "cpu" else "within tolerance",
            }
            for s in steps
        ],
    }
