"""RDMs of two areas in time: one follows the other, with geometries that are known, few stimuli, and noisy counts."""

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


def counts(rng: np.random.Generator, relation: float, stimuli: int) -> list[np.ndarray]:
    """Return Poisson counts (stimulus, trial, time, unit): 4 trials of each area, of which stimuli lack up to 2.

    Rates are skewed, and a third of the units is silent.
    """
    found = []
    for area in noiseless(rng, relation, stimuli):
        trials = rng.poisson(3 * np.exp(0.5 * area[:, None].repeat(4, axis=1))).astype(float)
        trials[..., ::3] = 0.0
        trials[np.arange(4) >= rng.integers(2, 5, size=(stimuli, 1))] = np.nan
        found.append(trials)
    return found


def _found(draw, metric: str, rng: np.random.Generator, relation: float) -> Outcome:
    areas = [ns.as_responses(x, time_step=STEP, dims=_dims(x.ndim)) for x in draw(rng, relation)]
    rdms = [ns.compute_rdm(area, metric) for area in areas]
    found = ns.similarity.lagged_scores(*rdms, max_lag=LAG * STEP).sel(lag=LAG * STEP, method="nearest")
    return Outcome(float(found.score), float(found.standard_error), *found.interval.values)


def _dims(n: int) -> tuple[str, ...]:
    return ("stimulus", "trial", "time", "unit") if n == 4 else ("stimulus", "time", "unit")


NAME = "similarity.lagged_scores"
WORLDS = (
    World(
        "geometry that follows",
        NAME,
        "30 stimuli, 20 units an area, 5 times; the geometry of one area follows that of the other by 2 steps.",
        partial(_found, partial(noiseless, stimuli=30), "euclidean"),
        truth=float,
        effect=0.5,
        quick=10,
    ),
    World(
        "geometry that follows, few stimuli",
        NAME,
        "the same with 8 stimuli.",
        partial(_found, partial(noiseless, stimuli=8), "euclidean"),
        truth=float,
        effect=0.5,
        quick=20,
    ),
    World(
        "geometry that follows, counts",
        NAME,
        "unrelated geometries: Poisson counts, a third of the units silent, 20 stimuli of 2 to 4 trials, crossnobis.",
        partial(_found, partial(counts, stimuli=20), "crossnobis"),
        truth=float,
        effect=0.0,
        quick=10,
    ),
)
