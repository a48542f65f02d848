"""Ridge regression with one penalty a unit, chosen within the training stimuli."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.refusals import check_known
from neurosim.similarity.kernels.prediction import PENALTIES, ridge_weights
from neurosim.similarity.predictor import Predictor

CHOICES = ("generalised", "leave_one_out")


@dataclass(frozen=True)
class RidgeOptions:
    """How ridge chooses its penalties. penalty_by : "generalised" cross-validation or "leave_one_out"."""

    penalty_by: str = "generalised"

    def __post_init__(self) -> None:
        check_known(self.penalty_by, CHOICES, "RidgeOptions: no choice")


def predict(
    train: np.ndarray, target: np.ndarray, test: np.ndarray, options: RidgeOptions
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return predicted responses (N, U), and the penalty of every unit."""
    centre_x, centre_y = train.mean(0), target.mean(0)
    weights, penalty = ridge_weights(train - centre_x, target - centre_y, PENALTIES, options.penalty_by)
    return (test - centre_x) @ weights + centre_y, {"penalty": penalty}


RIDGE = Predictor(
    name="ridge",
    predict=predict,
    caption="ridge regression, one penalty a unit",
    reference="https://doi.org/10.1080/00401706.1979.10489751",
    options=RidgeOptions,
    rotates=True,
)
