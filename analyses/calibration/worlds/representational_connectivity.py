"""Geometries of two areas that share noise: related, unrelated, with missing trials, of counts."""

from functools import partial

import numpy as np
from world import Outcome, World

import neurosim as ns

UNITS = 20


def patterns(rng: np.random.Generator, relation: float, stimuli: int) -> tuple[np.ndarray, np.ndarray]:
    """Return patterns (stimulus, 1, unit) of two areas whose noiseless RDMs correlate by `relation`.

    Differences of Gaussian patterns that correlate by r have squares that correlate by its square.
    """
    first, other = rng.normal(size=(2, stimuli, 1, UNITS))
    return first, np.sqrt(relation) * first + np.sqrt(1 - relation) * other


def gaussian(rng: np.random.Generator, relation: float, stimuli: int = 30, trials: int = 8) -> list[np.ndarray]:
    """Return trials of two areas whose noise correlates by 0.8 unit by unit."""
    shared = rng.normal(size=(stimuli, trials, UNITS))
    return [
        x + np.sqrt(0.8) * shared + np.sqrt(0.2) * rng.normal(size=shared.shape)
        for x in patterns(rng, relation, stimuli)
    ]


def counts(rng: np.random.Generator, relation: float, stimuli: int = 30, trials: int = 8) -> list[np.ndarray]:
    """Return Poisson counts of skewed rates; areas share the gain of a trial, and a third of the units are silent."""
    gain = rng.gamma(8, 1 / 8, size=(stimuli, trials, 1))
    found = [rng.poisson(3 * np.exp(0.5 * x) * gain).astype(float) for x in patterns(rng, relation, stimuli)]
    for area in found:
        area[..., ::3] = 0.0
    return found


def unequal(rng: np.random.Generator, relation: float) -> list[np.ndarray]:
    """Return trials of which each stimulus lacks up to 2, and a fifth of the units of one area half of the session."""
    areas = gaussian(rng, relation, trials=10)
    lost = rng.random((30, 10)).argsort(1) < rng.integers(0, 3, size=(30, 1))
    for area in areas:
        area[lost] = np.nan
    areas[0][:, 5:, ::5] = np.nan
    return areas


def _found(draw, rng: np.random.Generator, relation: float) -> Outcome:
    responses = ns.as_responses(
        np.concatenate(draw(rng, relation), axis=-1),
        dims=("stimulus", "trial", "unit"),
        coords={"area": ("unit", ["a"] * UNITS + ["b"] * UNITS)},
    )
    found = ns.similarity.representational_connectivity(responses, n_splits=6)
    pair = found.isel(area=0, area_other=1)
    return Outcome(float(pair.score), float(pair.standard_error), *pair.interval.values, float(pair.p))


NAME = "similarity.representational_connectivity"
WORLDS = (
    World(
        "representational connectivity",
        NAME,
        "30 stimuli, 8 trials, 20 units an area; noise of the size of signals correlates by 0.8 between areas.",
        partial(_found, gaussian),
        truth=float,
        effect=0.5,
    ),
    World(
        "representational connectivity, unequal trials",
        NAME,
        "the same with 8 to 10 trials of 10; a fifth of the units of one area is lost for half of the session.",
        partial(_found, unequal),
        truth=float,
        effect=0.5,
        quick=30,
    ),
    World(
        "representational connectivity, few stimuli",
        NAME,
        "the same as the first with 12 stimuli.",
        partial(_found, partial(gaussian, stimuli=12)),
        truth=float,
        effect=0.5,
        outside="With 12 stimuli the jackknife is cautious: its error is a third too large and p are few.",
    ),
    World(
        "representational connectivity, counts",
        NAME,
        "unrelated geometries: Poisson counts of skewed rates, a third of the units silent; areas share the gain of a "
        "trial.",
        partial(_found, counts),
        truth=float,
        effect=0.0,
        outside="Weak geometries: the noise of the areas' own covariances goes with that of their covariance, so "
        "unrelated areas score -0.03, intervals hold 92 % and p are cautious.",
    ),
)
