"""Linear discriminant t values of stimuli that are answered alike: their mean, and what makes them a t value.

The mean of the t values of M folds, which share their training, has a spread of the root of 2 / M where two stimuli do
not differ: divided by it, it is read as a t value.
"""

from functools import partial

import numpy as np
from scipy import stats
from world import Outcome, World

import neurosim as ns

PAIRS, UNITS = 5, 6


def _found(rng: np.random.Generator, _distance: float, trials: int) -> Outcome:
    """Return the t values of pairs that have no stimulus in common."""
    noise = rng.normal(size=(2 * PAIRS, trials, UNITS))
    rdm = ns.compute_rdm(ns.as_responses(noise, dims=("stimulus", "trial", "unit")), "ldc_t").values
    t = rdm[np.arange(0, 2 * PAIRS, 2), np.arange(1, 2 * PAIRS, 2)] / np.sqrt(2 / trials)
    df = 2 * PAIRS * (trials - 1)
    reach = stats.t.ppf(0.975, df)
    return Outcome(t, np.ones(PAIRS), t - reach, t + reach, stats.t.sf(t, df))


def _world(name: str, trials: int) -> World:
    return World(
        f"t of a discriminant, {name}",
        "similarity.compute_rdm",
        f"10 stimuli, {trials} trials, 6 units, Gaussian noise; over the spread of pairs that do not differ.",
        partial(_found, trials=trials),
        truth=lambda _distance: 0.0,
        effect=0.0,
        quick=20,
    )


WORLDS = (_world("Gaussian noise", 8), _world("few trials", 3))
