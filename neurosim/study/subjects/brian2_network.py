"""A Brian2 network of your own as a subject: functions that make it and show it a stimulus, its monitors as layers."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import xarray as xr
from pydantic import Field, model_validator

from neurosim.biophysics import brian2_networks, brian2_sources
from neurosim.refusals import asked_by
from neurosim.study.citations import BRIAN2
from neurosim.study.engine.step import Job, Step
from neurosim.study.functions import code_of, imported, located, names_of_functions, parameters_of, says_parameters
from neurosim.study.given import PlanLike, Source, StudyLike
from neurosim.study.kinds import SubjectKind
from neurosim.study.steps.responses import layers_in, places_of
from neurosim.study.subjects.recorded import check_layers, split_by_layer
from neurosim.study.tables import Count, Layers, Name, Several, StudyError, Table

HERE = "neurosim.study.subjects.brian2_network"


class Brian2NetworkSubject(Table):
    """A Brian2 network that a function of your own makes, as :func:`neurosim.biophysics.record_brian2` takes it.

    `function` and `present` are functions at the top of one Python file, `path`, by name or themselves; times are in s.
    `monitors` are those to read, by layer; all by default. Layers are monitors of spikes, "E", and what others
    recorded, "V.v" or "P.rate"; `layers`, with wildcards, are those that count. The key of its step holds the source of
    both, as that of a :class:`~neurosim.study.FunctionSubject`.

    Raises
    ------
    StudyError : functions of two files, or that do not stand at the top of one.

    Examples
    --------
    >>> row = ns.study.Brian2NetworkSubject(path="mine.py", function="build", present="show", duration=0.1)
    >>> row.n_trials, row.layers is None
    (1, True)
    """

    kind: Literal["brian2_network"] = "brian2_network"
    title: str = ""
    path: Path
    function: str
    present: str | None = None
    monitors: dict[Name, str] | None = None
    duration: float | None = Field(default=None, gt=0)
    time_bin: float | None = Field(default=None, gt=0)
    n_trials: Count = 1
    copies: Count | None = None
    rebuild: bool = False
    layers: Layers | None = None
    layer_steps: Several = 1

    @model_validator(mode="before")
    @classmethod
    def _functions_by_name(cls, values: object) -> Any:
        """Replace functions by their names and the file in which they stand."""
        if not isinstance(values, Mapping):
            return values
        given = {k: located(values[k], f"{k} =") for k in ("function", "present") if callable(values.get(k))}
        places = {place["path"] for place in given.values()}
        if given and "path" in values:
            places.add(str(Path(values["path"]).resolve()))
        if given and len(places) > 1:
            raise StudyError(f"function and present of one file are asked, found {' and '.join(sorted(places))}.")
        found = {k: place["function"] for k, place in given.items()}
        return {**values, **found, **({"path": places.pop()} if given else {})}


def check(row: Brian2NetworkSubject, place: str, _study: StudyLike) -> None:
    """Refuse to read no monitor at all."""
    if row.monitors is not None and not row.monitors:
        raise StudyError(f"{place}: monitors names none; leave it out to read all.")


def check_files(row: Brian2NetworkSubject, name: str, folder: Path) -> None:
    """Refuse functions that do not ask for what shows a stimulus, or for what makes trials differ."""
    path = folder / row.path
    if not all(says_parameters(path, function) for function in names_of_functions(row)):
        return
    with asked_by(f"subjects.{name}", brian2_sources.WHO):
        brian2_sources.is_made_anew(
            parameters_of(path, row.function),
            parameters_of(path, row.present) if row.present else None,
            anew=row.rebuild or row.copies is not None,
            copies=row.copies,
            duration=row.duration,
            trials=row.n_trials,
        )


def plan(row: Brian2NetworkSubject, name: str, made: PlanLike) -> Source:
    """Add the step that records the network, once for all analyses."""
    config, files = code_of(row, made.folder)
    about = {"answers": f"{HERE}:recorded", "row": made.seeded(row, name, "layer_steps") | config, "name": name}
    work = "neurosim.study.steps.responses:run"
    return Source({"name": name}, (made.add(Step(f"answers:{name}", work, about, (made.stimuli(),), files)),))


def recorded(job: Job, stimuli: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield every monitor that counts, and what it recorded."""
    row = job.config["row"]
    path, name = job.files["path"], row["name"]
    with imported(path, row["function"]) as function, asked_by(name, "record_brian2"):
        present = function.__globals__[row["present"]] if row["present"] else None
        found = brian2_networks.record_brian2(
            function,
            stimuli,
            present=present,
            monitors=row["monitors"],
            duration=row["duration"],
            time_bin=row["time_bin"],
            trials=row["n_trials"],
            copies=row["copies"],
            rebuild=row["rebuild"],
            rng=row["seed"],
        )
    spiking = list(dict.fromkeys(found.responses["layer"].values.tolist())) if found.responses is not None else []
    check_layers(row["layers"], [*spiking, *found.traces], name)

    def counts(layer: str) -> bool:
        return row["layers"] is None or any(fnmatch.fnmatchcase(layer, pattern) for pattern in row["layers"])

    asked = [layer for layer in spiking if counts(layer)]
    if found.responses is not None and asked:
        yield from split_by_layer(found.responses, asked, name)
    yield from ((layer, trace) for layer, trace in found.traces.items() if counts(layer))


def answers(job: Job, _stimuli: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield layer and responses that the network gave."""
    yield from layers_in(job.input("answers:"), places_of(job))


BRIAN2_NETWORK = SubjectKind(
    name="brian2_network",
    table=Brian2NetworkSubject,
    plan=plan,
    answers=f"{HERE}:answers",
    layers_follow=False,
    describe=lambda row: row.title or f"Brian2 network {row.function} of {row.path.name}",
    check=check,
    check_files=check_files,
    cite=lambda _row: [BRIAN2],
    needs_pictures=False,
)
