"""The stimuli of a published set."""

from __future__ import annotations

from typing import Any, Literal

import xarray as xr

from neurosim.recordings.datasets import check_dataset, dataset_files, list_datasets, load_dataset
from neurosim.schema import InputError
from neurosim.study.engine.step import Job
from neurosim.study.given import StudyLike
from neurosim.study.kinds import StimulusKind
from neurosim.study.tables import Table, one_of


class DatasetStimuli(Table):
    """The stimuli of a published set.

    Examples
    --------
    >>> ns.study.DatasetStimuli(dataset="cichy2014_92").source
    'dataset'
    """

    source: Literal["dataset"] = "dataset"
    dataset: str


def check(row: DatasetStimuli, place: str, _study: StudyLike) -> None:
    """Refuse a set that is not there."""
    one_of(row.dataset, list_datasets(), f"{place}.dataset")


def files(row: DatasetStimuli) -> dict[str, Any]:
    """Return the checksums of the set."""
    return {"checksums": dataset_files(row.dataset)}


def load(job: Job) -> xr.DataArray:
    """Return the stimuli of the set."""
    name = job.config["row"]["dataset"]
    stimuli = load_dataset(name).stimuli
    if stimuli is None:
        raise InputError(f"stimuli: {name} is published without its stimuli; name a set that has them, or give a file.")
    return stimuli


DATASET = StimulusKind(
    name="dataset",
    table=DatasetStimuli,
    load="neurosim.study.shown.dataset:load",
    check=check,
    check_files=lambda row, _name, _folder: check_dataset(row.dataset),
    extra=files,
)
