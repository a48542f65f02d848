"""A recording in a file as a brain; ``subject`` along ``unit`` tells individuals apart."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from neurosim.similarity.metric import METRICS
from neurosim.study.given import StudyLike
from neurosim.study.kinds import BrainKind, Citation, cited_metric
from neurosim.study.subjects.recorded import check_files, plan
from neurosim.study.tables import Table, one_of


class ResponsesBrain(Table):
    """A recording in a file; ``subject`` along ``unit`` tells individuals apart, else it is one.

    Examples
    --------
    >>> ns.study.ResponsesBrain(path="v4.csv", time_bin=0.01, metric="crossnobis").time_bin
    0.01
    """

    kind: Literal["responses"] = "responses"
    title: str = ""
    path: Path
    time_bin: float | None = Field(default=None, gt=0)
    metric: str = "correlation"


def check(row: ResponsesBrain, place: str, _study: StudyLike) -> None:
    """Refuse a metric that is not known."""
    one_of(row.metric, METRICS, f"{place}.metric")


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
    check=check,
    check_files=check_files,
    cite=cite,
)
