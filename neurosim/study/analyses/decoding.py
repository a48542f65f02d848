"""Decoding: a label of the stimuli is read out of every layer and every brain, from stimuli or trials held out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from neurosim import storage
from neurosim.responses.averages import average_trials, over_time
from neurosim.responses.cross_validation import balanced_accuracy
from neurosim.responses.decoders import DECODERS
from neurosim.responses.decoding import decode
from neurosim.runtime import seed_of
from neurosim.schema import InputError, carry_stimulus_labels
from neurosim.study.analyses.asked import brains_of, check_asked, check_options, counted, subjects_of
from neurosim.study.analyses.layer_scores import FILE, Estimate, OfLayers, jackknifed, table_of, told
from neurosim.study.analyses.predictivity import check_folds
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike, StudyLike
from neurosim.study.kinds import AnalysisKind, Citation, Told
from neurosim.study.results import Results
from neurosim.study.steps.recording import individuals, recording_in
from neurosim.study.steps.responses import layers_in
from neurosim.study.tables import StudyError, one_of

EVERYTHING = "everything"
NAMES = {"stimulus": "stimuli", "trial": "trials"}


class Decoding(OfLayers):
    """What is decoded: `label` of the stimuli, by a `decoder` with `options`, in `folds`.

    Held out are whole stimuli (`hold_out`), by `groups` where that is asked.

    Or hold out trials of every stimulus, where all subjects and brains that are asked have trials; `label` may then be
    "stimulus" itself.

    Examples
    --------
    >>> ns.study.Decoding(label="category", hold_out="trial").decoder
    'correlation'
    """

    kind: Literal["decoding"] = "decoding"
    label: str = "category"
    decoder: str = "correlation"
    options: dict[str, int | float | str] = Field(default_factory=dict)
    hold_out: Literal["stimulus", "trial"] = "stimulus"
    folds: Annotated[int, Field(ge=2, le=10**4)] = 5
    groups: str | None = None
    of: tuple[Literal["subjects", "brains"], ...] = ("subjects", "brains")


def check(row: Decoding, place: str, study: StudyLike) -> None:
    """Refuse what cannot be held out, and brains without responses."""
    if not row.of:
        raise StudyError(f"{place}.of is empty; give 'subjects', 'brains' or both.")
    check_asked(row, place, study, responses="brains" in row.of)
    one_of(row.decoder, DECODERS, f"{place}.decoder")
    check_options(DECODERS[row.decoder].options, row.options, f"{place}.options")
    if row.hold_out == "stimulus" and row.label == "stimulus":
        raise StudyError(f"{place}.label 'stimulus' cannot be told of stimuli that were held out; hold_out = 'trial'.")
    if row.hold_out == "trial" and row.groups is not None:
        raise StudyError(f"{place}.groups are of stimuli, and trials are held out.")


def check_stimuli(row: Decoding, place: str, stimuli: xr.DataArray) -> None:
    """Refuse a label that the stimuli do not have, and too few stimuli for the folds."""
    labels = [str(k) for k, v in stimuli.coords.items() if v.dims == ("stimulus",)]
    one_of(row.label, labels, f"{place}.label")
    classes, counts = np.unique(stimuli[row.label].values, return_counts=True)
    if len(classes) < 2:
        raise StudyError(f"{place}.label {row.label!r} has one value; there is nothing to decode.")
    if row.hold_out == "trial":
        return
    check_folds(row.folds, row.groups, place, stimuli, 2)
    if counts.min() < 2:
        alone = classes[counts.argmin()]
        raise StudyError(f"{place}: {row.label} {alone!s} has one stimulus; two are needed to train on and test.")


def plan(row: Decoding, name: str, made: PlanLike) -> list[Step]:
    """Return one step for every subject and every brain."""
    config = {k: getattr(row, k) for k in ("label", "hold_out", "folds", "groups", "decoder", "options")}
    config |= {"target": EVERYTHING, "seed": made.study.seed} | ({} if made.study.brains else {"alone": True})
    keep = {"time": "mean"} | ({"trials": "mean"} if row.hold_out == "stimulus" else {})
    work = "neurosim.study.analyses.decoding:run"
    steps = []
    if "subjects" in row.of:
        steps += [
            Step(f"{name}:subject:{s}", work, config | {"name": s}, (made.responses(s, keep), made.stimuli()))
            for s in subjects_of(row, made.study)
        ]
    if "brains" in row.of:
        steps += [
            Step(f"{name}:brain:{b}", work, config | {"name": b}, (made.recording(b), made.stimuli()))
            for b in brains_of(row, made.study)
        ]
    return steps


def run(job: Job) -> None:
    """Write ``layers.nc``: the accuracy of every layer, or of a brain, mean over its individuals."""
    config = job.config
    stimuli = storage.read_array(job.input("stimuli") / "stimuli.nc")
    found: dict[str, Estimate] = {}
    left_out: dict[str, str] = {}
    chance = 1.0
    for layer, people in _answers(job):
        try:
            found[layer], chance = _estimate(config, [carry_stimulus_labels(r, stimuli) for r in people])
        except InputError as error:
            left_out[layer] = f"{layer or config['name']}: {error}"
    over = f"new groups ({config['groups']}) of stimuli" if config["groups"] else f"new {NAMES[config['hold_out']]}"
    if config["hold_out"] == "stimulus" and not config.get("alone"):
        over += " (and individuals, of brains that have several)"
    table = table_of(
        found,
        config["name"],
        left_out=left_out,
        method=f"accuracy ({config['label']})",
        label="accuracy",
        what=f"Decoding of {config['label']}",
        leads="tells it best",
        over=over,
        null=chance,
        folds=config["folds"],
        n_stimuli=stimuli.sizes["stimulus"],
    )
    storage.write_dataset(job.out / FILE, table)


def _answers(job: Job) -> list[tuple[str, list[xr.DataArray]]]:
    """Return layer and the responses of individuals; a brain is one layer without a name."""
    subjects = job.all_inputs("responses:")
    if subjects:
        return [(layer, [responses]) for layer, responses in layers_in(next(iter(subjects.values())))]
    recording = over_time(recording_in(job.input("recording:")))
    recording = average_trials(recording) if job.config["hold_out"] == "stimulus" else recording
    return [("", list(individuals(recording).values()))]


def _estimate(config: dict[str, Any], people: list[xr.DataArray]) -> tuple[Estimate, float]:
    """Return the accuracy of individuals, and chance."""
    rng = seed_of(config["seed"], "folds") % 2**31
    how = {"decoder": config["decoder"], "options": config["options"], "rng": rng, "progress": False}
    if config["hold_out"] == "trial":
        folds = [min(config["folds"], max(2, r.sizes.get("trial", 1))) for r in people]
        each = [
            decode(r, config["label"], hold_out="trial", folds=f, **how) for r, f in zip(people, folds, strict=True)
        ]
        return _over_individuals(each), float(each[0]["chance"])
    how |= {"folds": config["folds"], "hold_out": config["groups"] or "stimulus"}
    results = [decode(r, config["label"], **how) for r in people]
    if len(results) == 1:
        return _over_individuals(results), float(results[0]["chance"])
    labels, right = people[0][config["label"]].values, [r["right"].values for r in results]
    levels = np.arange(len(labels))
    if config["groups"] is not None:
        levels = np.unique(people[0][config["groups"]].values, return_inverse=True)[1]
    found = jackknifed(lambda kept: np.array([float(balanced_accuracy(r[kept], labels[kept])) for r in right]), levels)
    return found, float(results[0]["chance"])


def _over_individuals(each: list[xr.Dataset]) -> Estimate:
    """Return the mean over individuals, whose folds are independent, and its error over folds."""
    accuracy, error = (np.array([float(r[k]) for r in each]) for k in ("accuracy", "standard_error"))
    return Estimate(
        float(accuracy.mean()),
        float(np.sqrt((error**2).sum()) / len(error)),
        float(sum(r.attrs["df"] for r in each)),
        accuracy,
    )


def tell(row: Decoding, name: str, results: Results) -> Told:
    """Tell the best layer, and the accuracy of all."""
    with_brains = "brains" in row.of and results.study.brains
    said = told(row, name, results, {EVERYTHING: f"from every layer{' and brain' if with_brains else ''}"}, _note)
    by = f", groups of '{row.groups}' together" if row.groups else ""
    held = "trials of every stimulus" if row.hold_out == "trial" else f"the stimuli{by}"
    method = (
        f"Decoding: '{row.label}' is named by {DECODERS[row.decoder].caption}, in {row.folds} folds of {held}; units "
        "are standardised "
    )
    method += "by the training set. Classes count alike."
    return Told(said.numbers, sentences=said.sentences, notes=said.notes, methods=[method], tables=said.tables)


def _note(table: xr.Dataset) -> str:
    stimuli = counted(int(table.attrs["n_stimuli"]), "stimulus", "stimuli")
    about = table.attrs
    return f"Accuracy; chance {about['null']:.3g}; {about['folds']} folds; n = {stimuli}; for {about['over']}."


CITED = (
    "decoding",
    "Hung CP, Kreiman G, Poggio T, DiCarlo JJ (2005) Science 310:863-866, https://doi.org/10.1126/science.1117593",
)


def cite(row: Decoding) -> list[Citation]:
    """Cite decoding and the decoder."""
    decoder = DECODERS[row.decoder]
    own = [] if not decoder.reference or decoder.reference in CITED[1] else [(decoder.caption, decoder.reference)]
    return [CITED, *own]


DECODING = AnalysisKind(
    name="decoding",
    table=Decoding,
    plan=plan,
    check=check,
    check_stimuli=check_stimuli,
    needs_brains=lambda row: "subjects" not in row.of,
    tell=tell,
    cite=cite,
)
