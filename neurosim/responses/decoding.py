"""What can be read out of a population: cross-validated decoding, in time and from one time to another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import xarray as xr

from neurosim.registry import options_of
from neurosim.responses.averages import over_time
from neurosim.responses.decoders import DECODERS, Predict
from neurosim.runtime import as_rng, track
from neurosim.schema import InputError, check_responses, suggest

Fit = Callable[[np.ndarray, np.ndarray], Predict]


class Classifier(Protocol):
    """A classifier of scikit-learn: what is fitted anew in every fold, and predicts."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Classifier:
        """Fit to patterns (n, unit) and their labels (n,)."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the labels of patterns (n, unit)."""


def decode(
    responses: xr.DataArray,
    by: str = "stimulus",
    *,
    folds: int | None = None,
    decoder: str | Classifier = "correlation",
    options: Mapping[str, object] | object | None = None,
    across_time: bool = False,
    n_orders: int = 5,
    rng: np.random.Generator | int | None = 0,
    progress: bool = True,
) -> xr.Dataset:
    """Decode a label of the stimuli from single trials of a population (https://doi.org/10.1126/science.1117593).

    Units are standardised by the training trials.

    Parameters
    ----------
    responses : (stimulus, trial, [time,] unit). Units that were not recorded together are a pseudo-population: trials
        are shuffled within each unit and stimulus, which removes noise correlations, and the accuracy averaged over
        `n_orders` shuffles.
    by : the label along ``stimulus`` to decode, or "stimulus" itself.
    folds : parts of the trials, each held out once; one trial a part when absent.
    decoder : "correlation", the class whose mean training pattern correlates most with the test pattern;
        "logistic_regression", "linear_svm" or "discriminant" (linear, shrunk), of scikit-learn; or any classifier of
        scikit-learn itself, fitted anew in every fold. One's own is a record of ``neurosim.responses.decoders``.
    options : of the decoder, such as ``{"inverse_penalty": 0.1}`` of "linear_svm".
    across_time : train at every time and test at every other (temporal generalisation,
        https://doi.org/10.1016/j.tics.2014.01.002).
    n_orders : shuffles of the trials.
    rng : seed or generator of the shuffles.
    progress : show a bar over shuffles.

    Returns
    -------
    Dataset: ``accuracy`` ([time, [time_test]]), its ``standard_error`` by leaving out each fold, and ``chance``.

    Raises
    ------
    InputError : no trials, an unknown label, decoder or option, fewer than two classes, or folds that cannot be made.

    Examples
    --------
    >>> x = np.repeat(np.eye(3)[:, None], 4, axis=1)
    >>> float(ns.responses.decode(ns.as_responses(x, dims=("stimulus", "trial", "unit"))).accuracy)
    1.0
    """
    responses = check_responses(responses, "decode")
    folds, labels, classes = _checked(responses, by, folds, across_time)
    fit = fit_of(decoder, options, "decode")
    timed = "time" in responses.dims
    values = np.asarray(responses.transpose("trial", "stimulus", ..., "unit").values, dtype=float)
    values = values if timed else values[:, :, None]
    generator = as_rng(rng, "decode")
    each = np.zeros((folds, values.shape[2], values.shape[2] if across_time else 1))
    for _ in track(range(n_orders), "decoding", progress=progress):
        shuffled = _shuffled(values, generator)
        for f, held_out in enumerate(np.array_split(np.arange(len(values)), folds)):
            train = np.delete(shuffled, held_out, axis=0)
            each[f] += _accuracy(train, shuffled[held_out], labels, fit, across_time) / n_orders
    error = np.sqrt((folds - 1) / folds * ((_left_out(each) - each.mean(0)) ** 2).sum(0))
    dims = ("time", "time_test") if across_time else ("time",) if timed else ()
    shape = each.shape[1:] if across_time else each.shape[1:2] if timed else ()
    coords = dict.fromkeys(dims, responses["time"].values) if timed and "time" in responses.coords else {}
    return xr.Dataset(
        {
            "accuracy": (dims, each.mean(0).reshape(shape)),
            "standard_error": (dims, error.reshape(shape)),
            "chance": 1 / len(classes),
        },
        coords=coords,
        attrs={"label": by, "folds": folds, "n_units": responses.sizes["unit"], "n_orders": n_orders},
    )


