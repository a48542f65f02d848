"""Every target unit from the source unit that correlates most with it."""

from __future__ import annotations

import numpy as np

from neurosim.registry import NoOptions
from neurosim.similarity.kernels.prediction import matched_prediction, unit_correlations
from neurosim.similarity.predictor import Predictor


def predict(train: np.ndarray, target: np.ndarray, test: np.ndarray, options: NoOptions) -> np.ndarray:
    """Return predicted responses (N, U), each of one source unit with its slope."""
    similarity = unit_correlations(train, target)
    plan = np.zeros_like(similarity)
    plan[similarity.argmax(0), np.arange(similarity.shape[1])] = 1.0
    return matched_prediction(train, target, test, plan)


ONE_TO_ONE = Predictor(
    name="one_to_one",
    predict=predict,
    caption="the most correlated source unit",
    reference="https://arxiv.org/abs/1511.07543",
)
