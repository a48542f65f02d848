"""Step: the stimuli of the study."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.recordings.datasets import load_dataset
from neurosim.recordings.files import load_responses
from neurosim.schema import InputError, as_stimuli, stimulus_labels
from neurosim.stimuli.images import load_image_folder
from neurosim.stimuli.source import load_source
from neurosim.study.engine.step import Job


def run(job: Job) -> None:
    """Write ``stimuli.nc``."""
    source = job.config["source"]
    if source == "digits":
        stimuli = shown_digits(job.config["n_per_category"], job.config["seed"])
    elif source == "dataset":
        stimuli = _published(job.config["dataset"])
    elif source == "folder":
        stimuli = load_image_folder(job.files["folder"], size=job.config["size"])
    elif source == "file":
        stimuli = as_stimuli(storage.read_array(job.files["stimuli"]))
    else:
        stimuli = _labels_only(load_responses(job.files["responses"]))
    storage.write_dataset(job.out / "stimuli.nc", stimuli.rename("stimuli"))


def _published(name: str) -> xr.DataArray:
    stimuli = load_dataset(name).stimuli
    if stimuli is None:
        raise InputError(f"stimuli: {name} is published without its stimuli; name a set that has them, or give a file.")
    return stimuli


def shown_digits(n_per_category: int, seed: int) -> xr.DataArray:
    """Return held-back digits, `n_per_category` of each: no network of the same seed was trained on them."""
    return load_source("digits", {"n_per_category": n_per_category}, rng=seed)


def _labels_only(responses: xr.DataArray) -> xr.DataArray:
    nothing = np.zeros((responses.sizes["stimulus"], 1))
    return as_stimuli(nothing, ids=responses["stimulus"].values.tolist(), coords=stimulus_labels(responses))