def generalise(
    responses: xr.DataArray,
    by: str,
    across: str,
    *,
    folds: int | None = None,
    decoder: str | Classifier = "correlation",
    options: Mapping[str, object] | object | None = None,
    n_orders: int = 5,
    rng: np.random.Generator | int | None = 0,
    progress: bool = True,
) -> xr.Dataset:
    """Decode one label of the stimuli where another has a value that was not trained on: position or size invariance.

    (https://doi.org/10.1073/pnas.1100999108)

    Parameters
    ----------
    responses : (stimulus, trial, [time,] unit); time is summed (counts) or averaged. Every value of `by` was shown with
        every value of `across`. Units that were not recorded together are a pseudo-population, as in :func:`decode`.
    by, across : labels along ``stimulus``, such as "object" and "position".
    folds, decoder, options, n_orders, rng, progress : as in :func:`decode`; also where both values are equal,
        training and test trials differ.

    Returns
    -------
    Dataset: ``accuracy`` (across, across_test) and its ``standard_error``; ``same`` and ``other``, its means on and off
    the diagonal, with theirs; ``chance``.

    Raises
    ------
    InputError : unknown labels, decoder or option, a combination that was not shown, fewer than 2 values or trials.

    Examples
    --------
    >>> x = np.tile(np.eye(3), (2, 1))[:, None].repeat(4, axis=1)
    >>> labels = {"object": ("stimulus", [0, 1, 2] * 2), "place": ("stimulus", [0] * 3 + [1] * 3)}
    >>> r = ns.as_responses(x, dims=("stimulus", "trial", "unit"), coords=labels)
    >>> float(ns.responses.generalise(r, "object", "place").other)
    1.0
    """
    still = over_time(check_responses(responses, "generalise"))
    folds, labels, classes = _checked(still, by, folds, False)
    fit = fit_of(decoder, options, "generalise")
    levels, level = _crossed(still, labels, len(classes), across, by)
    values = np.asarray(still.transpose("trial", "stimulus", "unit").values, dtype=float)[:, :, None]
    parts = [np.flatnonzero(level == k) for k in range(len(levels))]
    generator = as_rng(rng, "generalise")
    each = np.zeros((folds, len(levels), len(levels)))
    for _ in track(range(n_orders), "decoding", progress=progress):
        shuffled = _shuffled(values, generator)
        for f, held_out in enumerate(np.array_split(np.arange(len(values)), folds)):
            train, test = np.delete(shuffled, held_out, axis=0), shuffled[held_out]
            for i, j in np.ndindex(len(levels), len(levels)):
                trained, tested = train[:, parts[i]], test[:, parts[j]]
                found = _transferred(trained, tested, labels[parts[i]], labels[parts[j]], fit)
                each[f, i, j] += found / n_orders
    same = np.eye(len(levels), dtype=bool)
    means = {"accuracy": each, "same": each[:, same].mean(1), "other": each[:, ~same].mean(1)}
    data: dict[str, Any] = {}
    for name, values_ in means.items():
        dims = (across, f"{across}_test") if values_.ndim == 3 else ()
        error = np.sqrt((folds - 1) / folds * ((_left_out(values_) - values_.mean(0)) ** 2).sum(0))
        data |= {
            name: (dims, values_.mean(0)),
            f"{'' if name == 'accuracy' else name + '_'}standard_error": (dims, error),
        }
    return xr.Dataset(
        {**data, "chance": 1 / len(classes)},
        coords={across: levels, f"{across}_test": levels},
        attrs={"label": by, "folds": folds, "n_units": still.sizes["unit"], "n_orders": n_orders},
    )


def _crossed(
    responses: xr.DataArray, labels: np.ndarray, n_classes: int, across: str, by: str
) -> tuple[np.ndarray, np.ndarray]:
    """Values of the label `across`, and which of them each stimulus has."""
    if across not in responses.coords or responses[across].dims != ("stimulus",) or across == by:
        known = [str(k) for k, v in responses.coords.items() if v.dims == ("stimulus",) and str(k) != by]
        raise InputError(
            f"generalise: no other label {across!r} along stimulus. Labels: {', '.join(known)}.{suggest(across, known)}"
        )
    levels, level = np.unique(responses[across].values, return_inverse=True)
    shown = np.zeros((len(levels), n_classes), dtype=bool)
    shown[level, labels] = True
    if len(levels) < 2 or not shown.all():
        raise InputError(
            f"generalise: every {by} with each of at least 2 values of {across} asked; {int((~shown).sum())} of "
            f"{shown.size} combinations were not shown."
        )
    return levels, level


