"""Cosine of RDMs, whitened by the covariance of distances."""

from __future__ import annotations

from functools import partial

from neurosim.similarity.kernels.arrays import Array
from neurosim.similarity.kernels.comparisons import unit, whiten_rdm
from neurosim.similarity.kernels.drawn_stimuli import linear_products
from neurosim.similarity.method import Method


def embed_whitened(rdms: Array, sigma_k: Array | None = None) -> Array:
    """Return whitened RDMs (A, K x K), of norm 1."""
    whitened = whiten_rdm(rdms, sigma_k)
    return unit(whitened.reshape(whitened.shape[0], -1))


WHITENED_COSINE = Method(
    name="whitened_cosine",
    caption="cosine of two RDMs, whitened by the covariance of distances under noise",
    reference="https://arxiv.org/abs/2007.02789",
    embed=embed_whitened,
    sigma_k=True,
    defined_for="nonzero",
    tensors=True,
    drawn=partial(linear_products, centre=False, whitened=True),
    normalised=True,
    linear=True,
    ceiling="exact",
)
