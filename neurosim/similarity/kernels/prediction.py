"""Linear prediction of responses from responses, all target units at once."""

from __future__ import annotations

import numpy as np

PENALTIES = 10.0 ** np.arange(-4, 7)


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


def jackknifed_correlations(predicted: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlation (U,) of predictions with observations (K, U), and with every stimulus left out (K, U).

    A unit whose prediction or observation does not vary has a correlation of 0.
    """
    n = len(predicted)
    x, y = predicted - predicted.mean(0), observed - observed.mean(0)
    xx, yy, xy = (x**2).sum(0), (y**2).sum(0), (x * y).sum(0)
    shrink = n / (n - 1)
    floor = 1e-12 * np.maximum(xx, 1e-300), 1e-12 * np.maximum(yy, 1e-300)
    left = _ratio(xy - shrink * x * y, xx - shrink * x**2, yy - shrink * y**2, floor)
    flat_x = xx <= 1e-20 * (predicted**2).sum(0)
    flat_y = yy <= 1e-20 * (observed**2).sum(0)
    score = np.where(flat_x | flat_y, 0.0, _ratio(xy, xx, yy, floor))
    return score, np.where(flat_x | flat_y, 0.0, left)


def _ratio(xy: np.ndarray, xx: np.ndarray, yy: np.ndarray, floor: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    valid = (xx > floor[0]) & (yy > floor[1])
    return np.where(valid, xy / np.sqrt(np.where(valid, xx * yy, 1.0)), 0.0)
