"""What a predictor of responses is. One a file of the folder ``predictors``, and all by name in ``PREDICTORS``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosim.registry import NoOptions, Registry
from neurosim.showing import shown

Predicted = np.ndarray | tuple[np.ndarray, Mapping[str, np.ndarray]]


@shown
@dataclass(frozen=True)
class Predictor:
    """One way to predict the responses of target units from those of source units.

    Parameters
    ----------
    name : what users type.
    predict : from responses of the source (K, P) and the target (K, U) to the training stimuli, those of the source to
        the test stimuli (N, P), and `options`, to predicted responses (N, U); or these, and numbers above 0 that were
        chosen for each unit, by name, whose geometric mean over folds is reported.
    caption : how it predicts, as a method section says it.
    reference : its paper, a DOI.
    options : a frozen dataclass of its options, with their defaults.
    rotates : whether predictions stay where the source units are rotated; many units then become as many as stimuli.

    Examples
    --------
    >>> def mean_response(train, target, test, options):
    ...     return np.tile(target.mean(0), (len(test), 1)) + test[:, :1]
    >>> x = np.random.default_rng(0).normal(size=(20, 3))
    >>> predictor = ns.similarity.Predictor("mean_response", mean_response, "the mean, and the first unit")
    >>> with ns.similarity.PREDICTORS.added(predictor):
    ...     found = ns.similarity.predict_responses(x, x[:, :1], method="mean_response", folds=4, progress=False)
    >>> float(found.score[0]) > 0.9
    True
    """

    name: str
    predict: Callable[[np.ndarray, np.ndarray, np.ndarray, Any], Predicted]
    caption: str = ""
    reference: str = ""
    options: type = NoOptions
    rotates: bool = False


PREDICTORS = Registry("method", "neurosim.similarity.predictors", Predictor)
