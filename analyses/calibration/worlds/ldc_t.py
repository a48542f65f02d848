"""Linear discriminant t values of pairs that are alike: their mean, and how often they pass for a t value."""

from functools import partial

import numpy as np
from scipy import stats
from world import Outcome, World

import neurosim as ns

PAIRS, UNITS = 5, 6


def gaussian(rng: np.random.Generator, distance: float, trials: int) -> np.ndarray:
    """Return trials (stimulus, trial, unit) of stimuli that differ pairwise by `distance` in the first unit."""
    noise = rng.normal(size=(2 * PAIRS, trials, UNITS))
    noise[::2, :, 0] += distance
    return noise


def heavy(rng: np.random.Generator, distance: float, trials: int) -> np.ndarray:
    """Return the same with noise of Student's t with 3 degrees of freedom."""
    noise = rng.standard_t(3, size=(2 * PAIRS, trials, UNITS))
    noise[::2, :, 0] += distance
    return noise


def counts(rng: np.random.Generator, distance: float, trials: int) -> np.ndarray:
    """Return Poisson counts of skewed rates."""
    rates = 2 * np.exp(0.7 * rng.normal(size=(PAIRS, 1, 1, UNITS)).repeat(2, axis=1))
    rates[:, :1, :, :1] += distance
    return rng.poisson(rates.reshape(-1, 1, UNITS).repeat(trials, axis=1)).astype(float)


def _found(draw, trials: int, rng: np.random.Generator, distance: float) -> Outcome:
    responses = ns.as_responses(draw(rng, distance, trials), dims=("stimulus", "trial", "unit"))
    rdm = ns.compute_rdm(responses, "ldc_t").values
    t = rdm[np.arange(0, 2 * PAIRS, 2), np.arange(1, 2 * PAIRS, 2)]
    return Outcome(t, np.ones(PAIRS), p=stats.norm.sf(t))


WORLDS = ()
