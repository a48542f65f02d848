"""Selectivity for orientation of Poisson counts: of units without any, with unequal trials, with few spikes."""

from functools import partial

import numpy as np
from world import Outcome, World
from worlds.tuning_curve import counts

import neurosim as ns

DEGREES = np.arange(0.0, 180.0, 22.5)


def _selectivity(
    rng: np.random.Generator, depth: float, baseline: float, trials: int, missing: bool = False
) -> Outcome:
    """Rates follow a cosine around the baseline, of whose depth the selectivity is half."""
    rates = baseline * (1 + 2 * depth * np.cos(2 * np.deg2rad(DEGREES - 40)))
    found = ns.responses.orientation_selectivity(
        ns.responses.tuning_curve(counts(rng, rates, trials, missing), "degrees")
    )
    kept = found.isel(unit=np.isfinite(found.orientation_selectivity_p.values))
    return Outcome(kept.orientation_selectivity, kept.orientation_selectivity_error, p=kept.orientation_selectivity_p)


WORLDS = (
    World(
        "orientation selectivity",
        "responses.orientation_selectivity",
        "8 orientations, 8 trials, Poisson counts around 3 that follow a cosine; selectivity 0.3.",
        partial(_selectivity, baseline=3.0, trials=8),
        truth=float,
        effect=0.3,
        quick=30,
    ),
    World(
        "orientation selectivity, missing trials",
        "responses.orientation_selectivity",
        "the same with 3 to 8 trials.",
        partial(_selectivity, baseline=3.0, trials=8, missing=True),
        truth=float,
        effect=0.3,
        quick=30,
    ),
    World(
        "orientation selectivity, few spikes",
        "responses.orientation_selectivity",
        "8 orientations, 5 trials, Poisson counts around 0.5; selectivity 0.4.",
        partial(_selectivity, baseline=0.5, trials=5),
        truth=float,
        effect=0.4,
        quick=30,
    ),
)
