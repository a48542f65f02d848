"""Predictive coding: every layer predicts the next, and weights change by what is left of the errors of prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from neurosim.networks.learning_rule import LearningRule
from neurosim.refusals import InputError, check_known

Prediction = Literal["free", "fixed"]


@dataclass(frozen=True)
class PredictiveCoding:
    """How errors of prediction spread before weights change.

    Parameters
    ----------
    prediction : "free": predictions follow the activities, as these move to lower the energy; "fixed": they stay those
        of the pass forward (https://arxiv.org/abs/2006.04182), so that errors become those of backpropagation, exactly
        after as many steps of size 1 as there are layers.
    n_steps : steps of inference. step : their size.

    Raises
    ------
    InputError : a value that is unknown or out of its range.

    References
    ----------
    Whittington JCR, Bogacz R (2017) Neural Comput 29:1229-1262, https://doi.org/10.1162/NECO_a_00949

    Examples
    --------
    >>> ns.networks.PredictiveCoding("fixed", n_steps=3, step=1.0).n_steps
    3
    """

    prediction: Prediction = "free"
    n_steps: int = 20
    step: float = 0.2

    def __post_init__(self) -> None:
        check_known(self.prediction, get_args(Prediction), "PredictiveCoding: unknown prediction")
        if not self.n_steps >= 1 or not 0 < self.step <= 1:
            raise InputError(
                f"PredictiveCoding: n_steps >= 1 and step in 0..1 asked, found {self.n_steps}, {self.step}."
            )


PREDICTIVE_CODING = LearningRule(
    name="predictive_coding",
    options=PredictiveCoding,
    bind="neurosim.networks.learning.prediction:bind",
    takes="chains of nn.Linear and convolutions, each called once, without batch normalisation, dropout or spikes",
    caption="Activities move to lower the errors of prediction, and weights change by those that are left.",
    citation="Whittington JCR, Bogacz R (2017) Neural Comput 29:1229-1262, https://doi.org/10.1162/NECO_a_00949",
    architectures=("MLP",),
)
