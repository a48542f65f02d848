"""Cross-validated distances of pairs of stimuli: equal, unequal and lost trials, counts, runs that are noisier."""

from functools import partial

import numpy as np
from world import Outcome, World

import neurosim as ns

PAIRS, UNITS = 4, 20


def patterns(rng: np.random.Generator, distance: float) -> np.ndarray:
    """Return patterns (stimulus, 1, unit) around 10; every second stimulus is `distance` from the one before."""
    first, away = rng.normal(size=(2, PAIRS, UNITS))
    away *= np.sqrt(distance * UNITS / (away**2).sum(-1, keepdims=True))
    return 10 + np.stack([first, first + away], axis=1).reshape(2 * PAIRS, 1, UNITS)


def gaussian(rng: np.random.Generator, distance: float, trials: int = 4) -> np.ndarray:
    """Return trials with noise of variance 1."""
    return patterns(rng, distance) + rng.normal(size=(2 * PAIRS, trials, UNITS))


def unequal(rng: np.random.Generator, distance: float) -> np.ndarray:
    """Leave each stimulus 2 to 6 trials, and every fourth unit the first four."""
    trials = gaussian(rng, distance, 6)
    trials[rng.random((2 * PAIRS, 6)).argsort(1) >= rng.integers(2, 7, size=(2 * PAIRS, 1))] = np.nan
    trials[0::3, 5, ::4] = np.nan
    return trials


def counts(rng: np.random.Generator, distance: float) -> np.ndarray:
    """Return Poisson counts in 4 trials; every second stimulus of a pair has `distance` in half of the units."""
    rates = np.repeat(rng.gamma(1, 2, size=(PAIRS, UNITS)), 2, axis=0)
    rates[:, ::5] = 0.0
    rates[1::2, : UNITS // 2] += np.sqrt(2 * distance)
    return rng.poisson(np.repeat(rates[:, None], 4, axis=1)).astype(float)


def noisier(rng: np.random.Generator, distance: float) -> np.ndarray:
    """Return 4 runs of 2 trials, of which the last has three times the noise and half of the stimuli lack two runs."""
    noise = rng.normal(size=(2 * PAIRS, 8, UNITS)) * np.repeat([1.0, 1.0, 1.0, 3.0], 2)[:, None]
    trials = patterns(rng, distance) + noise
    trials[1::2, :4] = np.nan
    return trials


def _found(draw, options, rng: np.random.Generator, distance: float) -> Outcome:
    trials = ns.as_responses(draw(rng, distance), dims=("stimulus", "trial", "unit"))
    if "folds" in options:
        trials = trials.assign_coords(run=("trial", np.arange(trials.sizes["trial"]) // 2))
    found = ns.compute_rdm(trials, "crossnobis", **options)
    return Outcome(found.values[np.arange(0, 2 * PAIRS, 2), np.arange(1, 2 * PAIRS, 2)])


RUNS = {"folds": "run"}
OWN = {"folds": "run", "precision": "diagonal"}
NAME = "similarity.compute_rdm"
WORLDS = (
    World(
        "crossnobis",
        NAME,
        "4 pairs of stimuli, 4 trials, 20 units around 10, noise of variance 1.",
        partial(_found, gaussian, {}),
        truth=float,
    ),
    World(
        "crossnobis, unequal trials",
        NAME,
        "the same with 2 to 6 trials a stimulus; every fourth unit lacks one more trial of every third stimulus.",
        partial(_found, unequal, {}),
        truth=float,
    ),
    World(
        "crossnobis, counts",
        NAME,
        "Poisson counts of skewed rates, 4 trials; a fifth of the units silent for the first of a pair.",
        partial(_found, counts, {}),
        truth=float,
    ),
    World(
        "crossnobis, a noisier run",
        NAME,
        "4 runs of 2 trials, of which the last has 3 times the noise; half of the stimuli lack two; trials as folds.",
        partial(_found, noisier, {}),
        truth=float,
    ),
    World(
        "crossnobis, a noisier run, runs as folds",
        NAME,
        "the same with runs as folds.",
        partial(_found, noisier, RUNS),
        truth=float,
    ),
    World(
        "crossnobis, a noisier run, runs with their own noise",
        NAME,
        "the same, with a diagonal precision of each run: distances in units of noise, so no recovery.",
        partial(_found, noisier, OWN),
        truth=float,
        effect=0.0,
    ),
)
