"""Same or different."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.model_kind import ModelKind


def share_of_different(labels: np.ndarray) -> np.ndarray:
    """Share of the labels (K, L) in which two stimuli differ."""
    return np.asarray((labels[:, None] != labels[None]).mean(-1))


CATEGORICAL = ModelKind(
    name="categorical",
    kernel=share_of_different,
    caption="0 within a category, 1 between; of several labels the share that differ",
    reference="https://doi.org/10.3389/neuro.06.004.2008",
)
