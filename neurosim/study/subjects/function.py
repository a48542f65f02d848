"""A function of your own as a subject: it builds a torch module, circuit or Brian2 network, or returns responses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from neurosim import runtime
from neurosim.biophysics import circuit, monitors, simulation
from neurosim.networks import naming, recording
from neurosim.own_functions import asks_for
from neurosim.refusals import asked_by
from neurosim.schema import InputError, responses_to, same_stimuli
from neurosim.study.engine.step import Job, Step
from neurosim.study.functions import call, code_of, imported
from neurosim.study.given import PlanLike, Source
from neurosim.study.kinds import SubjectKind
from neurosim.study.steps.responses import layers_in, places_of
from neurosim.study.subjects.recorded import split_by_layer
from neurosim.study.tables import Layers, Several, Table

HERE = "neurosim.study.subjects.function"


class FunctionSubject(Table):
    """A function of your own, at the top of a Python file.

    It may ask for `stimuli` (all of them), for `rng` or `seed`, and returns a ``torch.nn.Module``, which is shown the
    stimuli, a ``Circuit``, which is simulated on them, or responses to them. If it asks for `stimulus`, it is called
    once for each and returns a ``brian2.Network`` that it has run: its monitors are read. `layers`, with
    wildcards, are those that count.

    The key of its step holds its source, what that names at the top of its file, modules beside the file that it
    imports, and files beside it whose names stand in it; what it reads elsewhere, as the environment, is not seen.

    Examples
    --------
    >>> ns.study.FunctionSubject(path="mine.py", function="my_network").layers is None
    True
    """

    kind: Literal["function"] = "function"
    title: str = ""
    path: Path
    function: str
    layers: Layers | None = None
    layer_steps: Several = 1


def plan(row: FunctionSubject, name: str, made: PlanLike) -> Source:
    """Add the step that calls the function, once for all analyses."""
    config, files = code_of(row, made.folder)
    about = {"answers": f"{HERE}:called_once", "row": made.seeded(row, name, "layer_steps") | config, "name": name}
    work = "neurosim.study.steps.responses:run"
    called = Step(f"answers:{name}", work, about, (made.stimuli(),), files, on_gpu=True)
    return Source({"name": name}, (made.add(called),))


def answers(job: Job, _stimuli: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield layer and responses that the function gave."""
    yield from layers_in(job.input("answers:"), places_of(job))


def called_once(job: Job, stimuli: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield layer and responses of whatever the function returns."""
    row = job.config["row"]
    name, seed = row["name"], runtime.seed_of(row["seed"], "subject", row["name"])
    with imported(job.files["path"], row["function"]) as function, runtime.torch_seeded(seed % 2**63):
        if "stimulus" in asks_for(function):
            yield from split_by_layer(_one_by_one(function, stimuli, seed, name), row["layers"], name)
            return
        given = {"stimuli": stimuli, "rng": np.random.default_rng(seed), "seed": seed % 2**31}
        yield from _answers_of(call(function, given, name), stimuli, row)


def _answers_of(made: Any, stimuli: xr.DataArray, row: dict[str, Any]) -> Iterator[tuple[str, xr.DataArray]]:
    name = row["name"]
    if hasattr(made, "named_modules"):
        time_step = float(getattr(made, "time_step", stimuli.attrs.get("time_step") or 1.0))
        for layer, values in recording.iterate_layers(made, stimuli, row["layers"]):
            timed = values.ndim == 3
            responses = responses_to(
                stimuli,
                values,
                dims=("stimulus", "time", "unit") if timed else ("stimulus", "unit"),
                quantity="activation",
                time_step=time_step if timed else None,
            )
            yield naming.layer_labels(made, [layer])[0], responses
        return
    if isinstance(made, circuit.Circuit):
        with asked_by(f"{name}, the circuit of its function", "simulate"):
            simulated = simulation.simulate(made, stimuli, rng=row["seed"])
        assert isinstance(simulated, xr.DataArray)
        yield from split_by_layer(simulated, row["layers"], name)
        return
    if not hasattr(made, "__array__"):
        raise InputError(
            f"{name}: the function returned a {type(made).__name__}; a torch module, a Circuit or responses are asked."
        )
    yield from split_by_layer(same_stimuli(stimuli, responses_to(stimuli, made), name), row["layers"], name)


def _one_by_one(function: Any, stimuli: xr.DataArray, seed: int, name: str) -> xr.DataArray:
    """Return what the function answers to one stimulus after the other, (stimulus, unit), with ``layer``."""
    rows: list[dict[str, np.ndarray]] = []
    for i, one in enumerate(stimuli):
        given = {"stimulus": one, "rng": np.random.default_rng([seed, i]), "seed": runtime.seed_of(seed, i) % 2**31}
        rows.append(_row_of(call(function, given, name)))
        if {n: v.shape for n, v in rows[-1].items()} != {n: v.shape for n, v in rows[0].items()}:
            raise InputError(f"{name}: it answers to stimulus {one['stimulus'].item()!r} with other units than before.")
    layers = [layer for layer, values in rows[0].items() for _ in range(values.size)]
    values = np.stack([np.concatenate([v.ravel() for v in row.values()]) for row in rows])
    return responses_to(stimuli, values, dims=("stimulus", "unit"), coords={"layer": ("unit", layers)})


def _row_of(answer: object) -> dict[str, np.ndarray]:
    if isinstance(answer, Mapping):
        return {str(layer): np.asarray(values, dtype=float) for layer, values in answer.items()}
    if hasattr(answer, "__array__"):
        return {"all": np.asarray(answer, dtype=float)}
    return monitors.monitored(answer)


FUNCTION = SubjectKind(
    name="function",
    table=FunctionSubject,
    plan=plan,
    answers="neurosim.study.subjects.function:answers",
    describe=lambda row: row.title or f"{row.function} of {row.path.name}",
    needs_pictures=False,
)
