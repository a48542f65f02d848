"""Flexible models: one RDM made of several component RDMs so that it fits the data of other subjects and stimuli."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.weighting import Weighting


def fit_components(
    among: np.ndarray, with_subjects: np.ndarray, norms: np.ndarray, draws: np.ndarray, weighting: Weighting
) -> np.ndarray:
    """Weights (C,) of components from their inner products `among` (C, C) and `with_subjects` (C, S).

    `norms` (S,) are the norms of the subjects, `draws` (S,) how often each one counts.
    """
    return weighting.weights(among, (with_subjects / norms) @ draws / draws.sum())
