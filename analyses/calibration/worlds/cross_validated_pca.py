"""Variance of a signal over all components, with noise that is shared; all trials, and units that lack some."""

from functools import partial

import numpy as np
from world import Outcome, World
from worlds.participation_ratio import STIMULI, UNITS, trials
from worlds.signal_to_noise import labelled

import neurosim as ns


def _variance(rng: np.random.Generator, strength: float, missing: bool = False) -> Outcome:
    found = ns.responses.cross_validated_pca(labelled(trials(rng, strength, missing)), n=4, rng=rng)
    return Outcome(found.signal_variance.sum())


def variance(strength: float) -> float:
    """Return that over stimuli, about their mean."""
    return UNITS * strength * (1 - 1 / STIMULI)


WORLDS = (
    World(
        "cross-validated spectrum",
        "responses.cross_validated_pca",
        "Sum of the spectrum: 200 stimuli, 8 trials, 6 units, signal and noise of one size, half of the noise shared.",
        _variance,
        truth=variance,
        quick=20,
    ),
    World(
        "cross-validated spectrum, missing trials",
        "responses.cross_validated_pca",
        "the same, 30 % of the trials of each unit missing and one lost midway.",
        partial(_variance, missing=True),
        truth=variance,
        quick=10,
    ),
)
