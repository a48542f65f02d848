"""Centred kernel alignment, debiased, and its jackknife: related and unrelated patterns of few and of many units."""

from functools import partial

import numpy as np
from world import Outcome, World

import neurosim as ns


def gaussian(rng: np.random.Generator, relation: float, stimuli: int, units: int) -> list[np.ndarray]:
    """Return two sets of patterns whose alignment over all stimuli is `relation`: units correlate by its root."""
    first, other = rng.normal(size=(2, stimuli, units))
    return [first, np.sqrt(relation) * first + np.sqrt(1 - relation) * other]


def heavy(rng: np.random.Generator, relation: float, stimuli: int, units: int) -> list[np.ndarray]:
    """Return the same of values with heavy tails (t with 5 degrees of freedom)."""
    first, other = rng.standard_t(5, size=(2, stimuli, units))
    return [first, np.sqrt(relation) * first + np.sqrt(1 - relation) * other]


def _score(draw, rng: np.random.Generator, relation: float) -> Outcome:
    return Outcome(ns.similarity.cka(*draw(rng, relation)))


def _jackknife(draw, rng: np.random.Generator, relation: float) -> Outcome:
    found = ns.similarity.jackknife("cka", *draw(rng, relation), progress=False)
    return Outcome(float(found.score), float(found.standard_error), *found.interval.values)


SMALL, MANY = {"stimuli": 40, "units": 10}, {"stimuli": 40, "units": 200}
WORLDS = (
    World(
        "cka",
        "similarity.cka",
        "40 stimuli, 10 units on either side, half of their variance in common.",
        partial(_score, partial(gaussian, **SMALL)),
        truth=float,
        effect=0.5,
    ),
    World(
        "cka, more units than stimuli",
        "similarity.cka",
        "the same with 200 units.",
        partial(_score, partial(gaussian, **MANY)),
        truth=float,
        effect=0.5,
    ),
    World(
        "cka, heavy tails",
        "similarity.cka",
        "the same as the first, of values with heavy tails (t with 5 degrees of freedom).",
        partial(_score, partial(heavy, **SMALL)),
        truth=float,
        effect=0.5,
    ),
    World(
        "jackknife of cka",
        "similarity.jackknife",
        "40 stimuli, 10 units on either side, half of their variance in common.",
        partial(_jackknife, partial(gaussian, **SMALL)),
        truth=float,
        effect=0.5,
        outside="Leaving stimuli out overstates the spread by a fifth; intervals are wide.",
        quick=50,
    ),
)
