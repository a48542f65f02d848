"""RDMs of tensors: on their device, differentiable, under the conditions that hold for arrays."""

from __future__ import annotations

from typing import Any

from neurosim.schema import InputError
from neurosim.similarity.covariances import precision_factor
from neurosim.similarity.kernels import patterns as kernels
from neurosim.similarity.kernels.arrays import Array

CROSSVALIDATED = ("crossnobis", "poisson_crossvalidated", "decoding", "ldc_t")
METRICS = (*kernels.METRICS, "mahalanobis", "crossnobis", "poisson_crossvalidated")


def tensor_rdm(responses: Array, metric: str, precision: Any, keep: str) -> Array:
    """Return the RDMs (..., stimulus, stimulus) of a tensor (..., [trial,] stimulus, unit).

    Raises
    ------
    InputError : a metric or a precision that tensors do not have, or responses for which the metric is not defined.
    """
    if metric not in METRICS:
        raise InputError(f"compute_rdm: {metric} of a tensor is not available; pass a numpy array.")
    _check_tensor(responses, metric)
    if (metric == "mahalanobis" and precision is None) or isinstance(precision, str):
        raise InputError(f"compute_rdm: {metric} of a tensor takes precision as a tensor (unit,) or (unit, unit).")
    _check_values(responses, metric)
    if precision is not None:
        responses = kernels.whiten(responses, precision_factor(precision, responses, "compute_rdm"))
    rdm = _tensor_kernel(responses, metric, keep)
    if not bool(rdm.isfinite().all()):
        raise InputError(
            f"compute_rdm: {metric} is not defined for this tensor: its values are too large or too small for "
            f"{responses.dtype}; rescale them."
        )
    return rdm


def _check_tensor(responses: Array, metric: str) -> None:
    shape = tuple(responses.shape)
    if responses.ndim < 2 or 0 in shape:
        raise InputError(f"compute_rdm: a tensor has shape (..., [trial,] stimulus, unit), none 0, found {shape}.")
    if shape[-2] < 3:
        raise InputError(f"compute_rdm: an RDM needs at least 3 stimuli, found {shape[-2]}.")
    if not responses.is_floating_point() or not bool(responses.isfinite().all()):
        raise InputError(
            f"compute_rdm: the tensor is {responses.dtype} or holds NaN or infinite values; give finite floating point "
            "values, as of .double()."
        )
    if metric in CROSSVALIDATED and (responses.ndim < 3 or shape[-3] < 2):
        raise InputError(f"compute_rdm: {metric} of a tensor needs (..., trial, stimulus, unit), 2 trials or more.")


def _check_values(responses: Array, metric: str) -> None:
    low, high = responses.detach().amin(-1), responses.detach().amax(-1)
    if metric.startswith("poisson") and bool((low < 0).any()):
        raise InputError(f"compute_rdm: {metric} needs rates of 0 or more; a rate is below 0: {float(low.min()):.3g}.")
    flat = {"correlation": low == high, "cosine": (low == 0) & (high == 0)}.get(metric)
    if flat is not None and bool(flat.any()):
        raise InputError(
            f"compute_rdm: {metric} is not defined for this tensor: {int(flat.sum())} patterns do not vary over units; "
            "use metric='euclidean' or drop them."
        )


def _tensor_kernel(responses: Array, metric: str, keep: str) -> Array:
    if metric == "crossnobis":
        gram = kernels.crossvalidated_second_moment(responses, centre=keep != "gram")
        return gram if keep == "gram" else kernels.distances_from_gram(gram)
    if keep == "gram":
        return kernels.second_moment(responses)
    if metric == "poisson_crossvalidated":
        return kernels.poisson_crossvalidated(responses)
    return kernels.METRICS["euclidean" if metric == "mahalanobis" else metric](responses)
