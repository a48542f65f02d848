"""Divergence of Poisson rates."""

from __future__ import annotations

from neurosim.similarity.kernels.arrays import Array, array_namespace, unit_blocks
from neurosim.similarity.kernels.inner_products import distances_from_gram, transposed
from neurosim.similarity.metric import Metric


def poisson(patterns: Array, *, prior_mean: float = 1.0, prior_weight: float = 0.1) -> Array:
    """Symmetrised Kullback-Leibler divergence of Poisson rates over the number of units.

    Rates are drawn towards `prior_mean` with the weight of `prior_weight` measurements, so that silence has a finite
    divergence.
    """
    gram: Array = None
    for block in unit_blocks(patterns):
        part = poisson_gram(block, block, prior_mean, prior_weight)
        gram = part if gram is None else gram + part
    return distances_from_gram(gram / patterns.shape[-1])


def poisson_gram(rates: Array, other: Array, prior_mean: float, prior_weight: float) -> Array:
    """Inner products of rates and log rates, both drawn towards the prior."""
    a, b = ((x + prior_mean * prior_weight) / (1 + prior_weight) for x in (rates, other))
    return a @ transposed(array_namespace(b).log(b))


POISSON = Metric(
    name="poisson",
    kernel=poisson,
    caption="symmetrised Kullback-Leibler divergence of firing rates over the number of units",
    reference="https://doi.org/10.7554/eLife.82566",
    defined_for="rates",
    blocks=True,
    tensors=True,
    adds_up=True,
)
