"""Pearson correlation of RDMs."""

from __future__ import annotations

from functools import partial

from neurosim.similarity.kernels.arrays import Array, upper
from neurosim.similarity.kernels.comparisons import unit
from neurosim.similarity.kernels.drawn_stimuli import linear_products
from neurosim.similarity.method import Method


def embed(rdms: Array) -> Array:
    """Return the centred entries (A, P) of RDMs (A, K, K), of norm 1."""
    vectors = upper(rdms)
    return unit(vectors - vectors.mean(-1)[..., None])


CORR = Method(
    name="corr",
    caption="Pearson correlation of the entries of two RDMs",
    reference="https://doi.org/10.7554/eLife.82566",
    embed=embed,
    tensors=True,
    drawn=partial(linear_products, centre=True, whitened=False),
    normalised=True,
    linear=True,
    ceiling="exact",
)
