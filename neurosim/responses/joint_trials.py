"""Statistics of two units where trials are missing: from the trials that both have, halved alike for all units."""

from __future__ import annotations

import numpy as np

FEWEST = 3  # stimuli that two units have in common


def halves_of_trials(values: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean responses (stimulus, unit) in two halves of the trials of each stimulus, NaN where a unit has none.

    Parameters
    ----------
    values : (stimulus, trial, unit), NaN where not measured. order : of the trials; of those that any unit has of a
        stimulus the first half, the larger one if uneven, goes to the first mean. No trial is in both, of any unit.
    """
    values = values[:, order]
    measured = np.isfinite(values)
    if measured.all():
        first, second = (values[:, part].mean(1) for part in np.array_split(np.arange(len(order)), 2))
        return first, second
    there = measured.any(-1)
    number = there.sum(1)
    first = (there & (there.cumsum(1) <= (number - number // 2)[:, None]))[..., None]
    return _means(values, measured & first), _means(values, measured & ~first)


def covariances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return covariances (unit, unit_other) of columns, without bias, each pair over the rows that both have.

    NaN where fewer than 3 rows are common.
    """
    together, _, _, n = _about_common_means(a, b)
    return np.where(n < FEWEST, np.nan, together / np.maximum(n - 1, 1))


def correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return Pearson correlations (unit, unit_other) of columns, each pair over the rows that both have.

    0 where one of the two does not vary, NaN where fewer than 3 rows are common.
    """
    together, own, other, n = _about_common_means(a, b)
    norm = np.sqrt(np.maximum(own, 0) * np.maximum(other, 0))
    found = np.divide(together, norm, out=np.zeros_like(norm), where=norm > 1e-12 * np.maximum(n, 1))
    return np.where(n < FEWEST, np.nan, found)


def _about_common_means(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return sums (unit, unit_other) of products and of own and other squares, and the number of common rows."""
    m, k = np.isfinite(a), np.isfinite(b)
    x, y = (np.where(there, v, 0.0) for v, there in ((a, m), (b, k)))
    x, y = (np.where(t, v - v.sum(0) / np.maximum(t.sum(0), 1), 0.0) for v, t in ((x, m), (y, k)))
    number = m.T.astype(float) @ k
    n = np.maximum(number, 1)
    sum_x, sum_y = x.T @ k, m.T.astype(float) @ y
    own, other = (x**2).T @ k - sum_x**2 / n, m.T.astype(float) @ y**2 - sum_y**2 / n
    return x.T @ y - sum_x * sum_y / n, own, other, number


def joint_residuals(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return sums (unit, unit_other) of products and of own squares of residuals, and the number of trials.

    Residuals are about the mean of a stimulus over the trials that both units have, two or more.
    """
    n_units = values.shape[-1]
    products, squares, number = (np.zeros((n_units, n_units)) for _ in range(3))
    for trials in values:
        measured = np.isfinite(trials)
        n = measured.T.astype(float) @ measured
        x = np.where(measured, trials, 0.0)
        x = np.where(measured, x - x.sum(0) / np.maximum(measured.sum(0), 1), 0.0)
        sums = x.T @ measured
        enough = n > 1
        share = np.maximum(n, 1)
        products += np.where(enough, x.T @ x - sums * sums.T / share, 0.0)
        squares += np.where(enough, (x**2).T @ measured - sums**2 / share, 0.0)
        number += np.where(enough, n, 0.0)
    return products, np.maximum(squares, 0.0), number


def _means(values: np.ndarray, measured: np.ndarray) -> np.ndarray:
    n = measured.sum(1)
    total = np.where(measured, values, 0.0).sum(1)
    return np.asarray(np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0))
