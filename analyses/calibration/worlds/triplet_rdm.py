"""Shares of odd-one-out choices: triplets drawn at random, few of them, and of pairs that are rarely shown."""

from functools import partial

import numpy as np
from world import Outcome, World

import neurosim as ns

N, HALF = 8, 4
OWN = np.arange(N) // HALF
SIMILARITY = 4.0


def odds(strength: float) -> np.ndarray:
    """Return how alike two stimuli are: 1 between two categories of four, more within by a strength."""
    return np.where(OWN[:, None] == OWN, 1 + strength * (SIMILARITY - 1), 1.0)


def choices(rng: np.random.Generator, rows: np.ndarray, alike: np.ndarray) -> np.ndarray:
    """Return triplets (T, 3) with the odd one last; a pair is chosen with odds as it is alike."""
    pairs = np.stack([alike[rows[:, i], rows[:, j]] for i, j in ((0, 1), (0, 2), (1, 2))], 1)
    pick = (rng.random(len(rows))[:, None] > np.cumsum(pairs / pairs.sum(1, keepdims=True), 1)).sum(1)
    return np.take_along_axis(rows, np.array([[0, 1, 2], [0, 2, 1], [1, 2, 0]])[pick], 1)


def truth(strength: float) -> float:
    """Return the distance within a category: one minus the chance to be chosen, over all third stimuli."""
    within = odds(strength)[0, 1]
    third = np.where(OWN[2:] == 0, within / (3 * within), within / (within + 2))
    return float(1 - third.mean())


def judged(n: int, rare: float, rng: np.random.Generator, strength: float) -> Outcome:
    """Return the distance of a pair within a category; triplets with both are shown less often by `rare`."""
    rows = np.argsort(rng.random((n, N)), axis=1)[:, :3]
    pair = (rows == 0).any(1) & (rows == 1).any(1)
    rows = rows[~pair | (rng.random(n) < rare)]
    found = ns.similarity.triplet_rdm(choices(rng, rows, odds(strength)), stimuli=[str(k) for k in range(N)])
    value = found.values[0, 1]
    return Outcome(value[np.isfinite(value)])


WORLDS = (
    World(
        "triplets",
        "similarity.triplet_rdm",
        "8 stimuli of 2 categories, 2,000 triplets drawn at random; the distance of a pair within.",
        partial(judged, 2000, 1.0),
        truth=truth,
        quick=30,
    ),
    World(
        "triplets, few",
        "similarity.triplet_rdm",
        "the same with 150 triplets, 16 a pair; pairs that no triplet holds are left out.",
        partial(judged, 150, 1.0),
        truth=truth,
        quick=30,
    ),
    World(
        "triplets, a rare pair",
        "similarity.triplet_rdm",
        "2,000 triplets, of those that hold the pair only 5 % are shown; experiments without one are left out.",
        partial(judged, 2000, 0.05),
        truth=truth,
        quick=30,
    ),
)
