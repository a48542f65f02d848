"""Check a results folder: whether its files are whole, and whether a fresh run gives the same."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurosim import runtime, storage
from neurosim.study.engine.scheduler import Report, run_steps, silent
from neurosim.study.engine.store import Entry, Store
from neurosim.study.folder import step_folder
from neurosim.study.plan import plan
from neurosim.study.run import fresh_store, read_study

TOLERANCE = 1e-6


@dataclass(frozen=True)
class Verdict:
    """What a fresh run says of one step: "bitwise", "within tolerance" or "differs", and where."""

    step: str
    verdict: str
    detail: str = ""


def check_results(folder: str | Path) -> None:
    """Check every file of a results folder against its manifest.

    Raises
    ------
    StorageError : not a results folder, or files are missing or changed since it was written.
    """
    folder = Path(folder)
    if not (folder / "MANIFEST.sha256").is_file():
        raise storage.StorageError(f"{folder}: no MANIFEST.sha256, so not a results folder of neurosim.")
    bad = storage.damaged_files(folder)
    if bad:
        raise storage.StorageError(
            f"{folder}: {len(bad)} files are missing or changed, such as {bad[0]}; run the study again."
        )


def rerun_results(folder: str | Path, *, jobs: int | None = None, report: Report = silent) -> list[Verdict]:
    """Recompute every step of a results folder in fresh processes, with an empty store, and compare.

    Parameters
    ----------
    folder : the results folder.
    jobs : how many steps run at once; the number of cores by default.
    report : called with (step, event, text) as the run goes on.
    """
    folder = Path(folder).resolve()
    study, _, _ = read_study(folder / "resolved.json")
    before = {s["name"]: s for s in storage.read_json(folder / "provenance.json")["steps"]}
    with fresh_store() as root:
        entries = run_steps(plan(study, folder), Store(Path(root)), jobs=jobs or os.cpu_count() or 1, report=report)
        return [_compare(name, entry, before.get(name), folder) for name, entry in entries.items()]


def environment_changes(folder: str | Path) -> list[str]:
    """Return what changed in the environment since the folder was written."""
    before, now = storage.read_json(Path(folder) / "provenance.json"), runtime.provenance()
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


def _compare(name: str, entry: Entry, before: dict[str, Any] | None, folder: Path) -> Verdict:
    if before is None:
        return Verdict(name, "differs", "the folder has no such step")
    if before["digest"] == entry.digest:
        return Verdict(name, "bitwise")
    worst = 0.0
    for file in entry.files:
        if before["files"].get(file.name) == storage.sha256(file):
            continue
        kind, _, rest = name.partition(":")
        old = (
            folder / "figures" / f"{rest}{file.suffix}"
            if kind == "figure"
            else folder / "results" / step_folder(name) / file.name
        )
        if file.suffix in (".svg", ".pdf", ".png", ".csv"):
            continue
        if not old.is_file():
            return Verdict(name, "differs", f"{file.name} is new")
        difference = _difference(old, file)
        if not difference <= TOLERANCE:
            return Verdict(name, "differs", f"{file.name} by up to {difference:.3g} of its range")
        worst = max(worst, difference)
    return Verdict(name, "within tolerance", f"up to {worst:.1e} of the range")


def _difference(old: Path, new: Path) -> float:
    """Return the largest difference between two files of numbers, relative to the range of the old one."""
    a, b = _numbers(old), _numbers(new)
    if a.keys() != b.keys() or any(a[k].shape != b[k].shape for k in a):
        return float("inf")
    worst = 0.0
    for name, first in a.items():
        if first.dtype.kind not in "biuf":
            worst = worst if np.array_equal(first, b[name]) else float("inf")
            continue
        if not first.size:
            continue
        gap = np.nan_to_num(np.abs(first.astype(float) - b[name].astype(float)))
        scale = float(np.nanmax(np.abs(first))) or 1.0
        worst = max(worst, float(gap.max()) / scale)
    return worst


def _numbers(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".nc":
        return {str(k): np.asarray(v.values) for k, v in storage.read_dataset(path).variables.items()}
    if path.suffix == ".safetensors":
        return storage.read_weights(path)
    flat: dict[str, np.ndarray] = {}

    def visit(value: Any, place: str) -> None:
        if isinstance(value, dict):
            for k, v in value.items():
                visit(v, f"{place}.{k}")
        else:
            flat[place] = np.asarray(value)

    visit(storage.read_json(path), "")
    return flat
