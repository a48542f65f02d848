"""Squared Euclidean distance of whitened patterns."""

from __future__ import annotations

from neurosim.similarity.kernels.inner_products import second_moment
from neurosim.similarity.metric import Metric
from neurosim.similarity.metrics.euclidean import euclidean

MAHALANOBIS = Metric(
    name="mahalanobis",
    kernel=euclidean,
    caption="squared Mahalanobis distance over the number of units: Euclidean after whitening by the noise",
    reference="https://doi.org/10.1016/j.neuroimage.2015.12.012",
    gram=second_moment,
    whitening="always",
    blocks=True,
    tensors=True,
    without_trials="euclidean",
)
