"""Squared coherence of fields that share a source, and an answer to the stimulus that both repeat."""

from functools import partial

import numpy as np
from world import Outcome, World

import neurosim as ns

TRIALS, TIMES = 12, 100


def _of_pair(rng: np.random.Generator, source: float, lost: bool = False) -> Outcome:
    """Return coherences and p of frequencies a bandwidth apart; the power of the source is `source`, of noise 1."""
    common = np.sqrt(source) * rng.normal(size=(1, TRIALS, TIMES, 1)) + 2 * rng.normal(size=(1, 1, TIMES, 1))
    values = common + rng.normal(size=(1, TRIALS, TIMES, 2))
    if lost:
        values[:, :3, :, 0] = values[:, 8:, :, 1] = np.nan
    fields = ns.as_responses(values, dims=("stimulus", "trial", "time", "unit"), time_step=1e-3)
    found = ns.responses.coherence(fields, bandwidth=50.0).isel(stimulus=0, unit=0, unit_other=1)
    apart = found.isel(frequency=slice(None, None, 5))
    return Outcome(apart.coherence.values, p=apart.p_value.values)


def _truth(source: float) -> float:
    return float((source / (1 + source)) ** 2)


WORLDS = (
    World(
        "coherence",
        "responses.coherence",
        "Two fields share a source of their own power and an evoked answer of four times that; 12 trials of 4 tapers.",
        _of_pair,
        truth=_truth,
        quick=20,
    ),
    World(
        "coherence, fields that lack other trials",
        "responses.coherence",
        "the same, of which one lacks the first 3 trials and the other the last 4.",
        partial(_of_pair, lost=True),
        truth=_truth,
        quick=20,
    ),
)
