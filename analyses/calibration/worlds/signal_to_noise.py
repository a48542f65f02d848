"""Signal-to-noise ratio of units that answer to a sample of stimuli, with equal and with unequal trials."""

import numpy as np
from world import Outcome, World

import neurosim as ns


def _equal(rng: np.random.Generator, ratio: float) -> Outcome:
    signal = np.sqrt(ratio) * rng.normal(size=(40, 1, 20))
    trials = signal + rng.normal(size=(40, 8, 20))
    found = ns.responses.signal_to_noise(ns.as_responses(trials, dims=("stimulus", "trial", "unit")))
    return Outcome(found.signal_to_noise, found.standard_error, p=found.p)


WORLDS = (
    World(
        "signal-to-noise ratio",
        "responses.signal_to_noise",
        "40 stimuli, 8 trials, 20 independent units, Gaussian signal and noise of one size.",
        _equal,
        truth=lambda ratio: ratio,
    ),
)
