"""A published recording as a brain: its responses, or its RDMs where only those are published."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import xarray as xr

from neurosim.recordings.datasets import (
    PublishedSet,
    check_dataset,
    dataset_files,
    list_datasets,
    list_recordings,
    load_citation,
    load_dataset,
)
from neurosim.schema import same_stimuli
from neurosim.study.engine.step import Job
from neurosim.study.given import PlanLike, Source, StudyLike
from neurosim.study.kinds import BrainKind, Citation
from neurosim.study.steps.recording import units_of
from neurosim.study.tables import Table, one_of


class DatasetBrain(Table):
    """RDMs or responses of a published recording.

    Examples
    --------
    >>> ns.study.DatasetBrain(dataset="cichy2014_92", recording="IT").recording
    'IT'
    """

    kind: Literal["dataset"] = "dataset"
    title: str = ""
    dataset: str
    recording: str


def check(row: DatasetBrain, place: str, _study: StudyLike) -> None:
    """Refuse a set or recording that is not there."""
    one_of(row.dataset, list_datasets(), f"{place}.dataset")
    one_of(row.recording, list_recordings(row.dataset), f"{place}.recording")


def check_files(row: DatasetBrain, _name: str, _folder: Path) -> None:
    """Look for the files of the set."""
    check_dataset(row.dataset)


def plan(row: DatasetBrain, name: str, made: PlanLike) -> Source:
    """Return what the recording is read from."""
    return Source(made.seeded(row, name) | {"checksums": dataset_files(row.dataset)})


def recording(job: Job, stimuli: xr.DataArray) -> xr.DataArray:
    """Return the responses or RDMs of the stimuli of the study, in their order."""
    row = job.config["row"]
    published = load_dataset(row["dataset"])
    recorded = same_stimuli(stimuli, _found(published, row["recording"]), row["name"])
    return recorded.assign_attrs(citation=published.citation, licence=published.licence)


def n_individuals(row: DatasetBrain, _found_before: xr.DataArray | None) -> int:
    """Return how many individuals were recorded; one where the RDM is that of a group."""
    recorded = _found(load_dataset(row.dataset), row.recording)
    return len(units_of(recorded)) if "unit" in recorded.dims else recorded.sizes.get("subject", 1)


def _found(published: PublishedSet, name: str) -> xr.DataArray:
    """Return the responses of a recording, or its RDMs where only those were published."""
    return (published.responses if name in published.responses else published.rdms)[name]


def cite(row: DatasetBrain) -> list[Citation]:
    """Cite the recording."""
    return [("recording", load_citation(row.dataset))]


PUBLISHED = BrainKind(
    name="dataset",
    table=DatasetBrain,
    plan=plan,
    recording="neurosim.study.brains.published:recording",
    describe=lambda row: row.title or f"{row.recording} of {row.dataset}",
    metric=lambda _row: "correlation",
    has_responses=lambda row: row.recording in load_dataset(row.dataset).responses,
    n_individuals=n_individuals,
    check=check,
    check_files=check_files,
    cite=cite,
)
