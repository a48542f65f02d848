"""Linear discriminant t values of stimuli that are answered alike: their mean, and what makes them a t value.

The mean of the t values of M folds, which share their training, has a spread of the root of 2 / M where two stimuli do
not differ: divided by it, it is read as a t value. With unequal trials a pair has a number L of common folds and
training means of n - 1 trials, whose shares a are 1 / (n - 1): (1 + (L - 1) (a + a') / 2) / L is in the place of 2 / M.
"""

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


def lost(rng: np.random.Generator, distance: float, trials: int) -> np.ndarray:
    """Return Gaussian trials of which each stimulus lacks up to half."""
    x = gaussian(rng, distance, trials)
    x[np.arange(trials) >= rng.integers(trials // 2, trials + 1, size=(2 * PAIRS, 1))] = np.nan
    return x


def spread(trials: np.ndarray) -> np.ndarray:
    """Return the spread (pair,) of t values of trials (stimulus, trial, unit) that do not differ."""
    there = np.isfinite(trials[..., 0])
    n, common = there.sum(1), (there[::2] & there[1::2]).sum(1)
    share = (1 / (n[::2] - 1) + 1 / (n[1::2] - 1)) / 2
    return np.asarray(np.sqrt((1 + (common - 1) * share) / common))


def _found(draw, trials: int, rng: np.random.Generator, distance: float) -> Outcome:
    x = draw(rng, distance, trials)
    responses = ns.as_responses(x, dims=("stimulus", "trial", "unit"))
    rdm = ns.compute_rdm(responses, "ldc_t").values
    t = rdm[np.arange(0, 2 * PAIRS, 2), np.arange(1, 2 * PAIRS, 2)] / spread(x)
    df = int(np.isfinite(x[..., 0]).sum()) - 2 * PAIRS
    reach = stats.t.ppf(0.975, df)
    return Outcome(t, np.ones(PAIRS), t - reach, t + reach, stats.t.sf(t, df))


def _world(name: str, what: str, draw, trials: int, **about: object) -> World:
    return World(
        f"t of a discriminant, {name}",
        "similarity.compute_rdm",
        f"10 stimuli, {trials} trials, 6 units, {what}; over the spread of pairs that do not differ.",
        partial(_found, draw, trials),
        truth=lambda _distance: 0.0,
        effect=0.0,
        quick=20,
        **about,
    )


WORLDS = (
    _world("Gaussian noise", "Gaussian noise", gaussian, 8),
    _world("few trials", "Gaussian noise", gaussian, 3),
    _world("unequal trials", "half of them or more of each stimulus", lost, 10),
    _world("heavy tails", "noise of Student's t with 3 degrees of freedom", heavy, 8),
    _world("counts", "Poisson counts of skewed rates", counts, 8),
)
