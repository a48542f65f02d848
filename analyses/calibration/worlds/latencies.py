"""When the mean course of scores rises and is highest: subjects whose bells differ in time and height, in noise."""

from functools import partial

import numpy as np
import xarray as xr
from world import Outcome, World

import neurosim as ns

TIME = np.arange(60) * 0.01
PEAK, WIDTH, SPREAD = 0.2, 0.06, 0.02  # s: of the mean, of a subject's bell, between subjects
KERNEL = np.exp(-0.5 * (np.arange(-12, 13) / 3) ** 2)


def courses(rng: np.random.Generator, late: np.ndarray, noise: float) -> np.ndarray:
    """Return scores (subject, time) of bells at times of their own, with noise that lasts for about 8 times."""
    white = rng.normal(size=(len(late), len(TIME) + len(KERNEL) - 1))
    smooth = np.stack([np.convolve(row, KERNEL, "valid") for row in white]) / np.sqrt((KERNEL**2).sum())
    height = 1 + 0.3 * rng.normal(size=(len(late), 1))
    return height * np.exp(-0.5 * ((TIME - PEAK - late[:, None]) / WIDTH) ** 2) + noise * smooth


def labelled(values: np.ndarray) -> xr.DataArray:
    """Return scores (subject, time)."""
    return xr.DataArray(values, dims=("subject", "time"), coords={"time": TIME})


def _outcome(found: xr.Dataset, latency: str) -> Outcome:
    at = found.sel(latency=latency)
    low, high = at.interval.values
    return Outcome(float(at.time), float(at.standard_error), low, high, float(at.p) if "p" in at else None)


def _one(rng: np.random.Generator, shift: float, n: int, noise: float, latency: str, lose: bool = False) -> Outcome:
    values = courses(rng, shift + SPREAD * rng.normal(size=n), noise)
    if lose:
        values[: n // 4, 30:] = np.nan
        values[n // 4 : n // 2, :8] = np.nan
    return _outcome(ns.similarity.latencies(labelled(values), n_samples=200, rng=rng), latency)


def _two(rng: np.random.Generator, shift: float, n: int, noise: float, latency: str) -> Outcome:
    late = SPREAD * rng.normal(size=n)
    first, second = (labelled(courses(rng, moved, noise)) for moved in (late, late + shift))
    return _outcome(ns.similarity.latencies(second, first, n_samples=200, rng=rng), latency)


def peak(shift: float) -> float:
    """Return the peak of the mean of all subjects."""
    return PEAK + shift


def onset(shift: float) -> float:
    """Return where the mean of all subjects, a wider bell, is at half of its height."""
    return PEAK + shift - float(np.sqrt(2 * np.log(2) * (WIDTH**2 + SPREAD**2)))


def _world(name: str, what: str, experiment, truth, outside: str = "") -> World:
    return World(
        name, "similarity.latencies", what, experiment, truth, effect=0.05, null=None, quick=12, outside=outside
    )


WORLDS = (
    _world(
        "latency, onset",
        "16 subjects, whose bells differ by 20 ms, in noise of 0.3 of the peak.",
        partial(_one, n=16, noise=0.3, latency="onset"),
        onset,
    ),
    _world("latency, peak", "the same.", partial(_one, n=16, noise=0.3, latency="peak"), peak),
    _world(
        "latency, onset, missing scores",
        "the same; a quarter of the subjects lack the last half, a quarter the first 80 ms.",
        partial(_one, n=16, noise=0.3, latency="onset", lose=True),
        onset,
    ),
    _world(
        "latency, peak, few subjects",
        "8 subjects.",
        partial(_one, n=8, noise=0.3, latency="peak"),
        peak,
        outside="In some samples of 8 subjects the highest point is one of noise, which makes stated errors larger.",
    ),
    _world(
        "latency, onset, much noise",
        "24 subjects in noise of 0.6 of the peak.",
        partial(_one, n=24, noise=0.6, latency="onset"),
        onset,
    ),
    World(
        "latency, difference of onsets",
        "similarity.latencies",
        "16 subjects, two courses each, the second 20 ms later.",
        partial(_two, n=16, noise=0.3, latency="onset"),
        truth=float,
        effect=0.02,
        quick=12,
    ),
)
