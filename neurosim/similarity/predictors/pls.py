"""Partial least squares."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from neurosim.refusals import InputError
from neurosim.similarity.predictor import Predictor


@dataclass(frozen=True)
class PLSOptions:
    """Options of partial least squares. n_components : at most so many; fewer where units or stimuli are fewer."""

    n_components: int = 25

    def __post_init__(self) -> None:
        if not isinstance(self.n_components, int | np.integer) or self.n_components < 1:
            raise InputError(f"PLSOptions: n_components is a whole number of 1 or more, found {self.n_components!r}.")


def predict(train: np.ndarray, target: np.ndarray, test: np.ndarray, options: PLSOptions) -> np.ndarray:
    """Return predicted responses (N, U).

    Two directions that explain nearly alike are told apart slowly; where the search ends first, either is as good.
    """
    from sklearn.cross_decomposition import PLSRegression
    from sklearn.exceptions import ConvergenceWarning

    most = min(options.n_components, train.shape[1], len(train) - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = PLSRegression(n_components=most, scale=False).fit(train, target).predict(test)
    return np.asarray(found).reshape(len(test), -1)


PLS = Predictor(
    name="pls",
    predict=predict,
    caption="partial least squares",
    reference="https://doi.org/10.1016/S0169-7439(01)00155-1",
    options=PLSOptions,
    rotates=True,
)
