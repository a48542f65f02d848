"""Flexible models: one RDM made of several component RDMs so that it fits the data of other subjects and stimuli."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

FITS = ("select", "weighted", "nonnegative", "interpolated")


def fit_components(
    among: np.ndarray, with_subjects: np.ndarray, norms: np.ndarray, draws: np.ndarray, fit: str
) -> np.ndarray:
    """Weights (C,) of components from their inner products `among` (C, C) and `with_subjects` (C, S).

    `norms` (S,) are the norms of the subjects, `draws` (S,) how often each one counts.

    The best direction of ``mean_s cos(sum_c w_c x_c, d_s)`` solves ``A w = b`` with the inner products of the
    components A and their mean inner products b with the normalised subjects; with signs held, a non-negative least
    squares problem. "interpolated" keeps to the line through neighbouring components.
    """
    towards = (with_subjects / norms) @ draws / draws.sum()
    if fit == "select":
        return _best_single(among, towards)
    if fit == "weighted":
        return np.asarray(np.linalg.lstsq(among, towards, rcond=1e-10)[0])
    if fit == "nonnegative":
        return _nonnegative(among, towards)
    pairs = [(c, c + 1) for c in range(len(towards) - 1)] or [(0, 0)]
    candidates = [_on_segment(among, towards, pair) for pair in pairs]
    return max(candidates, key=lambda w: w @ towards / np.sqrt(max(w @ among @ w, 1e-300)))


def _on_segment(among: np.ndarray, towards: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    members = sorted(set(pair))
    weights = np.zeros(len(towards))
    weights[members] = _nonnegative(among[np.ix_(members, members)], towards[members])
    return weights


def _nonnegative(among: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """Non-negative weights that maximise ``w'b / sqrt(w'Aw)``; the best single one where no combination is positive."""
    values, vectors = np.linalg.eigh(among)
    kept = values > 1e-10 * values[-1]
    root = np.sqrt(values[kept])
    weights = nnls((vectors[:, kept] * root).T, (vectors[:, kept].T @ towards) / root)[0]
    if weights.any():
        return np.asarray(weights)
    return _best_single(among, towards)


def _best_single(among: np.ndarray, towards: np.ndarray) -> np.ndarray:
    return np.asarray(np.eye(len(towards))[int(np.argmax(towards / np.sqrt(np.diagonal(among))))])
