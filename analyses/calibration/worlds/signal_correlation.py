"""Correlations of tuning, of pairs of units that share noise from trial to trial; one unit lost midway."""

from functools import partial
from math import comb

import numpy as np
from world import Outcome, World
from worlds.signal_to_noise import labelled

import neurosim as ns

PAIRS = 8
STIMULI, TRIALS = 100, 8


def _trials(rng: np.random.Generator, shared: float) -> np.ndarray:
    """Return trials (stimulus, trial, unit) of pairs, signal and noise of one size, half of the noise shared."""
    signal = [rng.normal(size=(STIMULI, 1, PAIRS)) for _ in range(3)]
    noise = [rng.normal(size=(STIMULI, TRIALS, PAIRS)) for _ in range(3)]
    of_each = [np.sqrt(shared) * signal[2] + np.sqrt(1 - shared) * signal[i] for i in range(2)]
    return np.concatenate([of_each[i] + (noise[2] + noise[i]) / np.sqrt(2) for i in range(2)], axis=-1)


def _of_pairs(rng: np.random.Generator, shared: float, lost: bool = False) -> Outcome:
    trials = _trials(rng, shared)
    if lost:
        trials[:, TRIALS // 2 :, :PAIRS] = np.nan
    found = ns.responses.signal_correlation(labelled(trials), n=10, rng=rng).values
    return Outcome(found[np.arange(PAIRS), PAIRS + np.arange(PAIRS)])


def of_halves(shared: float, lost: bool = False) -> float:
    """Return the correlation of means of halves: of 4 trials, or of those of 4 that a unit with half of all has."""
    half = TRIALS // 2
    ways = {j: comb(half, j) ** 2 for j in range(1, half + 1)} if lost else {half: 1}
    noise = {j: np.sqrt((1 + 1 / half) * (1 + 1 / j)) for j in ways}
    return float(sum(n * shared / noise[j] for j, n in ways.items()) / sum(ways.values()))


WORLDS = (
    World(
        "signal correlation",
        "responses.signal_correlation",
        "100 stimuli, 8 trials, pairs with signal and noise of one size, half of the noise shared; that of half means.",
        _of_pairs,
        truth=of_halves,
        effect=0.5,
        quick=20,
    ),
    World(
        "signal correlation, a unit lost midway",
        "responses.signal_correlation",
        "the same, of a unit with the first 4 trials and one with all.",
        partial(_of_pairs, lost=True),
        truth=partial(of_halves, lost=True),
        effect=0.5,
        quick=20,
    ),
)
