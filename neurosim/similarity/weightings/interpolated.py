"""Weights between neighbouring components."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.weighting import Weighting
from neurosim.similarity.weightings.nonnegative import nonnegative


def interpolated(among: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """Weights (C,) of the highest score on the line through neighbouring components."""
    pairs = [(c, c + 1) for c in range(len(towards) - 1)] or [(0, 0)]
    candidates = [_on_segment(among, towards, pair) for pair in pairs]
    return max(candidates, key=lambda w: w @ towards / np.sqrt(max(w @ among @ w, 1e-300)))


def _on_segment(among: np.ndarray, towards: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    members = sorted(set(pair))
    weights = np.zeros(len(towards))
    weights[members] = nonnegative(among[np.ix_(members, members)], towards[members])
    return weights


INTERPOLATED = Weighting(
    name="interpolated",
    weights=interpolated,
    caption="between neighbouring components",
    reference="https://doi.org/10.7554/eLife.82566",
)
