"""Cosine of RDMs."""

from __future__ import annotations

from functools import partial

from neurosim.similarity.kernels.arrays import Array, upper
from neurosim.similarity.kernels.comparisons import unit
from neurosim.similarity.kernels.drawn_stimuli import linear_products
from neurosim.similarity.method import Method


def embed(rdms: Array) -> Array:
    """Return the entries (A, P) of RDMs (A, K, K), of norm 1."""
    return unit(upper(rdms))


COSINE = Method(
    name="cosine",
    caption="cosine of the entries of two RDMs",
    reference="https://doi.org/10.7554/eLife.82566",
    embed=embed,
    defined_for="nonzero",
    tensors=True,
    drawn=partial(linear_products, centre=False, whitened=False),
    normalised=True,
    linear=True,
    ceiling="exact",
)
