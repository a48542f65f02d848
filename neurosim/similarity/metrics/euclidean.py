"""Squared Euclidean distance."""

from __future__ import annotations

from neurosim.similarity.kernels.arrays import Array
from neurosim.similarity.kernels.inner_products import distances_from_gram, second_moment
from neurosim.similarity.metric import Metric


def euclidean(patterns: Array) -> Array:
    """Squared Euclidean distance over the number of units."""
    return distances_from_gram(second_moment(patterns, centre=True))


EUCLIDEAN = Metric(
    name="euclidean",
    kernel=euclidean,
    caption="squared Euclidean distance over the number of units",
    reference="https://doi.org/10.3389/neuro.06.004.2008",
    gram=second_moment,
    blocks=True,
    tensors=True,
    adds_up=True,
)
