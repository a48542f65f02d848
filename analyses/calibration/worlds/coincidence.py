"""Coincidence of the spikes of a neuron with those of one model; all trials, and some missing."""

from functools import partial

import numpy as np
from world import Outcome, World

import neurosim as ns

RATES = np.random.default_rng(0).gamma(0.2, 0.15, size=(3, 1, 150, 1)).clip(0, 0.5)  # of a bin of 1 ms
MODEL = np.random.default_rng(1).random((3, 6, 150, 1)) < RATES
TRUTH = 0.998  # Md* of this model, of 12,000 pairs of trials of the neuron


def labelled(trains: np.ndarray):
    """Return counts (stimulus, trial, time, unit)."""
    return ns.as_responses(trains.astype(float), quantity="spike_count", time_step=1e-3)


def _md_star(rng: np.random.Generator, _strength: float, missing: bool = False) -> Outcome:
    data = (rng.random((3, 10, 150, 1)) < RATES).astype(float)
    if missing:
        data[:, 2:][np.broadcast_to(rng.random((3, 8, 1, 1)) < 0.3, (3, 8, 150, 1))] = np.nan
    found = ns.responses.coincidence(labelled(data), labelled(MODEL), tolerance=2e-3, n_bootstrap=200, rng=rng)
    low, high = found.interval.values.T
    return Outcome(found.md_star, None, low, high)


WORLDS = (
    World(
        "coincidence",
        "responses.coincidence",
        "3 stimuli of 150 ms, 10 trials of Poisson spikes whose rate changes in time, and 6 of a model of that rate.",
        _md_star,
        truth=lambda _: TRUTH,
        null=None,
        quick=8,
    ),
    World(
        "coincidence, missing trials",
        "responses.coincidence",
        "the same, 30 % of the trials from the third on missing.",
        partial(_md_star, missing=True),
        truth=lambda _: TRUTH,
        null=None,
        quick=8,
    ),
)
