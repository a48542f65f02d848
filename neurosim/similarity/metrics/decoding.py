"""Accuracy of a linear discriminant."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neurosim.similarity.kernels.arrays import hollow
from neurosim.similarity.kernels.folds import mean_of_folds
from neurosim.similarity.metric import Metric


def decoding_accuracy(
    folds: np.ndarray, whitening: Callable[..., np.ndarray], measured: np.ndarray | None = None
) -> np.ndarray:
    """Accuracy with which a linear discriminant tells two stimuli apart on a held-out fold, (M, K, P) -> (K, K).

    `whitening` maps the training folds (M - 1, K, P) to a factor (P, P) of the noise precision. The discriminant of
    every pair is the difference of two linear scores, so one K x K product a fold serves all pairs. A tie counts half.
    Of a pair each stimulus counts half, with the share of those of its folds that were `measured` (M, K).
    """
    there = np.ones(folds.shape[:2]) if measured is None else measured.astype(float)
    n = there.sum(0)
    correct = np.zeros((folds.shape[1], folds.shape[1]))
    for m in range(len(folds)):
        training, known = (np.delete(x, m, axis=0) for x in (folds, there > 0))
        factor = whitening(training) if measured is None else whitening(training, known)
        means, held_out = mean_of_folds(training, None if measured is None else known) @ factor, folds[m] @ factor
        evidence = held_out @ means.T - (means**2).sum(-1) / 2
        margin = np.diagonal(evidence)[:, None] - evidence
        wins = (margin > 0) + 0.5 * (margin == 0)
        correct += there[m][:, None] * wins
    weighted = correct * n
    found: np.ndarray = hollow((weighted + weighted.T) / (2 * np.outer(n, n)))
    return found


DECODING = Metric(
    name="decoding",
    kernel=decoding_accuracy,
    caption="accuracy of a linear discriminant of two stimuli on held-out trials",
    reference="https://doi.org/10.1016/j.neuroimage.2015.12.012",
    folds=True,
    unequal_folds=True,
    whitening="of_training",
    chance=0.5,
    without_trials="euclidean",
)
