"""Encoders: how an image reaches spiking neurons."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim.runtime import as_seed, stream
from neurosim.schema import InputError, as_stimuli, labelled, stimulus_labels


def bernoulli_spikes(
    intensity: np.ndarray, rng: np.random.Generator, *, n_steps: int, max_probability: float = 0.5
) -> np.ndarray:
    """Draw spikes (batch, time, unit) as float32, with probability ``max_probability * intensity`` (batch, unit)."""
    draws = rng.random((len(intensity), n_steps, intensity.shape[1]), dtype=np.float32)
    return (draws < max_probability * intensity[:, None]).astype(np.float32)


def encode_rate(
    stimuli: xr.DataArray,
    *,
    n_steps: int,
    time_step: float = 1e-3,
    max_probability: float = 0.5,
    rng: np.random.Generator | int = 0,
) -> xr.DataArray:
    """Turn intensities into Bernoulli spike trains, one input unit a pixel.

    Every stimulus draws from its own stream, keyed by (seed, its id): the spikes of a stimulus do not depend on
    which others are encoded with it.

    Parameters
    ----------
    stimuli : (stimulus, ...) with values in 0..1.
    n_steps : number of time steps.
    time_step : duration of one step, s.
    max_probability : spike probability a step of an intensity of 1, 0 to 1.
    rng : seed of the trains, or generator from which one is drawn; another seed is another trial.

    Returns
    -------
    stimuli (stimulus, time, unit) of 0 and 1, float32.

    Raises
    ------
    InputError : intensities outside 0..1, no step or no duration, a probability outside 0..1.

    Examples
    --------
    >>> pixels = ns.as_stimuli(np.full((2, 3, 3), 0.5))
    >>> ns.stimuli.encode_rate(pixels, n_steps=10).shape
    (2, 10, 9)
    """
    stimuli = labelled(stimuli, "encode_rate", "stimuli")
    if isinstance(n_steps, bool) or not isinstance(n_steps, int | np.integer) or n_steps < 1:
        raise InputError(f"encode_rate: n_steps = {n_steps!r}; a whole number of at least 1 is asked.")
    if not _is_number(max_probability) or not 0 <= max_probability <= 1:
        raise InputError(f"encode_rate: max_probability = {max_probability!r}; a number in 0..1 is asked.")
    if not _is_number(time_step) or not 0 < time_step < np.inf:
        raise InputError(f"encode_rate: time_step = {time_step!r}; s above 0 asked.")
    seed = as_seed(rng, "encode_rate")
    values = np.asarray(stimuli.values, dtype=float).reshape(stimuli.sizes["stimulus"], -1)
    if values.min() < 0 or values.max() > 1:
        raise InputError(
            f"encode_rate: intensities lie in 0..1, found {values.min():g}..{values.max():g}; rescale them."
        )
    ids = [str(s) for s in stimuli.stimulus.values]
    spikes = np.empty((len(ids), n_steps, values.shape[1]), dtype=np.float32)
    for row, (name, intensity) in enumerate(zip(ids, values, strict=True)):
        own = stream(seed, "encode_rate", name)
        spikes[row] = bernoulli_spikes(intensity[None], own, n_steps=n_steps, max_probability=max_probability)[0]
    return as_stimuli(
        spikes, dims=("stimulus", "time", "unit"), ids=ids, coords=stimulus_labels(stimuli), time_step=time_step
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
