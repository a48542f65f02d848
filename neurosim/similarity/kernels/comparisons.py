"""RDMs against RDMs: every score is an inner product of embedded RDMs, save Kendall's taus and Bures.

RDMs are handled as their P = K (K - 1) / 2 upper entries, in the order of ``scipy.spatial.distance.squareform``.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from neurosim.similarity.kernels.arrays import Array, array_namespace, diagonal, hollow, upper

INNER_PRODUCTS = ("cosine", "corr", "spearman", "rho_a", "whitened_cosine", "whitened_corr")
METHODS = (*INNER_PRODUCTS, "tau_a", "tau_b", "bures")
DIFFERENTIABLE = ("cosine", "corr", "whitened_cosine", "whitened_corr", "bures")


def cross_scores(first: np.ndarray, second: np.ndarray, method: str, sigma_k: np.ndarray | None = None) -> np.ndarray:
    """Scores (A, B) of square RDMs (A, K, K) with (B, K, K)."""
    if method == "bures":
        return bures(first, second)
    if method in ("tau_a", "tau_b"):
        kendall = tau_a if method == "tau_a" else tau_b
        vectors = upper(second)
        return np.array([[kendall(x, y) for y in vectors] for x in upper(first)])
    embedded = embed(np.concatenate([first, second]), method, sigma_k)
    return embedded[: len(first)] @ embedded[len(first) :].T


def embed(rdms: Array, method: str, sigma_k: Array | None = None) -> Array:
    """Vectors (A, ...) of RDMs (A, K, K) whose inner products are the scores of `method`."""
    if method in ("spearman", "rho_a"):
        ranks = stats.rankdata(upper(rdms), axis=-1)
        n = ranks.shape[-1]
        centred = ranks - (n + 1) / 2
        return centred * np.sqrt(12 / (n**3 - n)) if method == "rho_a" else _unit(centred)
    if method == "cosine":
        return _unit(upper(rdms))
    if method == "corr":
        vectors = upper(rdms)
        return _unit(vectors - vectors.mean(-1)[..., None])
    if method == "whitened_corr":
        rdms = _centred_off_diagonal(rdms)
    whitened = whiten_rdm(rdms, sigma_k)
    return _unit(whitened.reshape(whitened.shape[0], -1))


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


def tau_a(a: np.ndarray, b: np.ndarray) -> float:
    """Kendall's tau-a of two vectors (P,): concordant minus discordant pairs over all pairs."""
    return tau_b(a, b) * float(np.sqrt(_untied(a) * _untied(b)))


def tau_b(a: np.ndarray, b: np.ndarray) -> float:
    """Kendall's tau-b of two vectors (P,): tau-a over its largest value given the ties."""
    return float(stats.kendalltau(a, b).statistic)


def _untied(vector: np.ndarray) -> float:
    """Fraction of pairs of entries that differ."""
    counts = np.unique(vector, return_counts=True)[1].astype(float)
    n = len(vector)
    return 1 - float((counts * (counts - 1)).sum()) / (n * (n - 1))


def _gram_root(gram: Array) -> Array:
    """Symmetric square root of the part of `gram` (A, K, K) that is positive beyond rounding."""
    xp = array_namespace(gram)
    values, vectors = xp.linalg.eigh(gram)
    floor = 1e-12 * xp.max(xp.abs(values), axis=-1, keepdims=True)
    positive = values > floor
    roots = xp.where(positive, xp.sqrt(xp.where(positive, values, 1.0)), 0.0)
    return (vectors * roots[..., None, :]) @ vectors.mT


def _centred_off_diagonal(rdms: Array) -> Array:
    """RDMs minus the mean of their entries off the diagonal, which stays 0."""
    n = rdms.shape[-1]
    mean = (rdms.sum((-2, -1)) - diagonal(rdms).sum(-1)) / (n * (n - 1))
    return hollow(rdms - mean[..., None, None])


def _unit(vectors: Array) -> Array:
    return vectors / array_namespace(vectors).sqrt((vectors * vectors).sum(-1))[..., None]
