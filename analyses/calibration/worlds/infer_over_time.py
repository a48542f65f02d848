"""Inference on RDMs over time: false positives at any time, corrected for all, and the score at one of them."""

import numpy as np
from world import Outcome, World
from worlds.combine_subjects import _correlation
from worlds.regress_rdm import RESIDUAL, SPREAD, _distances

import neurosim as ns

SUBJECTS, STIMULI, TIMES = 8, 16, 5


def _over_time(rng: np.random.Generator, strength: float) -> Outcome:
    """Subjects weight the model differently; their own patterns change from time to time by half."""
    model = _distances(rng.normal(size=(STIMULI, 12)))
    lasting = rng.normal(size=(SUBJECTS, 1, STIMULI, 12))
    own = np.sqrt(0.5) * (lasting + rng.normal(size=(SUBJECTS, TIMES, STIMULI, 12)))
    weights = strength + SPREAD * rng.normal(size=(SUBJECTS, 1, 1, 1))
    data = ns.as_rdm(weights * model + RESIDUAL * _distances(own), dims=("subject", "time"))
    found = ns.infer({"model": model}, data, method="corr", progress=False)
    low, high = found.interval.values[0, 0]
    score, error = (float(found[k][0, 0]) for k in ("score", "standard_error"))
    return Outcome(score, error, low, high, float(found.p_zero_corrected.min()))


WORLDS = (
    World(
        "score of a model, any of five times",
        "similarity.infer",
        "8 subjects, 16 stimuli, 5 times; RDMs of neighbouring times are alike by half; p: the smallest corrected one.",
        _over_time,
        truth=_correlation,
        effect=0.5,
        quick=6,
        outside="Holm's correction takes every time as one more test, though their scores are alike.",
    ),
)
