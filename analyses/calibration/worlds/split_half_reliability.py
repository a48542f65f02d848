"""Split-half reliability of the mean of all trials; equal and unequal trials, noise alone."""

import math
from functools import partial

import numpy as np
from world import Outcome, World
from worlds.signal_to_noise import counts, gaussian, labelled

import neurosim as ns


def _reliability(draw, rng: np.random.Generator, ratio: float) -> Outcome:
    found = ns.responses.split_half_reliability(labelled(draw(rng, ratio)), n=20, rng=rng)
    low, high = found.interval.values.T
    return Outcome(found.reliability, found.standard_error, low, high)


def _unequal(rng: np.random.Generator, ratio: float) -> np.ndarray:
    trials = gaussian(rng, ratio, 60, 8)
    trials[:, 4:][rng.random(size=(60, 4)) < 0.5] = np.nan
    trials[45:, :, ::2] = np.nan
    return trials


def share(ratio: float, of_a_trial: float) -> float:
    """Return the variance of a mean response that is signal, of whose noise `of_a_trial` is left."""
    return ratio / (ratio + of_a_trial)


def _few_spikes(rng: np.random.Generator, rate: float) -> np.ndarray:
    """Return Poisson counts of 20 stimuli in 4 trials, of rates that are log-normal around `rate`."""
    rates = rate * np.exp(rng.normal(size=(20, 1, 20)))
    return rng.poisson(np.broadcast_to(rates, (20, 4, 20))).astype(float)


WORLDS = (
    World(
        "split-half reliability",
        "responses.split_half_reliability",
        "60 stimuli, 8 trials, 20 independent units, signal of half the variance of a trial's noise; 20 splits.",
        partial(_reliability, partial(gaussian, stimuli=60, trials=8)),
        truth=partial(share, of_a_trial=1 / 8),
        effect=0.5,
        quick=20,
    ),
    World(
        "split-half reliability, unequal trials",
        "responses.split_half_reliability",
        "60 stimuli, 4 to 8 trials; every second unit is lost for the last quarter of the stimuli.",
        partial(_reliability, _unequal),
        truth=partial(share, of_a_trial=sum(math.comb(4, k) / 16 / (4 + k) for k in range(5))),
        effect=0.5,
        quick=20,
    ),
    World(
        "split-half reliability, counts",
        "responses.split_half_reliability",
        "50 stimuli, 2 trials, Poisson counts around 4 with skewed rates.",
        partial(_reliability, partial(counts, stimuli=50, trials=2)),
        truth=partial(share, of_a_trial=1 / 2),
        effect=1.0,
        quick=20,
    ),
    World(
        "split-half reliability, five stimuli",
        "responses.split_half_reliability",
        "5 stimuli, 8 trials, signal of half the variance of a trial's noise.",
        partial(_reliability, partial(gaussian, stimuli=5, trials=8)),
        truth=partial(share, of_a_trial=1 / 8),
        effect=0.5,
        quick=20,
        outside="The correlation of few stimuli is small on average (as 1 - (1 - r^2) / 2n), its correction curved.",
    ),
    World(
        "split-half reliability, few spikes",
        "responses.split_half_reliability",
        "20 stimuli, 4 trials, Poisson counts of rates that are log-normal around 0.1.",
        partial(_reliability, _few_spikes),
        truth=lambda rate: share(rate * (math.e - 1) * math.sqrt(math.e), 1 / 4),
        effect=0.1,
        null=None,
        quick=10,
        outside="A few spikes of a few stimuli decide, and leaving out stimuli that have none says nothing of them.",
    ),
)
