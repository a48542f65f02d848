"""Every target unit from the source units it is softly matched with."""

from __future__ import annotations

import numpy as np

from neurosim.registry import NoOptions
from neurosim.similarity.kernels.prediction import matched_prediction, unit_correlations
from neurosim.similarity.kernels.shapes import transport_plan
from neurosim.similarity.predictor import Predictor


def predict(train: np.ndarray, target: np.ndarray, test: np.ndarray, options: NoOptions) -> np.ndarray:
    """Return predicted responses (N, U), each of an average of source units under the best transport plan."""
    plan = transport_plan(unit_correlations(train, target))
    return matched_prediction(train, target, test, plan / plan.sum(0))


SOFT_MATCHING = Predictor(
    name="soft_matching",
    predict=predict,
    caption="source units under the best soft matching",
    reference="https://arxiv.org/abs/2311.09466",
)
