"""Preferred orientations and their errors, of Poisson counts; units that are not tuned; trials that are missing."""

from functools import partial

import numpy as np
from world import Outcome, World

import neurosim as ns

DEGREES = np.arange(0.0, 180.0, 15.0)


def _counts(rng: np.random.Generator, depth: float, trials: int, missing: bool, units: int) -> object:
    rates = 2 + 8 * depth * np.exp(1.5 * (np.cos(2 * np.deg2rad(DEGREES - 70)) - 1))
    counts = rng.poisson(rates[:, None, None], size=(len(DEGREES), trials, units)).astype(float)
    if missing:
        counts[:, 2:][rng.random((len(DEGREES), trials - 2, 1)) < 0.5] = np.nan
    return ns.as_responses(
        counts,
        dims=("stimulus", "trial", "unit"),
        coords={"degrees": ("stimulus", DEGREES)},
        quantity="spike_count",
    )


def _preferred(
    rng: np.random.Generator,
    depth: float,
    trials: int,
    missing: bool = False,
    units: int = 1,
    name: str = "preferred",
) -> Outcome:
    curve = ns.responses.tuning_curve(_counts(rng, depth, trials, missing, units), "degrees")
    fit = ns.responses.fit_tuning(curve, "von_mises")
    error, found = fit[f"{name}_error"].values, fit[name].values
    found = 70 + (found - 70 + 90) % 180 - 90 if name == "preferred" else found
    known = np.isfinite(found)
    return Outcome(*(x[known] for x in (found, error, found - 1.96 * error, found + 1.96 * error)))


WORLDS = (
    World(
        "preferred orientation",
        "responses.fit_tuning",
        "12 orientations, 10 trials, Poisson counts of 2 to 10.",
        partial(_preferred, trials=10),
        truth=lambda depth: 70.0,
        null=None,
        quick=30,
    ),
    World(
        "preferred orientation, missing trials",
        "responses.fit_tuning",
        "the same with 12 trials, half of those from the third on missing.",
        partial(_preferred, trials=12, missing=True),
        truth=lambda depth: 70.0,
        null=None,
        quick=30,
        outside="The errors of a value come from its 2 to 12 counts alone, and 2 say little.",
    ),
    World(
        "baseline of a fit",
        "responses.fit_tuning",
        "the baseline of the first.",
        partial(_preferred, trials=10, name="baseline"),
        truth=lambda depth: 2.0,
        null=None,
        quick=15,
        outside="A wide bump takes the baseline for its flanks, and the curve is not straight about the fit.",
    ),
    World(
        "preferred orientation, weak tuning",
        "responses.fit_tuning",
        "the same as the first with counts of 2 to 5.",
        partial(_preferred, trials=10, units=2),
        truth=lambda depth: 70.0,
        effect=0.375,
        null=None,
        quick=15,
        outside="Errors are those of a curve that is straight about the fit; of weak tuning it bends.",
    ),
)
