"""T value of the contrast of a linear discriminant."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neurosim.similarity.kernels.folds import mean_of_folds
from neurosim.similarity.metric import Metric


def linear_discriminant_t(
    folds: np.ndarray, whitening: Callable[..., np.ndarray], measured: np.ndarray | None = None
) -> np.ndarray:
    """Linear discriminant t value, (M, K, P) -> (K, K): mean over folds of the held-out contrast over its error.

    The discriminant comes from the other folds; its error from the residuals of all folds about the mean of each
    stimulus, with K (M - 1) degrees of freedom. Where folds were not all `measured` (M, K), means are over those that
    were, a pair is contrasted in the folds that measured both, and there are so many degrees of freedom less.
    """
    n_folds, n_stimuli = folds.shape[:2]
    there = np.ones((n_folds, n_stimuli), dtype=bool) if measured is None else measured
    residuals = (folds - mean_of_folds(folds, measured))[there]
    noise = residuals.T @ residuals / (there.sum() - n_stimuli)
    rows, columns = np.triu_indices(n_stimuli, 1)
    total = np.zeros(len(rows))
    for m in range(n_folds):
        training, known = (np.delete(x, m, axis=0) for x in (folds, there))
        factor = whitening(training) if measured is None else whitening(training, known)
        weights = (mean_of_folds(training, None if measured is None else known) @ factor) @ factor.T
        spread = weights @ noise @ weights.T
        contrast = weights @ folds[m].T
        own, of_one = np.diagonal(contrast), np.diagonal(spread)
        held_out = (own[:, None] + own - contrast - contrast.T)[rows, columns]
        variance = 2 * (of_one[:, None] + of_one - spread - spread.T)[rows, columns]
        total += np.where(there[m][rows] & there[m][columns], held_out / np.sqrt(variance), 0.0)
    values = np.zeros((n_stimuli, n_stimuli))
    values[rows, columns] = values[columns, rows] = total / (there.T.astype(float) @ there)[rows, columns]
    return values


LDC_T = Metric(
    name="ldc_t",
    kernel=linear_discriminant_t,
    caption="linear discriminant t value on held-out trials",
    reference="https://doi.org/10.1371/journal.pcbi.1003553",
    folds=True,
    unequal_folds=True,
    within_folds=True,
    whitening="of_training",
    without_trials="euclidean",
)
