"""Responses against responses, without RDMs: kernel alignment and canonical correlations.

Responses are (K, P): K stimuli, P units; the two may differ in their units.
"""

from __future__ import annotations

import numpy as np

from neurosim.similarity.kernels.arrays import Array, array_namespace, hollow

# --- centred kernel alignment -------------------------------------------------------------------------------------


def centred_gram(squared_distances: Array) -> Array:
    """Centred inner products (..., K, K) of patterns with these squared distances."""
    by_row = squared_distances.mean(-1)
    centred = squared_distances - by_row[..., :, None] - by_row[..., None, :] + by_row.mean(-1)[..., None, None]
    return -centred / 2


def rbf_gram(responses: Array, bandwidth: float) -> Array:
    """Gaussian kernel (K, K) whose width is `bandwidth` times the median distance of two patterns."""
    xp = array_namespace(responses)
    squares = (responses * responses).sum(-1)
    distances = hollow(squares[:, None] + squares[None] - 2 * responses @ responses.mT)
    distances = xp.where(distances > 0, distances, 0.0)
    n = len(distances)
    rows, columns = np.triu_indices(n, 1)
    median = xp.sort(distances[rows, columns])[len(rows) // 2]
    return xp.exp(-distances / (2 * bandwidth**2 * median))


def cka_of_grams(gram_a: Array, gram_b: Array) -> Array:
    """Alignment of two centred Gram matrices (https://arxiv.org/abs/1905.00414)."""
    xp = array_namespace(gram_a)
    return (gram_a * gram_b).sum() / xp.sqrt((gram_a * gram_a).sum() * (gram_b * gram_b).sum())


def unbiased_hsic(gram_a: Array, gram_b: Array) -> Array:
    """Unbiased estimate of the dependence of two kernels (https://www.jmlr.org/papers/v13/song12a.html)."""
    a, b = hollow(gram_a), hollow(gram_b)
    return _u_statistic((a * b).sum(), a.sum(), b.sum(), (a.sum(-1) * b.sum(-1)).sum(), len(a))


def debiased_cka_of_grams(gram_a: Array, gram_b: Array) -> float:
    """Alignment from unbiased estimates (https://arxiv.org/abs/2010.15327); NaN if an own estimate is not positive."""
    own_a, own_b = float(unbiased_hsic(gram_a, gram_a)), float(unbiased_hsic(gram_b, gram_b))
    positive = own_a > 0 and own_b > 0
    return float(unbiased_hsic(gram_a, gram_b)) / np.sqrt(own_a * own_b) if positive else float("nan")


def linear_hsic(a: Array, b: Array, *, unbiased: bool) -> Array:
    """Dependence of two linear kernels from the responses, in the smaller of unit and stimulus space."""
    n, wide = len(a), a.shape[1] * b.shape[1] > len(a) * (a.shape[1] + b.shape[1])
    a, b = a - a.mean(0), b - b.mean(0)
    if wide:
        gram_a, gram_b = a @ a.mT, b @ b.mT
        return unbiased_hsic(gram_a, gram_b) if unbiased else (gram_a * gram_b).sum()
    products = a.mT @ b
    total = (products * products).sum()
    if not unbiased:
        return total
    own_a, own_b = (a * a).sum(-1), (b * b).sum(-1)
    return _u_statistic(total - (own_a * own_b).sum(), -own_a.sum(), -own_b.sum(), (own_a * own_b).sum(), n)


def same_unit_hsic(a: Array) -> Array:
    """Sum over units of the unbiased dependence of each unit's kernel with itself."""
    a = a - a.mean(0)
    squares = a * a
    total, fourth = squares.sum(0), (squares * squares).sum(0)
    return _u_statistic(total**2 - fourth, -total, -total, fourth, len(a)).sum()


def _u_statistic(joint: Array, sum_a: Array, sum_b: Array, rows: Array, n: int) -> Array:
    return (joint + sum_a * sum_b / ((n - 1) * (n - 2)) - 2 * rows / (n - 2)) / (n * (n - 3))


# --- canonical correlations ---------------------------------------------------------------------------------------


def canonical_correlations(a: Array, b: Array, variance: float = 1.0) -> tuple[Array, Array]:
    """Canonical correlations (R,) and canonical variables (K, R) of `a`, after keeping a part of the variance."""
    xp = array_namespace(a)
    left, right = (_kept_axes(x - x.mean(0), variance) for x in (a, b))
    u, correlations, _ = xp.linalg.svd(left.mT @ right, full_matrices=False)
    return xp.where(correlations < 1, correlations, 1.0), left @ u


def _kept_axes(centred: Array, variance: float) -> Array:
    xp = array_namespace(centred)
    u, values, _ = xp.linalg.svd(centred, full_matrices=False)
    share = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values) ** 2
    rank = int((share > 1e-20 * share[0]).sum())
    if rank == 0:
        return u[:, :0]
    enough = int(np.searchsorted(np.cumsum(share) / share.sum(), variance - 1e-12)) + 1
    return u[:, : min(rank, enough)]
