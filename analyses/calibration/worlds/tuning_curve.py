"""Tuning curves of Poisson counts: the response to one value, its interval, and the test of any tuning."""

from functools import partial

import numpy as np
from world import Outcome, World

import neurosim as ns

DEGREES = np.arange(0.0, 180.0, 22.5)


def _at_the_peak(rng: np.random.Generator, depth: float, missing: bool) -> Outcome:
    rates = 3 + 3 * depth * (np.arange(len(DEGREES)) == 2)
    counts = rng.poisson(rates[:, None, None], size=(len(DEGREES), 8, 20)).astype(float)
    if missing:
        counts[:, 3:][rng.random((len(DEGREES), 5, 20)) < 0.5] = np.nan
    responses = ns.as_responses(
        counts, dims=("stimulus", "trial", "unit"), coords={"degrees": ("stimulus", DEGREES)}, quantity="spike_count"
    )
    curve = ns.responses.tuning_curve(responses, "degrees")
    at = curve.isel(degrees=2)
    low, high = at.interval.values.T
    return Outcome(at.response, at.standard_error, low, high, curve.p)


WORLDS = tuple(
    World(
        f"tuning curve{', missing trials' if missing else ''}",
        "responses.tuning_curve",
        f"8 orientations, {'3 to 8' if missing else 8} trials, Poisson counts of 3, of 6 at one orientation.",
        partial(_at_the_peak, missing=missing),
        truth=lambda depth: 3 + 3 * depth,
        quick=50,
    )
    for missing in (False, True)
)
