"""Rates over time of Poisson spikes, and their intervals; equal, missing and few trials, with and without a kernel."""

from functools import partial

import numpy as np
from world import Outcome, World

import neurosim as ns

UNITS = 20
STEP = 20e-3


def _rate(
    rng: np.random.Generator, count: float, trials: int, missing: bool = False, bandwidth: float = 0.0
) -> Outcome:
    """Return the rate of a bin of which a trial has `count` spikes, the middle one of 11."""
    counts = rng.poisson(count, size=(1, trials, 11, UNITS)).astype(float)
    if missing:
        counts[:, 3:][np.broadcast_to(rng.random((1, trials - 3, 1, UNITS)) < 0.5, (1, trials - 3, 11, UNITS))] = np.nan
    responses = ns.as_responses(counts, quantity="spike_count", time_step=STEP)
    found = ns.responses.psth(responses, bandwidth=bandwidth).isel(stimulus=0, time=5)
    low, high = found.interval.values.T
    return Outcome(found.rate, found.standard_error, low, high)


def rate(count: float) -> float:
    """Return spikes/s."""
    return count / STEP


WORLDS = (
    World(
        "rate over time",
        "responses.psth",
        "20 trials, Poisson counts of 2 a bin, no kernel.",
        partial(_rate, trials=20),
        truth=rate,
        effect=2.0,
        null=None,
        quick=20,
    ),
    World(
        "rate over time, missing trials",
        "responses.psth",
        "3 to 20 trials, Poisson counts of 2 a bin, no kernel.",
        partial(_rate, trials=20, missing=True),
        truth=rate,
        effect=2.0,
        null=None,
        quick=20,
    ),
    World(
        "rate over time, kernel",
        "responses.psth",
        "20 trials, Poisson counts of 0.5 a bin, a kernel as wide as a bin.",
        partial(_rate, trials=20, bandwidth=STEP),
        truth=rate,
        effect=0.5,
        null=None,
        quick=20,
    ),
    World(
        "rate over time, few spikes",
        "responses.psth",
        "6 trials, Poisson counts of 0.3 a bin, no kernel.",
        partial(_rate, trials=6),
        truth=rate,
        effect=0.3,
        null=None,
        outside="One bin in six has no spike at all, and so an interval of no length.",
        quick=20,
    ),
)
