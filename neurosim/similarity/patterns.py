"""Mean patterns of stimuli, made block by block, and which of them a metric is defined for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from neurosim.schema import InputError
from neurosim.similarity.kernels.arrays import Array, unit_blocks
from neurosim.similarity.metric import Metric
from neurosim.similarity.parts import UndefinedError


def mean_over_trials(folds: Any, measured: np.ndarray | None) -> Any:
    """Return patterns (..., stimulus, unit) of folds (..., trial, stimulus, unit), made where they are read."""
    if isinstance(folds, np.ndarray):
        return MeanOverTrials(folds, measured)
    return folds.mean(-3) if measured is None else folds.sum(-3) / measured.sum(0)[:, None]


@dataclass(frozen=True)
class MeanOverTrials:
    """The mean over trials (third axis from the end) of an array, made block by block as it is sliced."""

    folds: Any
    measured: np.ndarray | None

    @property
    def shape(self) -> tuple[int, ...]:
        """(..., stimulus, unit)."""
        return (*self.folds.shape[:-3], *self.folds.shape[-2:])

    def __getitem__(self, index: object) -> np.ndarray:
        block = np.asarray(self.folds[index], dtype=float)
        found: np.ndarray = block.mean(-3) if self.measured is None else block.sum(-3) / self.measured.sum(0)[:, None]
        return found


def check_domain(patterns: object, metric: Metric, name: str, responses: xr.DataArray) -> None:
    """Refuse rates below 0, or name the first pattern that `metric` is not defined for."""
    if metric.defined_for == "all":
        return
    low: Array = None
    high: Array = None
    for block in unit_blocks(patterns):
        least, most = block.min(-1), block.max(-1)
        low = least if low is None else np.minimum(low, least)
        high = most if high is None else np.maximum(high, most)
    if metric.defined_for == "rates":
        if low.min() < 0:
            raise InputError(f"compute_rdm: {metric.name} needs rates of 0 or more, {name} go down to {low.min():.3g}.")
        return
    flat = (low == high) if metric.defined_for == "varying" else (low == 0) & (high == 0)
    if flat.any():
        stimulus = responses["stimulus"].values[np.argwhere(flat)[0][-1]]
        raise UndefinedError(
            f"compute_rdm: {int(flat.sum())} patterns of {name} do not vary over units (stimulus {stimulus!s} is the "
            f"first), so their {metric.name} is not defined; use metric='euclidean' or drop them."
        )
