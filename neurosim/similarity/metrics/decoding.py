"""Accuracy of a linear discriminant."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neurosim.similarity.kernels.arrays import hollow
from neurosim.similarity.metric import Metric


def decoding_accuracy(folds: np.ndarray, whitening: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Accuracy with which a linear discriminant tells two stimuli apart on a held-out fold, (M, K, P) -> (K, K).

    `whitening` maps the training folds (M - 1, K, P) to a factor (P, P) of the noise precision. The discriminant of
    every pair is the difference of two linear scores, so one K x K product a fold serves all pairs. A tie counts half.
    """
    n_folds = len(folds)
    correct = np.zeros((folds.shape[1], folds.shape[1]))
    for m in range(n_folds):
        training = np.delete(folds, m, axis=0)
        factor = whitening(training)
        means, held_out = training.mean(0) @ factor, folds[m] @ factor
        evidence = held_out @ means.T - (means**2).sum(-1) / 2
        margin = np.diagonal(evidence)[:, None] - evidence
        wins = (margin > 0) + 0.5 * (margin == 0)
        correct += (wins + wins.T) / 2
    found: np.ndarray = hollow(correct / n_folds)
    return found


DECODING = Metric(
    name="decoding",
    kernel=decoding_accuracy,
    caption="accuracy of a linear discriminant of two stimuli on held-out trials",
    reference="https://doi.org/10.1016/j.neuroimage.2015.12.012",
    folds=True,
    whitening="of_training",
    chance=0.5,
    without_trials="euclidean",
)
