"""A study as one record: what is shown, to whom, compared with what, analysed and drawn how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, field_validator, model_validator

from neurosim.registry import Registry
from neurosim.showing import as_table, in_a_line
from neurosim.study.functions import FunctionFigure, located
from neurosim.study.instances import each_instance, instances_in
from neurosim.study.kinds import ANALYSES, BRAINS, SHOWN, SUBJECTS
from neurosim.study.tables import Name, Seed, StudyError, Table, as_row, with_paths

MOST_LINES = 30  # of its text
DEFAULT_ANALYSES = {
    "rsa": {"kind": "rsa"},
    "in_time": {"kind": "rsa_in_time"},
    "relations": {"kind": "relations"},
}


def _as_entry(registry: Registry[Any], key: str) -> BeforeValidator:
    """Return what makes a validated row of a table of plain values, by its `key`, or takes a row as it is."""

    def row(value: object) -> Any:
        tables = {kind.table: kind for kind in registry.values()}
        if type(value) in tables:
            return value
        if callable(value) and key == "kind":
            value = {"kind": "function"} | located(value, "study")
        if not isinstance(value, Mapping):
            raise StudyError(f"a table with the key {key!r} asked, found a {type(value).__name__}.")
        if key not in value:
            raise StudyError(f"the key {key!r} is missing; known: {', '.join(registry)}.")
        kind = registry.find(value[key], key)
        return as_row(kind.table, dict(value), "")

    return BeforeValidator(row)


Stimuli = Annotated[SerializeAsAny[Any], _as_entry(SHOWN, "source")]
Subject = Annotated[SerializeAsAny[Any], _as_entry(SUBJECTS, "kind")]
Brain = Annotated[SerializeAsAny[Any], _as_entry(BRAINS, "kind")]
Figure = Annotated[FunctionFigure, BeforeValidator(lambda v: located(v, "study") if callable(v) else v)]
Analysis = Annotated[SerializeAsAny[Any], _as_entry(ANALYSES, "kind")]


class Study(Table):
    """A whole study: every subject, brain and analysis spelled out.

    Parameters
    ----------
    name : of the results folder.
    stimuli : what is shown.
    subjects : by name, what answers; a network of several `instances` becomes as many subjects, NAME_1, NAME_2, ...
    brains : by name, what was recorded; none where all that is asked is of subjects alone.
    analyses : by name, what is asked; representational similarity, over time where there is time, and the relations
        of all subjects by default; only the last where there are no brains.
    figures : by name, functions of your own that draw what analyses found.
    seed : of everything that is drawn.

    Subjects, analyses and figures may be functions of your own, at the top of a Python file: see
    :class:`~neurosim.study.FunctionSubject`, :class:`~neurosim.study.FunctionAnalysis` and
    :class:`~neurosim.study.FunctionFigure`.

    Raises
    ------
    StudyError : a kind, name or value that is not known, with the nearest one that is.

    Examples
    --------
    >>> study = ns.study.Study(
    ...     name="first",
    ...     stimuli={"source": "digits"},
    ...     subjects={"v1": {"kind": "circuit", "circuit": "gabor_adex"}},
    ...     brains={"area": {"kind": "synthetic", "tuning": {"gabor": 1.0}}},
    ... )
    >>> list(study.analyses)
    ['rsa', 'in_time', 'relations']
    """

    schema_version: Literal[2] = 2
    name: Name
    title: str = ""
    seed: Seed = 0
    stimuli: Stimuli
    subjects: dict[Name, Subject] = Field(min_length=1)
    brains: dict[Name, Brain] = Field(default_factory=dict)
    analyses: dict[Name, Analysis] = Field(default=DEFAULT_ANALYSES, min_length=1, validate_default=True)
    figures: dict[Name, Figure] = Field(default_factory=dict)

    _each_instance = field_validator("subjects", mode="after")(each_instance)

    @model_validator(mode="before")
    @classmethod
    def _asked_of_subjects_alone(cls, values: object) -> Any:
        """Ask by default what can be asked where there are no brains."""
        if isinstance(values, Mapping) and not values.get("brains") and "analyses" not in values:
            return {**values, "analyses": {"relations": DEFAULT_ANALYSES["relations"]}}
        return values

    def __repr__(self) -> str:
        """Return what is shown, to whom, and what is asked, a line each."""
        lines = [f"Study {self.name!r}, seed {self.seed}: {self.title}".removesuffix(": ")]
        lines += [f"  {group:<9} {name}: {said}" for group, name, said in self._told_rows()[:MOST_LINES]]
        more = len(self._told_rows()) - MOST_LINES
        return "\n".join([*lines, *([f"  ... {more} more"] if more > 0 else [])])

    def _repr_html_(self) -> str:
        """Return the same as a table, for a notebook."""
        title = f"{self.name}, seed {self.seed}: {self.title}".removesuffix(": ")
        return as_table(title, self._told_rows(), ("", "name", "what"))

    def _told_rows(self) -> list[tuple[str, str, str]]:
        entries = [(group, name, row) for group, name, _, row in self.kinds()]
        entries += [("figures", name, row) for name, row in self.figures.items()]
        return [(group, name, in_a_line(row)) for group, name, row in entries]

    def kinds(self) -> list[tuple[str, str, Any, Any]]:
        """Return group, name, kind and row of every entry, in order."""
        groups = (("subjects", self.subjects, SUBJECTS), ("brains", self.brains, BRAINS))
        found: list[tuple[str, str, Any, Any]] = [("stimuli", "stimuli", SHOWN[self.stimuli.source], self.stimuli)]
        for group, rows, registry in (*groups, ("analyses", self.analyses, ANALYSES)):
            found += [(group, name, registry[row.kind], row) for name, row in rows.items()]
        return found


ALONE = ("relations", "alignment (between = ['subjects'])", "decoding")
STEPS = frozenset(
    (
        "stimuli",
        "answers",
        "train",
        "translate",
        "block",
        "simulate",
        "part",
        "rdms",
        "spike_rdms",
        "responses",
        "brain",
        "timed_brain",
        "recording",
        "figure",
    )
)


def moved_to(study: Study, places: Mapping[str, str]) -> Study:
    """Return the study with other places for the files that it names."""
    groups = {
        group: {name: with_paths(row, places) for name, row in getattr(study, group).items()}
        for group in ("subjects", "brains", "analyses", "figures")
    }
    return study.model_copy(update=groups | {"stimuli": with_paths(study.stimuli, places)})


def checked(study: Study) -> Study:
    """Return a study whose entries all say that they can be done.

    Raises
    ------
    StudyError : an entry that this study cannot have.
    """
    for name in study.brains:
        together = instances_in(study.subjects).get(name, [])
        if name in study.subjects or together:
            whose = f"what the subjects {', '.join(together)} are called together" if together else "a subject"
            raise StudyError(
                f"study {study.name!r}: brains.{name}: {name!r} is also {whose}; results go by name, so give the brain "
                "another."
            )
    for group, name, kind, row in study.kinds():
        place = f"{study.name}: {group}.{name}" if group != "stimuli" else f"{study.name}: stimuli"
        kind.check(row, place, study)
        if group == "analyses" and not study.brains and kind.needs_brains(row):
            able = ", ".join(ALONE)
            raise StudyError(
                f"{place} asks brains, and the study has none; give [brains], or ask subjects alone: {able}."
            )
        if group == "analyses" and name in STEPS:
            raise StudyError(f"{place}: steps of every study are called {name!r}; give it another name.")
        if group == "subjects" and kind.needs_pictures and study.stimuli.source == "labels":
            raise StudyError(f"{place} needs pictures, but stimuli.source is 'labels'; give stimuli or responses.")
    return study
