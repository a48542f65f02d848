"""Step: the RDMs of the individuals of one recorded (or synthetic) brain."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.recordings.datasets import load_dataset
from neurosim.recordings.files import load_responses
from neurosim.recordings.synthetic import BrainOptions, synthetic_brain
from neurosim.responses.averages import over_time
from neurosim.responses.reliability import split_half_reliability
from neurosim.schema import InputError, as_stimuli, same_stimuli
from neurosim.similarity.rdms import compute_rdm
from neurosim.stimuli.gabors import gabor_energy
from neurosim.study.engine.step import Job


def run(job: Job) -> None:
    """Write ``rdms.nc``, with ``rdm`` (subject, ...), and what is known of the recording in its attributes."""
    stimuli = storage.read_array(job.input("stimuli") / "stimuli.nc")
    config, about = job.config, {"name": job.config["name"], "synthetic": int(job.config["kind"] == "synthetic")}
    if config["kind"] == "dataset":
        published = load_dataset(config["dataset"])
        name = config["recording"]
        if name in published.responses:
            recorded = same_stimuli(stimuli, published.responses[name], config["name"])
            rdm = _by_subject(recorded, "correlation")
        else:
            rdm = same_stimuli(stimuli, published.rdms[name], config["name"])
        rdm = rdm if "subject" in rdm.dims else rdm.expand_dims(subject=["group"])
        about |= {"citation": published.citation, "licence": published.licence}
    else:
        responses = _synthetic(config, stimuli) if config["kind"] == "synthetic" else _recorded(job, stimuli)
        rdm = _by_subject(responses, config["metric"])
        if responses.sizes.get("trial", 1) > 1:
            about["median_reliability"] = float(split_half_reliability(over_time(responses)).median())
    result = xr.Dataset({"rdm": rdm})
    result.attrs.update(about)
    storage.write_dataset(job.out / "rdms.nc", result)


def _synthetic(config: dict, stimuli: xr.DataArray) -> xr.DataArray:
    parts = [weight * _standardised(_feature(name, stimuli)) for name, weight in sorted(config["tuning"].items())]
    tuning = as_stimuli(
        np.concatenate(parts, axis=1), dims=("stimulus", "unit"), ids=stimuli["stimulus"].values.tolist()
    )
    options = ("n_subjects", "n_trials", "n_units", "trial_noise", "individuality")
    brain = BrainOptions(**{k: config[k] for k in options})
    return synthetic_brain(tuning, brain, area=config["name"], rng=config["seed"])


def _feature(name: str, stimuli: xr.DataArray) -> np.ndarray:
    if name == "gabor":
        return gabor_energy(stimuli).values
    pixels = np.asarray(stimuli.values, dtype=float).reshape(stimuli.sizes["stimulus"], -1)
    if name == "pixels":
        return pixels
    if "category" not in stimuli.coords:
        raise InputError("a synthetic brain tuned to categories needs stimuli with a 'category' label.")
    category = stimuli["category"].values
    membership = (category[:, None] == np.unique(category)).astype(float)
    return membership if name == "category" else membership @ (membership.T @ pixels / membership.sum(0)[:, None])


def _standardised(features: np.ndarray) -> np.ndarray:
    """Return features of mean 0 whose rows have a squared norm of 1 on average, so that weights compare."""
    centred = features - features.mean(0)
    return centred / np.sqrt((centred**2).sum(1).mean())


def _recorded(job: Job, stimuli: xr.DataArray) -> xr.DataArray:
    responses = load_responses(job.files["responses"], time_bin=job.config["time_bin"])
    return same_stimuli(stimuli, responses, job.config["name"])


def _by_subject(responses: xr.DataArray, metric: str) -> xr.DataArray:
    still = over_time(responses)
    if "subject" in still.coords and still["subject"].dims == ("unit",):
        return compute_rdm(still, metric, by="subject")
    return compute_rdm(still, metric).expand_dims(subject=["subject_1"])
