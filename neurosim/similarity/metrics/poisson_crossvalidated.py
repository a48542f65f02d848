"""Divergence of Poisson rates, with trials as folds."""

from __future__ import annotations

from neurosim.similarity.kernels.arrays import Array, unit_blocks
from neurosim.similarity.kernels.inner_products import distances_from_gram
from neurosim.similarity.metric import Metric
from neurosim.similarity.metrics.poisson import poisson_gram


def poisson_crossvalidated(folds: Array, *, prior_mean: float = 1.0, prior_weight: float = 0.1) -> Array:
    """Poisson divergence with rates of the other folds and log rates of the held-out one; mean over folds."""
    n_folds = folds.shape[-3]
    gram: Array = None
    for block in unit_blocks(folds):
        total = block.sum(-3)
        for m in range(n_folds):
            held_out = block[..., m, :, :]
            part = poisson_gram((total - held_out) / (n_folds - 1), held_out, prior_mean, prior_weight)
            gram = part if gram is None else gram + part
    return distances_from_gram(gram / (n_folds * folds.shape[-1]))


POISSON_CROSSVALIDATED = Metric(
    name="poisson_crossvalidated",
    kernel=poisson_crossvalidated,
    caption="cross-validated symmetrised Kullback-Leibler divergence of firing rates over the number of units",
    reference="https://doi.org/10.7554/eLife.82566",
    folds=True,
    defined_for="rates",
    blocks=True,
    tensors=True,
    without_trials="poisson",
    adds_up=True,
)
