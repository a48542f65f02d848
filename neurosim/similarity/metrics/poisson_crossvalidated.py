"""Divergence of Poisson rates, with trials as folds."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.kernels.arrays import Array, unit_blocks
from neurosim.similarity.kernels.inner_products import distances_from_gram
from neurosim.similarity.metric import Metric
from neurosim.similarity.metrics.poisson import poisson_gram


def poisson_crossvalidated(
    folds: Array, measured: np.ndarray | None = None, *, prior_mean: float = 1.0, prior_weight: float = 0.1
) -> Array:
    """Poisson divergence with rates of the other folds and log rates of the held-out one; mean over folds.

    Where folds were not all `measured` (M, K), the mean over those that measured both stimuli of a pair: differences of
    rates are unbiased however many folds they are of, and log rates are of one fold each, so means stay what they are.
    """
    if measured is not None:
        return _of_unequal_folds(folds, measured, prior_mean, prior_weight)
    n_folds = folds.shape[-3]
    gram: Array = None
    for block in unit_blocks(folds):
        total = block.sum(-3)
        for m in range(n_folds):
            held_out = block[..., m, :, :]
            part = poisson_gram((total - held_out) / (n_folds - 1), held_out, prior_mean, prior_weight)
            gram = part if gram is None else gram + part
    return distances_from_gram(gram / (n_folds * folds.shape[-1]))


def _of_unequal_folds(folds: np.ndarray, measured: np.ndarray, prior_mean: float, prior_weight: float) -> np.ndarray:
    """Return distances (..., K, K) of folds (..., M, K, P), 0 where not measured; NaN without a common fold."""
    n = measured.sum(0)
    total = np.zeros((*folds.shape[:-3], len(n), len(n)))
    for block in unit_blocks(folds):
        summed = block.sum(-3)
        for m, there in enumerate(measured):
            known = np.flatnonzero(there & (n > 1))
            held_out = block[..., m, known, :]
            others = (summed[..., known, :] - held_out) / (n[known] - 1)[:, None]
            gram = poisson_gram(others, held_out, prior_mean, prior_weight)
            total[..., known[:, None], known] += distances_from_gram(gram)
    common = measured.T.astype(float) @ measured
    return np.asarray(np.divide(total, common * folds.shape[-1], out=np.full(total.shape, np.nan), where=common > 0))


POISSON_CROSSVALIDATED = Metric(
    name="poisson_crossvalidated",
    kernel=poisson_crossvalidated,
    caption="cross-validated symmetrised Kullback-Leibler divergence of firing rates over the number of units",
    reference="https://doi.org/10.7554/eLife.82566",
    folds=True,
    unequal_folds=True,
    within_folds=True,
    defined_for="rates",
    blocks=True,
    tensors=True,
    without_trials="poisson",
    adds_up=True,
)
