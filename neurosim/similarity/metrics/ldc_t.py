"""T value of the contrast of a linear discriminant."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neurosim.similarity.metric import Metric


def linear_discriminant_t(folds: np.ndarray, whitening: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Linear discriminant t value, (M, K, P) -> (K, K): mean over folds of the held-out contrast over its error.

    The discriminant comes from the other folds; its error from the residuals of all folds about the mean of each
    stimulus, with K (M - 1) degrees of freedom.
    """
    n_folds, n_stimuli = folds.shape[:2]
    residuals = (folds - folds.mean(0)).reshape(-1, folds.shape[-1])
    noise_factor = residuals.T @ residuals / (n_stimuli * (n_folds - 1))
    rows, columns = np.triu_indices(n_stimuli, 1)
    total = np.zeros(len(rows))
    for m in range(n_folds):
        training = np.delete(folds, m, axis=0)
        factor = whitening(training)
        weights = (training.mean(0) @ factor) @ factor.T
        spread = weights @ noise_factor @ weights.T
        contrast = weights @ folds[m].T
        own, noise = np.diagonal(contrast), np.diagonal(spread)
        held_out = (own[:, None] + own - contrast - contrast.T)[rows, columns]
        variance = 2 * (noise[:, None] + noise - spread - spread.T)[rows, columns]
        total += held_out / np.sqrt(variance)
    values = np.zeros((n_stimuli, n_stimuli))
    values[rows, columns] = values[columns, rows] = total / n_folds
    return values


LDC_T = Metric(
    name="ldc_t",
    kernel=linear_discriminant_t,
    caption="linear discriminant t value on held-out trials",
    reference="https://doi.org/10.1371/journal.pcbi.1003553",
    folds=True,
    whitening="of_training",
    without_trials="euclidean",
)
