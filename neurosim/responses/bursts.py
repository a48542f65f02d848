"""The fine structure of spike trains: bursts and first spikes."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim.refusals import check_number
from neurosim.responses.variability import check_counts
from neurosim.schema import InputError, step_of


def burst_statistics(responses: xr.DataArray, *, longest_interval: float = 6e-3, n_spikes: int = 2) -> xr.Dataset:
    """Return how much units fire in bursts: runs of spikes that follow each other quickly.

    Parameters
    ----------
    responses : binned spikes (stimulus, [trial,] time, unit) with a ``time_step`` fine enough for single spikes.
        Trials that were not measured do not enter, nor does their time.
    longest_interval : between spikes of a burst, s (https://doi.org/10.1016/S0896-6273(01)00447-0 takes 6 ms).
    n_spikes : fewest spikes of a burst.

    Returns
    -------
    Dataset along ``unit``: ``n_bursts``; ``burst_rate`` in bursts/s; ``burst_fraction``, the share of spikes inside
    bursts; ``spikes_per_burst`` and ``burst_duration`` (s), NaN where there is no burst, as ``n_bursts`` says.

    Raises
    ------
    InputError : no spike counts over time, an interval shorter than a bin, or bursts of one spike.

    Examples
    --------
    >>> train = np.zeros((1, 100, 1)); train[0, [10, 12, 14, 50], 0] = 1
    >>> found = ns.responses.burst_statistics(ns.as_responses(train, quantity="spike_count", time_step=1e-3))
    >>> int(found.n_bursts[0]), float(found.burst_fraction[0]), float(found.spikes_per_burst[0])
    (1, 0.75, 3.0)
    """
    check_number(n_spikes, "burst_statistics", "n_spikes", 2, whole=True)
    check_number(longest_interval, "burst_statistics", "longest_interval", 0)
    responses = check_counts(responses, "burst_statistics", ("time",))
    step = step_of(responses, "burst_statistics")
    reach = round(longest_interval / step)
    if reach < 1:
        raise InputError(
            f"burst_statistics: intervals of at least one bin ({step:g} s) asked, found {longest_interval:g} s."
        )
    values = responses.transpose("unit", ..., "time").values
    trains = values.reshape(len(values), -1, values.shape[-1])
    measured = np.isfinite(trains).all(-1)
    rows = [_bursts(unit[there], reach, n_spikes) for unit, there in zip(trains, measured, strict=True)]
    seconds, total = measured.sum(1) * trains.shape[2] * step, np.nansum(trains, axis=(1, 2))
    number, inside, span = (np.array([r[k] for r in rows], dtype=float) for k in range(3))
    with np.errstate(invalid="ignore", divide="ignore"):
        data = {
            "n_bursts": number.astype(int),
            "burst_rate": number / seconds,
            "burst_fraction": np.where(total > 0, inside / np.maximum(total, 1), 0.0),
            "spikes_per_burst": np.where(number > 0, inside / number, np.nan),
            "burst_duration": np.where(number > 0, span * step / number, np.nan),
        }
    coords = {k: v for k, v in responses.coords.items() if v.dims == ("unit",)}
    return xr.Dataset({k: ("unit", v) for k, v in data.items()}, coords=coords)


def first_spike_latency(responses: xr.DataArray, *, after: float = 0.0) -> xr.DataArray:
    """Return when every unit fires first in each trial (https://doi.org/10.1126/science.1149639).

    Parameters
    ----------
    responses : binned spikes (stimulus, [trial,] time, unit), ``time`` in s from onset; trials that were not measured
        have no latency.
    after : spikes before this time do not count, s.

    Returns
    -------
    latency (stimulus, [trial,] unit) in s from onset; NaN in a trial without a spike, whose share is in attrs,
    ``silent``.

    Raises
    ------
    InputError : no spike counts over time, or nothing recorded after `after`.

    Examples
    --------
    >>> train = np.zeros((1, 10, 1)); train[0, [3, 7], 0] = 1
    >>> ns.responses.first_spike_latency(ns.as_responses(train, quantity="spike_count", time_step=1e-2)).item()
    0.03
    """
    check_number(after, "first_spike_latency", "after")
    responses = check_counts(responses, "first_spike_latency", ("time",))
    later = responses.isel(time=np.flatnonzero(responses["time"].values >= after - 1e-12))
    if not later.sizes["time"]:
        raise InputError(f"first_spike_latency: nothing was recorded after {after:g} s.")
    fired, measured = later > 0, later.isel(time=0, drop=True).notnull()
    latency = later["time"].isel(time=fired.argmax("time")).where(fired.any("time"))
    latency = latency.drop_vars("time", errors="ignore").transpose(..., "unit")
    return latency.assign_attrs(
        quantity="latency", units="s", silent=float(1 - fired.any("time").where(measured).mean())
    )


def _bursts(trains: np.ndarray, reach: int, n_spikes: int) -> tuple[int, int, int]:
    """Return number of bursts, spikes in them, and bins from first to last spike, of trains (n, time) of a unit."""
    number = inside = span = 0
    for train in trains:
        at = np.repeat(np.arange(len(train)), train.astype(int))
        for run in np.split(at, np.flatnonzero(np.diff(at) > reach) + 1):
            if len(run) >= n_spikes:
                number, inside, span = number + 1, inside + len(run), span + int(run[-1] - run[0])
    return number, inside, span
