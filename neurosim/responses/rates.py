"""Firing rates: spikes smoothed by a kernel of fixed, best or locally adapted width."""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np
import xarray as xr
from scipy import fft
from scipy.ndimage import gaussian_filter1d

from neurosim.labels import is_lazy
from neurosim.refusals import check_number
from neurosim.responses.rate_kernels import RATE_KERNELS, RateKernel
from neurosim.responses.variability import check_counts
from neurosim.schema import InputError, step_of

SHORTEST = 1e-12  # kernel, s
WIDTHS = np.geomspace(2e-3, 0.5, 40)


def firing_rate(
    responses: xr.DataArray,
    *,
    kernel: str = "gaussian",
    bandwidth: float | Literal["best"] = 20e-3,
    adaptive: bool = False,
) -> xr.DataArray:
    """Return firing rates over time.

    Parameters
    ----------
    responses : spike counts (stimulus, [trial,] time, unit) with a ``time_step``. A trial that was not measured has no
        rate (NaN).
    kernel : "gaussian" and "boxcar" look both ways; "exponential" and "alpha" only back, as a synapse does. A kernel
        of one's own is a record of ``neurosim.responses.rate_kernels``.
    bandwidth : standard deviation of the kernel, s; "best" takes, for each unit, the Gaussian that is expected to come
        nearest to the rate (https://doi.org/10.1007/s10827-009-0180-4), from 2 ms to half a second.
    adaptive : make the Gaussian narrower where there are many spikes and wider where there are few, by the square root
        of a first estimate (https://doi.org/10.1214/aos/1176345986).

    Returns
    -------
    rates of the same dims, spikes/s; near the edges the kernel is cut and normalised, so a constant rate stays
    constant.

    Raises
    ------
    InputError : no spike counts over time, an unknown kernel, or another kernel than "gaussian" to be adapted.

    Examples
    --------
    >>> counts = ns.as_responses(np.ones((1, 100, 1)), quantity="spike_count", time_step=1e-3)
    >>> round(float(ns.responses.firing_rate(counts).min()), 6), round(float(ns.responses.firing_rate(counts).max()), 6)
    (1000.0, 1000.0)
    """
    responses = check_counts(responses, "firing_rate", ("time",))
    chosen = RATE_KERNELS.find(kernel, "firing_rate")
    if not chosen.gaussian and (adaptive or bandwidth == "best"):
        raise InputError("firing_rate: the best and the adaptive bandwidth are those of a Gaussian; kernel='gaussian'.")
    if bandwidth != "best":
        check_number(bandwidth, "firing_rate", "bandwidth", SHORTEST)
    step = step_of(responses, "firing_rate")
    responses = responses.chunk(time=-1) if is_lazy(responses) else responses
    if bandwidth == "best":
        total = responses.sum([d for d in responses.dims if d not in ("time", "unit")]).transpose("unit", "time")
        widths = xr.DataArray([_best_bandwidth(train, step) for train in total.values.astype(float)], dims="unit")
    else:
        widths = xr.DataArray(np.full(responses.sizes["unit"], float(bandwidth)), dims="unit")
    rates: xr.DataArray = xr.apply_ufunc(
        partial(_rates, kernel=chosen, adaptive=adaptive, step=step),
        responses,
        widths,
        input_core_dims=[["time"], []],
        output_core_dims=[["time"]],
        dask="parallelized",
        output_dtypes=[float],
        keep_attrs=True,
    ).transpose(*responses.dims)
    attrs = {"quantity": "firing_rate", "units": "spikes/s", "kernel": kernel}
    return rates.assign_coords(bandwidth=("unit", widths.values)).assign_attrs(responses.attrs | attrs)


def _rates(counts: np.ndarray, widths: np.ndarray, *, kernel: RateKernel, adaptive: bool, step: float) -> np.ndarray:
    """Rates (..., unit, time) of counts, each unit with its width; NaN where a trial was not measured."""
    found = np.empty(counts.shape)
    for unit, width in enumerate(np.broadcast_to(widths, counts.shape[-2:-1])):
        trains = np.asarray(counts[..., unit, :], dtype=float)
        lost = np.isnan(trains[..., 0])
        found[..., unit, :] = _smooth(np.where(lost[..., None], 0.0, trains), kernel, float(width), adaptive, step)
        found[..., unit, :][lost] = np.nan
    return found


def _smooth(trains: np.ndarray, kernel: RateKernel, width: float, adaptive: bool, step: float) -> np.ndarray:
    """Rates (..., time) of the trains of one unit."""
    if adaptive:
        return _adapted(trains, width, step)
    weights, centre = kernel.weights(width, step)
    weights = weights / weights.sum()
    there = _convolved(np.ones(trains.shape[-1]), weights)
    cut = slice(centre, centre + trains.shape[-1])
    return np.asarray(np.maximum(_convolved(trains, weights)[..., cut] / there[cut], 0) / step)


def _convolved(trains: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Convolve trains (..., T) with weights (W,) to (..., T + W - 1), as ``scipy.signal``, which takes 50 MB, does."""
    n = trains.shape[-1] + len(weights) - 1
    fast = fft.next_fast_len(n, real=True)
    found: np.ndarray = fft.irfft(fft.rfft(trains, fast) * fft.rfft(weights, fast), fast)[..., :n]
    return found


def _adapted(trains: np.ndarray, width: float, step: float) -> np.ndarray:
    """Every spike is spread by a Gaussian of its own width; so the number of spikes is kept, but for the edges."""
    first = np.maximum(_smooth(trains, RATE_KERNELS["gaussian"], width, False, step), 1e-12)
    flat, pilot = trains.reshape(-1, trains.shape[-1]), first.reshape(-1, trains.shape[-1])
    time, rates = np.arange(flat.shape[-1]) * step, np.zeros_like(flat)
    for row, train, rate in zip(rates, flat, pilot, strict=True):
        at = np.flatnonzero(train)
        if len(at):
            typical = np.exp(np.average(np.log(rate[at]), weights=train[at]))
            widths = width * np.sqrt(typical / rate[at])
            bumps = np.exp(-0.5 * ((time[:, None] - time[at]) / widths) ** 2)
            row[:] = (bumps / (bumps.sum(0) * step)) @ train[at]
    return rates.reshape(trains.shape)


def _best_bandwidth(total: np.ndarray, step: float) -> float:
    """Gaussian width that minimises the expected squared error, up to a constant, of the rate of a summed train."""
    n = total.sum()
    widths = np.array([w for w in WIDTHS if w >= 2 * step])
    if n < 2 or not len(widths):
        return float(widths[-1] if len(widths) else WIDTHS[-1])
    costs = []
    for w in widths:
        once = gaussian_filter1d(total, w / step, mode="constant", truncate=6)
        twice = gaussian_filter1d(total, np.sqrt(2) * w / step, mode="constant", truncate=6)
        own = n / (np.sqrt(2 * np.pi) * w / step)
        costs.append((total @ twice - 2 * (total @ once - own)) / n**2)
    return float(widths[int(np.argmin(costs))])
