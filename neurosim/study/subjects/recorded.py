"""Responses that were computed or recorded elsewhere as a subject, from a file."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from neurosim.recordings.files import files_in, load_responses
from neurosim.schema import InputError, same_stimuli, suggest
from neurosim.study.engine.step import Job
from neurosim.study.given import PlanLike, Source
from neurosim.study.kinds import SubjectKind
from neurosim.study.steps.responses import places_of
from neurosim.study.tables import Layers, Several, Table


class InFile(Table):
    """Responses in a file; `options` are those of its reader, see :func:`~neurosim.recordings.files.load_responses`."""

    title: str = ""
    path: Path
    options: dict[str, Any] = Field(default_factory=dict)
    time_bin: float | None = Field(default=None, gt=0)

    def named_paths(self) -> dict[str, Path]:
        """Return the files that options name."""
        return {f"options.{name}": path for name, path in files_in(self.options).items()} if self.options else {}


class ResponsesSubject(InFile):
    """Responses that were computed or recorded elsewhere, in a file; `layers`, with wildcards, are those that count.

    `options` are those of the reader of the file, such as ``{"by": "image"}`` for NWB.

    Examples
    --------
    >>> ns.study.ResponsesSubject(path="model.nc", layers=["conv*"]).layers
    ('conv*',)
    """

    kind: Literal["responses"] = "responses"
    layers: Layers | None = None
    layer_steps: Several = 1


def plan(row: InFile, name: str, made: PlanLike) -> Source:
    """Return what the responses are read from."""
    checksums, places = made.files(row)
    without = ("layer_steps",) if row.options else ("layer_steps", "options")
    return Source(made.seeded(row, name, *without) | {"files": checksums}, files=places)


def check_files(row: InFile, name: str, folder: Path) -> xr.DataArray:
    """Read the responses, so that what is wrong with them, or a layer that they lack, is said before anything runs."""
    beside = {name: folder / path for name, path in files_in(row.options).items()} if row.options else {}
    responses = load_responses(folder / row.path, options={**row.options, **beside} or None, time_bin=row.time_bin)
    for _ in split_by_layer(responses, getattr(row, "layers", None), name):
        pass
    return responses


def recording(job: Job, stimuli: xr.DataArray) -> xr.DataArray:
    """Return the responses to the stimuli of the study, in their order."""
    row = job.config["row"]
    beside = {k.removeprefix("options."): path for k, path in job.files.items() if k.startswith("options.")}
    options = {**row.get("options", {}), **beside} or None
    responses = load_responses(job.files["path"], options=options, time_bin=row["time_bin"])
    return same_stimuli(stimuli, responses, row["name"])


def answers(job: Job, stimuli: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield layer and responses; "all" where layers are not told apart."""
    yield from split_by_layer(recording(job, stimuli), job.config["row"]["layers"], job.config["name"], places_of(job))


def split_by_layer(
    responses: xr.DataArray, layers: Sequence[str] | None, who: str, places: slice = slice(None)
) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield every layer with its responses, or those of `layers`, which may have wildcards ("conv*").

    Of these, the ones at `places` are yielded.

    Raises
    ------
    InputError : a layer that is not there.
    """
    labels = responses["layer"].values if "layer" in responses.coords else np.full(responses.sizes["unit"], "all")
    known = [str(name) for name in dict.fromkeys(labels.tolist())]
    check_layers(layers, known, who)
    asked = [n for n in known if layers is None or any(fnmatch.fnmatchcase(n, pattern) for pattern in layers)]
    for name in asked[places]:
        yield name, responses.isel(unit=np.flatnonzero(labels.astype(str) == name))


def check_layers(layers: Sequence[str] | None, known: Sequence[str], who: str) -> None:
    """Refuse a layer, or a name with wildcards, that none of the known ones has."""
    for pattern in layers or ():
        if not fnmatch.filter(known, pattern):
            raise InputError(f"{who}: no layer {pattern!r}; layers: {', '.join(known)}.{suggest(pattern, known)}")


RESPONSES = SubjectKind(
    name="responses",
    table=ResponsesSubject,
    plan=plan,
    answers="neurosim.study.subjects.recorded:answers",
    describe=lambda row: row.title or f"responses of {row.path.name}",
    check_files=check_files,
    needs_pictures=False,
)
