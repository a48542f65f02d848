"""Logistic regression with a penalty on the squares of its weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.responses.decoders import Decoder, Predict


@dataclass(frozen=True)
class LogisticOptions:
    """Options of logistic regression. inverse_penalty : larger is freer, as ``C`` in scikit-learn."""

    inverse_penalty: float = 1.0


def logistic_regression(patterns: np.ndarray, labels: np.ndarray, options: LogisticOptions) -> Predict:
    """Return the fitted classifier of scikit-learn as a function."""
    from sklearn.linear_model import LogisticRegression

    predict: Predict = LogisticRegression(C=options.inverse_penalty, max_iter=1000).fit(patterns, labels).predict
    return predict


LOGISTIC_REGRESSION = Decoder(
    name="logistic_regression",
    fit=logistic_regression,
    caption="logistic regression",
    reference="https://doi.org/10.1111/j.2517-6161.1958.tb00292.x",
    options=LogisticOptions,
)
