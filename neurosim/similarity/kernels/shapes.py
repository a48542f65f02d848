"""Responses as shapes and as sets of units: rotations, noise covariances, transport plans.

Responses are (K, P): K stimuli, P units; the two may differ in their units.
"""

from __future__ import annotations

import numpy as np

from neurosim.similarity.kernels.arrays import Array, array_namespace


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


def transport_plan(similarity: np.ndarray) -> np.ndarray:
    """Plan (P_a, P_b) with uniform marginals that carries the most `similarity`; its entries sum to 1."""
    from scipy import optimize, sparse

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
    result: np.ndarray = found.x.reshape(n_a, n_b)
    return result
