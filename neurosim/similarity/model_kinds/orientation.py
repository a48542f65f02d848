"""Angle between orientations."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.model_kind import ModelKind


def angle_between(labels: np.ndarray, period: float = 180.0) -> np.ndarray:
    """Angle in degrees (K, K), at most half a period, of angles (K, L); the mean over several."""
    apart = np.abs(labels[:, None] - labels[None]) % period
    return np.asarray(np.minimum(apart, period - apart).mean(-1))


ORIENTATION = ModelKind(
    name="orientation",
    kernel=angle_between,
    caption="angle between orientations in degrees, 0 to 90",
    reference="https://doi.org/10.1017/CBO9780511564345",
    takes="numbers",
)
