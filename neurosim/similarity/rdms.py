"""RDMs of responses: how differently a subject answers every two stimuli."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from neurosim.arrays import plain
from neurosim.runtime import track
from neurosim.schema import InputError, as_rdm, as_responses, check_responses, suggest
from neurosim.similarity.kernels import patterns as kernels
from neurosim.similarity.kernels.arrays import Array, is_torch_array, n_block, unit_blocks
from neurosim.similarity.kernels.noise import SHRINKAGES
from neurosim.similarity.noise import noise_precision

CROSSVALIDATED = ("crossnobis", "poisson_crossvalidated", "decoding", "ldc_t")
WHITENED = ("mahalanobis", "crossnobis", "decoding", "ldc_t")
OF_SECOND_MOMENT = ("euclidean", "mahalanobis", "crossnobis")
METRICS = (*kernels.METRICS, "mahalanobis", *CROSSVALIDATED)


def compute_rdm(
    responses: xr.DataArray,
    metric: str = "correlation",
    *,
    by: str | xr.DataArray | None = None,
    precision: xr.DataArray | str | None = None,
    keep: str = "distances",
    progress: bool = True,
) -> xr.DataArray:
    """Compute the representational dissimilarity matrix of responses (https://doi.org/10.3389/neuro.06.004.2008).

    Units are read in blocks, so responses larger than memory (a memory-mapped or a dask array) need about 0.2 GB and
    the RDMs; only a full `precision`, "decoding" and "ldc_t" need all units at once.

    Parameters
    ----------
    responses : (..., stimulus, [trial,] unit); all other dims (``time``, ``subject``, ``layer``) ride along. A bare
        array (stimulus, [time,] unit) is accepted; a torch tensor (..., [trial,] stimulus, unit) gives a tensor on its
        device, differentiable. Stimuli with unequal numbers of trials: see :func:`~neurosim.schema.as_trials`.
    metric : of mean patterns: "euclidean" (squared), "mahalanobis" (squared), "manhattan", all three over the number of
        units; "correlation", "cosine" (one minus it), "poisson" (symmetrised Kullback-Leibler divergence of firing
        rates, https://doi.org/10.7554/eLife.82566). With trials as folds, unbiased by noise: "crossnobis"
        (https://doi.org/10.1016/j.neuroimage.2015.12.012), "poisson_crossvalidated"; and discriminability on held-out
        trials: "decoding" (accuracy of a linear discriminant), "ldc_t" (t value of its contrast,
        https://doi.org/10.1371/journal.pcbi.1003553).
    by : a label along ``unit`` such as "layer": one RDM for each of its values, along a new dim of that name. Or
        searchlights (searchlight, member): indices of units, -1 where a searchlight has fewer.
    precision : noise precision for "mahalanobis", "crossnobis", "decoding" and "ldc_t", from
        :func:`~neurosim.similarity.noise.noise_precision`, or the name of a shrinkage: estimated from the trials, for
        every RDM from its own units (for the last two from the training trials of each fold). Default: none for
        "crossnobis", "schaefer_strimmer" for the others.
    keep : "distances", or "gram": the second-moment matrix they come from, whose diagonal is the (cross-validated)
        strength of each pattern; for "euclidean", "mahalanobis" and "crossnobis".
    progress : show a bar over searchlights.

    Returns
    -------
    RDM ([by,] ..., stimulus, stimulus_other).

    Raises
    ------
    InputError : unknown metric, fewer than 3 stimuli, one trial where folds are needed, negative rates for "poisson",
        or patterns without variation, for which a correlation is not defined.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> compute_rdm(rng.normal(size=(5, 20))).shape
    (5, 5)
    """
    _check_names(metric, precision, keep)
    if isinstance(precision, np.ndarray):
        precision = xr.DataArray(precision, dims=("unit", "unit_other")[: precision.ndim])
    if is_torch_array(responses):
        return _tensor_rdm(responses, metric, precision, keep)
    if not isinstance(responses, xr.DataArray):
        responses = as_responses(responses)
    measured = responses.coords.get("measured")
    if measured is not None:
        responses = responses.where(measured, 0.0).drop_vars("measured")
    responses = check_responses(responses, "compute_rdm", leading=True)
    plan = _Plan(metric, precision, keep, None if measured is None else _fold_mask(measured, metric))
    if by is None:
        return plan.labelled(responses, "the responses")
    if isinstance(by, xr.DataArray):
        return _searchlight_rdms(responses, by, plan, progress)
    if by not in responses.coords or responses[by].dims != ("unit",):
        labels = [str(k) for k, v in responses.coords.items() if v.dims == ("unit",)]
        raise InputError(f"compute_rdm: no label {by!r} along unit. Labels: {', '.join(labels)}.{suggest(by, labels)}")
    values = responses[by].values
    names = list(dict.fromkeys(values.tolist()))
    parts = [plan.labelled(responses.isel(unit=np.flatnonzero(values == n)), f"{by} {n!r}") for n in names]
    return xr.concat(parts, dim=xr.DataArray(names, dims=by, name=by))


def searchlights(positions: np.ndarray, radius: float) -> xr.DataArray:
    """Return the units within `radius` of each unit, for the `by` of :func:`compute_rdm`.

    (https://doi.org/10.1073/pnas.0600244103)

    Parameters
    ----------
    positions : (unit, axis), in m, mm or voxels.
    radius : in the same unit.

    Returns
    -------
    indices (searchlight, member), -1 where a searchlight has fewer members.

    Examples
    --------
    >>> searchlights(np.arange(4.0)[:, None], 1).values.tolist()
    [[0, 1, -1], [0, 1, 2], [1, 2, 3], [2, 3, -1]]
    """
    from scipy.spatial import cKDTree

    positions = plain(positions, "searchlights").astype(float)
    if positions.ndim != 2 or not len(positions) or not np.isfinite(positions).all() or not radius >= 0:
        raise InputError(f"searchlights: needs finite positions (unit, axis) and a radius, found {positions.shape}.")
    near = [sorted(n) for n in cKDTree(positions).query_ball_point(positions, radius)]
    members = np.full((len(near), max(map(len, near))), -1)
    for row, n in zip(members, near, strict=True):
        row[: len(n)] = n
    return xr.DataArray(members, dims=("searchlight", "member"))


@dataclass(frozen=True)
class _Plan:
    """How RDMs are made of arrays (..., [trial,] stimulus, unit)."""

    metric: str
    precision: xr.DataArray | str | None
    keep: str
    measured: np.ndarray | None

    def labelled(self, responses: xr.DataArray, name: str) -> xr.DataArray:
        """RDMs of `responses` with the labels of their stimuli and leading dims."""
        lead = [d for d in responses.dims if d not in ("stimulus", "trial", "unit")]
        trial = ["trial"] if "trial" in responses.dims else []
        ordered = responses.transpose(*lead, *trial, "stimulus", "unit")
        values = self.values(ordered.data, bool(trial), name, responses)
        return label_rdm(values, responses, lead, self.metric, self.keep)

    def values(self, data: Any, has_trials: bool, name: str, labels: xr.DataArray) -> np.ndarray:
        """RDMs (..., stimulus, stimulus) of an array (..., [trial,] stimulus, unit)."""
        if self.metric in CROSSVALIDATED and not (has_trials and data.shape[-3] > 1):
            raise InputError(f"compute_rdm: {self.metric} of {name} needs a 'trial' dim with at least 2 trials.")
        if self.metric in ("decoding", "ldc_t"):
            return self._discriminability(np.asarray(data, dtype=float), labels)
        if self.metric in WHITENED:
            data = self._whitened(data, has_trials, labels)
        if self.metric == "crossnobis":
            gram = kernels.crossvalidated_second_moment(data, self.measured, centre=self.keep != "gram")
            return gram if self.keep == "gram" else kernels.distances_from_gram(gram)
        if self.metric == "poisson_crossvalidated":
            _check_rates(data, name)
            return kernels.poisson_crossvalidated(data)
        patterns = _MeanOverTrials(data, self.measured) if has_trials else data
        if self.keep == "gram":
            return kernels.second_moment(patterns)
        if self.metric in ("correlation", "cosine"):
            _check_patterns(patterns, self.metric, name, labels)
        if self.metric == "poisson":
            _check_rates(patterns, name)
        return kernels.METRICS["euclidean" if self.metric == "mahalanobis" else self.metric](patterns)

    def _whitened(self, data: Any, has_trials: bool, labels: xr.DataArray) -> Any:
        shrinkage = self.precision or "schaefer_strimmer" if not isinstance(self.precision, xr.DataArray) else ""
        if self.precision is None and self.metric == "crossnobis":
            return data
        if isinstance(self.precision, xr.DataArray):
            try:
                return kernels.whiten(np.asarray(data, dtype=float), _precision_of(self.precision, labels))
            except np.linalg.LinAlgError:
                raise InputError(
                    "compute_rdm: the precision is not positive definite; estimate it with noise_precision(...), which "
                    "shrinks it."
                ) from None
        if not (has_trials and data.shape[-3] > 1):
            raise InputError(
                f"compute_rdm: {self.metric} needs the noise between units: pass precision=noise_precision(...), "
                "or responses with at least 2 trials to estimate it from."
            )
        whitened = np.empty(data.shape)
        for index in np.ndindex(*data.shape[:-3]):
            folds = np.asarray(data[index], dtype=float)
            whitened[index] = kernels.whiten(folds, _precision_of_folds(folds, shrinkage, self.measured))
        return whitened

    def _discriminability(self, folds: np.ndarray, labels: xr.DataArray) -> np.ndarray:
        kernel = kernels.decoding_accuracy if self.metric == "decoding" else kernels.linear_discriminant_t
        if self.measured is not None:
            raise InputError(f"compute_rdm: {self.metric} needs every stimulus in every trial.")
        if isinstance(self.precision, xr.DataArray):
            given = _precision_of(self.precision, labels)
            factor = np.diag(np.sqrt(given)) if given.ndim == 1 else np.linalg.cholesky(given)
            whitening = partial(_always, factor)
        else:
            if folds.shape[-3] < 3:
                raise InputError(
                    f"compute_rdm: {self.metric} needs 3 trials, to learn the noise from the training ones, found "
                    f"{folds.shape[-3]}; or pass precision=noise_precision(...)."
                )
            whitening = partial(_training_factor, self.precision or "schaefer_strimmer")
        values = np.empty((*folds.shape[:-3], folds.shape[-2], folds.shape[-2]))
        for index in np.ndindex(*folds.shape[:-3]):
            values[index] = kernel(folds[index], whitening)
        if not np.isfinite(values).all():
            raise InputError(f"compute_rdm: {self.metric} is not defined where trials do not vary; use 'crossnobis'.")
        return values


@dataclass(frozen=True)
class _MeanOverTrials:
    """The mean over trials (third axis from the end) of an array, made block by block as it is sliced."""

    folds: Any
    measured: np.ndarray | None

    @property
    def shape(self) -> tuple[int, ...]:
        """(..., stimulus, unit)."""
        return (*self.folds.shape[:-3], *self.folds.shape[-2:])

    def __getitem__(self, index: Any) -> np.ndarray:
        block = np.asarray(self.folds[index], dtype=float)
        return block.mean(-3) if self.measured is None else block.sum(-3) / self.measured.sum(0)[:, None]


def label_rdm(values: np.ndarray, responses: xr.DataArray, lead: list[Any], metric: str, keep: str) -> xr.DataArray:
    """Return RDMs with the stimulus labels and the leading coords of `responses`."""
    along = responses.isel({d: 0 for d in responses.dims if d != "stimulus"}, drop=True)
    rdm = as_rdm(values, dims=tuple(lead), stimuli=along, metric=metric)
    coords = {k: v for k, v in responses.coords.items() if v.dims and set(v.dims) <= set(lead)}
    rdm = rdm.assign_coords(coords)
    return rdm.assign_attrs(quantity="second_moment") if keep == "gram" else rdm


def _searchlight_rdms(responses: xr.DataArray, by: xr.DataArray, plan: _Plan, progress: bool) -> xr.DataArray:
    """RDMs of all searchlights; those of one size are one batch, cut so that a batch fits into a block."""
    if by.dims[-1] != "member" or by.ndim != 2 or not np.issubdtype(by.dtype, np.integer):
        raise InputError(f"compute_rdm: searchlights have integer members (searchlight, member), found {by.dims}.")
    members = by.values
    n_units, sizes = responses.sizes["unit"], (members >= 0).sum(1)
    if members.max() >= n_units or members.min() < -1 or sizes.min() == 0:
        raise InputError(f"compute_rdm: searchlights hold 1 or more of the units 0..{n_units - 1}, -1 for none.")
    if isinstance(plan.precision, xr.DataArray) and plan.precision.ndim == 2:
        raise InputError(
            "compute_rdm: a precision of all units is not that of a searchlight; name a shrinkage instead, "
            "precision='schaefer_strimmer', or pass a diagonal one."
        )
    lead = [d for d in responses.dims if d not in ("stimulus", "trial", "unit")]
    trial = ["trial"] if "trial" in responses.dims else []
    data = np.ascontiguousarray(responses.transpose(*lead, *trial, "stimulus", "unit").values, dtype=float)
    given = plan.precision if isinstance(plan.precision, xr.DataArray) else None
    if given is not None:
        data = data * np.sqrt(_precision_of(given, responses))
    n = responses.sizes["stimulus"]
    values = np.empty((len(members), *[responses.sizes[d] for d in lead], n, n))
    batches = list(_batches(sizes, int(np.prod(data.shape[:-1]))))
    for batch in track(batches, "searchlights", progress=progress):
        inside = np.stack([row[row >= 0] for row in members[batch]])
        gathered = np.moveaxis(np.take(data, inside, axis=-1), -2, 0)
        name = f"searchlights of {inside.shape[1]} units"
        whole, labels = plan, responses
        if given is not None:
            whole = replace(plan, precision=xr.DataArray(np.ones(inside.shape[1]), dims="unit"))
            labels = responses.drop_vars("unit", errors="ignore").isel(unit=slice(inside.shape[1]))
        values[batch] = whole.values(gathered, bool(trial), name, labels)
    rdm = label_rdm(values, responses, [by.dims[0], *lead], plan.metric, plan.keep)
    return rdm.assign_coords({by.dims[0]: by[by.dims[0]].values}) if by.dims[0] in by.coords else rdm


def _batches(sizes: np.ndarray, n_rows: int) -> Iterator[np.ndarray]:
    for size in np.unique(sizes):
        same = np.flatnonzero(sizes == size)
        step = n_block(n_rows * int(size), 2**23)
        for start in range(0, len(same), step):
            yield same[start : start + step]


def _tensor_rdm(responses: Array, metric: str, precision: Array, keep: str) -> Array:
    if metric not in (*kernels.METRICS, "mahalanobis", "crossnobis", "poisson_crossvalidated"):
        raise InputError(f"compute_rdm: {metric} of a tensor is not available; pass a numpy array.")
    if responses.shape[-2] < 3:
        raise InputError(f"compute_rdm: an RDM needs at least 3 stimuli, found {responses.shape[-2]}.")
    if not responses.is_floating_point() or not bool(responses.isfinite().all()):
        raise InputError(
            f"compute_rdm: the tensor is {responses.dtype} or holds NaN or infinite values; give finite floating point "
            "values, as of .double()."
        )
    if (metric == "mahalanobis" and precision is None) or isinstance(precision, str):
        raise InputError(f"compute_rdm: {metric} of a tensor takes precision as a tensor (unit,) or (unit, unit).")
    if precision is not None:
        responses = kernels.whiten(responses, precision)
    if metric in CROSSVALIDATED and (responses.ndim < 3 or responses.shape[-3] < 2):
        raise InputError(f"compute_rdm: {metric} of a tensor needs (..., trial, stimulus, unit), 2 trials or more.")
    rdm = _tensor_kernel(responses, metric, keep)
    if not bool(rdm.isfinite().all()):
        raise InputError(
            f"compute_rdm: {metric} is not defined for this tensor: a pattern does not vary over units (correlation, "
            "cosine), a rate is below 0 (poisson), or the precision is not positive."
        )
    return rdm


def _tensor_kernel(responses: Array, metric: str, keep: str) -> Array:
    if metric == "crossnobis":
        gram = kernels.crossvalidated_second_moment(responses, centre=keep != "gram")
        return gram if keep == "gram" else kernels.distances_from_gram(gram)
    if keep == "gram":
        return kernels.second_moment(responses)
    if metric == "poisson_crossvalidated":
        return kernels.poisson_crossvalidated(responses)
    return kernels.METRICS["euclidean" if metric == "mahalanobis" else metric](responses)


def _check_names(metric: str, precision: Any, keep: str) -> None:
    if metric not in METRICS:
        raise InputError(f"compute_rdm: no metric {metric!r}. Metrics: {', '.join(METRICS)}.{suggest(metric, METRICS)}")
    if keep not in ("distances", "gram"):
        raise InputError(f"compute_rdm: keep is 'distances' or 'gram', found {keep!r}.")
    if keep == "gram" and metric not in OF_SECOND_MOMENT:
        raise InputError(f"compute_rdm: only {', '.join(OF_SECOND_MOMENT)} come from a gram matrix, {metric} does not.")
    if isinstance(precision, str) and precision not in SHRINKAGES:
        raise InputError(
            f"compute_rdm: no shrinkage {precision!r}. Known: {', '.join(SHRINKAGES)}.{suggest(precision, SHRINKAGES)}"
        )
    if precision is not None and metric not in WHITENED:
        raise InputError(f"compute_rdm: {metric} takes no precision; {', '.join(WHITENED)} do.")


def _fold_mask(measured: xr.DataArray, metric: str) -> np.ndarray:
    """Which trial (rows) measured which stimulus (columns), checked to be enough for `metric`."""
    mask = np.asarray(measured.transpose("trial", "stimulus").values, dtype=bool)
    needed = 2 if metric in CROSSVALIDATED else 1
    few = mask.sum(0) < needed
    if few.any():
        which = measured["stimulus"].values[np.argmax(few)]
        raise InputError(
            f"compute_rdm: {metric} needs {needed} trials of every stimulus; {int(few.sum())} have fewer, "
            f"the first is {which!s}; drop them."
        )
    if metric == "poisson_crossvalidated":
        raise InputError("compute_rdm: poisson_crossvalidated needs every stimulus in every trial.")
    joint = mask.astype(int).sum(0)
    if metric == "crossnobis" and (np.outer(joint, joint) - mask.T.astype(int) @ mask.astype(int) == 0).any():
        raise InputError("compute_rdm: two stimuli share no pair of different trials, so crossnobis cannot be made.")
    return mask


def _precision_of(precision: xr.DataArray, responses: xr.DataArray) -> np.ndarray:
    n_units = responses.sizes["unit"]
    if precision.shape not in ((n_units,), (n_units, n_units)):
        raise InputError(
            f"compute_rdm: a precision of shape {precision.shape} for {n_units} units; estimate it from these units, "
            "or name a shrinkage to have that done for every RDM."
        )
    if "unit" in precision.coords and "unit" in responses.coords:
        if set(precision["unit"].values.tolist()) != set(responses["unit"].values.tolist()):
            raise InputError("compute_rdm: the precision is of other units than the responses; estimate it from these.")
        order = dict.fromkeys(precision.dims, responses["unit"].values)
        precision = precision.sel(order)
    values = np.asarray(precision.values, dtype=float)
    if not np.isfinite(values).all() or (values if values.ndim == 1 else np.diagonal(values)).min() <= 0:
        raise InputError("compute_rdm: a precision is finite and positive; estimate it with noise_precision(...).")
    return values


def _precision_of_folds(folds: np.ndarray, shrinkage: str, measured: np.ndarray | None = None) -> np.ndarray:
    trials = xr.DataArray(folds, dims=("trial", "stimulus", "unit"))
    if measured is not None:
        trials = trials.assign_coords(measured=(("trial", "stimulus"), measured))
    return noise_precision(trials, shrinkage=shrinkage).values


def _training_factor(shrinkage: str, training: np.ndarray) -> np.ndarray:
    precision = _precision_of_folds(training, shrinkage)
    return np.diag(np.sqrt(precision)) if precision.ndim == 1 else np.linalg.cholesky(precision)


def _always(factor: np.ndarray, training: np.ndarray) -> np.ndarray:
    return factor


def _check_patterns(patterns: Any, metric: str, name: str, responses: xr.DataArray) -> None:
    """Name the first pattern whose correlation or cosine is not defined."""
    low: Array = None
    high: Array = None
    for block in unit_blocks(patterns):
        least, most = block.min(-1), block.max(-1)
        low = least if low is None else np.minimum(low, least)
        high = most if high is None else np.maximum(high, most)
    flat = (low == high) if metric == "correlation" else (low == 0) & (high == 0)
    if flat.any():
        stimulus = responses["stimulus"].values[np.argwhere(flat)[0][-1]]
        raise InputError(
            f"compute_rdm: {int(flat.sum())} patterns of {name} do not vary over units (stimulus {stimulus!s} is the "
            f"first), so their {metric} is not defined; use metric='euclidean' or drop them."
        )


def _check_rates(patterns: Any, name: str) -> None:
    lowest = min(float(block.min()) for block in unit_blocks(patterns))
    if lowest < 0:
        raise InputError(f"compute_rdm: poisson needs rates of 0 or more, {name} go down to {lowest:.3g}.")
