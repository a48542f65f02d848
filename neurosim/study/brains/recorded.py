"""A recording in a file as a brain; ``subject`` along ``unit`` tells individuals apart."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import xarray as xr

from neurosim.similarity.metric import METRICS
from neurosim.similarity.runs import runs_of
from neurosim.similarity.shrinkage import SHRINKAGES
from neurosim.study.given import StudyLike
from neurosim.study.kinds import BrainKind, Citation, cited_metric
from neurosim.study.steps.recording import units_of
from neurosim.study.subjects.recorded import InFile, check_files, plan
from neurosim.study.tables import StudyError, one_of


class ResponsesBrain(InFile):
    """A recording in a file; ``subject`` along ``unit`` tells individuals apart, else it is one.

    `options` are those of the reader of the file, such as ``{"by": "image"}`` for NWB. `metric`, `folds` (a label of
    trials, such as "run") and `precision` (the name of a shrinkage) are those of
    :func:`~neurosim.similarity.rdms.compute_rdm`.

    Examples
    --------
    >>> ns.study.ResponsesBrain(path="v4.csv", time_bin=0.01, metric="crossnobis").time_bin
    0.01
    """

    kind: Literal["responses"] = "responses"
    metric: str = "correlation"
    folds: str | None = None
    precision: str | None = None


def check(row: ResponsesBrain, place: str, _study: StudyLike) -> None:
    """Refuse a metric or shrinkage that is not known, and folds or a precision that the metric does not have."""
    one_of(row.metric, METRICS, f"{place}.metric")
    metric = METRICS[row.metric]
    if row.folds is not None and not metric.folds:
        raise StudyError(f"{place}.folds: the metric {row.metric!r} has no folds.")
    if row.precision is not None:
        one_of(row.precision, SHRINKAGES, f"{place}.precision")
        if not metric.takes_precision:
            raise StudyError(f"{place}.precision: the metric {row.metric!r} takes no precision.")


def read(row: ResponsesBrain, name: str, folder: Path) -> xr.DataArray:
    """Read the recording, so that what is wrong with it, or with its folds, is said before anything runs."""
    responses = check_files(row, name, folder)
    if row.folds is not None:
        runs_of(responses, row.folds, METRICS[row.metric])
    return responses


def cite(row: ResponsesBrain) -> list[Citation]:
    """Cite the metric."""
    return cited_metric(row.metric)


RECORDED = BrainKind(
    name="responses",
    table=ResponsesBrain,
    plan=plan,
    recording="neurosim.study.subjects.recorded:recording",
    describe=lambda row: row.title or f"recording in {row.path.name}",
    metric=lambda row: row.metric,
    options=lambda row: {k: v for k in ("folds", "precision") if (v := getattr(row, k)) is not None},
    n_individuals=lambda _row, found: None if found is None else len(units_of(found)),
    check=check,
    check_files=read,
    cite=cite,
)
