"""Responses against responses, without RDMs: kernel alignment, canonical correlations, shapes, matching, dynamics.

Responses are (K, P): K stimuli, P units; the two may differ in their units.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg, optimize, sparse

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


# --- shapes -------------------------------------------------------------------------------------------------------


def partially_whitened(centred: Array, alpha: float) -> Array:
    """Linear map (P, P): `alpha` of the identity and the rest of the inverse root of the covariance."""
    xp = array_namespace(centred)
    _, values, axes = xp.linalg.svd(centred, full_matrices=False)
    kept = values > 1e-10 * values[0]
    scales = xp.where(kept, 1 / xp.where(kept, values, 1.0), 0.0)
    whitening = (axes.mT * scales) @ axes
    eye = xp.eye(
        centred.shape[1], dtype=centred.dtype, **({"device": centred.device} if hasattr(axes, "detach") else {})
    )
    return (1 - alpha) * whitening + alpha * eye


def procrustes_rotations(a: Array, b: Array) -> tuple[Array, Array]:
    """Return maps (P_a, R) and (P_b, R) of orthonormal columns under which `a` and `b` agree best."""
    u, _, vh = array_namespace(a).linalg.svd(a.mT @ b, full_matrices=False)
    return u, vh.mT


def stochastic_shape_fit(
    means: tuple[np.ndarray, np.ndarray], roots: tuple[np.ndarray, np.ndarray], alpha: float, start: np.ndarray, n: int
) -> tuple[float, np.ndarray]:
    """Squared distance and rotation (P, P) that alternating Procrustes steps from `start` lead to.

    `means` are (K, P), `roots` the symmetric roots (K, P, P) of the noise covariance of every stimulus. The Bures
    distance of two covariances is the least distance of their roots over rotations of one of them.
    """
    rotation, last = start, np.inf
    weight_mean, weight_noise = 2 - alpha, alpha
    for _ in range(n):
        u, _, vh = np.linalg.svd((roots[1] @ rotation) @ roots[0])
        turned = np.swapaxes(vh, -1, -2) @ np.swapaxes(u, -1, -2) @ roots[1]
        cross = weight_mean * means[1].T @ means[0] + weight_noise * np.einsum("kpi,kpj->ij", turned, roots[0])
        u, _, vh = np.linalg.svd(cross)
        rotation = u @ vh
        loss = weight_mean * ((means[0] - means[1] @ rotation) ** 2).sum()
        loss += weight_noise * ((roots[0] - turned @ rotation) ** 2).sum()
        if last - loss < 1e-12 * max(loss, 1e-12):
            break
        last = loss
    return float(loss) / len(means[0]), rotation


# --- matching units -----------------------------------------------------------------------------------------------


def transport_plan(similarity: np.ndarray) -> np.ndarray:
    """Plan (P_a, P_b) with uniform marginals that carries the most `similarity`; its entries sum to 1."""
    n_a, n_b = similarity.shape
    if n_a == n_b:
        rows, columns = optimize.linear_sum_assignment(similarity, maximize=True)
        plan = np.zeros_like(similarity)
        plan[rows, columns] = 1 / n_a
        return plan
    rows = sparse.kron(sparse.eye_array(n_a), np.ones((1, n_b)))
    columns = sparse.kron(np.ones((1, n_a)), sparse.eye_array(n_b))
    marginals = np.concatenate([np.full(n_a, 1 / n_a), np.full(n_b, 1 / n_b)])
    found = optimize.linprog(-similarity.ravel(), A_eq=sparse.vstack([rows, columns]).tocsr(), b_eq=marginals)
    return found.x.reshape(n_a, n_b)


# --- dynamics -----------------------------------------------------------------------------------------------------


def dynamics_matrix(trajectories: np.ndarray, n_delays: int, rank: int) -> np.ndarray:
    """Linear operator (R, R) that best steps the delay-embedded trajectories (S, T, P) forward in time."""
    n_time = trajectories.shape[1] - n_delays + 1
    windows = [trajectories[:, d : d + n_time] for d in range(n_delays)]
    embedded = np.concatenate(windows, axis=-1)
    flat = embedded.reshape(-1, embedded.shape[-1])
    axes = np.linalg.svd(flat, full_matrices=False)[2][:rank]
    state = embedded @ axes.T
    now, then = state[:, :-1].reshape(-1, len(axes)), state[:, 1:].reshape(-1, len(axes))
    return np.linalg.lstsq(now, then, rcond=None)[0].T


def eigenvalue_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Least mean distance between the eigenvalues of two operators over all pairings (Wasserstein distance)."""
    gaps = np.abs(np.linalg.eigvals(a)[:, None] - np.linalg.eigvals(b))
    rows, columns = optimize.linear_sum_assignment(gaps)
    return float(gaps[rows, columns].mean())


def conjugacy_angle(a: np.ndarray, b: np.ndarray, starts: list[np.ndarray]) -> float:
    """Least angle between ``a`` and ``C b C'`` over orthogonal C, the best of several starts."""
    norm, n = np.linalg.norm(a) * np.linalg.norm(b), len(a)
    rows, columns = np.triu_indices(n, 1)

    def turn(parameters: np.ndarray) -> np.ndarray:
        skew = np.zeros((n, n))
        skew[rows, columns] = parameters
        return linalg.expm(skew - skew.T)

    best = -np.inf
    for start in starts:
        rotation = start
        for _ in range(300):
            turned = rotation @ b @ rotation.T
            slope = a @ turned.T + a.T @ turned
            direction = (slope - slope.T)[rows, columns] / norm
            if np.linalg.norm(direction) < 1e-9:
                break
            here, step = (a * turned).sum() / norm, 1.0
            while step > 1e-10:
                trial = turn(step * direction) @ rotation
                if (a * (trial @ b @ trial.T)).sum() / norm > here + 1e-4 * step * (direction @ direction):
                    break
                step /= 2
            else:
                break
            rotation = trial
        best = max(best, float((a * (rotation @ b @ rotation.T)).sum() / norm))
    return float(np.arccos(np.clip(best, -1, 1)))
