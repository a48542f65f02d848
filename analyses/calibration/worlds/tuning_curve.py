"""Tuning curves of Poisson counts: the response to one value, its interval, and the test of any tuning."""

from dataclasses import replace
from functools import partial

import numpy as np
from world import Outcome, World

import neurosim as ns

UNITS = 20


def counts(rng: np.random.Generator, rates: np.ndarray, trials: int, missing: bool = False):
    """Return Poisson counts over half a circle; of trials from the fourth on half are missing, unit by unit."""
    degrees = np.arange(len(rates)) * 180 / len(rates)
    found = rng.poisson(rates[:, None, None], size=(len(rates), trials, UNITS)).astype(float)
    if missing:
        found[:, 3:][rng.random((len(rates), trials - 3, UNITS)) < 0.5] = np.nan
    return ns.as_responses(
        found, dims=("stimulus", "trial", "unit"), coords={"degrees": ("stimulus", degrees)}, quantity="spike_count"
    )


def _at_the_peak(
    rng: np.random.Generator, depth: float, baseline: float, missing: bool = False, trials: int = 8
) -> Outcome:
    rates = baseline * (1 + depth * (np.arange(8) == 2))
    curve = ns.responses.tuning_curve(counts(rng, rates, trials, missing), "degrees")
    at = curve.isel(degrees=2)
    low, high = at.interval.values.T
    return Outcome(at.response, at.standard_error, low, high, curve.p)


def _hardly(rng: np.random.Generator, depth: float, baseline: float) -> Outcome:
    """Return the same of 4 trials; p of the units that have one."""
    found = _at_the_peak(rng, depth, baseline, trials=4)
    return replace(found, p=found.p.values[np.isfinite(found.p.values)])


def _noisier_where_fewer(rng: np.random.Generator, height: float) -> Outcome:
    """Responses of 6 orientations with 3 trials and noise of 2, and of 6 with 8 trials and noise of 1."""
    trials = np.repeat([2.0, 1.0], 6)[:, None, None] * rng.normal(size=(12, 8, UNITS))
    trials[:6, 3:] = np.nan
    trials[9] += height
    labels = {"degrees": ("stimulus", np.arange(12) * 15.0)}
    curve = ns.responses.tuning_curve(
        ns.as_responses(trials, dims=("stimulus", "trial", "unit"), coords=labels), "degrees"
    )
    at = curve.isel(degrees=9)
    low, high = at.interval.values.T
    return Outcome(at.response, at.standard_error, low, high, curve.p)


def _of_images(rng: np.random.Generator, depth: float) -> Outcome:
    """Responses to images of which five share a value: images differ more than values do."""
    values = np.repeat(np.arange(6.0), 5)
    own = 3 + depth * values[:, None, None] + rng.normal(size=(30, 1, UNITS))
    trials = own + rng.normal(size=(30, 6, UNITS))
    responses = ns.as_responses(trials, dims=("stimulus", "trial", "unit"), coords={"size": ("stimulus", values)})
    curve = ns.responses.tuning_curve(responses, "size")
    at = curve.isel(size=2)
    low, high = at.interval.values.T
    return Outcome(at.response, at.standard_error, low, high, curve.p)


WORLDS = (
    World(
        "tuning curve",
        "responses.tuning_curve",
        "8 orientations, 8 trials, Poisson counts of 3, of 6 at one orientation.",
        partial(_at_the_peak, baseline=3.0),
        truth=lambda depth: 3 + 3 * depth,
        quick=50,
    ),
    World(
        "tuning curve, missing trials",
        "responses.tuning_curve",
        "8 orientations, 3 to 8 trials, Poisson counts of 3, of 6 at one orientation.",
        partial(_at_the_peak, baseline=3.0, missing=True),
        truth=lambda depth: 3 + 3 * depth,
        quick=50,
    ),
    World(
        "tuning curve, unequal trials and noise",
        "responses.tuning_curve",
        "12 orientations, 6 with 3 trials and noise of 2, 6 with 8 trials and noise of 1; one of these.",
        _noisier_where_fewer,
        truth=float,
        quick=20,
    ),
    World(
        "tuning curve, few spikes",
        "responses.tuning_curve",
        "8 orientations, 8 trials, Poisson counts of 0.5, of 1 at one orientation.",
        partial(_at_the_peak, baseline=0.5),
        truth=lambda depth: 0.5 + 0.5 * depth,
        outside="Intervals of a t distribution are symmetric; so few counts are skewed.",
        quick=50,
    ),
    World(
        "tuning curve, hardly any spikes",
        "responses.tuning_curve",
        "8 orientations, 4 trials, Poisson counts of 0.1, of 0.2 at one orientation; p of the units that have one.",
        partial(_hardly, baseline=0.1),
        truth=lambda depth: 0.1 + 0.1 * depth,
        outside="Nearly half of the values have no spike at all, and so an interval of no length.",
        quick=20,
    ),
    World(
        "tuning curve, images that share values",
        "responses.tuning_curve",
        "30 images, 5 of each size, 6 trials; noise of images and of trials of one size.",
        _of_images,
        truth=lambda depth: 3 + 2 * depth,
        quick=50,
    ),
)
