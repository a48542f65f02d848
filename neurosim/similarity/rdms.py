"""RDMs of responses: how differently a subject answers every two stimuli."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from neurosim.labels import is_lazy
from neurosim.refusals import asked_by
from neurosim.runtime import track
from neurosim.schema import InputError, as_responses, check_responses
from neurosim.similarity.covariances import precision_factor
from neurosim.similarity.kernels.arrays import BLOCK_BYTES, is_torch_array
from neurosim.similarity.kernels.inner_products import whiten
from neurosim.similarity.lost_units import check_adds_up, means_of_units, split_missing
from neurosim.similarity.metric import METRICS, Metric
from neurosim.similarity.noise import noise_precision
from neurosim.similarity.parts import as_searchlights, batches, label_undefined, units_of_parts, where_defined
from neurosim.similarity.rdm_plan import Plan, fold_mask, label_rdm, leading
from neurosim.similarity.runs import Runs, is_of_each_run, kernel_of_runs, means_of_runs, precision_of_part, runs_of
from neurosim.similarity.shrinkage import SHRINKAGES
from neurosim.similarity.tensors import tensor_rdm

Reasons = xr.DataArray | None


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
    the RDMs, and what is dask is read several times; only a full `precision`, "decoding" and "ldc_t" need all units at
    once.
    Of crossnobis: Calibrated in 4,000 simulated experiments: null mean 0.00, recovery 0.99.

    Parameters
    ----------
    responses : (..., stimulus, [trial,] unit); all other dims (``time``, ``subject``, ``layer``) ride along. A bare
        array (stimulus, [time,] unit) is accepted; a torch tensor (..., [trial,] stimulus, unit) gives a tensor on its
        device, differentiable. Trials that were not measured (NaN) do not enter: means are over those that were, pairs
        of folds too: "crossnobis" is over the pairs of different trials that measured either stimulus, "decoding" over
        the trials of each of both, "ldc_t" and "poisson_crossvalidated" over those that measured both. Where units lack
        other trials than other units, distances that add up over units are the mean over the units that know both
        stimuli, and "crossnobis" with a precision is, of every two units, over the pairs of different trials that they
        have; "correlation", "cosine" and "mahalanobis" (of one RDM, or with a precision given) then need a trial of
        every stimulus in every unit, "decoding" and "ldc_t" all units in the same trials.
    metric : a name in ``METRICS``. Of mean patterns: "euclidean" (squared), "mahalanobis" (squared), "manhattan", all
        three over the number of units; "correlation", "cosine" (one minus it), "poisson" (symmetrised Kullback-Leibler
        divergence of firing rates, https://doi.org/10.7554/eLife.82566). With trials as folds, unbiased by noise:
        "crossnobis" (https://doi.org/10.1016/j.neuroimage.2015.12.012), "poisson_crossvalidated"; and discriminability
        on held-out trials: "decoding" (accuracy of a linear discriminant), "ldc_t" (t value of its contrast, mean over
        the M trials, whose spread is the root of 2 / M where two stimuli do not differ,
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
    request = Request(METRICS.find(metric, "compute_rdm"), folds, precision, keep)
    if is_torch_array(responses):
        if by is not None or folds is not None:
            raise InputError(
                "compute_rdm: a tensor has no labels for `by` or `folds`; slice the tensor, or pass an array."
            )
        return tensor_rdm(responses, request.metric, precision, keep)
    if not isinstance(responses, xr.DataArray):
        with asked_by("compute_rdm", "as_responses"):
            responses = as_responses(responses)
    if is_lazy(responses) and responses.nbytes <= BLOCK_BYTES:
        responses = responses.compute()
    responses = check_responses(responses, "compute_rdm", leading=True, missing="trial" in responses.dims)
    rdms, why = rdms_and_reasons(responses, request, by, progress)
    return rdms if why is None else label_undefined(rdms, why)


@dataclass(frozen=True)
class Request:
    """What RDMs are asked for, as :func:`compute_rdm` says it."""

    metric: Metric
    folds: str | None
    precision: Any
    keep: str = "distances"

    def __post_init__(self) -> None:
        _check_options(self.metric, self.precision, self.keep, self.folds)


def rdms_and_reasons(
    responses: xr.DataArray, request: Request, by: Any, progress: bool
) -> tuple[xr.DataArray, Reasons]:
    """Return RDMs of checked responses, and with `by` why some are NaN, "" for the others."""
    asked, precision = request.metric, request.precision
    if request.folds is not None:
        runs = runs_of(responses, request.folds, asked)
        if is_of_each_run(precision, asked):
            plan = Plan(asked, None, request.keep, None, None)
            return _rdms_of_runs(responses, runs, plan, precision, by, progress)
        responses = means_of_runs(responses, runs)
    responses, measured = split_missing(responses)
    if measured is not None and "unit" in measured.dims:
        precision = _precision_of_lost_units(responses, measured, request, by)
        if not asked.folds and (asked.fewest_trials == 0 or not isinstance(precision, str | None)):
            responses, measured = means_of_units(responses, measured)
    shrinkage = precision if isinstance(precision, str) else None
    given = precision is not None and shrinkage is None
    factor = precision_factor(precision, responses, "compute_rdm") if given else None
    plan = Plan(asked, shrinkage, request.keep, None, factor)
    if measured is not None and "unit" in measured.dims:
        return _rdms_of_lost_units(responses, measured, plan, by, progress)
    plan = replace(plan, measured=None if measured is None else fold_mask(measured, asked))
    if by is None:
        return plan.labelled(responses, "the responses"), None
    if not isinstance(by, str):
        return _searchlight_rdms(responses, as_searchlights(by, responses.sizes["unit"]), plan, progress)
    units, dim = units_of_parts(responses, by)
    parts = [plan.of_units(responses, own, f"{by} {n!r}") for own, n in zip(units, dim.values.tolist(), strict=True)]
    rdms, why = (xr.concat(found, dim=dim) for found in zip(*parts, strict=True))
    return rdms, why


def _precision_of_lost_units(responses: xr.DataArray, measured: xr.DataArray, request: Request, by: object) -> Any:
    """Return the precision; of means, for one RDM, estimated from the trials that the units have."""
    asked = request.precision
    if (
        request.metric.whitening != "always"
        or not isinstance(asked, str | None)
        or by is not None
        or leading(responses)
    ):
        return asked
    return noise_precision(responses.where(measured), shrinkage=asked or "schaefer_strimmer")


def _rdms_of_lost_units(
    responses: xr.DataArray, measured: xr.DataArray, plan: Plan, by: object, progress: bool
) -> tuple[xr.DataArray, Reasons]:
    """Return RDMs where units lack other trials than other units: of all, by a label, or of searchlights."""
    check_adds_up(plan.metric, plan.is_across_units)
    if plan.is_across_units and plan.keep == "gram":
        raise InputError("compute_rdm: keep='gram' with a precision needs all units in the same trials.")
    if by is None:
        return plan.of_lost(responses, measured), None
    parts, dim = units_of_parts(responses, by)
    lead, rdms, why = leading(responses), [], []
    for units in track(parts, "parts", progress=progress):
        plan.check_parts(len(units), responses.sizes["unit"])
        part = replace(plan, factor=None if plan.factor is None or plan.factor.ndim == 2 else plan.factor[units])
        ordered, known = responses.isel(unit=units).transpose(*lead, ...), measured.isel(unit=units)
        values, undefined = where_defined(partial(part.values_of_lost, measured=known), ordered, len(lead))
        rdms.append(label_rdm(values, ordered, lead, plan.metric.name, plan.keep))
        why.append(xr.DataArray(undefined, dims=lead))
    return xr.concat(rdms, dim=dim), xr.concat(why, dim=dim)


def _rdms_of_runs(
    responses: xr.DataArray, runs: Runs, plan: Plan, precision: Any, by: object, progress: bool
) -> tuple[xr.DataArray, Reasons]:
    """Return RDMs over runs that each have their own precision: of all, by a label, or of searchlights."""
    lead = leading(responses)
    ordered = responses.transpose(*lead, "trial", "stimulus", "unit").astype(float)
    parts, dim = ([np.arange(responses.sizes["unit"])], None) if by is None else units_of_parts(responses, by)
    rdms, why = [], []
    for units in track(parts, "parts", progress=progress and by is not None):
        own = ordered.isel(unit=units)
        kernel = kernel_of_runs(own, runs, plan.metric, precision_of_part(precision, units), plan.keep)
        if dim is None:
            return label_rdm(kernel(own.values), own, lead, plan.metric.name, plan.keep), None
        values, undefined = where_defined(kernel, own.values, len(lead))
        rdms.append(label_rdm(values, own, lead, plan.metric.name, plan.keep))
        why.append(xr.DataArray(undefined, dims=lead))
    return xr.concat(rdms, dim=dim), xr.concat(why, dim=dim)


def _searchlight_rdms(
    responses: xr.DataArray, by: xr.DataArray, plan: Plan, progress: bool
) -> tuple[xr.DataArray, Reasons]:
    """RDMs of all searchlights; those of one size are one batch, cut so that a batch fits into a block."""
    members = by.values
    sizes = (members >= 0).sum(1)
    plan.check_parts(int(sizes.min()), responses.sizes["unit"])
    lead = leading(responses)
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
    along = {k: v for k, v in by.coords.items() if v.dims == by.dims[:1]}
    return rdm.assign_coords(along), xr.DataArray(why, dims=dims)


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
