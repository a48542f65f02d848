"""RDMs of two areas in time: one follows the other, with geometries that are known."""

from functools import partial

import numpy as np
from world import Outcome, World
from worlds.representational_connectivity import UNITS, patterns

import neurosim as ns

TIMES, LAG, STEP = 5, 2, 0.01


def noiseless(rng: np.random.Generator, relation: float, stimuli: int) -> list[np.ndarray]:
    """Return patterns (stimulus, time, unit) of two areas, the second of which follows after the lag."""
    first, other = (
        np.concatenate(parts, axis=1)
        for parts in zip(*(patterns(rng, relation, stimuli) for _ in range(TIMES)), strict=True)
    )
    return [first, np.concatenate([rng.normal(size=(stimuli, LAG, UNITS)), other[:, :-LAG]], axis=1)]


def _found(rng: np.random.Generator, relation: float, stimuli: int) -> Outcome:
    areas = [ns.as_responses(x, time_step=STEP) for x in noiseless(rng, relation, stimuli)]
    rdms = [ns.compute_rdm(area, "euclidean") for area in areas]
    found = ns.similarity.lagged_scores(*rdms, max_lag=LAG * STEP).sel(lag=LAG * STEP, method="nearest")
    return Outcome(float(found.score), float(found.standard_error), *found.interval.values)


NAME = "similarity.lagged_scores"
WORLDS = (
    World(
        "geometry that follows",
        NAME,
        "30 stimuli, 20 units an area, 5 times; the geometry of one area follows that of the other by 2 steps.",
        partial(_found, stimuli=30),
        truth=float,
        effect=0.5,
        quick=10,
    ),
)
