"""Subjects who each saw stimuli of their own: scores combined by a random-effects model."""

from itertools import pairwise

import numpy as np
import xarray as xr
from world import Outcome, World
from worlds.regress_rdm import RESIDUAL, SPREAD, _distances, _over_subjects

import neurosim as ns


def _combined(rng: np.random.Generator, strength: float, sizes: tuple[int, ...]) -> Outcome:
    """Subjects weight the model differently, and differ in the number of their stimuli."""
    edges = np.cumsum([0, *sizes])
    names = np.arange(edges[-1])
    model = _distances(rng.normal(size=(edges[-1], 12)))
    data = {}
    for i, (start, stop) in enumerate(pairwise(edges)):
        own = (strength + SPREAD * rng.normal()) * model[start:stop, start:stop]
        noisy = own + RESIDUAL * _distances(rng.normal(size=(stop - start, 12)))
        data[f"s{i}"] = ns.as_rdm(noisy, stimuli=names[start:stop])
    models = ns.as_rdm(model[None], stimuli=names, dims=("model",))
    found: xr.Dataset = ns.similarity.combine_subjects(models, data, method="corr")
    low, high = found.interval.values[0]
    return Outcome(float(found.score[0]), float(found.standard_error[0]), low, high, float(found.p_zero[0]))


def _unequal(rng: np.random.Generator, strength: float) -> Outcome:
    return _combined(rng, strength, (12, 16, 16, 20, 24, 30))


def _correlation(strength: float) -> float:
    return _over_subjects(lambda w: w / np.sqrt(w**2 + RESIDUAL**2), strength)


WORLDS = (
    World(
        "scores of subjects with unequally many stimuli of their own",
        "similarity.combine_subjects",
        "6 subjects weight a model differently, 12 to 30 stimuli each.",
        _unequal,
        truth=_correlation,
        effect=0.5,
        quick=4,
        revision=1,
    ),
)
