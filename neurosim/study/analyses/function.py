"""A function of your own as an analysis: arrays in, a Dataset out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from neurosim import runtime, storage
from neurosim.schema import InputError
from neurosim.study.engine.step import Job, Step
from neurosim.study.functions import call, code_of, imported, parameters_of
from neurosim.study.given import PlanLike, StudyLike
from neurosim.study.kinds import AnalysisKind, TableOfNumbers, Told
from neurosim.study.results import Results
from neurosim.study.steps.responses import layers_in
from neurosim.study.tables import StudyError, Table

OF_SUBJECT = ("responses", "rdms")
OF_BRAIN = ("recording", "brain_rdms")
SOURCES = ("stimuli", *OF_SUBJECT, *OF_BRAIN)
GIVEN = (*SOURCES, "rng", "seed")


class FunctionAnalysis(Table):
    """A function of your own, at the top of a Python file.

    It asks by the names of its parameters for `responses` ({layer: array}) or `rdms` (layer, stimulus, stimulus_other)
    of a subject, `recording` or `brain_rdms` (subject, ...) of a brain, `stimuli`, `rng` or `seed`; it is called for
    every subject and brain that it asks for, and returns a Dataset, an array or a number.

    Examples
    --------
    >>> ns.study.FunctionAnalysis(path="mine.py", function="my_score").metric
    'correlation'
    """

    kind: Literal["function"] = "function"
    title: str = ""
    path: Path
    function: str
    metric: str = "correlation"


def check(row: FunctionAnalysis, place: str, _study: StudyLike) -> None:
    """Refuse a function that asks for what there is not."""
    unknown = [p for p in parameters_of(row.path, row.function) if p not in GIVEN]
    if unknown:
        raise StudyError(f"{place}: {row.function} asks for {unknown[0]!r}; it may ask for {', '.join(GIVEN)}.")


def plan(row: FunctionAnalysis, name: str, made: PlanLike) -> list[Step]:
    """Return one step for every subject and brain that the function asks for."""
    asked = parameters_of(made.folder / row.path, row.function)
    config, files = code_of(row, made.folder)
    subjects = list(made.study.subjects) if set(asked) & set(OF_SUBJECT) else [None]
    brains = list(made.study.brains) if set(asked) & set(OF_BRAIN) else [None]
    steps = []
    for subject in subjects:
        for brain in brains:
            inputs = tuple(_source(p, made, str(subject), str(brain), row.metric) for p in asked if p in SOURCES)
            called = ":".join([name, *(n for n in (subject, brain) if n is not None)])
            about = made.seeded(row, name) | config | {"subject": subject, "brain": brain}
            steps.append(Step(called, "neurosim.study.analyses.function:run", about, inputs, files, on_gpu=True))
    return steps


def _source(asked: str, made: PlanLike, subject: str, brain: str, metric: str) -> str:
    """Return the name of the step that makes what a parameter asks for."""
    if asked == "stimuli":
        return made.stimuli()
    if asked in OF_BRAIN:
        return made.recording(brain) if asked == "recording" else made.brain_rdms(brain)
    return made.responses(subject) if asked == "responses" else made.rdms(subject, metric)


def run(job: Job) -> None:
    """Write ``result.nc``: what the function returned."""
    config = job.config
    seed = runtime.seed_of(config["seed"], "analysis", config["name"], str(config["subject"]), str(config["brain"]))
    given: dict[str, Any] = {"rng": np.random.default_rng(seed), "seed": seed % 2**31}
    for step, folder in job.inputs.items():
        given |= _read(step.partition(":")[0], folder)
    with imported(job.files["path"], config["function"]) as function:
        found = call(function, given, config["name"])
    storage.write_dataset(job.out / "result.nc", _as_dataset(found, config["name"]))


def _read(kind: str, folder: Path) -> dict[str, Any]:
    if kind == "stimuli":
        return {"stimuli": storage.read_array(folder / "stimuli.nc")}
    if kind == "responses":
        return {"responses": dict(layers_in(folder))}
    if kind == "recording":
        return {"recording": storage.read_array(folder / "responses.nc")}
    return {"rdms" if kind == "rdms" else "brain_rdms": storage.read_dataset(folder / "rdms.nc")["rdm"]}


def _as_dataset(found: object, name: str) -> xr.Dataset:
    if isinstance(found, xr.Dataset):
        return found
    if isinstance(found, xr.DataArray):
        return found.to_dataset(name=str(found.name or name))
    if isinstance(found, int | float | np.number) and not isinstance(found, bool):
        return xr.Dataset({name: float(found)})
    raise InputError(f"{name}: the function returned a {type(found).__name__}; a Dataset, array or number is asked.")


def tell(row: FunctionAnalysis, name: str, results: Results) -> Told:
    """Tell the numbers that it returned, where they are single ones."""
    steps = {name: name} if name in results.folders else results.named(f"{name}:")
    numbers: dict[str, Any] = {}
    for of, step in steps.items():
        found = results.dataset(step, "result.nc")
        numbers[of] = {str(k): float(v) for k, v in found.data_vars.items() if v.ndim == 0 and v.dtype.kind in "biuf"}
    if not any(numbers.values()):
        return Told()
    names = list(dict.fromkeys(value for found in numbers.values() for value in found))
    rows = [(of, *(f"{found[n]:.6g}" if n in found else "-" for n in names)) for of, found in numbers.items()]
    title = row.title or f"{name}, by {row.function}"
    return Told({name: numbers}, tables=[TableOfNumbers(title, ("of", *names), rows)])


def needs_brains(row: FunctionAnalysis) -> bool:
    """Whether the function asks for what was recorded."""
    return bool(set(parameters_of(row.path, row.function)) & set(OF_BRAIN))


FUNCTION = AnalysisKind(
    name="function", table=FunctionAnalysis, plan=plan, check=check, tell=tell, needs_brains=needs_brains
)
