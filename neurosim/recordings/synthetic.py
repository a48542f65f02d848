"""A synthetic brain with known truth, for demonstrations, tests and power analysis. Never to be taken for data."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import xarray as xr

from neurosim.arrays import plain
from neurosim.runtime import stream
from neurosim.schema import InputError, as_responses, labelled, same_stimuli


def synthetic_brain(
    tuning: xr.DataArray | Mapping[str, xr.DataArray],
    *,
    area: str = "area",
    n_subjects: int = 8,
    n_trials: int = 4,
    n_units: int = 60,
    trial_noise: float = 1.0,
    noise_correlation: float = 0.0,
    individuality: float = 0.5,
    mean_count: float | None = None,
    seed: int = 0,
) -> xr.DataArray:
    """Simulate the recording of areas in several subjects whose units are tuned to known features.

    ``response = standardised(mix(tuning) + individuality * own stimulus effects) + trial_noise * noise``: units mix the
    features linearly with random weights, every subject adds stimulus effects of its own, every trial adds noise.

    Parameters
    ----------
    tuning : the truth (stimulus, unit): features of the stimuli; or one such array an area, by name.
    area : name of the area, where there is one.
    n_subjects, n_trials, n_units : of each subject ``n_units`` are sampled in every area.
    trial_noise : standard deviation of the noise of a trial, relative to a signal of 1.
    noise_correlation : correlation of the noise of any two units of a subject in a trial, 0 to below 1.
    individuality : standard deviation of what a subject adds on its own, relative to a signal of 1.
    mean_count : give Poisson spike counts with this mean, whose logarithm the response moves; graded responses
        otherwise.
    seed : seed; every area and subject has its own stream.

    Returns
    -------
    responses (stimulus, trial, unit) with ``subject`` and ``area`` along ``unit`` and ``synthetic = 1`` in attrs.

    Raises
    ------
    InputError : counts below 1, noise out of range, areas with other stimuli, or features that do not vary.

    Examples
    --------
    >>> from neurosim.schema import as_stimuli
    >>> features = as_stimuli(np.eye(5), dims=("stimulus", "unit"))
    >>> synthetic_brain(features, n_subjects=2, n_units=3).shape
    (5, 4, 6)
    """
    _check_numbers(
        {"n_subjects": n_subjects, "n_trials": n_trials, "n_units": n_units, "seed": seed},
        {"trial_noise": trial_noise, "noise_correlation": noise_correlation, "individuality": individuality}
        | ({} if mean_count is None else {"mean_count": mean_count}),
    )
    if min(n_subjects, n_trials, n_units) < 1 or min(trial_noise, individuality) < 0:
        raise InputError("synthetic_brain: counts are at least 1 and noise at least 0.")
    if not 0 <= noise_correlation < 1 or (mean_count is not None and not 0 < mean_count < 1e6):
        raise InputError("synthetic_brain: a noise_correlation of 0 to below 1 and a mean_count above 0 asked.")
    areas = dict(tuning) if isinstance(tuning, Mapping) else {area: tuning}
    if not areas:
        raise InputError("synthetic_brain: no area is given; pass features of the stimuli, or such features by area.")
    areas = {n: labelled(t, "synthetic_brain", "stimuli").transpose("stimulus", ...) for n, t in areas.items()}
    first = next(iter(areas.values()))
    parts, labels = [], []
    for name, given in areas.items():
        features = _standardised(same_stimuli(first, given, "synthetic_brain"))
        for subject in range(n_subjects):
            rng = stream(seed, "synthetic_brain", name, subject)
            signal = features @ rng.normal(size=(features.shape[1], n_units)) / np.sqrt(features.shape[1])
            signal += individuality * rng.normal(size=signal.shape)
            signal /= signal.std()
            noise = rng.normal(size=(len(signal), n_trials, n_units))
            if noise_correlation:
                shared = rng.normal(size=(*noise.shape[:2], 1))
                noise = np.sqrt(1 - noise_correlation) * noise + np.sqrt(noise_correlation) * shared
            values = signal[:, None] + trial_noise * noise
            if mean_count is not None:
                rate = np.exp(np.clip(values, -20, 8))
                values = rng.poisson(mean_count * rate / rate.mean()).astype(float)
            parts.append(values)
            labels.append((name, f"{name}_subject_{subject + 1}" if len(areas) == 1 else f"subject_{subject + 1}"))
    responses = as_responses(
        np.concatenate(parts, axis=-1),
        dims=("stimulus", "trial", "unit"),
        stimuli=first,
        coords={
            "subject": ("unit", np.repeat([s for _, s in labels], n_units)),
            "area": ("unit", np.repeat([a for a, _ in labels], n_units)),
        },
        quantity="activation" if mean_count is None else "spike_count",
    )
    responses.attrs["synthetic"] = 1
    return responses


def _check_numbers(whole: Mapping[str, Any], real: Mapping[str, Any]) -> None:
    for options, kind, words in ((whole, Integral, "a whole number"), (real, Real, "a number")):
        for name, value in options.items():
            if not isinstance(value, kind):
                raise InputError(f"synthetic_brain: {name} is {words}, found a {type(value).__name__}.")


def _standardised(tuning: xr.DataArray) -> np.ndarray:
    """Features (stimulus, feature) of mean 0 and mean square 1."""
    features = plain(tuning, "synthetic_brain").astype(float).reshape(tuning.sizes["stimulus"], -1)
    features = features - features.mean(0)
    spread = np.sqrt((features**2).mean())
    if spread == 0:
        raise InputError("synthetic_brain: the tuning features do not vary over stimuli.")
    return features / spread
