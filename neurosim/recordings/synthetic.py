"""A synthetic brain with known truth, for demonstrations, tests and power analysis. Never to be taken for data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Integral, Real

import numpy as np
import xarray as xr

from neurosim.arrays import plain
from neurosim.recordings.columns import shown
from neurosim.runtime import as_seed, stream
from neurosim.schema import InputError, labelled, responses_to, same_stimuli


@dataclass(frozen=True)
class BrainOptions:
    """Who is recorded in a synthetic brain, how often, how noisily.

    Parameters
    ----------
    n_subjects, n_trials, n_units : of each subject ``n_units`` are sampled in every area.
    trial_noise : standard deviation of the noise of a trial, relative to a signal of 1.
    noise_correlation : correlation of the noise of any two units of a subject in a trial, 0 to below 1.
    individuality : standard deviation of what a subject adds on its own, relative to a signal of 1.
    mean_count : give Poisson spike counts with this mean, whose logarithm the response moves; graded responses
        otherwise.

    Raises
    ------
    InputError : counts below 1, noise out of range, or what is no number.

    Examples
    --------
    >>> ns.recordings.BrainOptions(n_subjects=4).n_trials
    4
    """

    n_subjects: int = 8
    n_trials: int = 4
    n_units: int = 60
    trial_noise: float = 1.0
    noise_correlation: float = 0.0
    individuality: float = 0.5
    mean_count: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value, whole = getattr(self, field.name), field.name.startswith("n_")
            if field.name == "mean_count" and value is None:
                continue
            if not isinstance(value, Integral if whole else Real) or isinstance(value, bool) or math.isnan(value):
                words = "a whole number" if whole else "a number"
                raise InputError(f"BrainOptions: {field.name} is {words}, found {shown(value)}.")
        if min(self.n_subjects, self.n_trials, self.n_units) < 1 or min(self.trial_noise, self.individuality) < 0:
            raise InputError("BrainOptions: counts are at least 1 and noise at least 0.")
        if not 0 <= self.noise_correlation < 1 or not (self.mean_count is None or 0 < self.mean_count < 1e6):
            raise InputError("BrainOptions: a noise_correlation of 0 to below 1 and a mean_count above 0 asked.")


def synthetic_brain(
    tuning: xr.DataArray | Mapping[str, xr.DataArray],
    options: BrainOptions | None = None,
    *,
    area: str = "area",
    rng: np.random.Generator | int = 0,
) -> xr.DataArray:
    """Simulate the recording of areas in several subjects whose units are tuned to known features.

    ``response = standardised(mix(tuning) + individuality * own stimulus effects) + trial_noise * noise``: units mix the
    features linearly with random weights, every subject adds stimulus effects of its own, every trial adds noise.

    Parameters
    ----------
    tuning : the truth (stimulus, unit): features of the stimuli; or one such array an area, by name.
    options : who is recorded, how often, how noisily; by default ``BrainOptions()``.
    area : name of the area, where there is one.
    rng : seed, or generator from which one is drawn; every area and subject has its own stream.

    Returns
    -------
    responses (stimulus, trial, unit) with ``subject`` and ``area`` along ``unit`` and ``synthetic = 1`` in attrs.

    Raises
    ------
    InputError : areas with other stimuli, features that do not vary, or options that are none.

    Examples
    --------
    >>> features = ns.as_stimuli(np.eye(5), dims=("stimulus", "unit"))
    >>> ns.recordings.synthetic_brain(features, ns.recordings.BrainOptions(n_subjects=2, n_units=3)).shape
    (5, 4, 6)
    """
    options = BrainOptions() if options is None else options
    if not isinstance(options, BrainOptions):
        raise InputError(f"synthetic_brain: options are a BrainOptions, found a {type(options).__name__}.")
    seed = as_seed(rng, "synthetic_brain")
    areas = dict(tuning) if isinstance(tuning, Mapping) else {area: tuning}
    if not areas:
        raise InputError("synthetic_brain: no area is given; pass features of the stimuli, or such features by area.")
    areas = {n: labelled(t, "synthetic_brain", "stimuli").transpose("stimulus", ...) for n, t in areas.items()}
    first = next(iter(areas.values()))
    parts, labels = [], []
    for name, given in areas.items():
        features = _standardised(same_stimuli(first, given, "synthetic_brain"))
        for subject in range(options.n_subjects):
            own = stream(seed, "synthetic_brain", name, subject)
            values = _recorded(features, options, own)
            parts.append(values)
            labels.append((name, f"{name}_subject_{subject + 1}" if len(areas) == 1 else f"subject_{subject + 1}"))
    responses = responses_to(
        first,
        np.concatenate(parts, axis=-1),
        dims=("stimulus", "trial", "unit"),
        coords={
            "subject": ("unit", np.repeat([s for _, s in labels], options.n_units)),
            "area": ("unit", np.repeat([a for a, _ in labels], options.n_units)),
        },
        quantity="activation" if options.mean_count is None else "spike_count",
    )
    responses.attrs["synthetic"] = 1
    return responses


def _recorded(features: np.ndarray, options: BrainOptions, rng: np.random.Generator) -> np.ndarray:
    """Return what the units of one subject answer in one area (stimulus, trial, unit)."""
    signal = features @ rng.normal(size=(features.shape[1], options.n_units)) / np.sqrt(features.shape[1])
    signal += options.individuality * rng.normal(size=signal.shape)
    signal /= signal.std()
    noise = rng.normal(size=(len(signal), options.n_trials, options.n_units))
    if options.noise_correlation:
        shared = rng.normal(size=(*noise.shape[:2], 1))
        noise = np.sqrt(1 - options.noise_correlation) * noise + np.sqrt(options.noise_correlation) * shared
    values: np.ndarray = signal[:, None] + options.trial_noise * noise
    if options.mean_count is None:
        return values
    rate = np.exp(np.clip(values, -20, 8))
    return np.asarray(rng.poisson(options.mean_count * rate / rate.mean()).astype(float))


def _standardised(tuning: xr.DataArray) -> np.ndarray:
    """Features (stimulus, feature) of mean 0 and mean square 1."""
    features = plain(tuning, "synthetic_brain").astype(float).reshape(tuning.sizes["stimulus"], -1)
    features = features - features.mean(0)
    spread = np.sqrt((features**2).mean())
    if spread == 0:
        raise InputError("synthetic_brain: the tuning features do not vary over stimuli.")
    return np.asarray(features / spread)