def _transferred(train: np.ndarray, test: np.ndarray, trained: np.ndarray, tested: np.ndarray, fit: Fit) -> float:
    """Fraction right on other stimuli than those trained on; trials (trial, stimulus, 1, unit)."""
    centre, spread = train.mean((0, 1)), train.std((0, 1))
    scale = np.where(spread > 0, spread, np.inf)
    predict = _fitted(((train - centre) / scale)[:, :, 0], trained, fit)
    patterns = ((test - centre) / scale)[:, :, 0]
    return float((predict(patterns.reshape(-1, patterns.shape[-1])) == np.tile(tested, len(test))).mean())


def _checked(
    responses: xr.DataArray, by: str, folds: int | None, across_time: bool
) -> tuple[int, np.ndarray, np.ndarray]:
    n_trials = responses.sizes.get("trial", 1)
    if n_trials < 2:
        raise InputError("decode: needs a 'trial' dim with at least 2 trials, to train on some and test on others.")
    if by not in responses.coords or responses[by].dims != ("stimulus",):
        known = [str(k) for k, v in responses.coords.items() if v.dims == ("stimulus",)]
        raise InputError(f"decode: no label {by!r} along stimulus. Labels: {', '.join(known)}.{suggest(by, known)}")
    folds = n_trials if folds is None else folds
    if not 2 <= folds <= n_trials:
        raise InputError(f"decode: {folds} folds of {n_trials} trials cannot be made; give 2 to {n_trials}.")
    if across_time and "time" not in responses.dims:
        raise InputError("decode: across_time needs a 'time' dim.")
    classes, labels = np.unique(responses[by].values, return_inverse=True)
    if len(classes) < 2:
        raise InputError(f"decode: the label {by!r} has one value, {classes[0]!s}; there is nothing to decode.")
    return folds, labels, classes


def _shuffled(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Trials in another order for every stimulus and unit, the same at all times."""
    order = rng.permuted(np.broadcast_to(np.arange(len(values))[:, None, None], values[:, :, 0].shape), axis=0)
    return np.take_along_axis(values, order[:, :, None], axis=0)


def _accuracy(train: np.ndarray, test: np.ndarray, labels: np.ndarray, fit: Fit, across_time: bool) -> np.ndarray:
    """Fraction right (time, time or 1) from training and test trials (trial, stimulus, time, unit)."""
    centre, spread = train.mean((0, 1)), train.std((0, 1))
    scale = np.where(spread > 0, spread, np.inf)
    n_times = train.shape[2]
    found = np.zeros((n_times, n_times if across_time else 1))
    for t in range(n_times):
        predict = _fitted((train[:, :, t] - centre[t]) / scale[t], labels, fit)
        for column, u in enumerate(range(n_times) if across_time else (t,)):
            patterns = (test[:, :, u] - centre[t]) / scale[t]
            found[t, column] = (predict(patterns.reshape(-1, patterns.shape[-1])) == np.tile(labels, len(test))).mean()
    return found


def fit_of(decoder: str | Classifier, options: Mapping[str, object] | object | None, who: str) -> Fit:
    """Return a function from patterns (n, unit) and labels (n,) to what predicts."""
    if hasattr(decoder, "fit") and hasattr(decoder, "predict"):
        from sklearn.base import clone

        def fit_classifier(patterns: np.ndarray, labels: np.ndarray) -> Predict:
            predict: Predict = clone(decoder).fit(patterns, labels).predict
            return predict

        return fit_classifier
    chosen = DECODERS.find(decoder, who)
    wanted = options_of(chosen.options, options, who)
    return lambda patterns, labels: chosen.fit(patterns, labels, wanted)


def _fitted(train: np.ndarray, labels: np.ndarray, fit: Fit) -> Predict:
    """Return a function from patterns (n, unit) to labels (n,), fitted to trials (trial, stimulus, unit)."""
    return fit(train.reshape(-1, train.shape[-1]), np.tile(labels, len(train)))


def _left_out(each: np.ndarray) -> np.ndarray:
    """Means (F, ...) over all folds but one."""
    rest: np.ndarray = (each.sum(0) - each) / (len(each) - 1)
    return rest
