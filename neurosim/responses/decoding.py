"""What can be read out of a population: cross-validated decoding, in time and from one time to another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import xarray as xr
from scipy import special

from neurosim.refusals import check_number
from neurosim.registry import options_of
from neurosim.responses import cross_validation as cv
from neurosim.responses.averages import over_time
from neurosim.responses.decoders import DECODERS, Predict
from neurosim.runtime import as_rng, track
from neurosim.schema import InputError, check_responses, suggest

Fit = Callable[[np.ndarray, np.ndarray], Predict]
MOST_FOLDS = 10  # of stimuli, where no number is asked


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
    hold_out: str | None = None,
    folds: int | None = None,
    decoder: str | Classifier = "correlation",
    options: Mapping[str, object] | object | None = None,
    across_time: bool = False,
    n_orders: int = 5,
    n_permutations: int = 0,
    rng: np.random.Generator | int | None = 0,
    progress: bool = True,
) -> xr.Dataset:
    """Decode a label of the stimuli from a population (https://doi.org/10.1126/science.1117593).

    A label that several stimuli share is decoded of stimuli that were not trained on: random categories of reliable
    stimuli would be known from the stimuli. Units are standardised by what is trained on. Every class counts alike,
    however many stimuli it has, so that chance is one over the classes. Calibrated in 1,000 simulated experiments: null
    mean 0.05, recovery 1.00, error ratio 0.95, coverage 95.5 %, false positives 3.7 %. Errors of a class of six stimuli
    beside one of nine times as many are a third too large.

    Parameters
    ----------
    responses : (stimulus, [trial,] [time,] unit). Single trials are decoded; average them first to decode stimuli, as
        of networks, that answer once. Units that were not recorded together are a pseudo-population: trials are
        shuffled within each unit and stimulus, which removes noise correlations, and the accuracy averaged over
        `n_orders` shuffles. Trials may be missing (NaN): a shuffle takes from each unit as many of its trials as the
        unit with fewest has of that stimulus, so a unit lost midway costs all others its trials; leave it out
        instead. Stimuli may have unequal numbers.
    by : the label along ``stimulus`` to decode, or "stimulus" itself.
    hold_out : what is held out whole: "stimulus"; a label along ``stimulus``, such as "object" of views; or "trial",
        other trials of the same stimuli, the only way where every class has one stimulus. When absent "trial" there,
        else "stimulus".
    folds : parts, each held out once. When absent one trial a part (as many as the stimulus with fewest has), or 10 of
        the stimuli.
    decoder : "correlation", the class whose mean training pattern correlates most with the test pattern;
        "logistic_regression", "linear_svm" or "discriminant" (linear, shrunk), of scikit-learn; or any classifier of
        scikit-learn itself, fitted anew in every fold. One's own is a record of ``neurosim.responses.decoders``.
    options : of the decoder, such as ``{"inverse_penalty": 0.1}`` of "linear_svm".
    across_time : train at every time and test at every other (temporal generalisation,
        https://doi.org/10.1016/j.tics.2014.01.002).
    n_orders : shuffles of the trials.
    n_permutations : of the labels of what is held out, for ``p``; 0 for none.
    rng : seed or generator of folds, shuffles and permutations.
    progress : show a bar over shuffles and permutations.

    Returns
    -------
    Dataset: ``accuracy`` ([time, [time_test]]), the mean over classes of the share named rightly; its
    ``standard_error``, by leaving each stimulus, group or trial out of the predictions; the 95 % ``interval``
    (..., bound), by a t distribution of ``attrs["df"]``, folds - 1, as trials of a fold share what they are told by;
    ``chance``; ``right`` (stimulus, ...), the share of each stimulus; with permutations ``p``, how often a first order
    of shuffled labels is decoded as well as that of the true ones.

    Raises
    ------
    InputError : an unknown label, decoder or option, fewer than two classes, folds that cannot be made, a class that a
        fold holds whole, or a unit that was never measured at some stimulus.

    Examples
    --------
    >>> x = np.repeat(np.eye(3)[:, None], 4, axis=1)
    >>> float(ns.responses.decode(ns.as_responses(x, dims=("stimulus", "trial", "unit"))).accuracy)
    1.0
    """
    check_number(n_orders, "decode", "n_orders", 1, whole=True)
    check_number(n_permutations, "decode", "n_permutations", 0, whole=True)
    responses = check_responses(responses, "decode", missing=True)
    if across_time and "time" not in responses.dims:
        raise InputError("decode: across_time needs a 'time' dim.")
    fit = fit_of(decoder, options, "decode")
    generator = as_rng(rng, "decode")
    design = _design(responses, by, hold_out, folds, generator, "decode")
    n_orders = n_orders if design.trials.values.shape[0] > 1 else 1

    def right_of(patterns: np.ndarray) -> cv.Right:
        return lambda train, test, labels: _right(patterns, labels, train, test, fit, across_time)

    each, first = [], None
    for _ in track(range(n_orders), "decoding", progress=progress):
        patterns = design.trials.shuffled(generator)
        first = patterns if first is None else first
        each.append(cv.estimated(design.fold, design.labels, design.held_out, right_of(patterns)))
    accuracy, error = cv.over_orders(each, design.n_held_out)
    timed = "time" in responses.dims
    dims = ("time", "time_test") if across_time else ("time",) if timed else ()
    shape = tuple(responses.sizes["time"] for _ in dims)
    data = _described(accuracy.reshape(shape), error.reshape(shape), dims, design.df)
    share = _of_stimuli(np.mean([e.right for e in each], axis=0), design.stimulus)
    data["right"] = (("stimulus", *dims), share.reshape(-1, *shape))
    if n_permutations and first is not None:
        drawn = track(range(n_permutations), "permutations", progress=progress)
        null = [_permuted(design, right_of(first), generator) for _ in drawn]
        above = (np.stack(null) >= each[0].accuracy - 1e-12).sum(0)
        data["p"] = (dims, ((1 + above) / (1 + n_permutations)).reshape(shape))
    coords: dict[str, Any] = dict.fromkeys(dims, responses["time"].values) if "time" in responses.coords else {}
    coords |= {"stimulus": responses["stimulus"].values, "bound": ["low", "high"]}
    return xr.Dataset({**data, "chance": 1 / design.n_classes}, coords, _about(design, responses, by, n_orders))


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

    Calibrated in 1,000 simulated experiments: null mean -0.03, recovery 1.00, error ratio 0.95, coverage 94.8 %.

    Parameters
    ----------
    responses : (stimulus, trial, [time,] unit); time is summed (counts) or averaged. Every value of `by` was shown with
        every value of `across`. Units that were not recorded together are a pseudo-population, and trials may be
        missing, as in :func:`decode`.
    by, across : labels along ``stimulus``, such as "object" and "position".
    folds, decoder, options, n_orders, rng, progress : as in :func:`decode`; trials are held out, so also where both
        values are equal, training and test trials differ (of the same stimuli).

    Returns
    -------
    Dataset: ``accuracy`` (across, across_test), balanced over classes, and its ``standard_error`` and ``interval``, as
    of :func:`decode`, where values differ with what leaving each fold out of training says; ``same`` and ``other``, its
    means on and off the diagonal, with theirs; ``chance``.

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
    check_number(n_orders, "generalise", "n_orders", 1, whole=True)
    still = over_time(check_responses(responses, "generalise", missing=True))
    generator = as_rng(rng, "generalise")
    design = _design(still, by, "trial", folds, generator, "generalise")
    fit = fit_of(decoder, options, "generalise")
    levels, of_stimulus = _crossed(still, by, across)
    level, n = of_stimulus[design.stimulus], len(levels)
    each = []
    for _ in track(range(n_orders), "decoding", progress=progress):
        right = _transferred(design.trials.shuffled(generator)[:, 0], design, level, fit)
        told = cv.of_told(_cells(right, design.fold, level), design.labels, design.held_out)
        each.append(replace(told, variance=told.variance + cv.variance_of_training(right, design.labels, level)))
    accuracy, error = cv.over_orders(each, design.n_held_out)
    cells = slice(0, n * n)
    matrix = (across, f"{across}_test")
    data = _described(accuracy[cells].reshape(n, n), error[cells].reshape(n, n), matrix, design.df)
    for i, name in enumerate(("same", "other")):
        own = _described(accuracy[n * n + i], error[n * n + i], (), design.df)
        data |= {name: own["accuracy"]} | {f"{name}_{k}": own[k] for k in ("standard_error", "interval")}
    coords = {across: levels, f"{across}_test": levels, "bound": ["low", "high"]}
    return xr.Dataset({**data, "chance": 1 / design.n_classes}, coords, _about(design, still, by, n_orders))


@dataclass(frozen=True)
class _Design:
    """Who is decoded and held out together: stimulus, class and fold of every pseudo-trial (n,), group of stimuli."""

    trials: cv.Trials
    stimulus: np.ndarray
    labels: np.ndarray
    fold: np.ndarray
    groups: np.ndarray | None

    @property
    def n_classes(self) -> int:
        return int(self.labels.max()) + 1

    @property
    def held_out(self) -> np.ndarray:
        return np.arange(len(self.labels)) if self.groups is None else self.groups[self.stimulus]

    @property
    def n_held_out(self) -> int:
        return int(self.held_out.max()) + 1

    @property
    def df(self) -> int:
        return int(self.fold.max())


def _design(
    responses: xr.DataArray, by: str, hold_out: str | None, folds: int | None, rng: np.random.Generator, who: str
) -> _Design:
    """Return who is held out together, or refuse what cannot be."""
    check_number(2 if folds is None else folds, who, "folds", 2, whole=True)
    classes, of_stimulus = np.unique(cv.label_of(responses, by, who), return_inverse=True)
    if len(classes) < 2:
        raise InputError(f"{who}: the label {by!r} has one value, {classes[0]!s}; there is nothing to decode.")
    if hold_out is None:
        hold_out = "trial" if len(classes) == len(of_stimulus) else "stimulus"
    trials = cv.pseudo_trials(responses, who)
    stimulus = np.broadcast_to(np.arange(len(of_stimulus)), trials.there.shape)[trials.there]
    labels = of_stimulus[stimulus]
    if hold_out == "trial":
        fewest = int(trials.n.min())
        if fewest < 2:
            raise InputError(f"{who}: needs a 'trial' dim with at least 2 trials, to train on some and test on others.")
        folds = fewest if folds is None else folds
        if not 2 <= folds <= fewest:
            raise InputError(f"{who}: {folds} folds of {fewest} trials cannot be made; give 2 to {fewest}.")
        return _Design(trials, stimulus, labels, cv.trials_dealt(trials.n, folds), None)
    groups = np.arange(len(of_stimulus))
    if hold_out != "stimulus":
        groups = np.unique(cv.label_of(responses, hold_out, who), return_inverse=True)[1]
    n_groups = int(groups.max()) + 1
    folds = min(MOST_FOLDS, n_groups) if folds is None else folds
    if not 2 <= folds <= n_groups:
        raise InputError(f"{who}: {folds} folds of {n_groups} stimuli or groups; give 2 to {n_groups}.")
    fold = cv.groups_dealt(of_stimulus, groups, folds, rng)
    for f in range(folds):
        if len(np.unique(of_stimulus[fold != f])) < len(classes):
            raise InputError(
                f"{who}: {folds} folds of {len(groups)} stimuli ({n_groups} held out together) leave no stimulus of "
                f"some {by!r} to train on; give fewer classes, other folds or groups, or hold_out='trial'."
            )
    return _Design(trials, stimulus, labels, fold[stimulus], groups)


def _permuted(design: _Design, right: cv.Right, rng: np.random.Generator) -> np.ndarray:
    """Return the accuracy with the labels of what is held out shuffled: of trials within folds, else of groups."""
    labels, fold = design.labels.copy(), design.fold
    if design.groups is None:
        for f in range(int(fold.max()) + 1):
            labels[fold == f] = rng.permutation(labels[fold == f])
        return cv.balanced_accuracy(cv.told_rightly(fold, labels, right), labels)
    of_stimulus = np.zeros(len(design.groups), dtype=int)
    of_stimulus[design.stimulus] = labels
    one = [np.flatnonzero(design.groups == g) for g in range(int(design.groups.max()) + 1)]
    if all(len(set(of_stimulus[own])) == 1 for own in one):
        shuffled = rng.permutation([of_stimulus[own[0]] for own in one])
        of_stimulus = shuffled[design.groups]
    else:
        for own in one:
            of_stimulus[own] = rng.permutation(of_stimulus[own])
    fold = cv.groups_dealt(of_stimulus, design.groups, int(fold.max()) + 1, rng)[design.stimulus]
    labels = of_stimulus[design.stimulus]
    return cv.balanced_accuracy(cv.told_rightly(fold, labels, right), labels)


def _described(accuracy: np.ndarray, error: np.ndarray, dims: tuple[str, ...], df: float) -> dict[str, Any]:
    reach = special.stdtrit(df, 0.975) * error
    interval = np.clip(np.stack([accuracy - reach, accuracy + reach], axis=-1), 0.0, 1.0)
    return {"accuracy": (dims, accuracy), "standard_error": (dims, error), "interval": ((*dims, "bound"), interval)}


def _about(design: _Design, responses: xr.DataArray, by: str, n_orders: int) -> dict[str, Any]:
    folds = int(design.fold.max()) + 1
    about = {"label": by, "folds": folds, "df": design.df, "n_units": responses.sizes["unit"]}
    return about | {"n_orders": n_orders, "n_held_out": design.n_held_out}


def _of_stimuli(right: np.ndarray, stimulus: np.ndarray) -> np.ndarray:
    """Return the mean (stimulus, ...) over the trials (n, ...) of each."""
    return np.stack([right[stimulus == s].mean(0) for s in range(int(stimulus.max()) + 1)])


def _crossed(responses: xr.DataArray, by: str, across: str) -> tuple[np.ndarray, np.ndarray]:
    """Values of the label `across`, and which of them each stimulus has."""
    if across not in responses.coords or responses[across].dims != ("stimulus",) or across == by:
        known = [str(k) for k, v in responses.coords.items() if v.dims == ("stimulus",) and str(k) != by]
        raise InputError(
            f"generalise: no other label {across!r} along stimulus. Labels: {', '.join(known)}.{suggest(across, known)}"
        )
    levels, level = np.unique(cv.label_of(responses, across, "generalise"), return_inverse=True)
    classes, labels = np.unique(responses[by].values, return_inverse=True)
    shown = np.zeros((len(levels), len(classes)), dtype=bool)
    shown[level, labels] = True
    if len(levels) < 2 or not shown.all():
        raise InputError(
            f"generalise: every {by} with each of at least 2 values of {across} asked; {int((~shown).sum())} of "
            f"{shown.size} combinations were not shown."
        )
    return levels, level


def _right(
    patterns: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray, fit: Fit, across_time: bool
) -> np.ndarray:
    """Return whether test patterns are named rightly (n_test, time, time or 1), trained on others (n, time, unit)."""
    trained, asked = patterns[train], patterns[test]
    centre, spread = trained.mean(0), trained.std(0)
    scale = np.where(spread > 0, spread, np.inf)
    n_times = patterns.shape[1]
    right = np.zeros((len(asked), n_times, n_times if across_time else 1))
    for t in range(n_times):
        predict = _named(fit, (trained[:, t] - centre[t]) / scale[t], labels[train])
        for column, u in enumerate(range(n_times) if across_time else (t,)):
            right[:, t, column] = predict((asked[:, u] - centre[t]) / scale[t]) == labels[test]
    return right


def _transferred(patterns: np.ndarray, design: _Design, level: np.ndarray, fit: Fit) -> np.ndarray:
    """Return whether patterns (n, unit) are named rightly (fold, level, n), trained on a level without a fold.

    NaN where a pattern was trained on.
    """
    folds, n = int(design.fold.max()) + 1, int(level.max()) + 1
    right = np.full((folds, n, len(patterns)), np.nan)
    for f, i in np.ndindex(folds, n):
        own = (design.fold != f) & (level == i)
        centre, spread = patterns[own].mean(0), patterns[own].std(0)
        scale = np.where(spread > 0, spread, np.inf)
        predict = _named(fit, (patterns[own] - centre) / scale, design.labels[own])
        right[f, i, ~own] = predict((patterns[~own] - centre) / scale) == design.labels[~own]
    return right


def _cells(right: np.ndarray, fold: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Return what is right of each pattern (n, level x level_test, same, other) without its fold; NaN is not asked."""
    each = np.arange(len(fold))
    of_all = right[fold, :, each]
    n = of_all.shape[1]
    found = np.full((len(fold), n, n), np.nan)
    found[each, :, level] = of_all
    same = of_all[each, level]
    other = (of_all.sum(1) - same) / (n - 1)
    return np.column_stack([found.reshape(len(fold), -1), same, other])


def _named(fit: Fit, patterns: np.ndarray, labels: np.ndarray) -> Predict:
    """Return what names patterns by `labels` (n,), of which some may not be there to be trained on."""
    there, numbered = np.unique(labels, return_inverse=True)
    if len(there) == 1:
        return lambda asked: np.full(len(asked), there[0])
    predict = fit(patterns, numbered)
    return lambda asked: there[np.asarray(predict(asked), dtype=int)]


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
