"""RDMs of tensors: on their device, differentiable, under the conditions that hold for arrays."""

from __future__ import annotations

from neurosim.schema import InputError
from neurosim.similarity.covariances import precision_factor
from neurosim.similarity.kernels.arrays import Array
from neurosim.similarity.kernels.inner_products import whiten
from neurosim.similarity.metric import Metric


def tensor_rdm(responses: Array, metric: Metric, precision: object, keep: str) -> Array:
    """Return the RDMs (..., stimulus, stimulus) of a tensor (..., [trial,] stimulus, unit).

    Raises
    ------
    InputError : a metric or a precision that tensors do not have, or responses for which the metric is not defined.
    """
    if not metric.tensors:
        raise InputError(f"compute_rdm: {metric.name} of a tensor is not available; pass a numpy array.")
    _check_tensor(responses, metric)
    if (metric.whitening == "always" and precision is None) or isinstance(precision, str):
        raise InputError(f"compute_rdm: {metric.name} of a tensor takes precision as a tensor (unit,) or (unit, unit).")
    _check_values(responses, metric)
    if precision is not None:
        responses = whiten(responses, precision_factor(precision, responses, "compute_rdm"))
    rdm = (metric.gram if keep == "gram" and metric.gram else metric.kernel)(responses)
    if not bool(rdm.isfinite().all()):
        raise InputError(
            f"compute_rdm: {metric.name} is not defined for this tensor: its values are too large or too small for "
            f"{responses.dtype}; rescale them."
        )
    return rdm


def _check_tensor(responses: Array, metric: Metric) -> None:
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
    if metric.folds and (responses.ndim < 3 or shape[-3] < 2):
        raise InputError(
            f"compute_rdm: {metric.name} of a tensor needs (..., trial, stimulus, unit), 2 trials or more."
        )


def _check_values(responses: Array, metric: Metric) -> None:
    low, high = responses.detach().amin(-1), responses.detach().amax(-1)
    if metric.defined_for == "rates" and bool((low < 0).any()):
        raise InputError(
            f"compute_rdm: {metric.name} needs rates of 0 or more; a rate is below 0: {float(low.min()):.3g}."
        )
    flat = {"varying": low == high, "nonzero": (low == 0) & (high == 0)}.get(metric.defined_for)
    if flat is not None and bool(flat.any()):
        raise InputError(
            f"compute_rdm: {metric.name} is not defined for this tensor: {int(flat.sum())} patterns do not vary "
            "over units; use metric='euclidean' or drop them."
        )
