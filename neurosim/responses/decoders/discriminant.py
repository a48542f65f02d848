"""Linear discriminant of classes with one covariance, which is shrunk."""

from __future__ import annotations

import numpy as np

from neurosim.registry import NoOptions
from neurosim.responses.decoders import Decoder, Predict


def discriminant(patterns: np.ndarray, labels: np.ndarray, _options: NoOptions) -> Predict:
    """Return the fitted classifier of scikit-learn, its covariance shrunk as Ledoit and Wolf do, as a function."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    predict: Predict = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(patterns, labels).predict
    return predict


DISCRIMINANT = Decoder(
    name="discriminant",
    fit=discriminant,
    caption="linear discriminant with shrunk covariance",
    reference="https://doi.org/10.1016/S0047-259X(03)00096-4",
)
