"""The steps of a study and what each needs, in an order in which they can run, before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import xarray as xr

from neurosim import storage
from neurosim.schema import same_stimuli
from neurosim.study.engine.step import Step
from neurosim.study.given import Source
from neurosim.study.kinds import ANALYSES, BRAINS, FIGURES, SHOWN, SUBJECTS
from neurosim.study.study import Study
from neurosim.study.tables import as_values, paths_of, placed


class Plan:
    """The steps of a study, added by the kinds of its entries; a step that is asked for twice is there once.

    Parameters
    ----------
    study : what is to be done.
    folder : what its paths are relative to.
    """

    def __init__(self, study: Study, folder: Path) -> None:
        self.study, self.folder = study, folder
        self.steps: dict[str, Step] = {}
        self._sources: dict[str, Source] = {}
        self._measures: dict[tuple[str, str], list[dict[str, Any]]] = {}

    def add(self, step: Step) -> str:
        """Add a step, unless it is there, and return its name."""
        self.steps.setdefault(step.name, step)
        return step.name

    def add_parts(self, whole: Step, kind: str, n_parts: int, join: str) -> str:
        """Add a step, or several of `kind` that each do a part and one, `join`, in its place; return its name."""
        if n_parts == 1:
            return self.add(whole)
        parts = [
            replace(whole, name=f"{kind}:{k + 1}", config=whole.config | {"part": [k, n_parts]}, is_part=True)
            for k in range(n_parts)
        ]
        return self.add(Step(whole.name, join, whole.config, tuple(self.add(part) for part in parts)))

    def seeded(self, row: object, name: str, *without: str) -> dict[str, Any]:
        """Return what a step needs to know of an entry: plain values, but for paths, title and `without`; the seed."""
        left_out = {"title", *without}
        values = placed(as_values(row), dict.fromkeys(paths_of(row)))
        values = {k: v for k, v in values.items() if k not in left_out}
        return values | {"seed": self.study.seed, "name": name}

    def files(self, row: object) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the checksums of the files and folders that an entry names, by key, and where they are.

        Raises
        ------
        StorageError : one of them is missing.
        """
        checksums: dict[str, Any] = {}
        places: dict[str, str] = {}
        for key, path in paths_of(row).items():
            full = (self.folder / path).resolve()
            if not full.exists():
                raise storage.StorageError(f"{path}: no such file (looked in {self.folder.resolve()}).")
            checksums[key] = _checksums(full)
            places[key] = str(full)
        return checksums, places

    def stimuli(self) -> str:
        """Return the name of the step that makes the stimuli."""
        row, kind = self.study.stimuli, SHOWN[self.study.stimuli.source]
        checksums, places = self.files(row) if kind.reads is None else self.files(kind.reads(self.study))
        config = {"load": kind.load, "row": self.seeded(row, "stimuli") | kind.extra(row), "files": checksums}
        return self.add(Step("stimuli", "neurosim.study.steps.stimuli:run", config, (), places))

    def subject(self, name: str) -> Source:
        """Return what the answers of a subject are read from; the steps that come first are added."""
        if name not in self._sources:
            row = self.study.subjects[name]
            self._sources[name] = SUBJECTS[row.kind].plan(row, name, self)
        return self._sources[name]

    def rdms(self, name: str, metric: str, time_bin: float | None = None) -> str:
        """Return the name of the step that makes the RDMs of a subject, of every layer, by `metric`."""
        return self._measured("rdms", name, {"metric": metric, "time_bin": time_bin})

    def responses(self, name: str, keep: Mapping[str, Any] | None = None) -> str:
        """Return the name of the step that keeps the responses of a subject, of every layer.

        `keep` says how much of them, see ``steps.responses``; all by default.
        """
        return self._measured("responses", name, {"keep": dict(keep)} if keep else {})

    def spike_rdms(self, name: str, measure: Mapping[str, Any]) -> str:
        """Return the name of the step that makes the RDMs of the spike trains of a subject, of every spiking layer."""
        return self._measured("spike_rdms", name, dict(measure))

    def brain_rdms(self, name: str) -> str:
        """Return the name of the step that makes the RDMs of the individuals of a brain."""
        return self._of_brain("brain", name)

    def timed_brain(self, name: str, time_bin: float | None = None) -> str:
        """Return the name of the step that makes the RDMs of the individuals of a brain in bins of time."""
        return self._of_brain("timed_brain", name, {"time_bin": time_bin})

    def recording(self, name: str) -> str:
        """Return the name of the step that keeps the responses of a brain."""
        return self._of_brain("recording", name)

    def _measured(self, work: str, name: str, measure: dict[str, Any]) -> str:
        row = self.study.subjects[name]
        kind, source = SUBJECTS[row.kind], self.subject(name)
        config = {"answers": kind.answers, "row": source.config, "name": name} | measure
        inputs = (self.stimuli(), *source.inputs)
        called = self._called(work, name, measure)
        steps = f"neurosim.study.steps.{work}"
        whole = Step(called, f"{steps}:run", config, inputs, source.files, on_gpu=source.on_gpu)
        return self.add_parts(whole, f"part:{called}", getattr(row, "layer_steps", 1), f"{steps}:join")

    def _called(self, work: str, name: str, measure: dict[str, Any]) -> str:
        """Return the name of a step, with a number where another measure of the same is there."""
        measures = self._measures.setdefault((work, name), [])
        if measure not in measures:
            measures.append(measure)
        number = measures.index(measure)
        return f"{work}:{name}" if number == 0 else f"{work}:{name}:{number + 1}"

    def _of_brain(self, work: str, name: str, measure: dict[str, Any] | None = None) -> str:
        row = self.study.brains[name]
        kind = BRAINS[row.kind]
        if f"brain:{name}" not in self._sources:
            self._sources[f"brain:{name}"] = kind.plan(row, name, self)
        source = self._sources[f"brain:{name}"]
        about = {"recording": kind.recording, "metric": kind.metric(row), "synthetic": int(not kind.measured)}
        options = kind.options(row)
        config = about | {"row": source.config, "name": name} | (measure or {})
        config |= {"options": options} if options else {}
        inputs = (self.stimuli(), *source.inputs)
        called = self._called(work, name, measure or {})
        return self.add(Step(called, f"neurosim.study.steps.{work}:run", config, inputs, source.files))


