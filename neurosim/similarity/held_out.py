"""Predictions of what was held out, fold by fold, and how well they correlate with what was measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from neurosim.similarity.kernels.prediction import FEWEST, correlations
from neurosim.similarity.predictor import Predicted


@dataclass(frozen=True)
class HeldOut:
    """Correlations of predictions with what was held out; NaN where a unit has fewer than 3 measured stimuli in a fold.

    each : (fold, unit). without : (fold, other fold, unit), of the first fold where the other was not trained on
    either. logs : by name, the logarithm (fold, unit) of what the predictor chose.
    """

    each: np.ndarray
    without: np.ndarray
    logs: dict[str, np.ndarray] = field(default_factory=dict)


Fit = Callable[[np.ndarray, np.ndarray, np.ndarray], Predicted]


def n_fits(n_folds: int) -> int:
    """Return how many fits :func:`held_out` makes: one without each fold, and one without each two."""
    return n_folds * (n_folds + 1) // 2


def held_out(x: np.ndarray, y: np.ndarray, fold: np.ndarray, fit: Fit, tick: Callable[[], object]) -> HeldOut:
    """Predict every fold from the others, and from the others but one.

    Parameters
    ----------
    x : (K, P) of the source. y : (K, U) of the target, NaN where a stimulus was not measured in a unit.
    fold : (K,) in which each stimulus is. fit : from training source and target and test source to predictions.
    tick : called after every fit.
    """
    n_folds = int(fold.max()) + 1
    each = np.full((n_folds, y.shape[1]), np.nan)
    without = np.full((n_folds, n_folds, y.shape[1]), np.nan)
    logs: dict[str, np.ndarray] = {}
    for f in range(n_folds):
        for g in range(f + 1):
            test = (fold == f) | (fold == g)
            if test.all():
                tick()
                continue
            predicted, chosen = _predicted(x, y, test, fit)
            tick()
            if f != g:
                without[f, g] = correlations(predicted[fold == f], y[fold == f])
                without[g, f] = correlations(predicted[fold == g], y[fold == g])
                continue
            each[f] = correlations(predicted[fold == f], y[fold == f])
            for name, values in chosen.items():
                logs.setdefault(name, np.full(each.shape, np.nan))[f] = np.log(values)
    return HeldOut(each, without, logs)


def _predicted(x: np.ndarray, y: np.ndarray, test: np.ndarray, fit: Fit) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return predictions (K, U) of the test stimuli, from units that were measured at the same stimuli together."""
    predicted = np.full(y.shape, np.nan)
    chosen: dict[str, np.ndarray] = {}
    patterns, which = np.unique(np.isfinite(y[~test]), axis=1, return_inverse=True)
    for p, measured in enumerate(patterns.T):
        units = np.flatnonzero(which == p)
        if measured.sum() < FEWEST:
            continue
        train = np.flatnonzero(~test)[measured]
        found = fit(x[train], y[np.ix_(train, units)], x[test])
        values, own = found if isinstance(found, tuple) else (found, {})
        predicted[np.ix_(test, units)] = values
        for name, value in own.items():
            chosen.setdefault(name, np.full(y.shape[1], np.nan))[units] = value
    return predicted, chosen
