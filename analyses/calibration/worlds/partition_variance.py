"""Variance of RDMs that two models share, and that one explains alone."""

from functools import partial

import numpy as np
from world import Outcome, World
from worlds.regress_rdm import MIXED, N_STIMULI, RESIDUAL, _experiment, _over_subjects, _unique

import neurosim as ns


def _parts(rng: np.random.Generator, strength: float, subset: str, of: str, n_stimuli: int = N_STIMULI) -> Outcome:
    data, models = _experiment(rng, strength, n_stimuli)
    found = ns.similarity.partition_variance(data, models).sel(subset=subset)
    return Outcome(float(found[of]), float(found[f"{of}_standard_error"]))


def _alone(rng: np.random.Generator, strength: float) -> Outcome:
    return _parts(rng, strength, "a", "common_variance")


def _all(rng: np.random.Generator, strength: float) -> Outcome:
    return _parts(rng, strength, "a+b", "explained_variance")


def _explained(strength: float) -> float:
    return _over_subjects(lambda v: (v**2 + 1) / (v**2 + 1 + RESIDUAL**2), strength)


WORLDS = (
    World(
        "variance that a model explains alone",
        "similarity.partition_variance",
        MIXED + "24 stimuli.",
        _alone,
        truth=_unique,
        null=None,
        quick=8,
    ),
    World(
        "variance that all models explain",
        "similarity.partition_variance",
        MIXED + "24 stimuli.",
        _all,
        truth=_explained,
        null=None,
        quick=8,
    ),
    World(
        "variance that all models explain, few stimuli",
        "similarity.partition_variance",
        MIXED + "14 stimuli.",
        partial(_parts, subset="a+b", of="explained_variance", n_stimuli=14),
        truth=_explained,
        null=None,
        quick=8,
        outside="A fit to half of 14 stimuli explains a tenth less of the others than the best fit would.",
    ),
)
