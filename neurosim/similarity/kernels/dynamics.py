"""Responses over time as linear dynamics, and how far two such operators are apart."""

from __future__ import annotations

import numpy as np
from scipy import linalg, optimize


def dynamics_matrix(trajectories: np.ndarray, n_delays: int, rank: int) -> np.ndarray:
    """Linear operator (R, R) that best steps the delay-embedded trajectories (S, T, P) forward in time.

    It acts on the first R principal components of the state, each of variance 1: in what units the state was measured
    makes no difference. Components that are not there, below the rounding of the largest, are left out.
    """
    n_time = trajectories.shape[1] - n_delays + 1
    windows = [trajectories[:, d : d + n_time] for d in range(n_delays)]
    embedded = np.concatenate(windows, axis=-1)
    flat = embedded.reshape(-1, embedded.shape[-1])
    size, axes = np.linalg.svd(flat, full_matrices=False)[1:]
    kept = min(rank, int((size > size[0] * max(flat.shape) * np.finfo(float).eps).sum()))
    axes = axes[:kept]
    state = embedded @ (axes.T / size[:kept])
    now, then = state[:, :-1].reshape(-1, len(axes)), state[:, 1:].reshape(-1, len(axes))
    found: np.ndarray = np.linalg.lstsq(now, then, rcond=None)[0].T
    return found


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
        found: np.ndarray = linalg.expm(skew - skew.T)
        return found

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
