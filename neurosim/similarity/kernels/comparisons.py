"""RDMs against RDMs: scores by any method, and what the methods share.

Entries of an RDM are its P = K (K - 1) / 2 upper ones, in the order of ``scipy.spatial.distance.squareform``.
"""

from __future__ import annotations

import numpy as np

from neurosim.similarity.kernels.arrays import Array, array_namespace, upper
from neurosim.similarity.method import Method


def cross_scores(first: Array, second: Array, method: Method, sigma_k: Array | None = None) -> Array:
    """Scores (A, B) of square RDMs (A, K, K) with (B, K, K)."""
    if method.kernel is not None:
        return method.kernel(first, second)
    if method.score is not None:
        others = upper(second)
        return np.array([[method.score(x, y) for y in others] for x in upper(first)])
    xp = array_namespace(first)
    embedded = embed(xp.concat([first, second]), method, sigma_k)
    return embedded[: len(first)] @ embedded[len(first) :].mT


def is_flat(vectors: Array, method: Method) -> Array:
    """Which RDMs (..., P) do not vary, as `method` needs it: over their entries, or from 0 for a cosine or Bures."""
    xp = array_namespace(vectors)
    low, high = xp.min(vectors, axis=-1), xp.max(vectors, axis=-1)
    return low == high if method.defined_for == "varying" else (low == 0) & (high == 0)


def embed(rdms: Array, method: Method, sigma_k: Array | None = None) -> Array:
    """Vectors (A, D) of RDMs (A, K, K) whose inner products are the scores of `method`."""
    if method.embed is None:
        raise TypeError(f"{method.name} has no vectors whose inner products are its scores")
    return method.embed(rdms, sigma_k) if method.sigma_k else method.embed(rdms)


def centred_ranks(entries: np.ndarray) -> np.ndarray:
    """Mid-ranks (A, P) of entries (A, P), of mean 0."""
    from scipy import stats

    ranks = stats.rankdata(entries, axis=-1)
    found: np.ndarray = ranks - (ranks.shape[-1] + 1) / 2
    return found


def whiten_rdm(rdms: Array, sigma_k: Array | None = None) -> Array:
    """Return ``B D B'`` with ``B = (I - u u') L^-1``, ``L L' = S`` and u the normalised ``L^-1 1``, for S = `sigma_k`.

    Inner products of the result are those of distances whitened by their covariance under noise that has covariance
    `sigma_k` between stimuli (https://arxiv.org/abs/2007.02789). For independent stimuli, which is the default, B
    centres rows and columns.
    """
    if sigma_k is None:
        by_row = rdms.mean(-1)
        return rdms - by_row[..., :, None] - by_row[..., None, :] + by_row.mean(-1)[..., None, None]
    xp = array_namespace(rdms)
    root = xp.linalg.inv(xp.linalg.cholesky(sigma_k))
    u = root.sum(-1)
    u = u / xp.sqrt((u * u).sum(-1))
    whitening = root - u[:, None] * (u @ root)[None, :]
    return whitening @ rdms @ whitening.mT


def unit(vectors: Array) -> Array:
    """Return vectors (A, D) of norm 1."""
    return vectors / array_namespace(vectors).sqrt((vectors * vectors).sum(-1))[..., None]
