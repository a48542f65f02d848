"""Dimensions of a signal in noise; all trials, and units that lack some."""

from functools import partial

import numpy as np
from world import Outcome, World
from worlds.signal_to_noise import labelled

import neurosim as ns

STIMULI, TRIALS, UNITS = 200, 8, 6


def trials(rng: np.random.Generator, strength: float, missing: bool = False) -> np.ndarray:
    """Return trials of as many dimensions of signal as units, noise of one size, half of it shared by all units."""
    signal = np.sqrt(strength) * rng.normal(size=(STIMULI, 1, UNITS))
    noise = rng.normal(size=(STIMULI, TRIALS, UNITS)) + rng.normal(size=(STIMULI, TRIALS, 1))
    found = signal + noise / np.sqrt(2)
    if missing:
        found[rng.random(found.shape) < 0.3] = np.nan
        found[:, TRIALS // 2 :, 0] = np.nan
    return found


def _dimensions(rng: np.random.Generator, strength: float, missing: bool = False) -> Outcome:
    return Outcome(ns.responses.participation_ratio(labelled(trials(rng, strength, missing))))


WORLDS = (
    World(
        "participation ratio",
        "responses.participation_ratio",
        "200 stimuli, 8 trials, 6 dimensions, signal and noise of one size, half of the noise shared.",
        _dimensions,
        truth=lambda strength: float(UNITS),
        null=None,
        quick=20,
    ),
    World(
        "participation ratio, missing trials",
        "responses.participation_ratio",
        "the same, 30 % of the trials of each unit missing and one lost midway.",
        partial(_dimensions, missing=True),
        truth=lambda strength: float(UNITS),
        null=None,
        quick=6,
    ),
)
