"""What a study is made of: kinds of stimuli, subjects, brains, analyses and figures, one record a file.

Each kind says which keys its table has, which steps it needs, what it tells the report and what is to be cited. A
record in an installed package's module is a kind like those that stand here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from neurosim.registry import Registry
from neurosim.similarity.metric import METRICS

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

    from neurosim.study.engine.step import Step
    from neurosim.study.given import PlanLike, Source, StudyLike
    from neurosim.study.results import Results

Row = TypeVar("Row")
Citation = tuple[str, str]  # what it was used for, the reference
Answers = Mapping[str, "Mapping[str, xr.DataArray]"]


@dataclass(frozen=True)
class TableOfNumbers:
    """A table of the report: cells are texts; `note` says what the numbers are."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class Told:
    """What an entry of a study tells the report, from its results.

    Parameters
    ----------
    numbers : by topic, for ``numbers.json``.
    cards : (value, label) pairs to see at a glance.
    sentences, notes, methods : what was found; what was left out or must be known; how it was done.
    tables : the numbers behind it. cited : papers of what was done, where only the results say what that was.
    """

    numbers: dict[str, Any] = field(default_factory=dict)
    cards: Sequence[tuple[str, str]] = ()
    sentences: Sequence[str] = ()
    notes: Sequence[str] = ()
    methods: Sequence[str] = ()
    tables: Sequence[TableOfNumbers] = ()
    cited: Sequence[Citation] = ()


def nothing_told(_row: object, _name: str, _results: Results) -> Told:
    """Tell the report nothing."""
    return Told()


def nothing_cited(_row: object) -> list[Citation]:
    """Cite nothing."""
    return []


def cited_metric(name: str) -> list[Citation]:
    """Cite the paper of a metric of RDMs, where it has one."""
    reference = METRICS[name].reference
    return [(f"metric '{name}'", reference)] if reference else []


def nothing_checked(_row: object, _place: str, _in: StudyLike | xr.DataArray) -> None:
    """Refuse nothing."""


def title_or(text: Callable[[Row], str]) -> Callable[[Row], str]:
    """Return what describes a row: its title, or else `text` of it."""
    return lambda row: str(getattr(row, "title", "") or text(row))


@dataclass(frozen=True)
class StimulusKind(Generic[Row]):
    """A source of stimuli.

    Parameters
    ----------
    name : value of ``source`` in the table.
    table : class of the table.
    load : "module:function" from a ``Job`` to the stimuli; it finds the table in ``config["row"]``.
    known : from the table, the seed and the folder of the study to the stimuli, where they are known at little cost;
        else None.
    reads : the row whose files are read, where they are not its own.
    pictured : whether there is something to show in a figure.
    method : a sentence of a row in its study for the report.
    extra : what else belongs to the key of a row, such as checksums of a set. cite : papers to cite.
    check, check_files : refuse what cannot be done or read, before anything runs.
    """

    name: str
    table: type[Row]
    load: str
    known: Callable[[Row, int, Path], xr.DataArray | None] = lambda _row, _seed, _folder: None
    check: Callable[[Row, str, StudyLike], None] = nothing_checked
    extra: Callable[[Row], dict[str, Any]] = lambda _row: {}
    reads: Callable[[StudyLike], object] | None = None
    pictured: bool = True
    method: Callable[[Row, StudyLike], str] = lambda _row, _study: ""
    check_files: Callable[[Row, str, Path], None] = lambda _row, _name, _folder: None
    cite: Callable[[Row], list[Citation]] = nothing_cited


@dataclass(frozen=True)
class SubjectKind(Generic[Row]):
    """A kind of subject: whatever answers the stimuli.

    Parameters
    ----------
    name : value of ``kind`` in the table.
    table : class of the table.
    plan : adds the steps that come first, such as training, and returns what its answers are read from.
    answers : "module:function" from a ``Job`` and the stimuli to pairs of layer and responses, one layer at a time: of
        those at ``steps.responses.places_of(job)`` where its table has ``layer_steps``, which spreads them over steps.
    check : refuses, before anything runs, what this subject cannot do in this study.
    describe : a few words about a row. tell : what its results tell the report. cite : papers to cite.
    needs_pictures : whether it must be shown the stimuli themselves.
    may_spike : whether a row may answer in spikes over time.
    layers_follow : whether its layers have an order, so that lines may join them; populations of a circuit have none.
    learns_here : whether all that a row ever learned, if anything, is said by the study; else it may have learned what
        is shown, and the report does not vouch for it.
    """

    name: str
    table: type[Row]
    plan: Callable[[Row, str, PlanLike], Source]
    answers: str
    describe: Callable[[Row], str]
    check: Callable[[Row, str, StudyLike], None] = nothing_checked
    check_files: Callable[[Row, str, Path], xr.DataArray | None] = lambda _row, _name, _folder: None
    tell: Callable[[Row, str, Results], Told] = nothing_told
    cite: Callable[[Row], list[Citation]] = nothing_cited
    needs_pictures: bool = True
    may_spike: Callable[[Row], bool] = lambda _row: True
    layers_follow: bool = True
    learns_here: Callable[[Row], bool] = lambda _row: False


