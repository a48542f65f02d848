"""Where an animal is when a unit fires: maps of place, and the information they carry."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter

from neurosim.arrays import check_numbers, plain
from neurosim.refusals import check_number
from neurosim.schema import InputError

NARROWEST = 1e-9  # bin, m


def spatial_map(
    spikes: Mapping[str, np.ndarray],
    position: xr.DataArray,
    *,
    bin_width: float = 0.05,
    smoothing: float = 0.0,
    shortest: float = 0.1,
) -> xr.Dataset:
    """Return the firing rate of units over places that were visited, on a line or a plane.

    Parameters
    ----------
    spikes : times of every unit, s.
    position : (time, axis) in m, 1 or 2 axes, with ``time`` in s, evenly sampled.
    bin_width : of the places, m. smoothing : standard deviation of a Gaussian over spikes and visits alike, m.
    shortest : places visited for less time, s, are NaN in the maps.

    Returns
    -------
    Dataset: ``rate`` (unit, x[, y]) in spikes/s, ``occupancy`` (x[, y]) in s, and ``information`` (unit) in bits a
    spike: ``sum p rate/mean log2(rate/mean)``
    (https://doi.org/10.1002/(SICI)1098-1063(1996)6:2<149::AID-HIPO6>3.0.CO;2-K), which is biased upwards where spikes
    are few, as ``n_spikes`` says.

    Raises
    ------
    InputError : no position (time, axis) of 1 or 2 axes, NaN, uneven samples, or no place visited long enough.

    Examples
    --------
    >>> import xarray as xr
    >>> t = np.arange(0, 100, 0.02)
    >>> track = xr.DataArray((t % 10 / 10)[:, None], dims=("time", "axis"), coords={"time": t})
    >>> found = ns.responses.spatial_map({"u": t[(t % 10 > 5) & (t % 10 < 6)]}, track, bin_width=0.1)
    >>> float(found.rate.idxmax("x")[0]), round(float(found.information[0]), 1)
    (0.55, 3.3)
    """
    check_number(bin_width, "spatial_map", "bin_width", NARROWEST)
    for name, value in (("smoothing", smoothing), ("shortest", shortest)):
        check_number(value, "spatial_map", name, 0)
    if not isinstance(position, xr.DataArray) or "time" not in position.coords:
        raise InputError(
            f"spatial_map: a position (time, axis) with its time in s asked, found {type(position).__name__}; "
            "xr.DataArray(values, dims=('time', 'axis'), coords={'time': seconds})."
        )
    check_numbers(position, "spatial_map")
    if set(position.dims) != {"time", "axis"} or position.sizes["axis"] not in (1, 2) or position.sizes["time"] < 2:
        raise InputError(f"spatial_map: a position (time, axis) of 1 or 2 axes asked, found {dict(position.sizes)}.")
    where, clock = position.transpose("time", "axis").values.astype(float), position["time"].values
    step = float(clock[-1] - clock[0]) / (len(clock) - 1)
    if not np.isfinite(where).all() or not np.allclose(np.diff(clock), step, rtol=1e-3):
        raise InputError("spatial_map: the position holds NaN or is not evenly sampled; interpolate it first.")
    edges = [
        low + np.arange(int(np.ceil((high - low) / bin_width + 1e-9)) + 1) * bin_width for low, high in _extent(where)
    ]
    visits = np.histogramdd(where, edges)[0] * step
    if not isinstance(spikes, Mapping) or not spikes:
        raise InputError(f"spatial_map: {{unit: times in s}} asked, found {type(spikes).__name__}.")
    counts = []
    for unit, times in spikes.items():
        inside = plain(times, "spatial_map").astype(float)
        if inside.ndim != 1 or not np.isfinite(inside).all():
            raise InputError(f"spatial_map: finite times (spike,) asked, unit {unit!r} has shape {inside.shape}.")
        inside = inside[(inside >= clock[0]) & (inside <= clock[-1] + step)]
        nearest = np.clip(np.rint((inside - clock[0]) / step).astype(int), 0, len(clock) - 1)
        counts.append(np.histogramdd(where[nearest], edges)[0])
    return _maps(list(spikes), np.array(counts), visits, edges, smoothing / bin_width, shortest)


def _extent(where: np.ndarray) -> list[tuple[float, float]]:
    return [(float(w.min()), float(w.max())) for w in where.T]


def _maps(
    names: list[str], counts: np.ndarray, visits: np.ndarray, edges: list[np.ndarray], blur: float, shortest: float
) -> xr.Dataset:
    visited = visits >= shortest
    if not visited.any():
        raise InputError(
            f"spatial_map: no place was visited for {shortest:g} s; take wider bins or a smaller 'shortest'."
        )
    spread = [gaussian_filter(c, blur) for c in counts] if blur else list(counts)
    stay = gaussian_filter(visits, blur) if blur else visits
    rates = np.array([np.where(visited, c / np.where(visited, stay, 1.0), np.nan) for c in spread])
    p = np.where(visited, visits, 0.0) / visits[visited].sum()
    mean = np.nansum(p * rates, axis=tuple(range(1, rates.ndim)))
    share = rates / np.where(mean > 0, mean, np.nan).reshape(-1, *(1,) * visits.ndim)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(share > 0, p * share * np.log2(share), 0.0)
    dims = ("x", "y")[: visits.ndim]
    coords = {d: (e[1:] + e[:-1]) / 2 for d, e in zip(dims, edges, strict=True)}
    data = {
        "rate": (("unit", *dims), rates, {"units": "spikes/s"}),
        "occupancy": (dims, visits, {"units": "s"}),
        "information": ("unit", terms.sum(axis=tuple(range(1, terms.ndim))), {"units": "bits"}),
        "n_spikes": ("unit", counts.sum(axis=tuple(range(1, counts.ndim)))),
    }
    return xr.Dataset(data, coords={"unit": names, **coords})
