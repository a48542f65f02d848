"""Receptive fields of stimulus-driven spike trains: spike-triggered average, and the Poisson model (LNP, GLM)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.signal import lfilter, oaconvolve

from neurosim.biophysics.by_value import by_value
from neurosim.runtime import as_rng
from neurosim.schema import InputError, as_responses, check_responses, same_stimuli, step_of


def spike_triggered_average(
    stimuli: xr.DataArray, responses: xr.DataArray, *, window: tuple[float, float] = (-30e-3, 10e-3)
) -> xr.Dataset:
    """Return the mean stimulus around spikes (https://doi.org/10.1088/0954-898X_12_2_306).

    Parameters
    ----------
    stimuli : (stimulus, time) with a ``time_step``, s.
    responses : spike counts (stimulus, [trial,] time, unit) of the same stimuli at the same time step.
    window : from and to, s from the spike; spikes nearer to an edge do not count.

    Returns
    -------
    Dataset along ``stimulus``, ``unit`` and ``lag`` (s; negative is before the spike): ``average``, less the mean of
    the stimulus, ``standard_error`` over spikes; along ``stimulus`` and ``unit``: ``peak_lag`` of the largest absolute
    value, ``n_spikes``.

    Raises
    ------
    InputError : other stimuli, times or steps; a window that holds no sample; a unit without spikes.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(1, 20_000))
    >>> spikes = np.roll(noise > 2, 5, axis=1)[..., None]  # 5 ms after every peak
    >>> sta = ns.biophysics.spike_triggered_average(
    ...     ns.as_stimuli(noise, dims=("stimulus", "time"), time_step=1e-3),
    ...     ns.as_responses(spikes.astype(float), quantity="spike_count", time_step=1e-3),
    ... )
    >>> round(float(sta.peak_lag[0, 0]), 6)
    -0.005
    """
    values, counts, step, responses = matched(stimuli, responses, "spike_triggered_average")
    lags = np.arange(round(window[0] / step), round(window[1] / step) + 1)
    if len(lags) < 1 or len(lags) > values.shape[1]:
        raise InputError(f"spike_triggered_average: the window {window} s holds no sample, or more than the stimulus.")
    found = np.zeros((2, len(values), counts.shape[-1], len(lags)))
    number = np.zeros(found.shape[1:3], dtype=int)
    inside = slice(max(0, -lags[0]), values.shape[1] - max(0, lags[-1]))
    for s, train in enumerate(counts.sum(1)):
        centred = values[s] - values[s].mean()
        for u in range(train.shape[1]):
            at = np.flatnonzero(train[inside, u]) + inside.start
            weight = train[at, u]
            number[s, u] = int(weight.sum())
            if not number[s, u]:
                raise InputError(
                    f"spike_triggered_average: unit {u} has no spikes to stimulus {s} that far from its edges."
                )
            around = centred[at[:, None] + lags]
            found[0, s, u] = np.average(around, axis=0, weights=weight)
            found[1, s, u] = np.sqrt(np.average((around - found[0, s, u]) ** 2, axis=0, weights=weight) / number[s, u])
    dims = ("stimulus", "unit", "lag")
    coords = {k: v for k, v in responses.coords.items() if v.dims in (("stimulus",), ("unit",))} | {"lag": lags * step}
    peak = lags[np.abs(found[0]).argmax(-1)] * step
    data = {"average": (dims, found[0]), "standard_error": (dims, found[1]), "peak_lag": (dims[:2], peak)}
    return xr.Dataset({**data, "n_spikes": (dims[:2], number)}, coords=coords)


@by_value
@dataclass(frozen=True, eq=False)
class PoissonModel:
    """Spikes at the rate ``exp(bias + stimulus filter + history filter)``, in spikes/s.

    Parameters
    ----------
    stimulus_filter : (lag,), of the stimulus now and before, a unit of stimulus. history_filter : (lag,), of past
        spikes, from the last bin back; empty for a linear-nonlinear Poisson model without memory.
    bias : log of spikes/s. time_step : s.
    bits_per_spike : how much better than the mean rate it predicts the spikes it was fitted to.
    """

    stimulus_filter: np.ndarray
    history_filter: np.ndarray
    bias: float
    time_step: float
    bits_per_spike: float

    def rate(self, stimuli: xr.DataArray, responses: xr.DataArray | None = None) -> xr.DataArray:
        """Return the rate (stimulus, time, unit) in spikes/s; with a history, given the spikes of `responses`."""
        values = stimulus_values(stimuli, self.time_step, "PoissonModel.rate")
        drive = self.bias + filtered(values, self.stimulus_filter)
        if len(self.history_filter):
            if responses is None:
                raise InputError("PoissonModel.rate: a model with a history needs the spikes; or simulate(...).")
            past = matched(stimuli, responses, "PoissonModel.rate")[1]
            if past.shape[1] != 1 or past.shape[-1] != 1:
                raise InputError("PoissonModel.rate: the spikes of one trial of one unit asked.")
            past = past[:, 0, :, 0]
            drive = drive + filtered(np.pad(past, ((0, 0), (1, 0)))[:, :-1], self.history_filter)
        return as_responses(
            np.exp(np.minimum(drive, 20))[..., None],
            stimuli=stimuli["stimulus"].values.astype(str).tolist(),
            quantity="firing_rate",
            time_step=self.time_step,
        )

    def simulate(self, stimuli: xr.DataArray, *, trials: int = 1, rng: np.random.Generator | int = 0) -> xr.DataArray:
        """Draw spike counts (stimulus, trial, time, unit) that answer `stimuli`; at most one spike a bin."""
        values = stimulus_values(stimuli, self.time_step, "PoissonModel.simulate")
        drive = np.repeat((self.bias + filtered(values, self.stimulus_filter))[:, None], trials, axis=1)
        generator = as_rng(rng)
        draws = np.log(generator.standard_exponential(drive.shape)) - np.log(self.time_step)
        n, spikes = len(self.history_filter), np.zeros(drive.shape, dtype=np.uint8)
        carried = np.zeros((*drive.shape[:2], drive.shape[2] + n))
        for k in range(drive.shape[2]):
            fired = drive[..., k] + carried[..., k] > draws[..., k]
            spikes[..., k] = fired
            if n and fired.any():
                carried[..., k + 1 : k + 1 + n] += fired[..., None] * self.history_filter
        ids = stimuli["stimulus"].values.astype(str).tolist()
        return as_responses(spikes[..., None], stimuli=ids, quantity="spike_count", time_step=self.time_step)


def fit_poisson(
    stimuli: xr.DataArray,
    responses: xr.DataArray,
    *,
    reach: float = 20e-3,
    history: float = 0.0,
    n_basis: int = 10,
    penalty: float = 1e-6,
) -> PoissonModel:
    """Fit a linear-nonlinear Poisson model or, with a history, a generalised linear model, to the spikes of a unit.

    (https://doi.org/10.1088/0954-898X_15_4_002; https://doi.org/10.1152/jn.00697.2004.) Both filters are sums of raised
    cosines whose lags are spread like logarithms (https://doi.org/10.1038/nature07140). scikit-learn's Poisson
    regression finds the maximum of the likelihood, which is the only one.

    Parameters
    ----------
    stimuli : (stimulus, time) with a ``time_step``, s.
    responses : spike counts (stimulus, [trial,] time, unit) of one unit at the same time step.
    reach, history : how far both filters reach back, s; no history gives a linear-nonlinear Poisson model.
    n_basis : number of raised cosines of each filter. penalty : of their squared weights.

    Returns
    -------
    PoissonModel, which gives rates and draws spikes.

    Raises
    ------
    InputError : other stimuli, times or steps; several units; fewer than 20 spikes; filters shorter than their basis.

    Examples
    --------
    >>> values = np.random.default_rng(0).normal(size=(1, 3000))
    >>> noise = ns.as_stimuli(values, dims=("stimulus", "time"), time_step=1e-3)
    >>> fired = ns.as_responses(
    ...     (np.roll(values, 3, axis=1) > 1.2)[..., None] * 1.0,  # 3 ms after every peak
    ...     stimuli=noise, quantity="spike_count", time_step=1e-3,
    ... )
    >>> found = ns.biophysics.fit_poisson(noise, fired, n_basis=4)
    >>> type(found).__name__
    'PoissonModel'
    """
    from sklearn.linear_model import PoissonRegressor

    values, counts, step, _ = matched(stimuli, responses, "fit_poisson")
    if counts.shape[-1] != 1 or counts.sum() < 20:
        raise InputError(
            f"fit_poisson: one unit with at least 20 spikes asked, found {counts.shape[-1]} and {counts.sum():g}."
        )
    sides = [raised_cosines(round(reach / step), n_basis, "fit_poisson")]
    sides += [raised_cosines(round(history / step), n_basis, "fit_poisson")] if history else []
    trains = counts[..., 0]
    driven = [filtered(values, b)[:, None].repeat(trains.shape[1], 1) for b in sides[0]]
    before = np.pad(trains, ((0, 0), (0, 0), (1, 0)))[..., :-1]
    driven += [filtered(before, b) for b in (sides[1] if history else ())]
    design, spikes = np.stack([d.ravel() for d in driven], axis=1), trains.ravel()
    centre, spread = design.mean(0), design.std(0)
    spread = np.where(spread > 0, spread, 1.0)
    model = PoissonRegressor(alpha=penalty, solver="newton-cholesky", max_iter=200, tol=1e-8)
    model.fit((design - centre) / spread, spikes)
    weights = model.coef_ / spread
    expected = np.exp(np.minimum(model.intercept_ - weights @ centre + design @ weights, 20))
    gain = np.log(expected[spikes > 0] / spikes.mean()) @ spikes[spikes > 0] - (expected.sum() - spikes.sum())
    return PoissonModel(
        weights[:n_basis] @ sides[0],
        weights[n_basis:] @ sides[1] if history else np.empty(0),
        float(model.intercept_ - weights @ centre - np.log(step)),
        step,
        float(gain / spikes.sum() / np.log(2)),
    )


def stimulus_values(stimuli: xr.DataArray, time_step: float | None, who: str) -> np.ndarray:
    """Return stimuli as values (stimulus, time), or raise unless they come every `time_step` seconds."""
    if not isinstance(stimuli, xr.DataArray) or set(stimuli.dims) != {"stimulus", "time"}:
        raise InputError(
            f"{who}: stimuli (stimulus, time) with a time_step asked, found {type(stimuli).__name__}"
            f"{getattr(stimuli, 'dims', '')}; see as_stimuli."
        )
    found = stimuli.attrs.get("time_step")
    if found and time_step is not None and not np.isclose(found, time_step):
        raise InputError(f"{who}: stimuli every {time_step:g} s asked, found every {found:g} s; resample them.")
    step_of(stimuli, f"{who}, stimuli")
    return np.asarray(stimuli.transpose("stimulus", "time").values, dtype=float)


def matched(
    stimuli: xr.DataArray, responses: xr.DataArray, who: str
) -> tuple[np.ndarray, np.ndarray, float, xr.DataArray]:
    """Return values (stimulus, time), counts (stimulus, trial, time, unit), their step, responses in this order."""
    stimulus_values(stimuli, None, who)
    responses = check_responses(responses, who)
    if "time" not in responses.dims:
        raise InputError(f"{who}: stimuli (stimulus, time) and counts over time with a time_step asked.")
    step = step_of(responses, who)
    responses = same_stimuli(stimuli, responses, who)
    other = step_of(stimuli, f"{who}, stimuli")
    if responses.sizes["time"] != stimuli.sizes["time"] or not np.isclose(step, other):
        raise InputError(
            f"{who}: stimuli have {stimuli.sizes['time']} samples every {other:g} s, responses "
            f"{responses.sizes['time']} every {step:g} s; bring both to one clock."
        )
    counts = responses if "trial" in responses.dims else responses.expand_dims("trial")
    return (
        np.asarray(stimuli.transpose("stimulus", "time").values, dtype=float),
        np.asarray(counts.transpose("stimulus", "trial", "time", "unit").values, dtype=float),
        step,
        responses,
    )


def filtered(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum of present and past values (..., time), weighted by lag."""
    if len(weights) < 64:
        return np.asarray(lfilter(weights, [1.0], values, axis=-1))
    shape = (1,) * (values.ndim - 1) + (-1,)
    return np.asarray(oaconvolve(values, weights.reshape(shape), axes=-1)[..., : values.shape[-1]])


def raised_cosines(n_lags: int, n: int, who: str) -> np.ndarray:
    """Bumps (basis, lag) that are narrow at short lags and wide at long ones, and sum to about one."""
    if n_lags < n:
        raise InputError(f"{who}: a filter of {n_lags} bins is shorter than its {n} basis functions.")
    place = np.log(np.arange(n_lags) + n_lags / 10)
    centres = np.linspace(place[0], place[-1], n)
    width = centres[1] - centres[0]
    return np.asarray((1 + np.cos(np.clip((place - centres[:, None]) * np.pi / (2 * width), -np.pi, np.pi))) / 4)
