"""A synthetic recording with known truth as a brain; never to be taken for data."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from neurosim.recordings.synthetic import BrainOptions, synthetic_brain
from neurosim.schema import InputError, as_stimuli
from neurosim.similarity.metric import METRICS
from neurosim.stimuli.gabors import gabor_energy
from neurosim.study.engine.step import Job
from neurosim.study.given import PlanLike, Source, StudyLike
from neurosim.study.kinds import BrainKind, Citation, Told, cited_metric
from neurosim.study.results import Results
from neurosim.study.subjects.circuit import GABOR
from neurosim.study.tables import Count, Table, one_of


class SyntheticBrain(Table):
    """A synthetic recording whose units are tuned to `tuning`, features by weight: gabor energy, pixels, the
    category, and its prototype, the mean picture of the category.

    Examples
    --------
    >>> ns.study.SyntheticBrain(tuning={"gabor": 0.3, "category": 0.7}).n_subjects
    8
    """

    kind: Literal["synthetic"] = "synthetic"
    title: str = ""
    tuning: dict[Literal["gabor", "pixels", "category", "prototype"], float] = Field(min_length=1)
    n_subjects: Count = 8
    n_trials: Count = 4
    n_units: Count = 60
    trial_noise: float = Field(default=1.0, ge=0)
    individuality: float = Field(default=0.5, ge=0)
    metric: str = "correlation"


def check(row: SyntheticBrain, place: str, _study: StudyLike) -> None:
    """Refuse a metric that is not known."""
    one_of(row.metric, METRICS, f"{place}.metric")


def plan(row: SyntheticBrain, name: str, made: PlanLike) -> Source:
    """Return what the recording is simulated from."""
    return Source(made.seeded(row, name))


def recording(job: Job, stimuli: xr.DataArray) -> xr.DataArray:
    """Return the simulated responses."""
    row = job.config["row"]
    parts = [weight * _standardised(_feature(name, stimuli)) for name, weight in sorted(row["tuning"].items())]
    tuning = as_stimuli(
        np.concatenate(parts, axis=1), dims=("stimulus", "unit"), ids=stimuli["stimulus"].values.tolist()
    )
    options = ("n_subjects", "n_trials", "n_units", "trial_noise", "individuality")
    brain = BrainOptions(**{k: row[k] for k in options})
    return synthetic_brain(tuning, brain, area=row["name"], rng=row["seed"])


def _feature(name: str, stimuli: xr.DataArray) -> np.ndarray:
    if name == "gabor":
        return np.asarray(gabor_energy(stimuli).values)
    pixels = np.asarray(stimuli.values, dtype=float).reshape(stimuli.sizes["stimulus"], -1)
    if name == "pixels":
        return pixels
    if "category" not in stimuli.coords:
        raise InputError("a synthetic brain tuned to categories needs stimuli with a 'category' label.")
    category = stimuli["category"].values
    membership = (category[:, None] == np.unique(category)).astype(float)
    prototypes: np.ndarray = membership @ (membership.T @ pixels / membership.sum(0)[:, None])
    return membership if name == "category" else prototypes


def _standardised(features: np.ndarray) -> np.ndarray:
    """Return features of mean 0 whose rows have a squared norm of 1 on average, so that weights compare."""
    centred = features - features.mean(0)
    found: np.ndarray = centred / np.sqrt((centred**2).sum(1).mean())
    return found


def tell(row: SyntheticBrain, name: str, _results: Results) -> Told:
    """Tell the truth behind it."""
    truth = ", ".join(f"{k} ({v:g})" for k, v in row.tuning.items())
    return Told(sentences=[f"The truth behind {name}, which is synthetic: units tuned to {truth}."])


def cite(row: SyntheticBrain) -> list[Citation]:
    """Cite the metric and the features."""
    return cited_metric(row.metric) + ([GABOR] if "gabor" in row.tuning else [])


def _described(row: Any) -> str:
    return row.title or f"synthetic, tuned to {', '.join(row.tuning)}"


SYNTHETIC = BrainKind(
    name="synthetic",
    table=SyntheticBrain,
    plan=plan,
    recording="neurosim.study.brains.synthetic:recording",
    describe=_described,
    metric=lambda row: row.metric,
    n_individuals=lambda row, _found: row.n_subjects,
    check=check,
    tell=tell,
    cite=cite,
    measured=False,
)
