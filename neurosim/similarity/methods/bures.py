"""Bures similarity of RDMs."""

from __future__ import annotations

from neurosim.similarity.kernels.arrays import Array, array_namespace
from neurosim.similarity.kernels.comparisons import whiten_rdm
from neurosim.similarity.method import Method


def bures(first: Array, second: Array) -> Array:
    """Normalised Bures similarity (A, B) of the centred second moments behind squared distances.

    The nuclear norm of ``X'Y`` over the Frobenius norms of X and Y, for any responses with these distances
    (https://arxiv.org/abs/2311.11436). Negative eigenvalues, which cross-validated distances can have, count as 0.
    """
    xp = array_namespace(first)
    roots = [_gram_root(-whiten_rdm(rdms) / 2) for rdms in (first, second)]
    norms = [xp.sqrt((root * root).sum((-2, -1))) for root in roots]
    products = roots[0][:, None] @ roots[1][None]
    return xp.linalg.svdvals(products).sum(-1) / (norms[0][:, None] * norms[1])


def _gram_root(gram: Array) -> Array:
    """Symmetric square root of the part of `gram` (A, K, K) that is positive beyond rounding."""
    xp = array_namespace(gram)
    values, vectors = xp.linalg.eigh(gram)
    floor = 1e-12 * xp.max(xp.abs(values), axis=-1, keepdims=True)
    positive = values > floor
    roots = xp.where(positive, xp.sqrt(xp.where(positive, values, 1.0)), 0.0)
    return (vectors * roots[..., None, :]) @ vectors.mT


BURES = Method(
    name="bures",
    caption="normalised Bures similarity of two RDMs of squared distances",
    reference="https://arxiv.org/abs/2311.11436",
    kernel=bures,
    defined_for="nonzero",
    tensors=True,
)
