"""How far units fire together: coincidence of spikes without a time scale, tiling, and cross-correlograms."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import xarray as xr

from neurosim.refusals import check_number
from neurosim.registry import options_of
from neurosim.responses.synchrony_measures import SYNCHRONY_MEASURES
from neurosim.responses.variability import check_counts
from neurosim.schema import InputError, step_of


def synchrony(
    responses: xr.DataArray,
    measure: str = "spike_synchronization",
    *,
    options: Mapping[str, object] | object | None = None,
) -> xr.DataArray:
    """Return how far every pair of units fires together.

    * "spike_synchronization": the share of spikes that coincide, within half of the shortest interval around them: no
      time scale is chosen (https://doi.org/10.1152/jn.00848.2014; as PySpike computes it). Independent units coincide
      too; for Poisson trains of one rate about a quarter of their spikes do.
    * "spike_time_tiling": the share of spikes within `window` of the other unit's, against the time those windows
      cover: 0 for independent units of any rates, 1 for equal ones (https://doi.org/10.1523/JNEUROSCI.2767-14.2014).

    A measure of one's own is a record of ``neurosim.responses.synchrony_measures``.

    Parameters
    ----------
    responses : binned spikes (stimulus, [trial,] time, unit) with a ``time_step`` fine enough for single spikes;
        several spikes of a bin count once. Units recorded together; where trials are missing, each pair is compared in
        those that both have.
    measure : one of these.
    options : of the measure, such as ``{"window": 5e-3}`` of "spike_time_tiling", in s: whole bins on either side of
        that of the spike.

    Returns
    -------
    (unit, unit_other): over stimuli and trials, weighted by spikes (synchronization) or averaged over those in which
    both fire (tiling; NaN where there are none); NaN for units without a common trial.

    Raises
    ------
    InputError : no spike counts over time, or an unknown measure or option.

    Examples
    --------
    >>> trains = np.zeros((1, 100, 2)); trains[0, 10::20, 0] = 1; trains[0, 11::20, 1] = 1
    >>> binned = ns.as_responses(trains, quantity="spike_count", time_step=1e-3)
    >>> float(ns.responses.synchrony(binned)[0, 1])
    1.0
    >>> float(ns.responses.synchrony(binned, "spike_time_tiling", options={"window": 2e-3})[0, 1])
    1.0
    """
    responses = check_counts(responses, "synchrony", ("time",))
    chosen = SYNCHRONY_MEASURES.find(measure, "synchrony")
    wanted = options_of(chosen.options, options, "synchrony")
    step = step_of(responses, "synchrony")
    values = responses.transpose(..., "time", "unit").values
    values = values.reshape(-1, *values.shape[-2:])
    measured = np.isfinite(values[:, 0])
    trials = [[np.flatnonzero(train > 0) * step for train in trial.T] for trial in values]
    duration = values.shape[1] * step
    if (measured == measured[:, :1]).all():
        known = [trial for trial, there in zip(trials, measured[:, 0], strict=True) if there]
        result = chosen.kernel(known, duration, step, wanted)
    else:
        result = np.full((values.shape[-1],) * 2, np.nan)
        for i, j in itertools.combinations_with_replacement(range(values.shape[-1]), 2):
            both = np.flatnonzero(measured[:, i] & measured[:, j])
            if len(both):
                pair = chosen.kernel([[trials[t][i], trials[t][j]] for t in both], duration, step, wanted)
                result[i, j], result[j, i] = pair[0, 1], pair[1, 0]
    names = responses["unit"].values if "unit" in responses.coords else np.arange(values.shape[-1])
    return xr.DataArray(
        result, dims=("unit", "unit_other"), coords={"unit": names, "unit_other": names}, attrs={"measure": measure}
    )


def cross_correlogram(responses: xr.DataArray, *, reach: float = 50e-3, correct: bool = True) -> xr.DataArray:
    """Return by how much the spikes of one unit change the rate of another, before and after them.

    Parameters
    ----------
    responses : binned spikes (stimulus, [trial,] time, unit), units recorded together. Where trials are missing, pairs
        of spikes and the spikes that they are counted by are of the trials that both units have, what the stimulus
        explains of all pairs of different trials that there are; a stimulus without such a pair does not enter then.
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
    >>> trains = np.zeros((1, 2, 100, 2)); trains[0, 0, 10, 0] = trains[0, 0, 13, 1] = 1; trains[0, 1, 50, 0] = 1
    >>> binned = ns.as_responses(trains, quantity="spike_count", time_step=1e-3)
    >>> found = ns.responses.cross_correlogram(binned, reach=5e-3)[0, 1]
    >>> round(float(found.lag[found.argmax()]), 6)
    0.003
    """
    check_number(reach, "cross_correlogram", "reach", 0)
    responses = check_counts(responses, "cross_correlogram", ("time",))
    step = step_of(responses, "cross_correlogram")
    lags = np.arange(-round(reach / step), round(reach / step) + 1)
    values = responses if "trial" in responses.dims else responses.expand_dims("trial")
    trains = np.asarray(values.transpose("stimulus", "trial", "unit", "time").values, dtype=float)
    n = trains.shape[1]
    if not 3 <= len(lags) <= trains.shape[-1]:
        raise InputError(
            f"cross_correlogram: reach = {reach:g} s; from one bin ({step:g} s) to half of a trial "
            f"({(trains.shape[-1] - 1) // 2 * step:g} s) asked."
        )
    if correct and n < 2:
        raise InputError(
            "cross_correlogram: what the stimulus explains is known from 2 trials on, found 1; give more trials, or "
            "correct=False."
        )
    if np.isfinite(trains).all():
        found = _lagged(trains, lags)
        if correct:
            shuffled = _lagged(trains.sum(1, keepdims=True), lags) - found
            found = found - shuffled / (n - 1)
        spikes = np.repeat(trains.sum((0, 1, 3))[:, None], trains.shape[2], axis=1)
    else:
        found, spikes = _lagged_where_measured(trains, lags, correct)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = found / np.where(spikes > 0, spikes, np.nan)[..., None] / step
    names = responses["unit"].values if "unit" in responses.coords else np.arange(len(spikes))
    coords = {"unit": names, "unit_other": names, "lag": lags * step}
    return xr.DataArray(found, dims=("unit", "unit_other", "lag"), coords=coords, attrs={"units": "spikes/s"})


def _lagged_where_measured(trains: np.ndarray, lags: np.ndarray, correct: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return coincidences (unit, unit_other, lag) in the trials that both have, and the spikes (unit, unit_other)."""
    n_units = trains.shape[2]
    found, spikes = np.zeros((n_units, n_units, len(lags))), np.zeros((n_units, n_units))
    for stimulus in trains:
        measured = np.isfinite(stimulus[..., 0]).astype(float)
        filled = np.where(np.isfinite(stimulus), stimulus, 0.0)
        together = _lagged(filled[None], lags)
        own = filled.sum(-1).T @ measured
        if correct:
            joint = measured.T @ measured
            number = measured.sum(0)
            pairs = np.outer(number, number) - joint
            shuffled = _lagged(filled.sum(0)[None, None], lags) - together
            together = together - (joint / np.maximum(pairs, 1))[..., None] * shuffled
            together, own = np.where(pairs[..., None] > 0, together, 0.0), np.where(pairs > 0, own, 0.0)
        found, spikes = found + together, spikes + own
    return found, spikes


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
