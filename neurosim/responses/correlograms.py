"""How far units fire together: coincidence of spikes without a time scale, tiling, and cross-correlograms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import xarray as xr

from neurosim.responses.variability import check_counts
from neurosim.schema import InputError, suggest

Measure = Literal["spike_synchronization", "spike_time_tiling"]


def synchrony(
    responses: xr.DataArray, measure: Measure = "spike_synchronization", *, window: float = 5e-3
) -> xr.DataArray:
    """Return how far every pair of units fires together.

    * "spike_synchronization": the share of spikes that coincide, within half of the shortest interval around them: no
      time scale is chosen (https://doi.org/10.1152/jn.00848.2014; as PySpike computes it). Independent units coincide
      too; for Poisson trains of one rate about a quarter of their spikes do.
    * "spike_time_tiling": the share of spikes within `window` of the other unit's, against the time those windows
      cover: 0 for independent units of any rates, 1 for equal ones (https://doi.org/10.1523/JNEUROSCI.2767-14.2014).

    Parameters
    ----------
    responses : binned spikes (stimulus, [trial,] time, unit) with a ``time_step`` fine enough for single spikes;
        several spikes of a bin count once. Units recorded together.
    measure : one of these.
    window : s, of "spike_time_tiling"; whole bins on either side of that of the spike.

    Returns
    -------
    (unit, unit_other): over stimuli and trials, weighted by spikes (synchronization) or averaged over those in which
    both fire (tiling; NaN where there are none).

    Raises
    ------
    InputError : no spike counts over time, or an unknown measure.

    Examples
    --------
    >>> from neurosim.schema import as_responses
    >>> trains = np.zeros((1, 100, 2)); trains[0, 10::20, 0] = 1; trains[0, 11::20, 1] = 1
    >>> binned = as_responses(trains, quantity="spike_count", time_step=1e-3)
    >>> float(synchrony(binned)[0, 1]), float(synchrony(binned, "spike_time_tiling", window=2e-3)[0, 1])
    (1.0, 1.0)
    """
    responses = check_counts(responses, "synchrony", ("time",))
    if measure not in get_args(Measure):
        known = get_args(Measure)
        raise InputError(
            f"synchrony: no measure {measure!r}. Measures: {', '.join(known)}.{suggest(str(measure), known)}"
        )
    step = float(responses.attrs["time_step"])
    values = responses.transpose(..., "time", "unit").values
    values = values.reshape(-1, *values.shape[-2:])
    span = (0.0, values.shape[1] * step)
    trials = [[np.flatnonzero(train > 0) * step for train in trial.T] for trial in values]
    if measure == "spike_synchronization":
        parts = [synchronization_counts(trains, span) for trains in trials]
        pairs, total = (np.sum([p[k] for p in parts], axis=0) for k in (0, 1))
        result = np.where(total > 0, pairs / np.maximum(total, 1), 1.0)
    else:
        whole = (round(window / step) + 0.5) * step
        tiled = np.stack([_tiling(trains, whole, span[1]) for trains in trials])
        there = ~np.isnan(tiled)
        with np.errstate(invalid="ignore"):
            result = np.where(there, tiled, 0).sum(0) / np.where(there.any(0), there.sum(0), np.nan)
    names = responses["unit"].values if "unit" in responses.coords else np.arange(values.shape[-1])
    return xr.DataArray(
        result, dims=("unit", "unit_other"), coords={"unit": names, "unit_other": names}, attrs={"measure": measure}
    )


def cross_correlogram(responses: xr.DataArray, *, reach: float = 50e-3, correct: bool = True) -> xr.DataArray:
    """Return by how much the spikes of one unit change the rate of another, before and after them.

    Parameters
    ----------
    responses : binned spikes (stimulus, [trial,] time, unit), units recorded together.
    reach : largest lag, s.
    correct : take off what the stimulus explains, the correlogram of the mean over trials (the shuffle predictor,
        https://doi.org/10.1016/S0006-3495(67)86597-4, without the pairs of a trial with itself); needs 2 trials.

    Returns
    -------
    (unit, unit_other, lag) in coincidences a spike of ``unit`` and second of lag, spikes/s; positive lags:
    ``unit_other`` fires after ``unit``. NaN where a unit has no spikes.

    Raises
    ------
    InputError : no spike counts over time, a reach that holds no bin, or one trial to be corrected.

    Examples
    --------
    >>> from neurosim.schema import as_responses
    >>> trains = np.zeros((1, 2, 100, 2)); trains[0, 0, 10, 0] = trains[0, 0, 13, 1] = 1; trains[0, 1, 50, 0] = 1
    >>> binned = as_responses(trains, quantity="spike_count", time_step=1e-3)
    >>> found = cross_correlogram(binned, reach=5e-3)[0, 1]
    >>> round(float(found.lag[found.argmax()]), 6)
    0.003
    """
    responses = check_counts(responses, "cross_correlogram", ("time",))
    step = float(responses.attrs["time_step"])
    lags = np.arange(-round(reach / step), round(reach / step) + 1)
    values = responses if "trial" in responses.dims else responses.expand_dims("trial")
    trains = np.asarray(values.transpose("stimulus", "trial", "unit", "time").values, dtype=float)
    n = trains.shape[1]
    if len(lags) < 3 or len(lags) > trains.shape[-1] or (correct and n < 2):
        raise InputError(
            f"cross_correlogram: a reach between a bin and half a trial asked, found {reach:g} s; correct=True needs 2 "
            f"trials, found {n}."
        )
    found = _lagged(trains, lags)
    if correct:
        shuffled = _lagged(trains.sum(1, keepdims=True), lags) - found
        found = found - shuffled / (n - 1)
    spikes = trains.sum((0, 1, 3))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = found / np.where(spikes > 0, spikes, np.nan)[:, None, None] / step
    names = responses["unit"].values if "unit" in responses.coords else np.arange(len(spikes))
    coords = {"unit": names, "unit_other": names, "lag": lags * step}
    return xr.DataArray(found, dims=("unit", "unit_other", "lag"), coords=coords, attrs={"units": "spikes/s"})


def synchronization_counts(trains: Sequence[np.ndarray], span: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the spikes of every pair of sorted trains that coincide, and all their spikes, (train, train)."""
    n = len(trains)
    pairs, total = np.zeros((n, n)), np.zeros((n, n))
    nearest = [_shortest_interval(t, span[1] - span[0]) for t in trains]
    for i in range(n):
        for j in range(i, n):
            pairs[i, j] = pairs[j, i] = 2 * _coincidences(trains[i], trains[j], nearest[i], nearest[j])
            total[i, j] = total[j, i] = len(trains[i]) + len(trains[j])
    return pairs, total


def _shortest_interval(train: np.ndarray, longest: float) -> np.ndarray:
    gaps = np.diff(train)
    return np.minimum(np.append(gaps, longest), np.append(longest, gaps)) if len(train) else np.empty(0)


def _coincidences(a: np.ndarray, b: np.ndarray, near_a: np.ndarray, near_b: np.ndarray) -> int:
    """Spikes of a with a partner in b nearer than half of every interval around both."""
    if not len(a) or not len(b):
        return 0
    right = np.clip(np.searchsorted(b, a), 1, max(1, len(b) - 1))
    left = right - 1
    right = np.minimum(right, len(b) - 1)
    partner = np.where(np.abs(b[left] - a) <= np.abs(b[right] - a), left, right)
    return int((np.abs(b[partner] - a) < np.minimum(near_a, near_b[partner]) / 2).sum())


def _tiling(trains: Sequence[np.ndarray], window: float, duration: float) -> np.ndarray:
    """Spike time tiling coefficient of every pair; NaN where one is silent."""
    covered = [_covered(t, window, duration) for t in trains]
    found = np.full((len(trains), len(trains)), np.nan)
    for i, a in enumerate(trains):
        for j, b in enumerate(trains):
            if len(a) and len(b):
                pa, pb = _share_near(a, b, window), _share_near(b, a, window)
                terms = [(p - t) / (1 - p * t) if p * t != 1 else 1.0 for p, t in ((pa, covered[j]), (pb, covered[i]))]
                found[i, j] = np.mean(terms)
    return found


def _covered(train: np.ndarray, window: float, duration: float) -> float:
    if not len(train):
        return 0.0
    inside = 2 * window * len(train) - np.maximum(2 * window - np.diff(train), 0).sum()
    return float(inside - max(window - train[0], 0) - max(train[-1] + window - duration, 0)) / duration


def _share_near(a: np.ndarray, b: np.ndarray, window: float) -> float:
    right = np.minimum(np.searchsorted(b, a), len(b) - 1)
    left = np.maximum(right - 1, 0)
    return float((np.minimum(np.abs(b[right] - a), np.abs(b[left] - a)) <= window * (1 + 1e-9)).mean())


def _lagged(trains: np.ndarray, lags: np.ndarray) -> np.ndarray:
    """Sum over stimuli, trials and time of unit(t) unit_other(t + lag), (unit, unit_other, lag)."""
    n_time = trains.shape[-1]
    flat = trains.reshape(-1, *trains.shape[-2:])
    found = []
    for lag in lags:
        now = slice(max(0, -lag), n_time - max(0, lag))
        later = slice(max(0, lag), n_time - max(0, -lag))
        found.append(np.einsum("kut,kvt->uv", flat[..., now], flat[..., later], optimize=True))
    return np.stack(found, axis=-1)
