"""Inference on RDMs: scores of a model in subjects and stimuli that are samples, or fixed."""

from functools import partial

import numpy as np
from world import Outcome, World
from worlds.regress_rdm import RESIDUAL, SPREAD, _distances, _over_subjects

import neurosim as ns

SPEARMAN = 0.404  # of very many subjects and stimuli, at a strength of 0.5


def _scored(
    rng: np.random.Generator, strength: float, method: str, shape: tuple[int, int], resample: tuple[str, ...]
) -> Outcome:
    """Subjects weight the model differently and have noise patterns of their own."""
    n_subjects, n_stimuli = shape
    model = _distances(rng.normal(size=(n_stimuli, 12)))
    weights = strength + SPREAD * rng.normal(size=(n_subjects, 1, 1))
    data = weights * model + RESIDUAL * _distances(rng.normal(size=(n_subjects, n_stimuli, 12)))
    found = ns.infer({"model": model}, data, method=method, resample=resample, progress=False)
    low, high = found.interval.values[0]
    return Outcome(float(found.score[0]), float(found.standard_error[0]), low, high, float(found.p_zero[0]))


def _crossvalidated(rng: np.random.Generator, strength: float) -> Outcome:
    """Score crossnobis distances of noise, whose mean is 0, by their whitened cosine with a model."""
    patterns = rng.normal(size=(12, 20))
    trials = strength * patterns[:, None] + rng.normal(size=(6, 12, 4, 20))
    rdms = [ns.compute_rdm(ns.as_responses(x, dims=("stimulus", "trial", "unit")), "crossnobis") for x in trials]
    data = ns.as_rdm(np.stack([r.values for r in rdms]), dims=("subject",), metric="crossnobis")
    model = _distances(patterns)
    found = ns.infer({"model": model}, data, method="whitened_cosine", progress=False)
    return Outcome(float(found.score[0]), float(found.standard_error[0]))


def _incomplete(rng: np.random.Generator, strength: float) -> Outcome:
    """Of 20 stimuli each of 8 subjects saw 14 to 18."""
    model = _distances(rng.normal(size=(20, 12)))
    weights = strength + SPREAD * rng.normal(size=(8, 1, 1))
    data = weights * model + RESIDUAL * _distances(rng.normal(size=(8, 20, 12)))
    for rdm in data:
        lost = rng.choice(20, rng.integers(2, 7), replace=False)
        rdm[lost] = rdm[:, lost] = np.nan
    rdms = ns.as_rdm(np.zeros_like(data), dims=("subject",)).copy(data=data)
    found = ns.infer({"model": model}, rdms, method="corr", progress=False)
    low, high = found.interval.values[0]
    return Outcome(float(found.score[0]), float(found.standard_error[0]), low, high, float(found.p_zero[0]))


def _difference(rng: np.random.Generator, strength: float) -> Outcome:
    """Subjects weight two models, the first by `strength` more; p says that their scores differ."""
    models = _distances(rng.normal(size=(2, 16, 12)))
    weights = np.array([0.5 + strength, 0.5]) + SPREAD * rng.normal(size=(8, 2))
    data = np.tensordot(weights, models, 1) + RESIDUAL * _distances(rng.normal(size=(8, 16, 12)))
    found = ns.infer({"first": models[0], "second": models[1]}, data, method="corr", progress=False)
    return Outcome(float(found.score[0] - found.score[1]), p=float(found.p_pair[0, 1]))


def _gap(strength: float) -> float:
    """Mean difference of the scores over the distribution of both weights."""
    return _over_subjects(
        lambda w: np.array(
            [_over_subjects(lambda v, w=w: (w - v) / np.sqrt(w**2 + v**2 + RESIDUAL**2), 0.5) for w in w]
        ),
        0.5 + strength,
    )


BOTH = ("subject", "stimulus")
_default = partial(_scored, method="spearman", shape=(6, 16), resample=BOTH)
_corr = partial(_scored, method="corr", shape=(8, 20), resample=BOTH)


def _fixed(rng: np.random.Generator, strength: float) -> Outcome:
    """Five stimuli that are not a sample: subjects have geometries of their own, around none under the null."""
    model = _distances(np.random.default_rng(0).normal(size=(5, 12)))
    own = _distances(rng.normal(size=(10, 5, 12)))
    found = ns.infer({"model": model}, strength * model + own, method="corr", resample="subject", progress=False)
    return Outcome(float(found.score[0]), float(found.standard_error[0]), p=float(found.p_zero[0]))


def _correlation(strength: float) -> float:
    return _over_subjects(lambda w: w / np.sqrt(w**2 + RESIDUAL**2), strength)


WORLDS = (
    World(
        "score of a model",
        "similarity.infer",
        "Spearman correlation; 6 subjects weight a model differently; 16 stimuli.",
        _default,
        truth=lambda strength: SPEARMAN if strength else 0.0,
        effect=0.5,
        quick=6,
    ),
    World(
        "score of a model, corr",
        "similarity.infer",
        "Pearson correlation; 8 subjects weight a model differently; 20 stimuli.",
        _corr,
        truth=_correlation,
        effect=0.5,
        quick=12,
    ),
    World(
        "score of a model, whitened cosine of crossnobis",
        "similarity.infer",
        "Crossnobis distances of 6 subjects, 12 stimuli, 4 trials, 20 units; under the null noise alone.",
        _crossvalidated,
        truth=lambda _strength: 0.0,
        quick=8,
    ),
    World(
        "score of a model, five fixed stimuli",
        "similarity.infer",
        "Pearson correlation; 10 subjects with geometries of their own; 5 stimuli, subjects resampled.",
        _fixed,
        truth=lambda _strength: 0.0,
        quick=25,
    ),
    World(
        "score of a model, subjects who missed stimuli",
        "similarity.infer",
        "Pearson correlation; 8 subjects weight a model differently; each saw 14 to 18 of 20 stimuli.",
        _incomplete,
        truth=_correlation,
        effect=0.5,
        quick=6,
    ),
    World(
        "difference of two models",
        "similarity.infer",
        "Pearson correlation; 8 subjects weight two models differently, alike on average under the null; 16 stimuli.",
        _difference,
        truth=_gap,
        effect=0.5,
        quick=10,
    ),
)
