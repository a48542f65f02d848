"""Representational similarity of spike trains: how differently stimuli are answered in time, against each brain."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import xarray as xr
from pydantic import Field

from neurosim import storage
from neurosim.schema import InputError
from neurosim.similarity.method import METHODS
from neurosim.similarity.spike_distance import SPIKE_DISTANCES
from neurosim.similarity.spike_rdms import POPULATIONS, spike_rdm
from neurosim.study.analyses.asked import brains_of, check_asked, subjects_of
from neurosim.study.analyses.rsa import (
    OfRDMs,
    brain_of,
    check_individuals,
    check_stimuli,
    scored,
    stacked_models,
    told_of_rdms,
)
from neurosim.study.analyses.rsa import cite as cite_rsa
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike, StudyLike
from neurosim.study.kinds import SUBJECTS, AnalysisKind, Answers, Citation, Told
from neurosim.study.results import Results
from neurosim.study.steps.recording import individuals, recording_in
from neurosim.study.steps.spike_rdms import OPTIONS, in_spikes, spikes_of
from neurosim.study.tables import StudyError, one_of


class SpikeRSA(OfRDMs):
    """How spike trains of subjects that spike are compared with brains: `metric` and `time_constant` (s) of trains.

    The brain's RDMs are its own, of responses; "spikes" compares its spike trains by the same metric.

    Examples
    --------
    >>> ns.study.SpikeRSA(time_constant=5e-3).metric
    'van_rossum'
    """

    kind: Literal["spike_rsa"] = "spike_rsa"
    metric: str = "van_rossum"
    time_constant: float = Field(default=10e-3, gt=0, le=1e3)
    population: str = "labelled_line"
    crossvalidated: bool = False
    brain_rdms: Literal["responses", "spikes"] = "responses"


def check(row: SpikeRSA, place: str, study: StudyLike) -> None:
    """Refuse names that are not known, a study in which nobody spikes, and brains without responses."""
    one_of(row.metric, SPIKE_DISTANCES, f"{place}.metric")
    one_of(row.method, [name for name, method in METHODS.items() if method.has_inference], f"{place}.method")
    one_of(row.population, POPULATIONS, f"{place}.population")
    if row.crossvalidated and not SPIKE_DISTANCES[row.metric].squared_norm:
        able = ", ".join(d.name for d in SPIKE_DISTANCES.values() if d.squared_norm)
        raise StudyError(f"{place}: {row.metric!r} is no squared norm and cannot be crossvalidated; these can: {able}.")
    check_asked(row, place, study, responses=row.brain_rdms == "spikes")
    if not _spiking(row, study):
        raise StudyError(f"{place} compares spike trains, and none of {', '.join(subjects_of(row, study))} spikes.")


def check_answers(row: SpikeRSA, place: str, study: StudyLike, found: Answers) -> None:
    """Refuse recorded answers without spikes over time, of all subjects, of one that is named, or of a brain."""
    check_individuals(row, place, study, found)
    silent = {name for name, responses in found["subjects"].items() if not in_spikes(responses)}
    silent |= subjects_of(row, study).keys() - set(_spiking(row, study))
    for name in sorted(silent & set(row.subjects)):
        raise StudyError(f"{place} compares spike trains, and {name} gives none; leave it out.")
    if silent >= subjects_of(row, study).keys():
        raise StudyError(f"{place} compares spike trains, and none of {', '.join(subjects_of(row, study))} spikes.")
    for name in brains_of(row, study) if row.brain_rdms == "spikes" else ():
        if name in found["brains"] and not in_spikes(found["brains"][name]):
            raise StudyError(f"{place} compares spike trains, and the brain {name} has none; brain_rdms = 'responses'.")


def _spiking(row: SpikeRSA, study: StudyLike) -> list[str]:
    """Return the subjects that may answer in spikes."""
    return [name for name, s in subjects_of(row, study).items() if SUBJECTS[s.kind].may_spike(s)]


def plan(row: SpikeRSA, name: str, made: PlanLike) -> list[Step]:
    """Return one step a brain, which reads the RDMs of all subjects that may spike."""
    rdms = tuple(made.spike_rdms(s, {k: getattr(row, k) for k in OPTIONS}) for s in _spiking(row, made.study))
    config = made.seeded(row, name)
    work = "neurosim.study.analyses.spike_rsa:run"
    of_brain = made.recording if row.brain_rdms == "spikes" else made.brain_rdms
    return [Step(f"{name}:{b}", work, config | {"brain": b}, (*rdms, of_brain(b))) for b in brains_of(row, made.study)]


def run(job: Job) -> None:
    """Write ``scores.nc`` (along ``model``)."""
    if not any("rdm" in storage.read_dataset(f / "rdms.nc") for f in job.all_inputs("spike_rdms:").values()):
        raise InputError("spike_rsa: no layer of any subject answers in spikes over time; leave the analysis out.")
    models = stacked_models(job, steps="spike_rdms:")
    data, about = brain_of(job) if job.config["brain_rdms"] == "responses" else (_spike_rdms_of_brain(job), {})
    storage.write_dataset(job.out / "scores.nc", scored(job.config, models, data, about))


def _spike_rdms_of_brain(job: Job) -> xr.DataArray:
    """Return the RDMs of the spike trains of every individual."""
    recording = recording_in(job.input("recording:"))
    options = {k: job.config[k] for k in OPTIONS}
    people = individuals(spikes_of(recording))
    rdms = [spike_rdm(r, progress=False, **options) for r in people.values()]
    rdm = xr.concat(rdms, xr.DataArray(list(people), dims="subject", name="subject"))
    return rdm.drop_vars("category", errors="ignore")


def tell(row: SpikeRSA, name: str, results: Results) -> Told:
    """Tell which layer comes nearest to each brain, the scores of all, and what does not spike."""
    said = told_of_rdms(row, name, results, f"Spike trains of every layer that spikes ({_how(row)})")
    silent = [s for s in subjects_of(row, results.study) if s not in _spiking(row, results.study)]
    for step in results.named("spike_rdms:").values():
        about = results.dataset(step, "rdms.nc")
        silent += [] if "rdm" in about else [str(about.attrs["subject"])]
    notes = [f"{name}: {', '.join(dict.fromkeys(silent))} left out, no spike trains."] if silent else []
    return replace(said, notes=[*said.notes, *notes])


def _how(row: SpikeRSA) -> str:
    constant = f", time constant {row.time_constant * 1e3:g} ms" if SPIKE_DISTANCES[row.metric].time_constants else ""
    return f"population as {row.population}{constant}"


def cite(row: SpikeRSA) -> list[Citation]:
    """Cite the metric of spike trains and the inference."""
    distance = SPIKE_DISTANCES[row.metric]
    return [*([(distance.caption, distance.reference)] if distance.reference else []), *cite_rsa(row)]


SPIKE_RSA = AnalysisKind(
    name="spike_rsa",
    table=SpikeRSA,
    plan=plan,
    check=check,
    check_stimuli=check_stimuli,
    check_answers=check_answers,
    tell=tell,
    cite=cite,
)
