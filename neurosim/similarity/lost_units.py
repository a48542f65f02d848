"""Units that were not measured in all trials: distances from what each unit has of both stimuli of a pair."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from neurosim.labels import is_finite
from neurosim.schema import InputError
from neurosim.similarity.metric import METRICS, Metric
from neurosim.similarity.noise import noise_precision
from neurosim.similarity.parts import UndefinedError

Kernel = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def split_missing(responses: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray | None]:
    """Return responses with 0 where nothing was measured, and what was: (trial, stimulus) or (trial, stimulus, unit).

    None where everything was. Dims that ride along must lack the same trials.
    """
    if is_finite(responses):
        return responses, None
    measured = responses.notnull()
    own = [d for d in ("trial", "stimulus", "unit") if d in responses.dims]
    for dim in (d for d in responses.dims if d not in own):
        if not bool((measured == measured.isel({dim: 0})).all()):
            raise InputError(f"compute_rdm: other trials are missing at other places of {dim!r}; take one at a time.")
        measured = measured.isel({dim: 0}, drop=True)
    never = int((~measured.any([d for d in own if d != "unit"])).sum())
    if never:
        raise InputError(f"compute_rdm: {never} units are NaN in all trials; leave out units that were never measured.")
    alike = bool((measured == measured.isel(unit=0)).all())
    measured = measured.isel(unit=0, drop=True) if alike else measured
    return responses.fillna(0.0), measured.transpose("trial", "stimulus", ...)


def means_of_units(responses: xr.DataArray, measured: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray | None]:
    """Return means over the trials that each unit has; and what was measured, where a unit lacks whole stimuli."""
    n = measured.sum("trial")
    means = (responses.sum("trial") / n.where(n > 0, 1)).assign_attrs(responses.attrs)
    return (means, None) if bool((n > 0).all()) else (means.expand_dims("trial"), (n > 0).expand_dims("trial"))


def check_adds_up(metric: Metric, has_full_precision: bool) -> None:
    """Refuse metrics whose distance is no mean over units, which units of different trials do not have."""
    if not metric.adds_up:
        others = ", ".join(m.name for m in METRICS.values() if m.adds_up)
        needed = "a trial of every stimulus in every unit"
        if metric.folds:
            needed = "all units in the same trials"
        elif metric.whitening == "always":
            needed += ", and a precision=noise_precision(...) where several RDMs are made"
        raise InputError(
            f"compute_rdm: {metric.name} needs {needed}; leave out the units or trials that lack some, or use a metric "
            f"that adds up over units: {others}."
        )
    if has_full_precision and metric.across_units is None:
        able = ", ".join(m.name for m in METRICS.values() if m.across_units is not None)
        raise InputError(
            f"compute_rdm: {metric.name} with a precision needs all units in the same trials; leave out those that "
            f"lack some, pass a diagonal precision or none, or use {able}."
        )


def across_units(
    folds: np.ndarray, measured: np.ndarray, metric: Metric, factor: np.ndarray | None, shrinkage: str
) -> np.ndarray:
    """Return distances (..., K, K) of folds (..., M, K, P) of units that each `measured` (M, K, P) some of them.

    With the precision of a `factor` (P, P), or that of the noise in the folds by a named shrinkage.
    """
    known = np.where(measured, folds, np.nan)
    kernel: Any = metric.across_units
    found = np.empty((*folds.shape[:-3], *[folds.shape[-2]] * 2))
    for index in np.ndindex(*folds.shape[:-3]):
        if factor is None:
            trials = xr.DataArray(known[index], dims=("trial", "stimulus", "unit"))
            own = noise_precision(trials, shrinkage=shrinkage).values
        else:
            own = factor @ factor.T
        found[index] = kernel(folds[index], measured, own if own.ndim == 2 else np.diag(own))
    if not np.isfinite(found).all():
        raise UndefinedError(
            f"compute_rdm: {metric.name} with a precision needs two different trials of every two stimuli in every two "
            "units; leave out stimuli or units with .isel(...)."
        )
    return found


def over_units(measured: np.ndarray, kernel: Kernel, fewest_trials: int, lead: tuple[int, ...]) -> np.ndarray:
    """Return the mean (..., K, K) over the units that know both stimuli of a pair.

    Units that were measured in the same trials are taken together; each counts with its number of units.

    Parameters
    ----------
    measured : (trial, stimulus, unit). kernel : from units, stimuli and their mask (trial, stimulus) to the mean
        distances over these units (..., k, k), NaN where they cannot be made.
    fewest_trials : of a stimulus, for a unit to know it. lead : sizes of the leading dims.

    Raises
    ------
    InputError : two stimuli that no unit knows both.
    """
    groups, member = np.unique(measured, axis=-1, return_inverse=True)
    n = measured.shape[1]
    total, weight = np.zeros((*lead, n, n)), np.zeros((*lead, n, n))
    for group in range(groups.shape[-1]):
        units = np.flatnonzero(member.ravel() == group)
        known = np.flatnonzero(groups[..., group].sum(0) >= fewest_trials)
        if not len(known):
            continue
        found = kernel(units, known, groups[:, known, group])
        there = np.isfinite(found)
        place = (..., known[:, None], known)
        total[place] += len(units) * np.where(there, found, 0.0)
        weight[place] += len(units) * there
    if not weight.all():
        first = np.argwhere(weight == 0)[0][-2:]
        raise UndefinedError(
            f"compute_rdm: no unit has {fewest_trials} trials of both stimuli {first[0]} and {first[1]}, and "
            f"{int((weight == 0).sum()) // 2} other pairs may lack them; leave stimuli out with .isel(stimulus=...)."
        )
    found_mean: np.ndarray = total / weight
    return found_mean
