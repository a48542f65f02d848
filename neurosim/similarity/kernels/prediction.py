"""Linear prediction of responses from responses, all target units at once."""

from __future__ import annotations

import numpy as np

PENALTIES = 10.0 ** np.arange(-4, 7)
FEWEST = 3  # stimuli of which a correlation says anything


def ridge_weights(x: np.ndarray, y: np.ndarray, penalties: np.ndarray, choice: str) -> tuple[np.ndarray, np.ndarray]:
    """Ridge weights (P, U) of centred `x` (K, P) for centred `y` (K, U), and the penalty (U,) chosen for each unit.

    One singular value decomposition serves all penalties and units. Penalties are relative to the mean squared singular
    value. `choice` is "generalised" cross-validation (https://doi.org/10.1080/00401706.1979.10489751), or
    "leave_one_out", both in closed form.
    """
    u, values, vh = np.linalg.svd(x, full_matrices=False)
    if values[0] == 0:
        return np.zeros((x.shape[1], y.shape[1])), np.full(y.shape[1], penalties[-1])
    kept = values > 1e-10 * values[0]
    u, values, vh = u[:, kept], values[kept], vh[kept]
    squares, projected = values**2, u.T @ y
    scale = squares.mean()
    losses = np.stack([_ridge_loss(u, squares, projected, y, p * scale, choice) for p in penalties])
    penalty = penalties[losses.argmin(0)] * scale
    weights = vh.T @ (values[:, None] * projected / (squares[:, None] + penalty))
    return weights, penalty / scale


def _ridge_loss(
    u: np.ndarray, squares: np.ndarray, projected: np.ndarray, y: np.ndarray, penalty: float, choice: str
) -> np.ndarray:
    """Estimate of the squared error (U,) on new samples; the intercept takes one degree of freedom."""
    shrink = squares / (squares + penalty)
    residual = y - u @ (shrink[:, None] * projected)
    n = len(y)
    if choice == "generalised":
        return np.asarray((residual**2).mean(0) / max(1 - (shrink.sum() + 1) / n, 1e-6) ** 2)
    leverage = (u**2) @ shrink + 1 / n
    return np.asarray(((residual / np.maximum(1 - leverage, 1e-6)[:, None]) ** 2).mean(0))


def matched_prediction(train: np.ndarray, target: np.ndarray, test: np.ndarray, plan: np.ndarray) -> np.ndarray:
    """Predict every target unit from the standardised source units that `plan` (P, U) gives it, scaled to it."""
    mean, deviation = train.mean(0), train.std(0)
    deviation = np.where(deviation > 0, deviation, np.inf)
    standard, standard_test = (train - mean) / deviation, (test - mean) / deviation
    fitted = standard @ plan
    centred = target - target.mean(0)
    power = (fitted**2).sum(0)
    slope = (fitted * centred).sum(0) / np.where(power > 0, power, np.inf)
    return np.asarray((standard_test @ plan) * slope + target.mean(0))


def unit_correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson correlation (P_a, P_b) of units over stimuli; 0 for a unit that does not vary."""
    scaled = []
    for x in (a, b):
        centred = x - x.mean(0)
        norm = np.linalg.norm(centred, axis=0)
        flat = norm <= 1e-12 * np.abs(x).max(axis=0, initial=1e-300)
        scaled.append(centred / np.where(flat, np.inf, norm))
    return np.asarray(scaled[0].T @ scaled[1])


def correlations(predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Return the correlation (U,) of predictions and observations (K, U) over those that are not NaN.

    0 where either does not vary, NaN where fewer than 3 are there.
    """
    there = np.isfinite(observed)
    n = there.sum(0)
    x, y = (np.where(there, a, 0.0) for a in (predicted, observed))
    sizes = [(a**2).sum(0) for a in (x, y)]
    x, y = (np.where(there, a - a.sum(0) / np.maximum(n, 1), 0.0) for a in (x, y))
    xx, yy, xy = (x**2).sum(0), (y**2).sum(0), (x * y).sum(0)
    varies = (xx > 1e-20 * sizes[0]) & (yy > 1e-20 * sizes[1])
    found = np.where(varies, xy / np.sqrt(np.where(varies, xx * yy, 1.0)), 0.0)
    return np.where(n >= FEWEST, found, np.nan)


def principal_coordinates(x: np.ndarray, block: int = 4096) -> np.ndarray:
    """Return `x` (K, P) turned so that it has at most K columns; distances and angles between stimuli stay.

    The Gram matrix is summed over blocks of columns, so that a copy of `x` is never made.
    """
    gram = np.zeros((len(x), len(x)))
    for start in range(0, x.shape[1], block):
        part = np.asarray(x[:, start : start + block], dtype=float)
        part = part - part.mean(0)
        gram += part @ part.T
    values, vectors = np.linalg.eigh(gram)
    kept = values > 1e-13 * max(values[-1], 0.0)
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))
