"""Difference of numbers."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.model_kind import ModelKind


def euclidean_distance(labels: np.ndarray) -> np.ndarray:
    """Euclidean distance of numbers (K, L): of one, the absolute difference."""
    return np.asarray(np.sqrt(((labels[:, None] - labels[None]) ** 2).sum(-1)))


NUMERIC = ModelKind(
    name="numeric",
    kernel=euclidean_distance,
    caption="absolute difference of a number; of several numbers the Euclidean distance",
    reference="https://doi.org/10.3389/neuro.06.004.2008",
    takes="numbers",
)
