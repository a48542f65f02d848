"""One minus the cosine."""

from __future__ import annotations

from neurosim.similarity.kernels.arrays import Array
from neurosim.similarity.kernels.inner_products import one_minus_normalised, second_moment
from neurosim.similarity.metric import Metric


def cosine(patterns: Array) -> Array:
    """One minus the cosine of patterns."""
    return one_minus_normalised(second_moment(patterns))


COSINE = Metric(
    name="cosine",
    kernel=cosine,
    caption="one minus the cosine of patterns",
    reference="https://doi.org/10.3389/neuro.06.004.2008",
    defined_for="nonzero",
    blocks=True,
    tensors=True,
)
