"""Correlation of RDMs, whitened by the covariance of distances."""

from __future__ import annotations

from functools import partial

from neurosim.similarity.kernels.arrays import Array, diagonal, hollow
from neurosim.similarity.kernels.drawn_stimuli import linear_products
from neurosim.similarity.method import Method
from neurosim.similarity.methods.whitened_cosine import embed_whitened


def embed(rdms: Array, sigma_k: Array | None = None) -> Array:
    """Return whitened RDMs (A, K x K) whose mean entry was taken off first, of norm 1."""
    return embed_whitened(centred_off_diagonal(rdms), sigma_k)


def centred_off_diagonal(rdms: Array) -> Array:
    """RDMs minus the mean of their entries off the diagonal, which stays 0."""
    n = rdms.shape[-1]
    mean = (rdms.sum((-2, -1)) - diagonal(rdms).sum(-1)) / (n * (n - 1))
    return hollow(rdms - mean[..., None, None])


WHITENED_CORR = Method(
    name="whitened_corr",
    caption="correlation of two RDMs, whitened by the covariance of distances under noise",
    reference="https://arxiv.org/abs/2007.02789",
    embed=embed,
    sigma_k=True,
    tensors=True,
    drawn=partial(linear_products, centre=True, whitened=True),
    normalised=True,
    linear=True,
    ceiling="exact",
)
