"""A synthetic brain with known truth, for demonstrations, tests and power analysis. Never to be taken for data."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim.runtime import stream
from neurosim.schema import InputError, as_responses


def synthetic_brain(
    tuning: xr.DataArray,
    *,
    area: str = "area",
    n_subjects: int = 8,
    n_trials: int = 4,
    n_units: int = 60,
    trial_noise: float = 1.0,
    individuality: float = 0.5,
    seed: int = 0,
) -> xr.DataArray:
    """Simulate the recording of one area in several subjects whose units are tuned to known features.

    ``response = standardised(mix(tuning) + individuality * own stimulus effects) + trial_noise * noise``: units mix the
    features linearly with random weights, every subject adds stimulus effects of its own, every trial adds noise.

    Parameters
    ----------
    tuning : the truth (stimulus, unit): features of the stimuli.
    area : name of the area.
    n_subjects, n_trials, n_units : per area, per stimulus, per subject.
    trial_noise : standard deviation of the noise of a trial, relative to a signal of 1.
    individuality : standard deviation of what a subject adds on its own, relative to a signal of 1.
    seed : seed; every subject and trial has its own stream.

    Returns
    -------
    responses (stimulus, trial, unit) with ``subject`` and ``area`` along ``unit`` and ``synthetic = 1`` in attrs.

    Raises
    ------
    InputError : counts below 1, or features that do not vary.

    Examples
    --------
    >>> from neurosim.schema import as_stimuli
    >>> features = as_stimuli(np.eye(5), dims=("stimulus", "unit"))
    >>> synthetic_brain(features, n_subjects=2, n_units=3).shape
    (5, 4, 6)
    """
    if min(n_subjects, n_trials, n_units) < 1 or min(trial_noise, individuality) < 0:
        raise InputError("synthetic_brain: counts are at least 1 and noise at least 0.")
    features = np.asarray(tuning.values, dtype=float).reshape(tuning.sizes["stimulus"], -1)
    features = features - features.mean(0)
    spread = np.sqrt((features**2).mean())
    if spread == 0:
        raise InputError("synthetic_brain: the tuning features do not vary over stimuli.")
    parts = []
    for subject in range(n_subjects):
        rng = stream(seed, "synthetic_brain", area, subject)
        signal = (features / spread) @ rng.normal(size=(features.shape[1], n_units)) / np.sqrt(features.shape[1])
        signal += individuality * rng.normal(size=signal.shape)
        signal /= signal.std()
        noise = rng.normal(size=(len(signal), n_trials, n_units))
        parts.append(signal[:, None] + trial_noise * noise)
    subjects = np.repeat([f"{area}_subject_{s + 1}" for s in range(n_subjects)], n_units)
    responses = as_responses(
        np.concatenate(parts, axis=-1),
        dims=("stimulus", "trial", "unit"),
        stimuli=tuning,
        coords={"subject": ("unit", subjects), "area": ("unit", np.repeat([area], n_subjects * n_units))},
    )
    responses.attrs["synthetic"] = 1
    return responses
