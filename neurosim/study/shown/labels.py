"""No pictures: the stimuli are known only by the labels of recorded responses."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr

from neurosim.recordings.files import load_responses
from neurosim.schema import as_stimuli, stimulus_labels
from neurosim.study.engine.step import Job
from neurosim.study.given import StudyLike
from neurosim.study.kinds import StimulusKind
from neurosim.study.tables import StudyError, Table, paths_of


class LabelsOnly(Table):
    """No pictures: the stimuli are known only by the labels of the first responses that are read from a file."""

    source: Literal["labels"] = "labels"


def check(_row: LabelsOnly, place: str, study: StudyLike) -> None:
    """Refuse a study in which nothing has labels."""
    if labelled_by(study) is None:
        raise StudyError(f"{place}.source is 'labels', but no subject or brain comes from a file.")


def labelled_by(study: StudyLike) -> object:
    """Return the first subject or brain that is read from a file."""
    return next((row for row in (*study.subjects.values(), *study.brains.values()) if "path" in paths_of(row)), None)


def load(job: Job) -> xr.DataArray:
    """Return stimuli of nothing but labels."""
    responses = load_responses(job.files["path"])
    nothing = np.zeros((responses.sizes["stimulus"], 1))
    return as_stimuli(nothing, ids=responses["stimulus"].values.tolist(), coords=stimulus_labels(responses))


LABELS = StimulusKind(
    name="labels",
    table=LabelsOnly,
    load="neurosim.study.shown.labels:load",
    check=check,
    reads=labelled_by,
    pictured=False,
)
