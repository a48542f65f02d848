"""Sparseness of Poisson counts over stimuli and over units, with few trials and with unequal ones."""

from functools import partial

import numpy as np
from world import Outcome, World

import neurosim as ns

UNITS = 20
RATES = np.random.default_rng(0).gamma(1.0, 4.0, size=60)  # one unit's to 60 stimuli


def true(depth: float) -> float:
    """Return the sparseness of the noiseless responses."""
    rates = _rates(depth)
    return float((1 - rates.mean() ** 2 / (rates**2).mean()) / (1 - 1 / len(rates)))


def _rates(depth: float) -> np.ndarray:
    return np.asarray(4 + depth * (RATES - 4))


def _of_units(rng: np.random.Generator, depth: float, trials: int, missing: bool = False) -> Outcome:
    counts = rng.poisson(_rates(depth)[:, None, None], size=(60, trials, UNITS)).astype(float)
    if missing:
        counts[:, 2:][rng.random((60, trials - 2, UNITS)) < 0.5] = np.nan
    return Outcome(ns.responses.sparseness(ns.as_responses(counts, dims=("stimulus", "trial", "unit"))))


def _of_stimuli(rng: np.random.Generator, depth: float) -> Outcome:
    """Let all units share the gain of each trial."""
    gain = rng.gamma(20.0, 1 / 20, size=(UNITS, 4, 1))
    counts = rng.poisson(gain * _rates(depth)).astype(float)
    responses = ns.as_responses(counts, dims=("stimulus", "trial", "unit"))
    return Outcome(ns.responses.sparseness(responses, along="unit"))


WORLDS = (
    World(
        "sparseness",
        "responses.sparseness",
        "60 stimuli, 3 trials, Poisson counts whose rates are exponential around 4.",
        partial(_of_units, trials=3),
        truth=true,
        quick=50,
    ),
    World(
        "sparseness, missing trials",
        "responses.sparseness",
        "the same with 2 to 5 trials.",
        partial(_of_units, trials=5, missing=True),
        truth=true,
        quick=50,
    ),
    World(
        "sparseness over units",
        "responses.sparseness",
        "60 units, 4 trials, the same rates, and a gain of each trial that all units share.",
        _of_stimuli,
        truth=true,
        quick=50,
    ),
)
