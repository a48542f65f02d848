"""Whom an analysis asks: all subjects and brains of a study, or some of them by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import xarray as xr

from neurosim.refusals import InputError
from neurosim.registry import options_of
from neurosim.responses.averages import rebin
from neurosim.study.given import StudyLike
from neurosim.study.instances import instances_in, name_of_all
from neurosim.study.kinds import BRAINS, Answers
from neurosim.study.tables import Name, StudyError, Table, one_of


class Asked(Table):
    """An analysis of `subjects` and `brains`, by name; of all where none are named.

    The name of a network that has several instances stands for all of these.
    """

    kind: str
    subjects: tuple[Name, ...] = ()
    brains: tuple[Name, ...] = ()


def subjects_of(row: Asked, study: StudyLike) -> dict[str, Any]:
    """Return the subjects that an analysis asks, in the order of the study."""
    asked = set(row.subjects)
    return {n: r for n, r in study.subjects.items() if not asked or asked & {n, name_of_all(n, r)}}


def brains_of(row: Asked, study: StudyLike) -> dict[str, Any]:
    """Return the brains that an analysis asks, in the order of the study."""
    return {n: r for n, r in study.brains.items() if not row.brains or n in row.brains}


def answers_of(row: Asked, study: StudyLike, found: Answers, *groups: str) -> dict[str, xr.DataArray]:
    """Return what is known of the responses of the subjects or brains (`groups`) that an analysis asks."""
    asked = {"subjects": subjects_of, "brains": brains_of}
    return {n: found[group][n] for group in groups for n in asked[group](row, study) if n in found[group]}


def titles_of(row: Asked, study: StudyLike) -> dict[str, str]:
    """Return what the report calls the brains that an analysis asks."""
    return {n: r.title or n for n, r in brains_of(row, study).items()}


def which_of(name: str, alike: Collection[object]) -> str:
    """Return what tells an analysis from those like it, to be added to what is said of it; nothing where it is alone.

    >>> which_of("rsa", ["rsa", "spikes"]), which_of("rsa", ["rsa"])
    (' (rsa)', '')
    """
    return f" ({name})" if len(alike) > 1 else ""


def of_its_kind(row: Any, study: StudyLike) -> list[Any]:
    """Return the analyses of a study that are of the kind of one of them."""
    return [other for other in study.analyses.values() if other.kind == row.kind]


def counted(n: int, one: str, many: str = "") -> str:
    """Return a number with its noun.

    >>> counted(1, "stimulus", "stimuli"), counted(2, "unit")
    ('1 stimulus', '2 units')
    """
    return f"{n} {one if n == 1 else many or one + 's'}"


def check_options(record: type, options: Mapping[str, object], place: str) -> None:
    """Refuse options that a record does not have."""
    try:
        options_of(record, options, place)
    except InputError as error:
        raise StudyError(str(error)) from None


def check_time_bin(place: str, time_bin: float | None, answers: Mapping[str, xr.DataArray]) -> None:
    """Refuse bins that responses over time do not have, such as longer ones than their recording."""
    if time_bin is None:
        return
    for name, responses in answers.items():
        if "time" in responses.dims and "unit" in responses.dims:
            one = responses.isel({dim: slice(1) for dim in responses.dims if dim != "time"})
            try:
                rebin(one, time_bin)
            except InputError as error:
                said = str(error).partition(": ")[2]
                raise StudyError(f"{place}.time_bin does not suit {name!r}: {said}") from None


def check_asked(row: Asked, place: str, study: StudyLike, *, responses: bool = False) -> None:
    """Refuse subjects and brains that are not there, and brains without the `responses` that are needed."""
    for name in row.subjects:
        one_of(name, (*study.subjects, *instances_in(study.subjects)), f"{place}.subjects")
    for name in row.brains:
        one_of(name, tuple(study.brains), f"{place}.brains")
    for name, brain in brains_of(row, study).items() if responses else ():
        if not BRAINS[brain.kind].has_responses(brain):
            raise StudyError(
                f"{place} needs responses, and of the brain {name!r} only RDMs are known; name others in 'brains'."
            )
