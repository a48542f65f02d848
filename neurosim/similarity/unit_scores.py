"""Scores of units that were predicted, beside what their trials say could be predicted."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from neurosim.schema import InputError
from neurosim.similarity.held_out import HeldOut
from neurosim.similarity.kernels.folds import FEWEST_FOLDS, fold_variance, jackknife_variance, mean_without
from neurosim.similarity.kernels.prediction import FEWEST
from neurosim.trials import over_trials

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Measured:
    """Means over trials (K, U), NaN where there is none, and the variance (K, U) of each mean; None without trials."""

    mean: np.ndarray
    noise: np.ndarray | None


def mean_of_trials(responses: xr.DataArray, who: str) -> Measured:
    """Return the mean of the trials of every stimulus and unit and its variance, however many trials there are.

    The variance is that of its own trials; of a single trial, that of the trials of all stimuli of the unit.
    """
    if "time" in responses.dims:
        raise InputError(f"{who}: responses have a time dim; average over it or select a bin.")
    if "trial" not in responses.dims:
        return Measured(np.asarray(responses.values, dtype=float), None)
    found = over_trials(np.asarray(responses.transpose("stimulus", "trial", "unit").values, dtype=float))
    n = found.number
    if n.max() < 2:
        return Measured(found.mean, None)
    free = np.maximum(n - 1, 0).sum(0)
    pooled = np.divide(found.squares.sum(0), free, out=np.full(free.shape, np.nan), where=free > 0)
    own = found.variance(of_fewer=pooled)
    return Measured(found.mean, np.divide(own, n, out=np.full(n.shape, np.nan), where=n > 0))


def summary_of(held: HeldOut, measured: Measured, fold: np.ndarray) -> xr.Dataset:
    """Return scores, shares and ceilings of units (unit), their medians, and the standard errors of all."""
    n_folds, flat = len(held.each), never_varies(measured.mean)
    power = np.stack([_power(measured, fold != f) for f in range(n_folds)]), _power(measured, fold >= 0)
    data: dict[str, MeanOverFolds] = {"score": MeanOverFolds(held.each, held.without, 1.0)}
    with np.errstate(invalid="ignore", divide="ignore"):
        data["explained"] = _explained(held, measured, fold)
        if measured.noise is not None:
            ceilings, ceiling = (
                np.sqrt(np.where((p[..., 0, :] > 0) & ~flat, p[..., 0, :] / p[..., 1, :], np.nan)) for p in power
            )
            data["normalized"] = MeanOverFolds(held.each / ceiling, held.without / ceiling, ceiling / ceilings)
    result: dict[str, object] = {}
    for name, values in data.items():
        result |= values.described(name)
    if measured.noise is not None:
        result |= _of_ceiling(ceiling, ceilings)
        unknown = int(np.isnan(ceiling).sum())
        if unknown:
            log.warning("predict_responses: %d of %d units have no ceiling: no signal.", unknown, len(ceiling))
    found = xr.Dataset(result)
    lost = np.isnan(held.each).any(0)
    if not lost.any():
        return found
    few = f"fewer than {FEWEST} stimuli in a fold"
    log.warning("predict_responses: %d units are NaN: they do not vary, or have %s.", int(lost.sum()), few)
    return found.assign_coords(undefined=("unit", np.where(flat, "does not vary", np.where(lost, few, ""))))


@dataclass(frozen=True)
class MeanOverFolds:
    """A mean over folds: its values by fold (K, U), without another fold too (K, K, U), and what scales left out."""

    each: np.ndarray
    without: np.ndarray
    scale: np.ndarray | float

    def described(self, name: str) -> dict[str, Any]:
        """Return the value of every unit and the median of all, with their standard errors."""
        variance, plain, left = fold_variance(
            self.each,
            self.without,
            mean_without(self.without) * self.scale,
            (self.each.sum(0) - self.each) / (len(self.each) - 1) * self.scale,
        )
        value = self.each.mean(0)
        share = np.nansum(variance) / np.nansum(plain) if np.nansum(plain) > 0 else 1.0
        spread = np.sqrt(share * _variance_of_median(value, left))
        error = "standard_error" if name == "score" else f"{name}_standard_error"
        return {
            name: ("unit", value),
            error: ("unit", np.sqrt(variance)),
            f"median_{name}": float(median_of(value)),
            f"median_{error}": float(spread) if len(left) >= FEWEST_FOLDS else np.nan,
        }


def _explained(held: HeldOut, measured: Measured, fold: np.ndarray) -> MeanOverFolds:
    """Return the share of the explainable variance that is explained, as a mean over folds of the same denominator."""
    n_folds = len(held.each)
    there = np.isfinite(measured.mean)
    n = np.stack([there[fold == f].sum(0) for f in range(n_folds)])
    centred = np.stack([_squares(measured.mean[fold == f]) for f in range(n_folds)])
    noise = np.zeros(n.shape)
    if measured.noise is not None:
        noise = (n - 1) * np.stack([_mean_of_measured(measured.noise[fold == f]) for f in range(n_folds)])
    by_chance = centred / (n - 1)
    explained = (held.each**2 * centred - by_chance) * (n - 1) / (n - 2)
    without = (held.without**2 * centred[:, None] - by_chance[:, None]) * ((n - 1) / (n - 2))[:, None]
    total = (centred - noise).mean(0)
    total = np.where(total > 0, total, np.nan)
    others = ((centred - noise).sum(0) - (centred - noise)) / (n_folds - 1)
    return MeanOverFolds(explained / total, without / total, total / np.where(others > 0, others, np.nan))


def _squares(values: np.ndarray) -> np.ndarray:
    """Return the sum (U,) of squares about the mean of what is not NaN (K, U)."""
    there = np.isfinite(values)
    mean = np.where(there, values, 0.0).sum(0) / np.maximum(there.sum(0), 1)
    return np.asarray((np.where(there, values - mean, 0.0) ** 2).sum(0))


def _mean_of_measured(values: np.ndarray) -> np.ndarray:
    """Return the mean (U,) of what is not NaN (K, U), NaN where nothing is."""
    there = np.isfinite(values)
    n = there.sum(0)
    found: np.ndarray = np.divide(np.where(there, values, 0.0).sum(0), n, out=np.full(n.shape, np.nan), where=n > 0)
    return found


def never_varies(values: np.ndarray) -> np.ndarray:
    """Return which units (U,) were measured and had the same value (K, U) at every stimulus."""
    there = np.isfinite(values)
    low, high = np.where(there, values, np.inf).min(0), np.where(there, values, -np.inf).max(0)
    return np.asarray(low == high)


def _power(measured: Measured, kept: np.ndarray) -> np.ndarray:
    """Return signal power, and the power of the means (2, U): variances over the stimuli that are kept."""
    n = np.isfinite(measured.mean[kept]).sum(0)
    total = _squares(measured.mean[kept]) / np.maximum(n - 1, 1)
    noise = 0.0 if measured.noise is None else np.nansum(measured.noise[kept], 0) / np.maximum(n, 1)
    return np.stack([total - noise, total])


def _of_ceiling(ceiling: np.ndarray, left: np.ndarray) -> dict[str, object]:
    """Return ceilings of units and their median, with jackknife errors over folds."""
    return {
        "ceiling": ("unit", ceiling),
        "ceiling_standard_error": ("unit", np.sqrt(jackknife_variance(left))),
        "median_ceiling": float(median_of(ceiling)),
        "median_ceiling_standard_error": float(np.sqrt(_variance_of_median(ceiling, left))),
    }


def _variance_of_median(value: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Return the jackknife variance of the mean of the middle half of the units; that of a median says too much."""
    there = np.flatnonzero(np.isfinite(value) & np.isfinite(left).all(0))
    ranked = there[np.argsort(value[there], kind="stable")]
    outside = len(ranked) // 4
    middle = ranked[outside : len(ranked) - outside]
    return jackknife_variance(left[:, middle].mean(1)) if len(middle) else np.array(np.nan)


def median_of(values: np.ndarray) -> np.ndarray:
    """Return the median over units (..., U) of what is not NaN; NaN where nothing is."""
    there = np.isfinite(values).any(-1)
    filled = np.where(there[..., None], values, 0.0)
    return np.where(there, np.nanmedian(filled, axis=-1), np.nan)
