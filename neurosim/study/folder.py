"""The results folder of a study: everything a reader needs to check, redraw and repeat it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import xarray as xr

from neurosim import runtime, storage
from neurosim.study.config import Study, StudyError
from neurosim.study.engine.keys import digest_of
from neurosim.study.engine.step import Step
from neurosim.study.engine.store import Entry
from neurosim.study.report import write_report

MAX_TABLE_CELLS = 20_000
MANIFEST = "MANIFEST.sha256"
OF_EVERY_STUDY = {"study.toml", "resolved.json", "provenance.json", "report.html"}


def assemble(
    study: Study, text: str, files: dict[str, Path], steps: list[Step], entries: dict[str, Entry], out: Path
) -> Path:
    """Write the results folder whole, or leave the old one as it was; return the path of the report.

    ``study.toml`` (verbatim), ``resolved.json`` (every default spelled out), ``inputs/`` (files the study reads),
    ``results/<step>/`` (netCDF and CSV), ``figures/`` (SVG, PDF, PNG and the numbers drawn), ``numbers.json``,
    ``provenance.json``, ``report.html`` and ``MANIFEST.sha256``. Files of the user's in an old folder are kept.
    """
    with storage.atomic_folder(out, replaceable(out)) as folder:
        storage.write_text(folder / "study.toml", text)
        resolved = study.model_dump(mode="json")
        places = _copy_inputs(resolved, files, folder)
        storage.write_json(folder / "resolved.json", _with_places(resolved, places), sort_keys=False)
        for step in steps:
            _copy_step(step, entries[step.name], folder)
        numbers = key_numbers(study, entries)
        storage.write_json(folder / "numbers.json", numbers)
        provenance = _provenance(study, steps, entries)
        storage.write_json(folder / "provenance.json", provenance)
        write_report(folder / "report.html", study, entries, numbers, provenance)
        storage.write_manifest(folder, MANIFEST)
    return out / "report.html"


def replaceable(out: Path) -> frozenset[str]:
    """Return the names of the files in the folder `out` that a run of a study made and a new one may replace.

    Raises
    ------
    StudyError : `out` is no folder, or holds files and is not the results folder of a study.
    """
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise StudyError(f"{out} is not a folder; choose another one for the results (-o FOLDER).")
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
    """Return the name of a step as a folder name."""
    return name.replace(":", "_")


def key_numbers(study: Study, entries: dict[str, Entry]) -> dict[str, Any]:
    """Return the numbers that a text about the study would quote."""
    topics = ("accuracy", "accuracy_of_network_on_the_same_spikes", "differing_spikes", "engine", "calibration")
    numbers: dict[str, Any] = {topic: {} for topic in (*topics, "best_model", "pearson_of_brains")}
    for name, entry in entries.items():
        kind, _, subject = name.partition(":")
        if kind == "train":
            about = storage.read_json(entry.folder / "network.json")
            if "test_accuracy" in about:
                numbers["accuracy"][subject] = about["test_accuracy"]
        elif kind == "simulate" and (entry.folder / "accuracy.json").is_file():
            accuracy = storage.read_json(entry.folder / "accuracy.json")
            numbers["accuracy"][subject] = accuracy["accuracy"]
            numbers["accuracy_of_network_on_the_same_spikes"][subject] = accuracy["accuracy_trained"]
            if (entry.folder / "translation.nc").is_file():
                table = storage.read_dataset(entry.folder / "translation.nc")
                numbers["differing_spikes"][subject] = _per_layer(table, ("n_spikes", "n_differing"))
                numbers["engine"][subject] = str(table.attrs["engine"])
            if (entry.folder / "calibration.nc").is_file():
                table = storage.read_dataset(entry.folder / "calibration.nc")
                numbers["calibration"][subject] = _per_layer(table, ("gain", "bias", "rate_ratio_before", "rate_ratio"))
                numbers["accuracy"][f"{subject} (uncalibrated)"] = float(table.attrs["accuracy_uncalibrated"])
        elif kind == "relate":
            numbers["pearson_of_brains"] = _pairs(storage.read_dataset(entry.folder / "relations.nc"))
        elif kind == "compare":
            numbers["best_model"][subject] = _best(storage.read_dataset(entry.folder / "scores.nc"))
    return numbers


def _best(scores: xr.Dataset) -> dict[str, Any]:
    i = int(scores["score"].values.argmax())
    best = {
        "model": str(scores["model"].values[i]),
        "score": float(scores["score"][i]),
        "interval": [float(v) for v in scores["interval"][i]],
        "method": scores.attrs["method"],
    }
    if "ceiling" in scores:
        best["ceiling"] = [float(v) for v in scores["ceiling"]]
    return best


def _pairs(relations: xr.Dataset) -> dict[str, float]:
    table = relations["pearson_of_brains"]
    names = [str(b) for b in table["brain"].values]
    return {f"{names[j]}, {names[i]}": float(table[j, i]) for i in range(len(names)) for j in range(i)}


def _per_layer(table: xr.Dataset, names: tuple[str, ...]) -> dict[str, dict[str, float]]:
    return {str(layer): {n: float(table[n].values[i]) for n in names} for i, layer in enumerate(table["layer"].values)}


def _copy_inputs(resolved: dict[str, Any], files: dict[str, Path], folder: Path) -> dict[str, str]:
    """Copy what the study reads into ``inputs/`` and return where each path went."""
    places: dict[str, str] = {}
    for given, path in files.items():
        name = path.name
        if name in {Path(p).name for p in places.values()}:
            name = f"{digest_of(given)[:8]}_{name}"
        places[given] = f"inputs/{name}"
        if path.is_dir():
            shutil.copytree(path, folder / places[given])
        else:
            (folder / "inputs").mkdir(exist_ok=True)
            shutil.copyfile(path, folder / places[given])
    return places


def _with_places(value: Any, places: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            k: places.get(v, v) if k == "path" and isinstance(v, str) else _with_places(v, places)
            for k, v in value.items()
        }
    return value


def _copy_step(step: Step, entry: Entry, folder: Path) -> None:
    kind, _, name = step.name.partition(":")
    if kind == "figure":
        (folder / "figures").mkdir(exist_ok=True)
        for file in entry.files:
            shutil.copyfile(file, folder / "figures" / f"{name}{file.suffix}")
        return
    target = folder / "results" / step_folder(step.name)
    target.mkdir(parents=True)
    for file in entry.files:
        shutil.copyfile(file, target / file.name)
        if file.suffix == ".nc":
            content = storage.read_dataset(file)
            for variable, values in content.data_vars.items():
                if values.ndim > 0 and values.size <= MAX_TABLE_CELLS:
                    storage.write_table(target / f"{file.stem}.{variable}.csv", values.rename(str(variable)))


def _provenance(study: Study, steps: list[Step], entries: dict[str, Entry]) -> dict[str, Any]:
    return runtime.provenance() | {
        "study": study.name,
        "seed": study.seed,
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
