"""RDMs of spike trains: how differently units spike in time for every two stimuli."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from itertools import chain
from numbers import Real
from typing import Any

import numpy as np
import xarray as xr

from neurosim.arrays import is_table, plain
from neurosim.refusals import check_known
from neurosim.runtime import track
from neurosim.schema import InputError, as_rdm, carry_stimulus_labels, check_responses, step_of
from neurosim.similarity.kernels.inner_products import distances_from_gram
from neurosim.similarity.kernels.spike_trains import Trains
from neurosim.similarity.spike_distance import SPIKE_DISTANCES, SpikeDistance

POPULATIONS = ("labelled_line", "summed")


def spike_rdm(
    spikes: object,
    metric: str = "van_rossum",
    *,
    time_constant: float | Sequence[float] = 10e-3,
    duration: float | None = None,
    population: str = "labelled_line",
    crossvalidated: bool = False,
    progress: bool = True,
) -> xr.DataArray:
    """Compute RDMs from spike times.

    Parameters
    ----------
    spikes : spike times in s from stimulus onset: nested sequences ``spikes[stimulus][unit]`` or
        ``spikes[stimulus][trial][unit]``, or a DataArray of them (stimulus, [trial,] unit); or binned spikes (stimulus,
        [trial,] time, unit) with a ``time_step``, whose spikes stand in the middle of their bins.
    metric : a name in ``SPIKE_DISTANCES``: "van_rossum" (squared distance of exponentially filtered trains,
        https://doi.org/10.1162/089976601300014321), "victor_purpura" (edit cost,
        https://doi.org/10.1152/jn.1996.76.2.1310), "isi" (https://doi.org/10.1016/j.jneumeth.2007.05.031), "spike"
        (https://doi.org/10.1152/jn.00873.2012), or "counts" (squared difference of spike counts).
    time_constant : in s, or several, which become a dim ``time_constant``. For "victor_purpura" the time over which
        moving a spike costs as much as removing it (cost 1/s of its inverse). Small: coincidences; large: counts.
    duration : s, the window of "isi" and "spike"; the last spike, or the end of the bins, when absent.
    population : "labelled_line", the sum of the distances of all units over their number; or "summed", the distance of
        the pooled spikes of all units.
    crossvalidated : use trials as folds, for "van_rossum" and "counts", which are squared norms: unbiased by noise, so
        equal trains have a mean of 0 and single values can be negative. Otherwise, trials are compared pair by
        pair and averaged.
    progress : show a bar over units.

    Returns
    -------
    RDM ([time_constant,] stimulus, stimulus_other).

    Raises
    ------
    InputError : unknown names, times that are not finite, negative or beyond the duration, unequal numbers of trials or
        units, or trains without any spike where a distance between silences is not defined ("isi", "spike").

    Examples
    --------
    >>> spikes = [[[0.01, 0.05]], [[0.01, 0.06]], [[0.20]]]
    >>> np.round(ns.similarity.spike_rdm(spikes, "counts").values[0], 1).tolist()
    [0.0, 0.0, 1.0]
    """
    distance = SPIKE_DISTANCES.find(metric, "spike_rdm")
    check_known(population, POPULATIONS, "spike_rdm: no population")
    if crossvalidated and not distance.squared_norm:
        able = ", ".join(d.name for d in SPIKE_DISTANCES.values() if d.squared_norm)
        raise InputError(f"spike_rdm: {metric} is no squared norm and cannot be cross-validated; these can: {able}.")
    trains, labels, window = _trains(spikes)
    constants = np.atleast_1d(plain(time_constant, "spike_rdm, time_constant").astype(float))
    if constants.ndim != 1 or not constants.size or not (np.isfinite(constants) & (constants > 0)).all():
        raise InputError(f"spike_rdm: time constants are above 0 s, found {constants.tolist()}.")
    n_stimuli, n_trials, _ = trains.shape
    if crossvalidated and n_trials < 2:
        raise InputError("spike_rdm: crossvalidated needs at least 2 trials of every stimulus.")
    if population == "summed":
        trains = _summed(trains)
    edges = _window(trains, duration, window) if distance.window else (0.0, 0.0)
    total = np.zeros((len(constants) if distance.time_constants else 1, n_stimuli, n_stimuli))
    for unit in track(range(trains.shape[2]), "units", progress=progress):
        own = list(trains[:, :, unit].T.ravel())
        total += _unit_rdm(own, distance, constants, edges, (n_trials, n_stimuli), crossvalidated)
    values = total / trains.shape[2]
    scanned = distance.time_constants and np.ndim(time_constant) > 0
    dims = ("time_constant",) if scanned else ()
    rdm = as_rdm(values if scanned else values[0], dims=dims, metric=f"{metric}_spikes")
    if labels is not None:
        rdm = carry_stimulus_labels(rdm, labels).assign_coords(stimulus_other=labels["stimulus"].values)
    return rdm.assign_coords(time_constant=constants) if scanned else rdm


def _unit_rdm(
    trains: Trains,
    distance: SpikeDistance,
    constants: np.ndarray,
    edges: tuple[float, float],
    shape: tuple[int, int],
    crossvalidated: bool,
) -> np.ndarray:
    """RDMs (tau or 1, K, K) of one unit, from its trains, trial by trial."""
    options = [constants] if distance.time_constants else [edges] if distance.window else []
    distances = np.asarray(distance.kernel(trains, *options), dtype=float)
    distances = distances if distance.time_constants else distances[None]
    if crossvalidated:
        return _crossvalidated(distances, shape)
    if distance.squared_norm:
        distances = distances_from_gram(distances)
    n_trials, n_stimuli = shape
    blocks = distances.reshape(-1, n_trials, n_stimuli, n_trials, n_stimuli).mean((1, 3))
    for block in blocks:
        np.fill_diagonal(block, 0)
    found: np.ndarray = blocks
    return found


def _crossvalidated(gram: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Distances from inner products of different trials alone, as in crossnobis."""
    n_trials, n_stimuli = shape
    parts = gram.reshape(-1, n_trials, n_stimuli, n_trials, n_stimuli)
    whole = parts.sum((1, 3))
    same = np.einsum("tmkml->tkl", parts)
    found: np.ndarray = distances_from_gram((whole - same) / (n_trials * (n_trials - 1)))
    return found


def _trains(spikes: object) -> tuple[np.ndarray, xr.DataArray | None, float | None]:
    """Object array (stimulus, trial, unit) of sorted spike times; stimulus labels; end of the window if known."""
    if isinstance(spikes, xr.DataArray) and spikes.dtype != object:
        return _from_bins(spikes)
    labels = None
    if isinstance(spikes, xr.DataArray):
        wanted = ("stimulus", "trial", "unit") if "trial" in spikes.dims else ("stimulus", "unit")
        if set(spikes.dims) != set(wanted):
            raise InputError(f"spike_rdm: spike times have dims {wanted}, found {spikes.dims}.")
        labels, nested = spikes, spikes.transpose(*wanted).values
        nested = nested if len(wanted) == 3 else nested[:, None]
    else:
        nested = _nested(spikes)
    trains = np.empty(nested.shape, dtype=object)
    for index in np.ndindex(*nested.shape):
        times = np.sort(plain(nested[index], "spike_rdm, spike times").astype(float).ravel())
        if len(times) and not (np.isfinite(times).all() and times[0] >= 0):
            raise InputError(
                f"spike_rdm: stimulus {index[0]}, trial {index[1]}, unit {index[2]} has spike times that are negative "
                "or not finite; times are s from stimulus onset."
            )
        trains[index] = times
    return trains, labels, None


def _nested(spikes: Any) -> np.ndarray:
    """Object array (stimulus, trial, unit) of nested sequences; two levels of nesting are stimulus and unit."""
    if not isinstance(spikes, Sequence) and hasattr(spikes, "dtype") and spikes.dtype != object:
        raise InputError(
            f"spike_rdm: a bare array of shape {tuple(spikes.shape)} may hold times or counts; give times as lists, "
            "spikes[stimulus][unit], or counts as as_responses(..., time_step=...)."
        )
    if is_table(spikes) or not _is_list(spikes):
        raise InputError(
            f"spike_rdm: needs nested lists of spike times, spikes[stimulus][unit], found a {type(spikes).__name__}."
        )
    rows = [list(stimulus) for stimulus in spikes] if all(_is_list(stimulus) for stimulus in spikes) else []
    flat = list(chain.from_iterable(rows))
    if not rows or not all(_is_list(cell) for cell in flat):
        raise InputError(
            "spike_rdm: needs spikes[stimulus][unit] or spikes[stimulus][trial][unit], each a list of times."
        )
    deep = any(len(cell) and not _is_number(cell[0]) for cell in flat)
    rows = rows if deep else [[row] for row in rows]
    n_trials = sorted({len(row) for row in rows})
    n_units = sorted({len(trial) for row in rows for trial in row})
    if len(n_trials) != 1 or len(n_units) != 1 or 0 in (*n_trials, *n_units):
        raise InputError(
            f"spike_rdm: every stimulus needs as many trials (found {n_trials}) and every trial as many units (found "
            f"{n_units}); a unit without spikes is an empty list."
        )
    array = np.empty((len(rows), n_trials[0], n_units[0]), dtype=object)
    for s, row in enumerate(rows):
        for t, trial in enumerate(row):
            for u, times in enumerate(trial):
                array[s, t, u] = times
    return array


def _is_list(value: object) -> bool:
    """Whether `value` holds others in an order."""
    ordered = hasattr(value, "__iter__") and not isinstance(value, str | bytes | Mapping | Set)
    return ordered and not _is_number(value)


def _is_number(value: object) -> bool:
    return not hasattr(value, "__len__") or getattr(value, "ndim", 1) == 0


def _from_bins(spikes: xr.DataArray) -> tuple[np.ndarray, xr.DataArray, float]:
    spikes = check_responses(spikes, "spike_rdm")
    if "time" not in spikes.dims or not spikes.attrs.get("time_step"):
        raise InputError("spike_rdm: binned spikes need a 'time' dim and attrs['time_step'] in s.")
    step = step_of(spikes, "spike_rdm")
    ordered = spikes.transpose("stimulus", *(["trial"] if "trial" in spikes.dims else []), "unit", "time")
    counts = ordered.values if "trial" in spikes.dims else ordered.values[:, None]
    if (counts < 0).any() or (counts != np.round(counts)).any():
        raise InputError("spike_rdm: binned spikes are whole numbers of 0 or more; for rates use compute_rdm.")
    middle = (np.arange(counts.shape[-1]) + 0.5) * float(step)
    trains = np.empty(counts.shape[:-1], dtype=object)
    for index in np.ndindex(*trains.shape):
        trains[index] = np.repeat(middle, counts[index].astype(int))
    return trains, spikes, counts.shape[-1] * float(step)


def _summed(trains: np.ndarray) -> np.ndarray:
    pooled = np.empty((*trains.shape[:2], 1), dtype=object)
    for s, t in np.ndindex(*trains.shape[:2]):
        pooled[s, t, 0] = np.sort(np.concatenate(list(trains[s, t])))
    return pooled


def _window(trains: np.ndarray, duration: float | None, known: float | None) -> tuple[float, float]:
    if duration is not None and not (isinstance(duration, Real) and np.isfinite(duration) and duration > 0):
        raise InputError(f"spike_rdm: the duration is above 0 s, found {duration}.")
    last = max((float(t[-1]) for t in trains.ravel() if len(t)), default=0.0)
    end = duration or known or last
    if end <= 0:
        raise InputError("spike_rdm: there is no spike at all; isi and spike distances of silence are not defined.")
    if last > end:
        raise InputError(f"spike_rdm: a spike at {last:g} s lies beyond the duration of {end:g} s.")
    return 0.0, end
