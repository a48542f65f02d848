"""Predictivity: how well the units of one subject predict those of another, and how much of that was possible."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from neurosim.arrays import check_numbers, column_names, is_table, match_names, plain, row_names
from neurosim.labels import check_named
from neurosim.refusals import check_known, suggest
from neurosim.registry import options_of
from neurosim.runtime import as_rng, track
from neurosim.schema import InputError, check_responses, same_stimuli
from neurosim.similarity.held_out import HeldOut, held_out, n_fits
from neurosim.similarity.kernels.folds import mean_without
from neurosim.similarity.kernels.prediction import FEWEST, principal_coordinates
from neurosim.similarity.predictor import PREDICTORS, Predicted, Predictor
from neurosim.similarity.unit_scores import mean_of_trials, median_of, never_varies, summary_of

log = logging.getLogger(__name__)
WHO = "predict_responses"
DIRECTIONS = ("forward", "reverse", "both")


def predict_responses(
    source: xr.DataArray,
    target: xr.DataArray,
    *,
    method: str = "ridge",
    options: Mapping[str, object] | object | None = None,
    direction: str = "forward",
    folds: int = 10,
    groups: str | None = None,
    choose: str | None = None,
    rng: np.random.Generator | int | None = 0,
    progress: bool = True,
) -> xr.Dataset:
    """Score the prediction of held-out responses of every target unit (https://doi.org/10.1073/pnas.1403112111).

    A score is the mean over folds of the correlation within each, as Brain-Score's (https://doi.org/10.1101/407007):
    predictions of several folds in one correlation are biased to -0.2 where nothing is predicted. Calibrated in 10,000
    simulated experiments: null mean -0.01, recovery 0.96, error ratio 0.98, coverage 95.2 %, false positives 5.5 %.

    Parameters
    ----------
    source, target : responses (stimulus, [trial,] unit) to the same stimuli, or bare arrays (stimulus, unit); trials
        are averaged. Trials may be missing (NaN): the mean is over those that were measured, a stimulus counts alike
        however many it has, and the ceiling knows how many. A target unit is trained and tested on the stimuli that it
        was measured at; with fewer than 3 in a fold, or where it never varies, its scores are NaN, no median counts it,
        and a coordinate ``undefined`` says why. Source units need every stimulus.
    method : a name in ``PREDICTORS``: "ridge"; "pls", partial least squares
        (https://doi.org/10.1016/S0169-7439(01)00155-1); "one_to_one", the most correlated source unit; "soft_matching"
        (https://arxiv.org/abs/2311.09466).
    options : of the method: ``{"penalty_by": "leave_one_out"}``, how ridge chooses one penalty a unit within the
        training stimuli, "generalised" cross-validation when absent; ``{"n_components": 10}`` of "pls", else 25.
    direction : "forward" predicts the target, "reverse" the source from the target, "both" does both: a model with
        more to it than the brain shows predicts well and is predicted badly.
    folds : parts of the stimuli, each held out once; 8 stimuli or more a fold, since correlations of fewer are small.
        There are folds (folds + 1) / 2 fits. Memory: the source, and five arrays (stimulus, stimulus), at most.
    groups : a label along ``stimulus`` of the source or target, such as "category": stimuli of one group are held out
        together.
    choose : a label along ``unit`` of the source, such as "layer": units of one value predict, the value whose median
        score over the other folds is best, so that what is tested chooses nothing: of three layers that say nothing the
        score is 0.00 on average, and called above 0 in 4 % of experiments.
    rng : seed or generator that deals stimuli into folds.
    progress : show a bar over fits.

    Returns
    -------
    Dataset along ``unit``: ``score``; ``explained``, the share of the variance that a perfect model would explain
    (noise-corrected r2, https://doi.org/10.1371/journal.pcbi.1009212, less what chance gives in folds of that size; of
    all variance without trials); where the target has 2 trials, ``ceiling``, the correlation of a perfect model
    (https://doi.org/10.3389/fncom.2016.00010), and ``normalized``, score over ceiling, NaN where the trials of a unit
    share no signal. Each, and the median over units of each (``median_score``, ...), with its standard error where
    there are 4 folds, by leaving each fold out of testing, training and ceiling
    (https://doi.org/10.1214/aos/1176345462); for intervals and tests take a t distribution of ``attrs["df"]``.
    ``penalty`` of ridge, the geometric mean over folds; ``chosen`` (fold). What :func:`compare_predictions` asks for:
    ``score_of_fold`` (fold, unit), ``score_without`` (fold, fold_other, unit), those of the first fold where the second
    was not trained on either, and ``held_out_in``, the fold of each stimulus. For "both" the medians along
    ``direction``, and ``both_score``, the mean of the two.

    Raises
    ------
    InputError : unknown names, different stimuli, fewer than 3 stimuli a fold or groups than folds, a source unit that
        was not measured at some stimulus, a source that does not vary.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(40, 5))
    >>> found = ns.similarity.predict_responses(ns.as_responses(x), ns.as_responses(x[:, :2] + 1))
    >>> bool(found.score.min() > 0.999)
    True
    """
    predictor = PREDICTORS.find(method, WHO)
    wanted = options_of(predictor.options, options, WHO)
    check_known(direction, DIRECTIONS, f"{WHO}: no direction")
    source, target = (check_responses(r, WHO, missing=True) for r in (source, target))
    target = same_stimuli(source, target, WHO)
    if choose is not None and direction != "forward":
        raise InputError(f"{WHO}: {choose!r} of the source is chosen to predict; direction='forward' goes with it.")
    plan = _Plan(predictor, wanted, _dealt(groups, source, target, folds, rng), choose, progress)
    if direction == "both":
        parts = [_scores(a, b, plan) for a, b in ((source, target), (target, source))]
        names = list(dict.fromkeys(str(n) for p in parts for n in p.data_vars if p[n].ndim == 0))
        lacking = xr.Dataset(dict.fromkeys(names, np.nan))
        summary = xr.concat([lacking.assign({n: p[n] for n in names if n in p}) for p in parts], "direction")
        summary = summary.assign_coords(direction=["forward", "reverse"])
        return summary.assign(both_score=summary["median_score"].mean()).assign_attrs(parts[0].attrs)
    return _scores(source, target, plan) if direction == "forward" else _scores(target, source, plan)


def normalize(score: xr.DataArray, ceiling: xr.DataArray) -> xr.DataArray:
    """Return the score over its ceiling, sign kept and never clipped (https://doi.org/10.3389/fncom.2016.00010).

    A score above its ceiling stays above 1: it says that the ceiling is uncertain; how many do is in the attrs and in
    the log.

    Parameters
    ----------
    score : any dims, such as (unit); correlations, not their squares.
    ceiling : the best that could be reached, such as the root of the split-half reliability; dims of `score`,
        above 0; matched by label. Bare arrays are in one order.

    Returns
    -------
    the share of the ceiling, dims of `score`.

    Raises
    ------
    InputError : other dims, sizes or labels; a ceiling that is not above 0: such units carry no signal; leave them out.

    Examples
    --------
    >>> import xarray as xr
    >>> ns.similarity.normalize(xr.DataArray([-0.2, 0.6]), xr.DataArray([0.5, 0.5])).values.tolist()
    [-0.4, 1.2]
    """
    score = score if isinstance(score, xr.DataArray) else _bare(score)
    ceiling = ceiling if isinstance(ceiling, xr.DataArray) else _bare(ceiling, like=score)
    for numbers in (score, ceiling):
        check_numbers(numbers, "normalize")
    if not score.size:
        raise InputError("normalize: there is no score.")
    if not set(ceiling.dims) <= set(score.dims):
        raise InputError(f"normalize: the ceiling has dims {ceiling.dims}, the score {score.dims}; average or rename.")
    ceiling = _in_order(ceiling, score)
    if not bool(np.isfinite(score).all()):
        raise InputError("normalize: some scores are NaN or infinite; leave them out with .dropna(...).")
    bad = ~(ceiling > 0)
    if bool(bad.any()):
        raise InputError(
            f"normalize: {int(bad.sum())} of {ceiling.size} ceilings are not above 0; these carry no signal, leave "
            "them out with .where(ceiling > 0, drop=True)."
        )
    share = score / ceiling
    above = int((share > 1).sum())
    if above:
        log.warning("normalize: %d of %d scores are above their ceiling", above, share.size)
    return share.assign_attrs(quantity="normalized_score", n_above_ceiling=above)


def _bare(values: object, like: xr.DataArray | None = None) -> xr.DataArray:
    """Return numbers with the names of a table, or with those of `like` where they have none and its shape."""
    array = plain(values, "normalize").astype(float)
    if like is not None and array.shape == like.shape and not is_table(values):
        return like.copy(data=array)
    dims = [f"dim_{i}" for i in range(array.ndim)]
    if not is_table(values):
        return xr.DataArray(array, dims=dims)
    found = (row_names(values, "normalize"), column_names(values, "normalize"))
    return xr.DataArray(array, dims=dims, coords={d: n for d, n in zip(dims, found, strict=False) if n is not None})


def _in_order(ceiling: xr.DataArray, score: xr.DataArray) -> xr.DataArray:
    """Return the ceiling in the order of the score along every dim that both label, of equal size along all."""
    for dim in ceiling.dims:
        if ceiling.sizes[dim] != score.sizes[dim]:
            found = f"{ceiling.sizes[dim]} and {score.sizes[dim]}"
            raise InputError(f"normalize: ceiling and score have {found} along {dim!r}; give the same to both.")
        if dim in ceiling.coords and dim in score.coords:
            wanted, own = ([str(n) for n in x[dim].values] for x in (score, ceiling))
            if wanted != own:
                ceiling = ceiling.isel({dim: match_names(wanted, own, f"normalize, {dim}")})
    return ceiling.drop_vars([d for d in ceiling.dims if d in ceiling.coords])


@dataclass(frozen=True)
class _Plan:
    """How one subject is predicted from another: fold (K,) of every stimulus."""

    predictor: Predictor
    options: object
    fold: np.ndarray
    choose: str | None
    progress: bool


def _dealt(
    groups: str | None, source: xr.DataArray, target: xr.DataArray, folds: int, rng: np.random.Generator | int | None
) -> np.ndarray:
    """Return the fold (K,) of every stimulus; groups stay together."""
    n = source.sizes["stimulus"]
    if folds < 2 or n < FEWEST * folds:
        raise InputError(f"{WHO}: {folds} folds of {n} stimuli; every fold needs {FEWEST}, and there are 2 or more.")
    levels = _levels(groups, source, target, folds)
    order = as_rng(rng, WHO).permutation(levels.max() + 1)
    fold = np.empty(n, dtype=int)
    for f, part in enumerate(np.array_split(order, folds)):
        fold[np.isin(levels, part)] = f
    fewest = int(np.bincount(fold).min())
    if fewest < FEWEST:
        raise InputError(
            f"{WHO}: {folds} folds of {levels.max() + 1} groups of {groups!r}: one fold has {fewest} stimuli, and "
            f"every fold needs {FEWEST}; give fewer folds."
        )
    return fold


def _levels(groups: str | None, source: xr.DataArray, target: xr.DataArray, folds: int) -> np.ndarray:
    """Return the group of every stimulus; each its own where none are asked for."""
    if groups is None:
        return np.arange(source.sizes["stimulus"])
    labelled = [r for r in (source, target) if groups in r.coords and r[groups].dims == ("stimulus",)]
    if not labelled:
        known = [str(k) for r in (source, target) for k, v in r.coords.items() if v.dims == ("stimulus",)]
        raise InputError(
            f"{WHO}: no label {groups!r} along stimulus. Labels: {', '.join(dict.fromkeys(known))}."
            f"{suggest(groups, known)}"
        )
    levels = np.unique(check_named(labelled[0][groups].values, groups, WHO), return_inverse=True)[1]
    if levels.max() + 1 < folds:
        raise InputError(f"{WHO}: {folds} folds of {levels.max() + 1} groups of {groups!r}; give fewer.")
    return np.asarray(levels)


def _scores(source: xr.DataArray, target: xr.DataArray, plan: _Plan) -> xr.Dataset:
    """Return the scores of the units of the target."""
    x, measured = mean_of_trials(source, WHO), mean_of_trials(target, WHO)
    unmeasured = int(np.isnan(x.mean).any(0).sum())
    if unmeasured:
        raise InputError(
            f"{WHO}: {unmeasured} of {x.mean.shape[1]} source units were not measured at some stimulus; leave these "
            "units out, or those stimuli out of both."
        )
    if not np.ptp(x.mean, axis=0).any():
        raise InputError(f"{WHO}: no unit of the source varies over stimuli, so it predicts nothing.")
    parts = _parts(source, plan.choose)
    n_folds = int(plan.fold.max()) + 1
    steps = iter(track(range(n_fits(n_folds) * len(parts)), "fits", progress=plan.progress))
    found = [_held_out(x.mean[:, units], measured.mean, plan, lambda: next(steps, None)) for units in parts.values()]
    next(steps, None)
    best, chosen = (found[0], None) if plan.choose is None else _chosen(found, list(parts))
    result = summary_of(best, measured, plan.fold)
    if chosen is not None:
        result["chosen"] = ("fold", chosen)
    for name, values in best.logs.items():
        result[name] = ("unit", np.exp(values.mean(0)))
    result["score_of_fold"] = (("fold", "unit"), best.each)
    result["score_without"] = (("fold", "fold_other", "unit"), best.without)
    result["held_out_in"] = ("stimulus", plan.fold)
    about: dict[str, object] = {
        "method": plan.predictor.name,
        "folds": n_folds,
        "df": (n_folds - 1) / 2,
        "quantity": "score",
    }
    about["target"] = hashlib.sha256(measured.mean.tobytes()).hexdigest()[:16]
    labels = {k: v for k, v in target.coords.items() if v.dims == ("unit",)}
    return result.assign_attrs(about).assign_coords(labels | {"stimulus": target["stimulus"].values})


def _parts(source: xr.DataArray, choose: str | None) -> dict[object, np.ndarray]:
    """Return the units of each value of the label that is chosen, or all."""
    if choose is None:
        return {None: np.arange(source.sizes["unit"])}
    if choose not in source.coords or source[choose].dims != ("unit",):
        known = [str(k) for k, v in source.coords.items() if v.dims == ("unit",)]
        raise InputError(
            f"{WHO}: no label {choose!r} along unit of the source. Labels: {', '.join(known) or 'none'}."
            f"{suggest(choose, known)}"
        )
    values = source[choose].values
    return {value: np.flatnonzero(values == value) for value in dict.fromkeys(values.tolist())}


def _held_out(x: np.ndarray, y: np.ndarray, plan: _Plan, tick: Callable[[], object]) -> HeldOut:
    """Return how well `x` predicts what was held out of `y`."""
    if plan.predictor.rotates and x.shape[1] > len(x):
        x = principal_coordinates(x)

    def fit(train: np.ndarray, target: np.ndarray, test: np.ndarray) -> Predicted:
        return plan.predictor.predict(train, target, test, plan.options)

    found, silent = held_out(x, y, plan.fold, fit, tick), never_varies(y)
    each, without = (np.where(silent, np.nan, values) for values in (found.each, found.without))
    return HeldOut(each, without, found.logs)


def _chosen(found: list[HeldOut], names: list[object]) -> tuple[HeldOut, np.ndarray]:
    """Return, for every fold, the correlations of the part that is best in the other folds, and its name."""
    n_folds = len(found[0].each)
    if n_folds < FEWEST:
        raise InputError(f"{WHO}: {n_folds} folds leave none to choose by; give {FEWEST} or more.")
    best = np.stack([median_of(mean_without(h.without)) for h in found]).argmax(0)
    each = np.stack([found[b].each[f] for f, b in enumerate(best)])
    without = np.stack([found[b].without[f] for f, b in enumerate(best)])
    logs = {k: np.stack([found[b].logs[k][f] for f, b in enumerate(best)]) for k in found[0].logs}
    return HeldOut(each, without, logs), np.array([names[b] for b in best])
