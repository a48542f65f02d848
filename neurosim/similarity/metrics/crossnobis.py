"""Cross-validated squared Mahalanobis distance."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.kernels.arrays import Array
from neurosim.similarity.kernels.inner_products import (
    crossvalidated_second_moment,
    distances_from_gram,
    second_moment_across_units,
)
from neurosim.similarity.metric import Metric


def crossnobis(folds: Array, measured: np.ndarray | None = None) -> Array:
    """Cross-validated squared Euclidean distance over the number of units; unbiased, so it can be negative."""
    return distances_from_gram(crossvalidated_second_moment(folds, measured, centre=True))


def crossnobis_across_units(folds: np.ndarray, measured: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Return the same of units that each `measured` (M, K, P) folds of their own, with a precision between them."""
    return np.asarray(distances_from_gram(second_moment_across_units(folds, measured, precision, centre=True)))


CROSSNOBIS = Metric(
    name="crossnobis",
    kernel=crossnobis,
    caption="cross-validated squared Mahalanobis distance over the number of units, unbiased by noise",
    reference="https://doi.org/10.1016/j.neuroimage.2015.12.012",
    folds=True,
    unequal_folds=True,
    across_units=crossnobis_across_units,
    gram=crossvalidated_second_moment,
    whitening="if_given",
    blocks=True,
    tensors=True,
    without_trials="euclidean",
    adds_up=True,
)
