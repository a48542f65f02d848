"""Runs as folds: trials of one run are averaged, and each run has the noise that its own trials show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import xarray as xr

from neurosim.schema import InputError, suggest
from neurosim.similarity.covariances import precision_factor
from neurosim.similarity.kernels.inner_products import noise_factor, whiten
from neurosim.similarity.metric import METRICS, Metric
from neurosim.similarity.noise import noise_precision
from neurosim.similarity.parts import UndefinedError

Kernel = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Runs:
    """The names (R,) of runs, and which trials of which stimuli are theirs (R, T, K)."""

    names: list[Any]
    members: np.ndarray

    def means(self, trials: np.ndarray) -> np.ndarray:
        """Return the mean (..., R, K, P) of the trials (..., T, K, P) of each run, NaN where none was measured."""
        known = np.isfinite(trials)
        values = np.where(known, trials, 0.0)
        here = self.members[..., None]
        count = np.stack([(known & own).sum(-3) for own in here], axis=-3)
        total = np.stack([np.where(own, values, 0.0).sum(-3) for own in here], axis=-3)
        with np.errstate(invalid="ignore", divide="ignore"):
            found: np.ndarray = total / count
        return found


def runs_of(responses: xr.DataArray, label: str, metric: Metric) -> Runs:
    """Return the runs that `label` names, or raise :class:`InputError`."""
    if not metric.folds:
        others = ", ".join(m.name for m in METRICS.values() if m.folds)
        raise InputError(f"compute_rdm: {metric.name} has no folds, so takes no `folds`; {others} do.")
    dims = set(responses[label].dims) if label in responses.coords else set()
    if "trial" not in dims or not dims <= {"stimulus", "trial"}:
        labels = [
            str(k) for k, v in responses.coords.items() if "trial" in v.dims and set(v.dims) <= {"stimulus", "trial"}
        ]
        raise InputError(
            f"compute_rdm: no label {label!r} along trial or (stimulus, trial). Labels: {', '.join(labels) or 'none'}."
            f"{suggest(label, labels)}"
        )
    along = responses[label] if "stimulus" in dims else responses[label].expand_dims(stimulus=responses["stimulus"])
    along = along.transpose("trial", "stimulus")
    there = along.notnull().values & (along.values != "")
    names = list(dict.fromkeys(along.values[there].tolist()))
    if len(names) < 2:
        raise InputError(f"compute_rdm: {label!r} names {len(names)} run, but folds are 2 or more.")
    return Runs(names, np.stack([(along.values == name) & there for name in names]))


def means_of_runs(responses: xr.DataArray, runs: Runs) -> xr.DataArray:
    """Return responses whose trials are the means of runs, NaN where a run did not measure a stimulus."""
    lead = [d for d in responses.dims if d not in ("stimulus", "trial", "unit")]
    ordered = responses.transpose(*lead, "trial", "stimulus", "unit")
    means = runs.means(np.asarray(ordered.values, dtype=float))
    coords = {k: v for k, v in ordered.coords.items() if "trial" not in v.dims}
    found = xr.DataArray(means, dims=ordered.dims, coords=coords, attrs=responses.attrs)
    return found.assign_coords(trial=[str(name) for name in runs.names])


def kernel_of_runs(responses: xr.DataArray, runs: Runs, metric: Metric, precision: Any, keep: str) -> Kernel:
    """Return what makes RDMs (..., K, K) of trials (..., T, K, P), every run with a precision of its own.

    Every two runs are whitened by the inverse of the mean of their covariances; a distance is the mean over the pairs
    of runs that both hold both stimuli.
    """
    if metric.whitening != "if_given":
        raise InputError(f"compute_rdm: {metric.name} takes no precision of each run; crossnobis does.")
    given = None if isinstance(precision, str) else _given(precision, responses, runs)
    kernel = metric.gram if keep == "gram" and metric.gram is not None else metric.kernel

    def one(trials: np.ndarray) -> np.ndarray:
        covariances = [_covariance(trials, own, precision) for own in runs.members] if given is None else given
        return _mean_over_pairs(runs.means(trials), covariances, kernel)

    def every(trials: np.ndarray) -> np.ndarray:
        lead = trials.shape[:-3]
        found = np.stack([one(trials[index]) for index in np.ndindex(*lead)])
        return found.reshape(*lead, *found.shape[-2:])

    return every


def _mean_over_pairs(means: np.ndarray, covariances: list[np.ndarray], kernel: Callable[..., Any]) -> np.ndarray:
    n = means.shape[-2]
    measured = np.isfinite(means).all(-1)
    if (np.isfinite(means).any(-1) != measured).any():
        raise InputError(
            "compute_rdm: a precision of each run needs all units in the same trials; leave out those that lack some."
        )
    total, weight = np.zeros((n, n)), np.zeros((n, n))
    for i, j in combinations(range(len(means)), 2):
        both = np.flatnonzero(measured[i] & measured[j])
        if not len(both):
            continue
        factor = noise_factor(_inverse((covariances[i] + covariances[j]) / 2))
        place = np.ix_(both, both)
        total[place] += kernel(whiten(means[[i, j]][:, both], factor))
        weight[place] += 1
    if not weight.all():
        first = np.argwhere(weight == 0)[0]
        raise UndefinedError(
            f"compute_rdm: no two runs hold both stimuli {first[0]} and {first[1]}; leave one out with "
            ".isel(stimulus=...)."
        )
    found: np.ndarray = total / weight
    return found


def _covariance(trials: np.ndarray, own: np.ndarray, shrinkage: str) -> np.ndarray:
    """Covariance of the noise of trials (T, K, P) of one run about the mean of each stimulus."""
    used = xr.DataArray(np.where(own[..., None], trials, np.nan), dims=("trial", "stimulus", "unit"))
    return _inverse(noise_precision(used, shrinkage=shrinkage).values)


def _given(precision: Any, responses: xr.DataArray, runs: Runs) -> list[np.ndarray]:
    """Covariances of the runs from a mapping of precisions, all diagonal or all full."""
    named = {str(name): value for name, value in precision.items()}
    lost = [str(name) for name in runs.names if str(name) not in named]
    if lost or len(named) != len(runs.names):
        raise InputError(
            f"compute_rdm: precisions of the runs {list(named)} given, but the runs are {list(map(str, runs.names))}."
        )
    factors = [precision_factor(named[str(name)], responses, "compute_rdm") for name in runs.names]
    if len({f.ndim for f in factors}) > 1:
        raise InputError("compute_rdm: some precisions of runs are diagonal and some are full; give all in one form.")
    return [_inverse(f**2 if f.ndim == 1 else f @ f.T) for f in factors]


def _inverse(matrix: np.ndarray) -> np.ndarray:
    found: np.ndarray = 1 / matrix if matrix.ndim == 1 else np.linalg.inv(matrix)
    return (found + found.T) / 2 if found.ndim == 2 else found


def is_of_each_run(precision: Any, metric: Metric) -> bool:
    """Whether a precision says something of each run: a mapping, or the name of a shrinkage for folds."""
    return isinstance(precision, Mapping) or (isinstance(precision, str) and metric.whitening == "if_given")


def precision_of_part(precision: Any, units: np.ndarray) -> Any:
    """Return a mapping of diagonal precisions for some of the units; what is full is none of a part."""
    if isinstance(precision, str):
        return precision
    return {name: _of_units(value, units) for name, value in precision.items()}


def _of_units(value: Any, units: np.ndarray) -> Any:
    given = value if isinstance(value, xr.DataArray) else np.asarray(value)
    if given.ndim == 1:
        return given[units]
    if len(units) < given.shape[-1]:
        raise InputError(
            "compute_rdm: a precision of all units is not that of a part; name a shrinkage, or give diagonal ones."
        )
    return given
