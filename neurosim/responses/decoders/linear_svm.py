"""Support vector machine with a linear kernel, one class against one other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.responses.decoders import Decoder, Predict


@dataclass(frozen=True)
class SvmOptions:
    """Options of a support vector machine. inverse_penalty : larger is freer, as ``C`` in scikit-learn."""

    inverse_penalty: float = 1.0


def linear_svm(patterns: np.ndarray, labels: np.ndarray, options: SvmOptions) -> Predict:
    """Return the fitted classifier of scikit-learn as a function."""
    from sklearn.svm import SVC

    predict: Predict = SVC(kernel="linear", C=options.inverse_penalty).fit(patterns, labels).predict
    return predict


LINEAR_SVM = Decoder(
    name="linear_svm",
    fit=linear_svm,
    caption="linear support vector machine",
    reference="https://doi.org/10.1007/BF00994018",
    options=SvmOptions,
)
