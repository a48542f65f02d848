"""Whether responses differ between stimuli by more than trials do: the F test, and its form for unequal trials."""

from __future__ import annotations

import numpy as np
from scipy import stats

FEWEST = 4  # trials unlike the usual one: of fewer, chance puts too many into one stimulus


def f_test(values: np.ndarray) -> np.ndarray:
    """Return p (unit) of a one-way analysis of variance of trials (stimulus, trial, unit), of which some are NaN.

    Where all stimuli have equal numbers of trials, it is the F test, whatever their variances nearly right. Unequal
    numbers may go with unequal variances, of which the F test makes effects: there the variance of the means is held
    against its expectation (https://doi.org/10.2307/2529238), with the variance over trials of stimuli of equal
    numbers pooled and degrees of freedom of both by Satterthwaite (https://doi.org/10.1080/03610919708813431). Stimuli
    with a single trial have no variance of their own and do not enter. NaN in units that hardly answer, and where fewer
    than 2 stimuli have 2 trials.
    """
    hardly = hardly_answers(values)
    counts = np.isfinite(values).sum(1)
    values = np.where((counts > 1)[:, None], values, np.nan)
    counts = np.where(counts > 1, counts, 0)
    n, k = counts.sum(0), (counts > 0).sum(0)
    measured = np.isfinite(values)
    means = np.where(measured, values, 0.0).sum(1) / np.maximum(counts, 1)
    grand = np.where(measured, values, 0.0).sum((0, 1)) / np.maximum(n, 1)
    between = (counts * (means - grand) ** 2).sum(0)
    squares = np.where(measured, (values - means[:, None]) ** 2, 0.0)
    equal = counts.max(0) * k == n
    df = np.maximum(n - k, 1)
    within, of_signal, of_noise = squares.sum((0, 1)) / df, np.maximum(k - 1.0, 1.0), df.astype(float)
    if not equal.all():
        expected, first, second = _unequal(squares.sum(1), counts)
        within, of_signal, of_noise = (
            np.where(equal, *pair) for pair in ((within, expected / of_signal), (of_signal, first), (of_noise, second))
        )
    f = np.divide(between / np.maximum(k - 1, 1), within, out=np.full_like(within, np.inf), where=within > 0)
    p = np.where(between > 0, stats.f.sf(f, of_signal, of_noise), 1.0)
    return np.where(hardly | hardly_answers(values) | (k < 2), np.nan, p)


def hardly_answers(values: np.ndarray) -> np.ndarray:
    """Return which units answer, but in too few of their trials (stimulus, trial, unit) for a variance over trials.

    Fewer than 4 trials are unlike the value, mostly 0, that more than half of the trials have.
    """
    flat = values.reshape(-1, values.shape[-1])
    n = np.isfinite(flat).sum(0)
    usual = np.take_along_axis(np.sort(flat, axis=0), np.maximum(n - 1, 0)[None] // 2, axis=0)[0]
    unlike = (np.isfinite(flat) & (flat != usual)).sum(0)
    found: np.ndarray = (unlike > 0) & (unlike < FEWEST) & (2 * unlike < n)
    return found


def _unequal(squares: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what noise alone makes of the sum of squares between stimuli, and the degrees of both, (unit).

    `squares` within stimuli and `counts` are (stimulus, unit). Squares of variances, and of their sums, are without the
    bias that normal noise gives them.
    """
    n, k = np.maximum(counts.sum(0), 1), (counts > 0).sum(0)
    numbers = [int(t) for t in np.unique(counts) if t > 1]
    size = np.stack([(counts == t).sum(0) for t in numbers])  # stimuli with t trials (number, unit)
    trials = np.asarray(numbers)[:, None]
    df = size * (trials - 1)
    pooled = np.stack([np.where(counts == t, squares, 0.0).sum(0) for t in numbers]) / np.maximum(df, 1)
    fourth = pooled**2 * df / (df + 2)
    share, whole = size * (1 - trials / n), size * trials
    expected = (share * pooled).sum(0)
    spread = (share**2 * fourth / np.maximum(df, 1)).sum(0)
    square = expected**2 - 2 * spread
    of_sum = (whole * pooled).sum(0) ** 2 - 2 * (whole**2 * fourth / np.maximum(df, 1)).sum(0)
    of_means = (size * fourth).sum(0) + of_sum / n**2 - 2 * (whole * fourth).sum(0) / n
    first = np.divide(square, of_means, out=np.ones_like(square), where=of_means > 0)
    second = np.divide(square, spread, out=np.ones_like(square), where=spread > 0)
    return expected, np.clip(first, 1, np.maximum(k - 1, 1)), np.maximum(second, 1.0)
