"""Regression of RDMs: coefficients and unique variance of terms in the RDMs of several subjects."""

import numpy as np
from world import Outcome, World

import neurosim as ns

N_STIMULI, N_SUBJECTS, N_UNITS, RESIDUAL, SPREAD = 24, 6, 12, 1.0, 0.3


def _distances(x: np.ndarray) -> np.ndarray:
    """Squared distances (..., K, K) of independent Gaussian features, of expected variance 1."""
    square = (x**2).sum(-1)
    found = square[..., :, None] + square[..., None, :] - 2 * x @ np.swapaxes(x, -1, -2)
    index = np.arange(found.shape[-1])
    found[..., index, index] = 0
    return found / np.sqrt(8 * x.shape[-1])


def _experiment(rng: np.random.Generator, strength: float, n_stimuli: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """RDMs of subjects who mix two models, each with a weight of its own and noise patterns of its own."""
    a, b = (_distances(rng.normal(size=(n_stimuli, N_UNITS))) for _ in range(2))
    weights = strength + SPREAD * rng.normal(size=(N_SUBJECTS, 1, 1))
    noise = _distances(rng.normal(size=(N_SUBJECTS, n_stimuli, N_UNITS)))
    return weights * a + b + RESIDUAL * noise, {"a": a, "b": b}


def _over_subjects(value, strength: float) -> float:
    """Mean of a function of the weight of a subject over the distribution of weights."""
    nodes, mass = np.polynomial.hermite_e.hermegauss(30)
    return float(value(strength + SPREAD * nodes) @ mass / mass.sum())


def _coefficient(strength: float) -> float:
    return _over_subjects(lambda w: w / np.sqrt(w**2 + 1 + RESIDUAL**2), strength)


def _unique(strength: float) -> float:
    return _over_subjects(lambda w: w**2 / (w**2 + 1 + RESIDUAL**2), strength)


def _regressed(rng: np.random.Generator, strength: float, n_stimuli: int = N_STIMULI) -> Outcome:
    data, models = _experiment(rng, strength, n_stimuli)
    found = ns.similarity.regress_rdm(data, models)
    low, high = found.interval.values[0]
    return Outcome(float(found.coefficient[0]), float(found.standard_error[0]), low, high, float(found.p[0]))


def _of_few(rng: np.random.Generator, strength: float) -> Outcome:
    return _regressed(rng, strength, 12)


def _alone(rng: np.random.Generator, strength: float) -> Outcome:
    found = ns.similarity.regress_rdm(*_experiment(rng, strength, N_STIMULI))
    return Outcome(float(found.unique_variance[0]), float(found.unique_variance_standard_error[0]))


def _unique_of_few(rng: np.random.Generator, strength: float) -> Outcome:
    found = ns.similarity.regress_rdm(*_experiment(rng, strength, 14))
    return Outcome(float(found.unique_variance[0]), float(found.unique_variance_standard_error[0]))


MIXED = "RDMs of 6 subjects mix two models, with weights and noise patterns of their own; "
WORLDS = (
    World(
        "coefficient of a term",
        "similarity.regress_rdm",
        MIXED + "24 stimuli.",
        _regressed,
        truth=_coefficient,
        quick=8,
    ),
    World(
        "coefficient of a term, few stimuli",
        "similarity.regress_rdm",
        MIXED + "12 stimuli.",
        _of_few,
        truth=_coefficient,
        quick=12,
    ),
    World(
        "unique variance of a term",
        "similarity.regress_rdm",
        MIXED + "24 stimuli.",
        _alone,
        truth=_unique,
        null=None,
        quick=8,
    ),
    World(
        "unique variance of a term, few stimuli",
        "similarity.regress_rdm",
        MIXED + "14 stimuli.",
        _unique_of_few,
        truth=_unique,
        null=None,
        quick=8,
    ),
)
