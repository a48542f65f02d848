"""How RDMs are made of arrays, once metric, noise and missing trials are known: the plan behind ``compute_rdm``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from neurosim.rdm_arrays import rdm_between
from neurosim.schema import InputError
from neurosim.similarity.kernels.arrays import Array
from neurosim.similarity.kernels.inner_products import noise_factor, whiten
from neurosim.similarity.lost_units import across_units, over_units
from neurosim.similarity.metric import Metric
from neurosim.similarity.noise import noise_precision
from neurosim.similarity.parts import UndefinedError, Values, where_defined
from neurosim.similarity.patterns import check_domain, mean_over_trials


@dataclass(frozen=True)
class Plan:
    """How RDMs are made of arrays (..., [trial,] stimulus, unit)."""

    metric: Metric
    shrinkage: str | None
    keep: str
    measured: np.ndarray | None
    factor: np.ndarray | None

    def labelled(self, responses: xr.DataArray, name: str) -> xr.DataArray:
        """RDMs of `responses` with the labels of their stimuli and leading dims."""
        ordered, lead, kernel = self.kernel_of(responses, name)
        return label_rdm(kernel(ordered.data), responses, lead, self.metric.name, self.keep)

    def kernel_of(self, responses: xr.DataArray, name: str) -> tuple[xr.DataArray, list[Any], Values]:
        """`responses` (..., [trial,] stimulus, unit), their leading dims, and what makes RDMs of the array."""
        lead = leading(responses)
        trial = ["trial"] if "trial" in responses.dims else []
        ordered = responses.transpose(*lead, *trial, "stimulus", "unit")
        return ordered, lead, partial(self.values, has_trials=bool(trial), name=name, labels=responses)

    @property
    def is_across_units(self) -> bool:
        """Whether distances have a precision between units."""
        return self.shrinkage is not None or (self.factor is not None and self.factor.ndim == 2)

    def of_lost(self, responses: xr.DataArray, measured: xr.DataArray) -> xr.DataArray:
        """RDMs of responses whose units were `measured` (trial, stimulus, unit) in trials of their own."""
        values = self.values_of_lost(responses, measured)
        return label_rdm(values, responses, leading(responses), self.metric.name, self.keep)

    def values_of_lost(self, responses: xr.DataArray, measured: xr.DataArray) -> np.ndarray:
        """As an array, see :meth:`of_lost`."""
        lead = leading(responses)
        data = np.asarray(responses.transpose(*lead, "trial", "stimulus", "unit").values, dtype=float)
        if self.is_across_units:
            return across_units(data, measured.values, self.metric, self.factor, self.shrinkage or "")

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
        ordered, lead, kernel = replace(self, factor=factor).kernel_of(part, name)
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
        patterns = mean_over_trials(data, self.measured) if has_trials and not metric.folds else data
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


def leading(responses: xr.DataArray) -> list[Any]:
    """Return the dims of responses that ride along."""
    return [d for d in responses.dims if d not in ("stimulus", "trial", "unit")]


def label_rdm(values: np.ndarray, responses: xr.DataArray, lead: list[Any], metric: str, keep: str) -> xr.DataArray:
    """Return RDMs with the stimulus labels and the leading coords of `responses`."""
    along = responses.isel({d: 0 for d in responses.dims if d != "stimulus"}, drop=True)
    rdm = rdm_between(along, values, dims=tuple(lead), metric=metric, missing=True)
    coords = {k: v for k, v in responses.coords.items() if v.dims and set(v.dims) <= set(lead)}
    rdm = rdm.assign_coords(coords)
    return rdm.assign_attrs(quantity="second_moment") if keep == "gram" else rdm


def fold_mask(measured: xr.DataArray, metric: Metric) -> np.ndarray:
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
