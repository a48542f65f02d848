"""Predictivity: how well the units of one subject predict those of another, and how much of that was possible."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial

import numpy as np
import xarray as xr

from neurosim.arrays import check_numbers, column_names, is_table, match_names, plain, row_names
from neurosim.refusals import check_known, suggest
from neurosim.registry import options_of
from neurosim.runtime import as_rng, track
from neurosim.schema import InputError, as_responses, check_responses, same_stimuli
from neurosim.similarity.kernels import prediction as kernels
from neurosim.similarity.predictor import PREDICTORS, Predictor

log = logging.getLogger(__name__)
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
    rng: np.random.Generator | int | None = 0,
    progress: bool = True,
) -> xr.Dataset:
    """Score the prediction of held-out responses of every target unit (https://doi.org/10.1073/pnas.1403112111).

    Parameters
    ----------
    source, target : responses (stimulus, [trial,] unit) to the same stimuli, or bare arrays (stimulus, unit); trials
        are averaged.
    method : a name in ``PREDICTORS``: "ridge"; "pls", partial least squares
        (https://doi.org/10.1016/S0169-7439(01)00155-1); "one_to_one", the most correlated source unit; "soft_matching"
        (https://arxiv.org/abs/2311.09466).
    options : of the method: ``{"penalty_by": "leave_one_out"}``, how ridge chooses one penalty a unit within the
        training stimuli, "generalised" cross-validation when absent; ``{"n_components": 10}`` of "pls", else 25.
    direction : "forward" predicts the target, "reverse" the source from the target, "both" does both: a model with
        more to it than the brain shows predicts well and is predicted badly.
    folds : parts of the stimuli, each held out once.
    groups : a label along ``stimulus`` of the source or target, such as "category": stimuli of one group are held out
        together, in the folds and for the standard errors.
    rng : seed or generator that deals stimuli into folds.
    progress : show a bar over folds.

    Returns
    -------
    Dataset: ``score`` (unit), Pearson correlation of prediction and response over all held-out stimuli;
    ``standard_error`` (unit) and those of ``median_score`` by leaving out each stimulus of the predictions;
    ``penalty`` (unit) of ridge, the geometric mean over folds. For "both" along a dim ``direction`` instead: only
    ``median_score`` and ``median_standard_error``, and their mean ``both_score``.

    Raises
    ------
    InputError : unknown names, different stimuli, or fewer than 2 stimuli (or 1 group) a fold.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(40, 5))
    >>> found = ns.similarity.predict_responses(ns.as_responses(x), ns.as_responses(x[:, :2] + 1))
    >>> bool(found.score.min() > 0.999)
    True
    """
    predictor = PREDICTORS.find(method, "predict_responses")
    wanted = options_of(predictor.options, options, "predict_responses")
    check_known(direction, DIRECTIONS, "predict_responses: no direction")
    source, target = (_averaged(r) for r in (source, target))
    target = same_stimuli(source, target, "predict_responses")
    n = source.sizes["stimulus"]
    if folds < 2 or n < 2 * folds:
        raise InputError(
            f"predict_responses: {folds} folds of {n} stimuli; every fold needs 2, and there are 2 or more."
        )
    levels = _levels(groups, source, target, folds)
    order = as_rng(rng, "predict_responses").permutation(levels.max() + 1)
    held_out = [np.flatnonzero(np.isin(levels, part)) if groups else part for part in np.array_split(order, folds)]
    predicted = partial(
        _predicted, held_out=held_out, levels=levels, predictor=predictor, options=wanted, progress=progress
    )
    if direction == "both":
        parts = [predicted(source, target), predicted(target, source)]
        summary = xr.concat([p[["median_score", "median_standard_error"]] for p in parts], "direction")
        summary = summary.assign_coords(direction=["forward", "reverse"])
        return summary.assign(both_score=summary["median_score"].mean()).assign_attrs(parts[0].attrs)
    return predicted(source, target) if direction == "forward" else predicted(target, source)


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


def _averaged(responses: xr.DataArray) -> xr.DataArray:
    if not isinstance(responses, xr.DataArray):
        responses = as_responses(responses)
    responses = check_responses(responses, "predict_responses")
    responses = responses.mean("trial") if "trial" in responses.dims else responses
    if "time" in responses.dims:
        raise InputError("predict_responses: responses have a time dim; average over it or select a bin.")
    return responses


def _levels(groups: str | None, source: xr.DataArray, target: xr.DataArray, folds: int) -> np.ndarray:
    """Return the group of every stimulus; each its own where none are asked for."""
    if groups is None:
        return np.arange(source.sizes["stimulus"])
    labelled = [r for r in (source, target) if groups in r.coords and r[groups].dims == ("stimulus",)]
    if not labelled:
        known = [str(k) for r in (source, target) for k, v in r.coords.items() if v.dims == ("stimulus",)]
        raise InputError(
            f"predict_responses: no label {groups!r} along stimulus. Labels: {', '.join(dict.fromkeys(known))}."
            f"{suggest(groups, known)}"
        )
    levels = np.unique(labelled[0][groups].values, return_inverse=True)[1]
    if levels.max() + 1 < folds:
        raise InputError(f"predict_responses: {folds} folds of {levels.max() + 1} groups of {groups!r}; give fewer.")
    return np.asarray(levels)


def _predicted(
    source: xr.DataArray,
    target: xr.DataArray,
    held_out: list[np.ndarray],
    levels: np.ndarray,
    predictor: Predictor,
    options: object,
    progress: bool,
) -> xr.Dataset:
    x, y = (np.asarray(r.values, dtype=float) for r in (source, target))
    if not np.ptp(x, axis=0).any():
        raise InputError("predict_responses: no unit of the source varies over stimuli, so it predicts nothing.")
    predicted = np.full_like(y, np.nan)
    logs: dict[str, np.ndarray] = {}
    for test in track(held_out, "folds", progress=progress):
        train = np.setdiff1d(np.arange(len(x)), test)
        found = predictor.predict(x[train], y[train], x[test], options)
        predicted[test], chosen = found if isinstance(found, tuple) else (found, {})
        for name, values in chosen.items():
            logs[name] = logs.get(name, 0.0) + np.log(values) / len(held_out)
    score, left = kernels.jackknifed_correlations(predicted, y)
    if levels.max() + 1 < len(levels):
        kept = [levels != group for group in range(levels.max() + 1)]
        left = np.stack([kernels.jackknifed_correlations(predicted[k], y[k])[0] for k in kept])
    result = xr.Dataset(
        {
            "score": ("unit", score),
            "standard_error": ("unit", _jackknife_error(left)),
            "median_score": float(np.median(score)),
            "median_standard_error": float(_jackknife_error(np.median(left, axis=1))),
        },
        attrs={"method": predictor.name, "folds": len(held_out), "quantity": "score"},
    )
    for name, values in logs.items():
        result[name] = ("unit", np.exp(values))
    return result.assign_coords({k: v for k, v in target.coords.items() if v.dims == ("unit",)})


def _jackknife_error(left: np.ndarray) -> np.ndarray:
    n = len(left)
    found: np.ndarray = np.sqrt((n - 1) / n * ((left - left.mean(0)) ** 2).sum(0))
    return found