def plan(study: Study, folder: Path) -> list[Step]:
    """Return the steps of `study` in an order in which they can run; paths are relative to `folder`.

    Raises
    ------
    StorageError : a file that the study names is missing.
    """
    made = Plan(study, folder)
    made.stimuli()
    for name, row in study.analyses.items():
        for step in ANALYSES[row.kind].plan(row, name, made):
            made.add(step)
    for figure in FIGURES.values():
        for step in figure.plan(made):
            made.add(step)
    return list(in_order(made.steps.values()))


def in_order(steps: Iterable[Step]) -> Iterable[Step]:
    """Yield steps after those that they read, otherwise as they come."""
    waiting = {s.name: s for s in steps}
    done: set[str] = set()
    while waiting:
        ready = [s for s in waiting.values() if done.issuperset(s.inputs)]
        for step in ready:
            yield waiting.pop(step.name)
            done.add(step.name)


def check_files(study: Study, folder: Path) -> None:
    """Look for every file that the study needs and compare the stimuli of responses, before any work starts.

    Raises
    ------
    InputError : damaged file, NaN, or responses to other stimuli than those of the study.
    """
    shown = SHOWN[study.stimuli.source]
    shown.check_files(study.stimuli, "stimuli", folder)
    reference = shown.known(study.stimuli, study.seed, folder)
    found: dict[str, dict[str, xr.DataArray]] = {"subjects": {}, "brains": {}}
    for group, name, kind, row in study.kinds():
        responses = kind.check_files(row, name, folder) if group in found else None
        if responses is None:
            continue
        found[group][name] = responses
        if reference is not None:
            same_stimuli(reference, responses, f"{name} ({next(iter(paths_of(row).values()))})")
        else:
            reference = responses
    for group, name, kind, row in study.kinds():
        if group == "analyses":
            kind.check_answers(row, f"study {study.name!r}: analyses.{name}", study, found)
            if reference is not None:
                kind.check_stimuli(row, f"study {study.name!r}: analyses.{name}", reference)


def input_files(study: Study, folder: Path) -> dict[str, Path]:
    """Return the files and folders that the study reads, by the path that it gives them."""
    rows = [*(row for _, _, _, row in study.kinds()), *study.figures.values()]
    return {str(p): folder / p for row in rows for p in paths_of(row).values()}


def _checksums(path: Path) -> dict[str, Any]:
    if path.is_file():
        return {"sha256": storage.sha256(path), "format": path.suffix}
    inside = sorted(p for p in path.rglob("*") if p.is_file())
    return {"files": {p.relative_to(path).as_posix(): storage.sha256(p) for p in inside}}
