"""RDMs of responses: how differently a subject answers every two stimuli."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from neurosim.refusals import asked_by
from neurosim.runtime import track
from neurosim.schema import InputError, as_rdm, as_responses, check_responses
from neurosim.similarity.covariances import precision_factor
from neurosim.similarity.kernels.arrays import Array, is_torch_array
from neurosim.similarity.kernels.inner_products import noise_factor, whiten
from neurosim.similarity.lost_units import check_adds_up, means_of_units, over_units, split_missing
from neurosim.similarity.metric import METRICS, Metric
from neurosim.similarity.noise import noise_precision
from neurosim.similarity.parts import (
    UndefinedError,
    Values,
    as_searchlights,
    batches,
    label_undefined,
    units_of_parts,
    where_defined,
)
from neurosim.similarity.patterns import MeanOverTrials, check_domain
from neurosim.similarity.runs import Runs, is_of_each_run, kernel_of_runs, means_of_runs, precision_of_part, runs_of
from neurosim.similarity.shrinkage import SHRINKAGES
from neurosim.similarity.tensors import tensor_rdm


def compute_rdm(
    responses: xr.DataArray,
    metric: str = "correlation",
    *,
    by: str | xr.DataArray | np.ndarray | None = None,
    folds: str | None = None,
    precision: xr.DataArray | np.ndarray | Mapping[Any, Any] | str | None = None,
    keep: str = "distances",
    progress: bool = True,
) -> xr.DataArray:
    """Compute the representational dissimilarity matrix of responses (https://doi.org/10.3389/neuro.06.004.2008).

    Units are read in blocks, so responses larger than memory (a memory-mapped or a dask array) need about 0.2 GB and
    the RDMs; only a full `precision`, "decoding" and "ldc_t" need all units at once.
    Of crossnobis: Calibrated in 4,000 simulated experiments: null mean 0.00, recovery 0.99.

    Parameters
    ----------
    responses : (..., stimulus, [trial,] unit); all other dims (``time``, ``subject``, ``layer``) ride along. A bare
        array (stimulus, [time,] unit) is accepted; a torch tensor (..., [trial,] stimulus, unit) gives a tensor on its
        device, differentiable. Trials that were not measured (NaN) do not enter: means are over those that were, pairs
        of folds too: "crossnobis" is over the pairs of different trials that measured either stimulus, "decoding" over
        the trials of each of both, "ldc_t" and "poisson_crossvalidated" over those that measured both. Where units lack
        other trials than other units, distances that add up over units are the mean over the units that know both
        stimuli; "correlation" and "cosine" then need a trial of every stimulus in every unit, "decoding", "ldc_t" and
        those with a full precision all units in the same trials.
    metric : a name in ``METRICS``. Of mean patterns: "euclidean" (squared), "mahalanobis" (squared), "manhattan", all
        three over the number of units; "correlation", "cosine" (one minus it), "poisson" (symmetrised Kullback-Leibler
        divergence of firing rates, https://doi.org/10.7554/eLife.82566). With trials as folds, unbiased by noise:
        "crossnobis" (https://doi.org/10.1016/j.neuroimage.2015.12.012), "poisson_crossvalidated"; and discriminability
        on held-out trials: "decoding" (accuracy of a linear discriminant), "ldc_t" (t value of its contrast,
        https://doi.org/10.1371/journal.pcbi.1003553).
    by : a label along ``unit`` such as "layer": one RDM for each of its values, along a new dim of that name. Or
        searchlights (searchlight, member): indices of units, each once, -1 where a searchlight has fewer.
    folds : a label along ``trial`` or (stimulus, trial), such as "run": its values are the folds, each the mean of its
        trials that were measured. Default: every trial is a fold.
    precision : noise precision (unit, unit_other), or (unit,) if diagonal, for "mahalanobis", "crossnobis", "decoding"
        and "ldc_t", from :func:`~neurosim.similarity.noise.noise_precision`; matched to the units by label, and of some
        of the units only if diagonal. Or the name of a shrinkage: estimated from the trials, for every RDM from its own
        units (for the last two from the training trials of each fold). Default: none for "crossnobis",
        "schaefer_strimmer" for the others. With `folds`, "crossnobis" takes a precision of each run: of a trial, as a
        mapping from runs, or estimated by a named shrinkage from the residuals of the run's own trials about their
        means; every two runs are whitened by the inverse of their mean covariance, and a distance is the mean over the
        pairs of runs that both hold both stimuli.
    keep : "distances", or "gram": the second-moment matrix they come from, whose diagonal is the (cross-validated)
        strength of each pattern; for "euclidean", "mahalanobis" and "crossnobis".
    progress : show a bar over searchlights.

    Returns
    -------
    RDM ([by,] ..., stimulus, stimulus_other). Where one of several values of `by` has no RDM (patterns or trials do not
    vary, units without noise, too few trials) it is NaN, and a coordinate ``undefined`` says why.

    Raises
    ------
    InputError : unknown metric, fewer than 3 stimuli, one trial where folds are needed, negative rates for "poisson",
        a precision that is not finite, symmetric, positive definite and of these units, a searchlight of no unit or of
        one twice, or patterns without variation, for which a correlation is not defined.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> ns.compute_rdm(rng.normal(size=(5, 20))).shape
    (5, 5)
    """
    asked = METRICS.find(metric, "compute_rdm")
    _check_options(asked, precision, keep, folds)
    if is_torch_array(responses):
        if by is not None or folds is not None:
            raise InputError(
                "compute_rdm: a tensor has no labels for `by` or `folds`; slice the tensor, or pass an array."
            )
        return tensor_rdm(responses, asked, precision, keep)
    if not isinstance(responses, xr.DataArray):
        with asked_by("compute_rdm", "as_responses"):
            responses = as_responses(responses)
    responses = check_responses(responses, "compute_rdm", leading=True, missing="trial" in responses.dims)
    if folds is not None:
        runs = runs_of(responses, folds, asked)
        if is_of_each_run(precision, asked):
            return _rdms_of_runs(responses, runs, _Plan(asked, None, keep, None, None), precision, by, progress)
        responses = means_of_runs(responses, runs)
    responses, measured = split_missing(responses)
    if measured is not None and "unit" in measured.dims and asked.fewest_trials == 0:
        responses, measured = means_of_units(responses, measured)
    shrinkage = precision if isinstance(precision, str) else None
    given = precision is not None and shrinkage is None
    factor = precision_factor(precision, responses, "compute_rdm") if given else None
    if measured is not None and "unit" in measured.dims:
        return _rdms_of_lost_units(responses, measured, _Plan(asked, shrinkage, keep, None, factor), by, progress)
    mask = None if measured is None else _fold_mask(measured, asked)
    plan = _Plan(asked, shrinkage, keep, mask, factor)
    if by is None:
        return plan.labelled(responses, "the responses")
    if not isinstance(by, str):
        return _searchlight_rdms(responses, as_searchlights(by, responses.sizes["unit"]), plan, progress)
    units, dim = units_of_parts(responses, by)
    parts = [plan.of_units(responses, own, f"{by} {n!r}") for own, n in zip(units, dim.values.tolist(), strict=True)]
    return label_undefined(*(xr.concat(found, dim=dim) for found in zip(*parts, strict=True)))


def _rdms_of_lost_units(
    responses: xr.DataArray, measured: xr.DataArray, plan: _Plan, by: object, progress: bool
) -> xr.DataArray:
    """Return RDMs where units lack other trials than other units: of all, by a label, or of searchlights."""
    check_adds_up(plan.metric, plan.shrinkage is not None or (plan.factor is not None and plan.factor.ndim == 2))
    if by is None:
        return plan.of_lost(responses, measured)
    parts, dim = units_of_parts(responses, by)
    lead, rdms, why = _leading(responses), [], []
    for units in track(parts, "parts", progress=progress):
        part = replace(plan, factor=None if plan.factor is None else plan.factor[units])
        ordered, known = responses.isel(unit=units).transpose(*lead, ...), measured.isel(unit=units)
        values, undefined = where_defined(partial(part.values_of_lost, measured=known), ordered, len(lead))
        rdms.append(label_rdm(values, ordered, lead, plan.metric.name, plan.keep))
        why.append(xr.DataArray(undefined, dims=lead))
    return label_undefined(xr.concat(rdms, dim=dim), xr.concat(why, dim=dim))


def _rdms_of_runs(
    responses: xr.DataArray, runs: Runs, plan: _Plan, precision: Any, by: object, progress: bool
) -> xr.DataArray:
    """Return RDMs over runs that each have their own precision: of all, by a label, or of searchlights."""
    lead = _leading(responses)
    ordered = responses.transpose(*lead, "trial", "stimulus", "unit").astype(float)
    parts, dim = ([np.arange(responses.sizes["unit"])], None) if by is None else units_of_parts(responses, by)
    rdms, why = [], []
    for units in track(parts, "parts", progress=progress and by is not None):
        own = ordered.isel(unit=units)
        kernel = kernel_of_runs(own, runs, plan.metric, precision_of_part(precision, units), plan.keep)
        if dim is None:
            return label_rdm(kernel(own.values), own, lead, plan.metric.name, plan.keep)
        values, undefined = where_defined(kernel, own.values, len(lead))
        rdms.append(label_rdm(values, own, lead, plan.metric.name, plan.keep))
        why.append(xr.DataArray(undefined, dims=lead))
    return label_undefined(xr.concat(rdms, dim=dim), xr.concat(why, dim=dim))


@dataclass(frozen=True)
class _Plan:
    """How RDMs are made of arrays (..., [trial,] stimulus, unit)."""

    metric: Metric
    shrinkage: str | None
    keep: str
    measured: np.ndarray | None
    factor: np.ndarray | None

    def labelled(self, responses: xr.DataArray, name: str) -> xr.DataArray:
        """RDMs of `responses` with the labels of their stimuli and leading dims."""
        ordered, lead, kernel = self._kernel(responses, name)
        return label_rdm(kernel(ordered.data), responses, lead, self.metric.name, self.keep)

    def _kernel(self, responses: xr.DataArray, name: str) -> tuple[xr.DataArray, list[Any], Values]:
        """`responses` (..., [trial,] stimulus, unit), their leading dims, and what makes RDMs of the array."""
        lead = _leading(responses)
        trial = ["trial"] if "trial" in responses.dims else []
        ordered = responses.transpose(*lead, *trial, "stimulus", "unit")
        return ordered, lead, partial(self.values, has_trials=bool(trial), name=name, labels=responses)

    def of_lost(self, responses: xr.DataArray, measured: xr.DataArray) -> xr.DataArray:
        """RDMs of responses whose units were `measured` (trial, stimulus, unit) in trials of their own."""
        values = self.values_of_lost(responses, measured)
        return label_rdm(values, responses, _leading(responses), self.metric.name, self.keep)

    def values_of_lost(self, responses: xr.DataArray, measured: xr.DataArray) -> np.ndarray:
        """As an array, see :meth:`of_lost`."""
        lead = _leading(responses)
        data = np.asarray(responses.transpose(*lead, "trial", "stimulus", "unit").values, dtype=float)

        def kernel(units: np.ndarray, known: np.ndarray, mask: np.ndarray) -> np.ndarray:
            if self.metric.folds and not (self.metric.unequal_folds or mask.all()):
                raise InputError(f"compute_rdm: {self.metric.name} needs every stimulus in every trial.")
            factor = self.factor[units] if self.factor is not None else None
            part = replace(self, factor=factor, measured=mask)
            with np.errstate(invalid="ignore", divide="ignore"):
                return part.values(
                    data[..., known, :][..., units], True, "the responses", responses.isel(stimulus=known)
                )

        return over_units(measured.values, kernel, max(1, self.metric.fewest_trials), data.shape[: len(lead)])

    def of_units(self, responses: xr.DataArray, units: np.ndarray, name: str) -> tuple[xr.DataArray, xr.DataArray]:
        """RDMs of some of the units of `responses`, with their part of the precision; and why some are not defined."""
        self.check_parts(len(units), responses.sizes["unit"])
        factor = self.factor if self.factor is None or self.factor.ndim == 2 else self.factor[units]
        part = responses.isel(unit=units)
        ordered, lead, kernel = replace(self, factor=factor)._kernel(part, name)
        values, why = where_defined(kernel, ordered.data, len(lead))
        return label_rdm(values, part, lead, self.metric.name, self.keep), xr.DataArray(why, dims=lead)

    def check_parts(self, fewest: int, n_units: int) -> None:
        """Raise :class:`InputError` where a part of `fewest` of the units has no precision."""
        if self.factor is not None and self.factor.ndim == 2 and fewest < n_units:
            raise InputError(
                f"compute_rdm: a precision of all {n_units} units is not that of a part of {fewest}; "
                "name a shrinkage instead, precision='schaefer_strimmer', or pass a diagonal one."
            )

    def values(self, data: Any, has_trials: bool, name: str, labels: xr.DataArray) -> np.ndarray:
        """RDMs (..., stimulus, stimulus) of an array (..., [trial,] stimulus, unit)."""
        metric = self.metric
        if metric.folds and not (has_trials and data.shape[-3] > 1):
            raise InputError(f"compute_rdm: {metric.name} of {name} needs a 'trial' dim with at least 2 trials.")
        if metric.whitening in ("if_given", "always"):
            data = self._whitened(data, has_trials)
        patterns = MeanOverTrials(data, self.measured) if has_trials and not metric.folds else data
        kernel = metric.kernel
        if self.keep == "gram" and metric.gram is not None:
            kernel = metric.gram
        else:
            check_domain(patterns, metric, name, labels)
        second = [self._training_whitening(data.shape[-3])] if metric.whitening == "of_training" else []
        if self.measured is not None and metric.unequal_folds:
            second.append(self.measured)
        kernel = partial(_with, kernel, second) if second else kernel
        return kernel(patterns) if metric.blocks else self._one_by_one(kernel, patterns)

    def _one_by_one(self, kernel: Callable[[np.ndarray], np.ndarray], patterns: Any) -> np.ndarray:
        """RDMs of a kernel that takes one array (K, P), or (M, K, P) of folds, in memory and in float."""
        array = np.asarray(patterns[..., :], dtype=float)
        lead = array.shape[: array.ndim - (3 if self.metric.folds else 2)]
        values = np.empty((*lead, array.shape[-2], array.shape[-2]))
        for index in np.ndindex(*lead):
            found = kernel(array[index])
            if np.shape(found) != values.shape[-2:]:
                raise InputError(
                    f"compute_rdm: the kernel of {self.metric.name} gives {np.shape(found)} for {array.shape[-2]} "
                    "stimuli; distances (stimulus, stimulus) are asked of it."
                )
            values[index] = found
        if not np.isfinite(values).all():
            raise UndefinedError(
                f"compute_rdm: {self.metric.name} is not defined where {'trials' if self.metric.folds else 'patterns'} "
                "do not vary; use 'crossnobis' or 'euclidean'."
            )
        return values

    def _whitened(self, data: Any, has_trials: bool) -> Any:
        if self.factor is not None:
            return whiten(np.asarray(data, dtype=float), self.factor)
        if self.shrinkage is None and self.metric.whitening == "if_given":
            return data
        if not (has_trials and data.shape[-3] > 1):
            raise InputError(
                f"compute_rdm: {self.metric.name} needs the noise between units: pass precision=noise_precision(...), "
                "or responses with at least 2 trials to estimate it from."
            )
        whitened = np.empty(data.shape)
        for index in np.ndindex(*data.shape[:-3]):
            folds = np.asarray(data[index], dtype=float)
            whitened[index] = whiten(folds, _factor_of_folds(self.shrinkage, folds, self.measured))
        return whitened

    def _training_whitening(self, n_trials: int) -> Any:
        """From training trials to the factor of the precision of their noise."""
        if self.factor is not None:
            return partial(_always, _square(self.factor))
        if n_trials < self.metric.fewest_trials:
            raise InputError(
                f"compute_rdm: {self.metric.name} needs {self.metric.fewest_trials} trials, to learn the noise from "
                f"the training ones, found {n_trials}; or pass precision=noise_precision(...)."
            )
        return partial(_training_factor, self.shrinkage)


def _leading(responses: xr.DataArray) -> list[Any]:
    return [d for d in responses.dims if d not in ("stimulus", "trial", "unit")]


def label_rdm(values: np.ndarray, responses: xr.DataArray, lead: list[Any], metric: str, keep: str) -> xr.DataArray:
    """Return RDMs with the stimulus labels and the leading coords of `responses`."""
    along = responses.isel({d: 0 for d in responses.dims if d != "stimulus"}, drop=True)
    rdm = as_rdm(values, dims=tuple(lead), stimuli=along, metric=metric, missing=True)
    coords = {k: v for k, v in responses.coords.items() if v.dims and set(v.dims) <= set(lead)}
    rdm = rdm.assign_coords(coords)
    return rdm.assign_attrs(quantity="second_moment") if keep == "gram" else rdm


def _searchlight_rdms(responses: xr.DataArray, by: xr.DataArray, plan: _Plan, progress: bool) -> xr.DataArray:
    """RDMs of all searchlights; those of one size are one batch, cut so that a batch fits into a block."""
    members = by.values
    sizes = (members >= 0).sum(1)
    plan.check_parts(int(sizes.min()), responses.sizes["unit"])
    lead = _leading(responses)
    trial = ["trial"] if "trial" in responses.dims else []
    data = np.ascontiguousarray(responses.transpose(*lead, *trial, "stimulus", "unit").values, dtype=float)
    if plan.factor is not None:
        data = whiten(data, plan.factor)
    n = responses.sizes["stimulus"]
    values = np.empty((len(members), *[responses.sizes[d] for d in lead], n, n))
    why = np.full(values.shape[:-2], "", dtype=object)
    every = list(batches(sizes, int(np.prod(data.shape[:-1]))))
    for batch in track(every, "searchlights", progress=progress):
        inside = np.stack([row[row >= 0] for row in members[batch]])
        gathered = np.moveaxis(np.take(data, inside, axis=-1), -2, 0)
        name = f"searchlights of {inside.shape[1]} units"
        white = plan if plan.factor is None else replace(plan, factor=np.ones(inside.shape[1]))
        kernel = partial(white.values, has_trials=bool(trial), name=name, labels=responses)
        values[batch], why[batch] = where_defined(kernel, gathered, 1 + len(lead))
    dims = [by.dims[0], *lead]
    rdm = label_rdm(values, responses, dims, plan.metric.name, plan.keep)
    rdm = rdm.assign_coords({by.dims[0]: by[by.dims[0]].values}) if by.dims[0] in by.coords else rdm
    return label_undefined(rdm, xr.DataArray(why, dims=dims))


def _check_options(metric: Metric, precision: object, keep: str, folds: str | None) -> None:
    if isinstance(precision, Mapping) and folds is None:
        raise InputError("compute_rdm: a mapping of precisions is one of runs; name their label, folds='run'.")
    if keep not in ("distances", "gram"):
        raise InputError(f"compute_rdm: keep is 'distances' or 'gram', found {keep!r}.")
    if keep == "gram" and metric.gram is None:
        others = ", ".join(m.name for m in METRICS.values() if m.gram)
        raise InputError(f"compute_rdm: only {others} come from a gram matrix, {metric.name} does not.")
    if isinstance(precision, str):
        SHRINKAGES.find(precision, "compute_rdm")
    if precision is not None and not metric.takes_precision:
        others = ", ".join(m.name for m in METRICS.values() if m.takes_precision)
        raise InputError(f"compute_rdm: {metric.name} takes no precision; {others} do.")


def _fold_mask(measured: xr.DataArray, metric: Metric) -> np.ndarray:
    """Which trial (rows) measured which stimulus (columns), checked to be enough for `metric`."""
    mask = np.asarray(measured.transpose("trial", "stimulus").values, dtype=bool)
    needed = 2 if metric.folds else 1
    few = mask.sum(0) < needed
    if few.any():
        which = measured["stimulus"].values[np.argmax(few)]
        raise InputError(
            f"compute_rdm: {metric.name} needs {needed} trials of every stimulus; {int(few.sum())} have fewer, "
            f"the first is {which!s}; drop them."
        )
    if metric.folds and not metric.unequal_folds:
        raise InputError(f"compute_rdm: {metric.name} needs every stimulus in every trial.")
    joint, together = mask.astype(int).sum(0), mask.T.astype(int) @ mask.astype(int)
    lacking = together == 0 if metric.within_folds else np.outer(joint, joint) - together == 0
    if metric.folds and lacking.any():
        needed_pair = "trial that measured both" if metric.within_folds else "pair of different trials"
        raise InputError(f"compute_rdm: two stimuli share no {needed_pair}, so {metric.name} cannot be made.")
    return mask


def _factor_of_folds(shrinkage: str | None, folds: np.ndarray, measured: np.ndarray | None = None) -> np.ndarray:
    """Factor of the precision of the noise in folds (trial, stimulus, unit)."""
    trials = xr.DataArray(folds, dims=("trial", "stimulus", "unit"))
    if measured is not None:
        trials = trials.assign_coords(measured=(("trial", "stimulus"), measured))
    found: np.ndarray = noise_factor(noise_precision(trials, shrinkage=shrinkage or "schaefer_strimmer").values)
    return found


def _training_factor(shrinkage: str | None, training: np.ndarray, measured: np.ndarray | None = None) -> np.ndarray:
    return _square(_factor_of_folds(shrinkage, training, measured))


def _square(factor: np.ndarray) -> np.ndarray:
    return np.diag(factor) if factor.ndim == 1 else factor


def _always(factor: np.ndarray, *_training: np.ndarray) -> np.ndarray:
    return factor


def _with(kernel: Callable[..., Array], more: list[Any], data: object) -> Array:
    return kernel(data, *more)
