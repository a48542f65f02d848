"""Alignment of responses: CKA, CCA, shapes, soft matching or dynamics of every layer with brains and other subjects."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from neurosim import storage
from neurosim.schema import InputError, same_stimuli
from neurosim.similarity.measure import MEASURES, Measure
from neurosim.study.analyses.asked import (
    answers_of,
    brains_of,
    check_asked,
    check_options,
    check_time_bin,
    counted,
    of_its_kind,
    subjects_of,
    titles_of,
    which_of,
)
from neurosim.study.analyses.layer_scores import FEWEST_STIMULI, FILE, Estimate, OfLayers, jackknifed, table_of, told
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike, StudyLike
from neurosim.study.kinds import AnalysisKind, Answers, Citation, TableOfNumbers, Told
from neurosim.study.results import Results
from neurosim.study.steps.recording import individuals, recording_in, units_of
from neurosim.study.steps.responses import layers_in, reduced
from neurosim.study.tables import StudyError, one_of

BETWEEN = "between.nc"
JACKKNIFE = (
    "uncertainty by leaving out stimuli and individuals",
    "Efron B, Stein C (1981) Ann Statist 9:586-596, https://doi.org/10.1214/aos/1176345462",
)


class Alignment(OfLayers):
    """How well responses align, by `measure` and its `options`: with the brains, between the subjects, or both.

    `time_bin` (s) of measures of dynamics; time is averaged (spike counts: summed) for the others.

    Examples
    --------
    >>> ns.study.Alignment(measure="cka", between=["subjects"]).between
    ('subjects',)
    """

    kind: Literal["alignment"] = "alignment"
    measure: str = "cka"
    options: dict[str, int | float | str] = Field(default_factory=dict)
    between: tuple[Literal["brains", "subjects"], ...] = ("brains",)
    time_bin: float | None = Field(default=None, gt=0)


def check(row: Alignment, place: str, study: StudyLike) -> None:
    """Refuse a measure or option that is not known, brains without responses, and subjects where there is one."""
    one_of(row.measure, MEASURES, f"{place}.measure")
    check_options(MEASURES[row.measure].options, row.options, f"{place}.options")
    if not row.between:
        raise StudyError(f"{place}.between is empty; give 'brains', 'subjects' or both.")
    check_asked(row, place, study, responses="brains" in row.between)
    if "subjects" in row.between and len(subjects_of(row, study)) < 2:
        raise StudyError(f"{place}.between 'subjects' asks for two subjects or more; there is one.")
    if row.time_bin is not None and "time" not in MEASURES[row.measure].dims:
        raise StudyError(f"{place}.time_bin is for measures of dynamics; {row.measure!r} has no time.")


def check_answers(row: Alignment, place: str, study: StudyLike, found: Answers) -> None:
    """Refuse bins that recorded subjects or brains do not have."""
    brains = ["brains"] if "brains" in row.between else []
    check_time_bin(place, row.time_bin, answers_of(row, study, found, "subjects", *brains))


def check_stimuli(row: Alignment, place: str, stimuli: xr.DataArray) -> None:
    """Refuse too few stimuli."""
    n, least = stimuli.sizes["stimulus"], max(FEWEST_STIMULI, MEASURES[row.measure].fewest_stimuli + 2)
    if n < least:
        raise StudyError(f"{place} needs {least} stimuli or more, to leave out two at a time, found {n}.")


def plan(row: Alignment, name: str, made: PlanLike) -> list[Step]:
    """Return one step for every subject and brain, and for every two subjects."""
    keep = keep_of(MEASURES[row.measure], row.time_bin, rotated=not row.options)
    subjects = list(subjects_of(row, made.study))
    responses = {s: made.responses(s, keep) for s in subjects}
    config = {"measure": row.measure, "options": row.options, "time_bin": row.time_bin}
    work = "neurosim.study.analyses.alignment:"
    steps = []
    if "brains" in row.between:
        steps += [
            Step(f"{name}:{s}:{b}", f"{work}run", config | {"target": b}, (responses[s], made.recording(b)))
            for b in brains_of(row, made.study)
            for s in subjects
        ]
    if "subjects" in row.between:
        steps += [
            Step(f"{name}:{a}:and:{b}", f"{work}run_between", config | {"pair": [a, b]}, (responses[a], responses[b]))
            for i, a in enumerate(subjects)
            for b in subjects[i + 1 :]
        ]
    return steps


def keep_of(measure: Measure, time_bin: float | None, *, rotated: bool) -> dict[str, Any]:
    """Return what of the responses a measure needs; options may tell rotated units apart, so these are not rotated."""
    keep: dict[str, Any] = {"units": "rotated"} if rotated and measure.ignores != "permutation" else {}
    if "trial" not in measure.dims:
        keep["trials"] = "mean"
    if "time" not in measure.dims:
        keep["time"] = "mean"
    elif time_bin is not None:
        keep["time"] = time_bin
    return keep


def run(job: Job) -> None:
    """Write ``layers.nc``: the score of every layer with the brain, and of every individual with the others."""
    measure, score, prepared = _prepared(job)
    subject = job.all_inputs("responses:")
    recording = recording_in(job.input("recording:"))
    people: dict[str, xr.DataArray] = {}
    found: dict[str, Estimate] = {}
    left_out: dict[str, str] = {}
    for layer, responses in layers_in(next(iter(subject.values()))):
        people = people or {n: prepared(r) for n, r in individuals(same_stimuli(responses, recording, "brain")).items()}
        try:
            found[layer] = _with_each(prepared(responses), list(people.values()), score)
        except InputError as error:
            left_out[layer] = f"{layer}: {error}"
    n_stimuli = recording.sizes["stimulus"]
    about = {} if measure.chance is None or job.config["options"] else {"null": measure.chance}
    table = table_of(
        found,
        next(iter(subject)).partition(":")[0],
        ceiling=_of_the_others(recording, prepared, score) if len(people) > 1 else None,
        left_out=left_out,
        method=job.config["measure"],
        what=f"{_capital(measure.caption)} with",
        label=measure.caption,
        leads="is nearest",
        ceiling_is="individuals with the units of all others",
        lower_is_nearer=int(measure.is_distance),
        over="new stimuli and individuals" if len(people) > 1 else "new stimuli",
        n_stimuli=n_stimuli,
        n_subjects=len(people),
        **about,
    )
    storage.write_dataset(job.out / FILE, table)


def run_between(job: Job) -> None:
    """Write ``between.nc``: the score of every layer of one subject with every layer of the other."""
    _, score, prepared = _prepared(job)
    first, second = (
        {layer: prepared(r) for layer, r in layers_in(folder)} for folder in job.all_inputs("responses:").values()
    )
    estimates = [
        [_with_each(a, [same_stimuli(a, b, "alignment")], score) for b in second.values()] for a in first.values()
    ]
    values, errors = (np.array([[getattr(e, k) for e in line] for line in estimates]) for k in ("score", "error"))
    dims = ("layer", "layer_other")
    a, b = job.config["pair"]
    result = xr.Dataset(
        {"score": (dims, values), "standard_error": (dims, errors)},
        coords={"layer": list(first), "layer_other": list(second)},
        attrs={"method": job.config["measure"], "first": a, "second": b, "over": "new stimuli"}
        | {
            "n_stimuli": next(iter(first.values())).sizes["stimulus"],
            "what": _capital(MEASURES[job.config["measure"]].caption),
        },
    )
    storage.write_dataset(job.out / BETWEEN, result)


def _prepared(job: Job) -> tuple[Measure, Any, Any]:
    """Return the measure, its score with the options asked for, and what brings responses to the dims it needs."""
    measure = MEASURES[job.config["measure"]]
    score = partial(measure.function, **job.config["options"])
    prepared = partial(patterns_of, measure=measure, time_bin=job.config["time_bin"], rotated=not job.config["options"])
    return measure, score, prepared


def patterns_of(responses: xr.DataArray, measure: Measure, time_bin: float | None, *, rotated: bool) -> xr.DataArray:
    """Return responses with the dims that a measure needs, in their order."""
    missing = [d for d in measure.dims if responses.sizes.get(d, 1) < 2 and d in ("trial", "time")]
    if missing:
        raise InputError(f"{measure.name} needs {missing[0]}s, found {dict(responses.sizes)}")
    return reduced(responses, keep_of(measure, time_bin, rotated=rotated)).transpose(*measure.dims)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _with_each(layer: xr.DataArray, others: list[xr.DataArray], score: Any) -> Estimate:
    """Return the mean score of a layer with all of the others."""
    a, parts = layer.values, [o.values for o in others]
    return jackknifed(lambda kept: np.array([score(a[kept], b[kept]) for b in parts]), np.arange(len(a)))


def _of_the_others(recording: xr.DataArray, prepared: Any, score: Any) -> Estimate | None:
    """Return the mean score of an individual with the units of all the others, where it has one."""
    pairs = []
    try:
        for own in units_of(recording).values():
            others = np.delete(np.arange(recording.sizes["unit"]), own)
            pairs.append(tuple(prepared(recording.isel(unit=part)).values for part in (own, others)))
        return jackknifed(
            lambda kept: np.array([score(a[kept], b[kept]) for a, b in pairs]), np.arange(len(pairs[0][0]))
        )
    except InputError:
        return None


def tell(row: Alignment, name: str, results: Results) -> Told:
    """Tell the nearest layers of every brain, and the scores of all."""
    said = told(row, name, results, titles_of(row, results.study) if "brains" in row.between else {}, _note)
    measure = MEASURES[row.measure]
    mean, individual = "", ""
    if "brains" in row.between:
        mean, individual = ", mean over the individuals of a brain", " (and individual, where there are several)"
    method = (
        f"Alignment: {measure.caption} of responses {_of_what(measure)}{mean}. "
        f"Uncertainty: each stimulus{individual} is left out once."
    )
    tables = [*said.tables, *_tables_between(name, results, which_of(name, of_its_kind(row, results.study)))]
    return Told(said.numbers, sentences=said.sentences, notes=said.notes, methods=[method], tables=tables)


def _note(table: xr.Dataset) -> str:
    n, stimuli = int(table.attrs["n_subjects"]), int(table.attrs["n_stimuli"])
    side = " (small is alike)" if table.attrs["lower_is_nearer"] else ""
    return (
        f"{table.attrs['method']}{side}; n = {counted(n, 'individual')}, {counted(stimuli, 'stimulus', 'stimuli')}; "
        f"for {table.attrs['over']}."
    )


def _of_what(measure: Measure) -> str:
    if "time" in measure.dims:
        return "over time, averaged over trials"
    if "trial" in measure.dims:
        return "of single trials"
    return "averaged over trials and time (spike counts: summed over time)"


def _tables_between(name: str, results: Results, about: str) -> list[TableOfNumbers]:
    tables = []
    for step in results.named(f"{name}:").values():
        if not results.has(step, BETWEEN):
            continue
        found = results.dataset(step, BETWEEN)
        rows = [
            (str(a), str(b), f"{float(found['score'][i, j]):.4f}", f"{float(found['standard_error'][i, j]):.4f}")
            for i, a in enumerate(found["layer"].values)
            for j, b in enumerate(found["layer_other"].values)
        ]
        first, second = found.attrs["first"], found.attrs["second"]
        note = f"{found.attrs['method']}; {found.attrs['n_stimuli']} stimuli; for {found.attrs['over']}."
        columns = (f"layer of {first}", f"layer of {second}", "score", "s.e.")
        tables.append(TableOfNumbers(f"{found.attrs['what']}, {first} with {second}{about}", columns, rows, note))
    return tables


def cite(row: Alignment) -> list[Citation]:
    """Cite the measure and its uncertainty."""
    measure = MEASURES[row.measure]
    return [*([(measure.caption, measure.reference)] if measure.reference else []), JACKKNIFE]


ALIGNMENT = AnalysisKind(
    name="alignment",
    table=Alignment,
    plan=plan,
    check=check,
    check_answers=check_answers,
    check_stimuli=check_stimuli,
    needs_brains=lambda row: "brains" in row.between,
    tell=tell,
    cite=cite,
)
