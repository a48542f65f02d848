"""Exchange of the labels of stimuli: false positives with few stimuli and subjects who share their noise."""

import numpy as np
from world import Outcome, World
from worlds.regress_rdm import _distances

import neurosim as ns


def _related(
    rng: np.random.Generator, strength: float, n_stimuli: int, n_subjects: int, tails: float = np.inf
) -> Outcome:
    noise = (
        rng.normal(size=(n_subjects, n_stimuli, 12))
        if np.isinf(tails)
        else rng.standard_t(tails, (n_subjects, n_stimuli, 12))
    )
    model, common = _distances(rng.normal(size=(2, n_stimuli, 12)))
    data = strength * model + common + _distances(noise)
    found = ns.similarity.mantel_test(model, data, method="corr", n_permutations=199, rng=rng)
    return Outcome(float(found.score[0]), p=float(found.p[0]))


def _five(rng: np.random.Generator, strength: float) -> Outcome:
    return _related(rng, strength, 5, 4)


def _twelve(rng: np.random.Generator, strength: float) -> Outcome:
    return _related(rng, strength, 12, 1, tails=3.0)


def _incomplete(rng: np.random.Generator, strength: float) -> Outcome:
    """Of 9 stimuli one of 5 subjects saw all, the others 5 to 9; they share a geometry that the model has not."""
    model, common = _distances(rng.normal(size=(2, 9, 12)))
    data = strength * model + common + _distances(rng.normal(size=(5, 9, 12)))
    for rdm in data[1:]:
        lost = rng.choice(9, rng.integers(0, 5), replace=False)
        rdm[lost] = rdm[:, lost] = np.nan
    found = ns.similarity.mantel_test(model, data, method="corr", n_permutations=199, rng=rng)
    return Outcome(float(found.score[0]), p=float(found.p[0]))


def _cosine(rng: np.random.Generator, strength: float) -> Outcome:
    """Score unrelated positive distances by their cosine, less what exchanged stimuli have."""
    model, common = _distances(rng.normal(size=(2, 8, 12)))
    data = strength * model + common + _distances(rng.normal(size=(5, 8, 12)))
    found = ns.similarity.mantel_test(model, data, method="cosine", n_permutations=199, rng=rng)
    return Outcome(float(found.score[0] - found.exchanged_mean[0]), p=float(found.p[0]))


WORLDS = (
    World(
        "exchanged stimuli",
        "similarity.mantel_test",
        "RDMs of 4 subjects share a geometry that the model has not; 5 stimuli, all 120 orders.",
        _five,
        truth=lambda _strength: 0.0,
        quick=30,
    ),
    World(
        "exchanged stimuli, heavy tails",
        "similarity.mantel_test",
        "One RDM of 12 stimuli, noise of t distribution with 3 degrees of freedom, 199 random orders.",
        _twelve,
        truth=lambda _strength: 0.0,
        quick=30,
    ),
    World(
        "exchanged stimuli, subjects who missed stimuli",
        "similarity.mantel_test",
        "RDMs of 5 subjects share a geometry that the model has not; four saw 5 to 9 of 9 stimuli, 199 random orders.",
        _incomplete,
        truth=lambda _strength: 0.0,
        quick=30,
    ),
    World(
        "exchanged stimuli, cosine",
        "similarity.mantel_test",
        "The cosine less that of exchanged stimuli; RDMs of 5 subjects share a geometry that the model has not.",
        _cosine,
        truth=lambda _strength: 0.0,
        quick=30,
    ),
)