@dataclass(frozen=True)
class BrainKind(Generic[Row]):
    """A kind of brain: recorded responses, or RDMs as they were published.

    Parameters
    ----------
    name, table, plan, describe, check, tell, cite : as of :class:`SubjectKind`.
    recording : "module:function" from a ``Job`` and the stimuli to responses, or to RDMs.
    metric, options : of the RDMs of its responses, and further options of ``compute_rdm``.
    has_responses : whether it gives responses, which analyses of responses need; else RDMs alone.
    n_individuals : of a row, and its responses where they were found, how many there are; None where only its step
        knows.
    measured : whether it was measured; else the report says that it is synthetic.
    """

    name: str
    table: type[Row]
    plan: Callable[[Row, str, PlanLike], Source]
    recording: str
    describe: Callable[[Row], str]
    metric: Callable[[Row], str | None]
    options: Callable[[Row], dict[str, str]] = lambda _: {}
    check: Callable[[Row, str, StudyLike], None] = nothing_checked
    check_files: Callable[[Row, str, Path], xr.DataArray | None] = lambda _row, _name, _folder: None
    has_responses: Callable[[Row], bool] = lambda _row: True
    n_individuals: Callable[[Row, xr.DataArray | None], int | None] = lambda _row, _found: None
    tell: Callable[[Row, str, Results], Told] = nothing_told
    cite: Callable[[Row], list[Citation]] = nothing_cited
    measured: bool = True


@dataclass(frozen=True)
class AnalysisKind(Generic[Row]):
    """A kind of analysis: what is asked of subjects and brains.

    Parameters
    ----------
    name : value of ``kind`` in the table.
    table : class of the table.
    plan : from a row, its name and the plan to its steps.
    check, tell, cite : as of :class:`SubjectKind`.
    check_stimuli : refuses, before anything runs, stimuli that are too few or lack a label; it is given the row, its
        place and whatever has the stimuli of the study and their labels.
    check_answers : refuses, before anything runs, responses in files that it cannot use; it is given the row, its
        place, the study, and by group, "subjects" and "brains", the responses that were found by name.
    needs_brains : whether a row asks brains, so that a study without any cannot have it.
    """

    name: str
    table: type[Row]
    plan: Callable[[Row, str, PlanLike], list[Step]]
    check: Callable[[Row, str, StudyLike], None] = nothing_checked
    check_stimuli: Callable[[Row, str, xr.DataArray], None] = lambda _row, _place, _stimuli: None
    check_answers: Callable[[Row, str, StudyLike, Answers], None] = lambda _row, _place, _study, _found: None
    needs_brains: Callable[[Row], bool] = lambda _row: True
    tell: Callable[[Row, str, Results], Told] = nothing_told
    cite: Callable[[Row], list[Citation]] = nothing_cited


@dataclass(frozen=True)
class FigureKind:
    """A kind of figure of the report.

    Parameters
    ----------
    name : what is shown; figures are called by it, and by what they are of: "scores_early".
    plan : from the plan to the steps of the figures of this kind that a study has, see ``steps.figure.figure_step``.
    title, caption : what the reader is told; the caption may be made from the numbers that were drawn.
    """

    name: str
    plan: Callable[[PlanLike], list[Step]]
    title: str
    caption: str | Callable[[xr.Dataset], str]


SHOWN: Registry[StimulusKind[Any]] = Registry("source of stimuli", "neurosim.study.shown", StimulusKind)
SUBJECTS: Registry[SubjectKind[Any]] = Registry("kind of subject", "neurosim.study.subjects", SubjectKind)
BRAINS: Registry[BrainKind[Any]] = Registry("kind of brain", "neurosim.study.brains", BrainKind)
ANALYSES: Registry[AnalysisKind[Any]] = Registry("kind of analysis", "neurosim.study.analyses", AnalysisKind)
FIGURES = Registry("kind of figure", "neurosim.study.figures", FigureKind)
