"""How much courses rotate, against courses that smooth units have each in an order of its own."""

import numpy as np
from world import Outcome, World

import neurosim as ns

STIMULI, TIMES, UNITS = 8, 20, 8


def _smooth(rng: np.random.Generator, _strength: float) -> Outcome:
    """Return how much more courses of units that have nothing in common rotate than when shuffled, and p."""
    courses = rng.normal(size=(STIMULI, TIMES, UNITS)).cumsum(1)
    found = ns.responses.jpca(ns.as_responses(courses, time_step=0.01), n_components=4, n_shuffles=59, rng=rng)
    return Outcome(float(found.rotating - found.rotating_shuffled.mean()), p=float(found.p_value))


WORLDS = (
    World(
        "rotations",
        "responses.jpca",
        "8 stimuli, 8 units that each walk at random, for every stimulus apart; rotations less those of shuffles.",
        _smooth,
        truth=lambda _strength: 0.0,
        quick=30,
    ),
)
