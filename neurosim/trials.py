"""What the trials of a stimulus say together: number, mean, and spread about it, whether trials are missing or not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class OverTrials:
    """Trials of stimuli and units, NaN where not measured, taken together: all (stimulus, unit).

    Parameters
    ----------
    number : trials that were measured.
    mean : over these, NaN where there are none.
    squares : sum of squares about the mean, 0 of fewer than two trials.
    """

    number: np.ndarray
    mean: np.ndarray
    squares: np.ndarray

    def variance(self, of_fewer: np.ndarray | float) -> np.ndarray:
        """Return variances over trials (stimulus, unit), and `of_fewer` where there are fewer than two."""
        free = np.maximum(self.number - 1, 0)
        out = np.broadcast_to(np.asarray(of_fewer, dtype=float), free.shape).copy()
        found: np.ndarray = np.divide(self.squares, free, out=out, where=free > 0)
        return found


def over_trials(values: np.ndarray) -> OverTrials:
    """Return what trials (stimulus, trial, unit) say together, of which some are NaN.

    >>> found = over_trials(np.array([[[1.0], [3.0], [np.nan]], [[2.0], [np.nan], [np.nan]]]))
    >>> found.mean.ravel().tolist(), found.variance(0.5).ravel().tolist()
    ([2.0, 2.0], [2.0, 0.5])
    """
    measured = np.isfinite(values)
    number = measured.sum(1)
    total = np.where(measured, values, 0.0).sum(1)
    mean = np.divide(total, number, out=np.full(number.shape, np.nan), where=number > 0)
    return OverTrials(number, mean, (np.where(measured, values - mean[:, None], 0.0) ** 2).sum(1))
