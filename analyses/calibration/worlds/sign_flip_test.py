"""Scores of subjects over time with noise that lasts: false places anywhere, and the mean score where something is."""

from functools import partial

import numpy as np
import xarray as xr
from world import Outcome, World

import neurosim as ns

TIMES, LASTS = 40, 5
THERE = slice(18, 26)


def gaussian(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return noise of spread 1."""
    return rng.normal(size=shape)


def heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return noise of a t distribution with 3 degrees of freedom, spread 1."""
    return rng.standard_t(3, size=shape) / np.sqrt(3)


def skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return noise of an exponential distribution around 0, spread 1."""
    return rng.exponential(size=shape) - 1


def lognormal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return noise of a log-normal distribution around 0, spread 1, skewness 3.7."""
    noise = np.exp(0.8 * rng.normal(size=shape))
    return (noise - np.exp(0.32)) / np.sqrt((np.exp(0.64) - 1) * np.exp(0.64))


def skewed_both_ways(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return exponential noise that is turned round in the second half of the times."""
    noise = skewed(rng, shape)
    noise[:, shape[1] // 2 :] *= -1
    return noise


def missing(rng: np.random.Generator, scores: np.ndarray) -> np.ndarray:
    """Take from a third of the subjects the last half of the times, from others the first quarter."""
    n = len(scores)
    scores[: n // 3, TIMES // 2 :] = np.nan
    scores[n // 3 : n // 2, : TIMES // 4] = np.nan
    return scores


def _map(rng: np.random.Generator, strength: float, n: int, noise=gaussian, lose=None, **options) -> Outcome:
    values = noise(rng, (n, TIMES + LASTS - 1))
    values = np.lib.stride_tricks.sliding_window_view(values, LASTS, axis=1).sum(-1) / np.sqrt(LASTS)
    values[:, THERE] += strength
    values = values if lose is None else lose(rng, values)
    scores = xr.DataArray(values, dims=("subject", "time"), coords={"time": np.arange(TIMES) * 0.01})
    found = ns.similarity.sign_flip_test(scores, n_permutations=199, rng=rng, **options)
    low, high = found.interval.values[THERE.start]
    at = found.isel(time=THERE.start)
    return Outcome(float(at.score), float(at.standard_error), low, high, float(found.p_corrected.min()))


ESTIMATOR = "similarity.sign_flip_test"
OF = "12 subjects, 40 times, noise that lasts for 5; p: the smallest of all times."
WORLDS = (
    World("map, largest t", ESTIMATOR, OF, partial(_map, n=12), truth=float, quick=8),
    World("map, cluster mass", ESTIMATOR, OF, partial(_map, n=12, method="cluster_mass"), truth=float, quick=8),
    World("map, TFCE", ESTIMATOR, OF, partial(_map, n=12, method="tfce"), truth=float, quick=4),
    World(
        "map, subjects without scores at some times",
        ESTIMATOR,
        "the same; a third of the subjects lack the last half of the times, a sixth the first quarter; cluster mass.",
        partial(_map, n=12, lose=missing, method="cluster_mass"),
        truth=float,
        quick=8,
    ),
    World(
        "map, 6 subjects, every flip",
        ESTIMATOR,
        "6 subjects, one-sided, TFCE of all 64 flips.",
        partial(_map, n=6, method="tfce", alternative="greater"),
        truth=float,
        quick=4,
    ),
    World(
        "map, heavy tails",
        ESTIMATOR,
        "12 subjects, noise of a t distribution with 3 degrees of freedom, largest t.",
        partial(_map, n=12, noise=heavy),
        truth=float,
        quick=8,
    ),
    World(
        "map, skewed scores",
        ESTIMATOR,
        "12 subjects, exponential noise, largest t, two-sided.",
        partial(_map, n=12, noise=skewed),
        truth=float,
        quick=8,
        outside="Sign flips hold for scores that are symmetric where nothing is there; these are exponential.",
    ),
    *(
        World(
            f"map, {scores} scores, skew of all places, {method}",
            ESTIMATOR,
            f"12 subjects, {scores} noise, {method}, two-sided, skew='shared'.",
            partial(_map, n=12, noise=noise, skew="shared", method=method),
            truth=float,
            quick=8,
        )
        for scores, noise in (("symmetric", gaussian), ("exponential", skewed))
        for method in ("max", "cluster_mass", "tfce")
    ),
    World(
        "map, log-normal scores, 24 subjects, skew of all places",
        ESTIMATOR,
        "24 subjects, log-normal noise, largest t, two-sided, skew='shared'.",
        partial(_map, n=24, noise=lognormal, skew="shared"),
        truth=float,
        quick=8,
    ),
    *(
        World(
            f"map, scores skewed both ways, {n} subjects, skew of each place",
            ESTIMATOR,
            f"{n} subjects, exponential noise, turned round at half of the times, largest t, two-sided, skew='own'.",
            partial(_map, n=n, noise=skewed_both_ways, skew="own"),
            truth=float,
            quick=8,
            outside=few,
        )
        for n, few in ((12, "The skewness of one place is poorly known from 12 subjects."), (24, ""))
    ),
)
