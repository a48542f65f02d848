"""Neurons of one kind under constant currents: their spikes and membranes."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

import neurosim as ns
from neurosim import biophysics as bio


def silence(seconds: float, step: float, n_units: int = 1) -> xr.DataArray:
    """Return one stimulus without spikes, (stimulus, time, unit)."""
    shape = (1, round(seconds / step), n_units)
    return ns.as_stimuli(np.zeros(shape), dims=("stimulus", "time", "unit"), time_step=step)


def clamped(
    parameters: Any, drive: Any, seconds: float, *, dt: float, seed: int = 0, engine: str = "torch", **population: Any
) -> xr.Dataset:
    """Return spikes and membranes of a neuron under each current of `drive` (A) as ``simulate`` has them."""
    drive = np.atleast_1d(np.asarray(drive, dtype=float))
    cells = bio.Population("cells", len(drive), parameters, drive, **population)
    circuit = bio.Circuit("clamped", bio.Input(1), (cells,), (), dt, max(dt, 1e-3))
    kept = bio.Monitors(spike_times=True, membrane=["cells"])
    return ns.simulate(circuit, silence(seconds, circuit.step), rng=seed, engine=engine, monitors=kept, progress=False)


def trains(found: xr.Dataset) -> list[np.ndarray]:
    """Return the times (s) of the spikes of each neuron, those of all trials of the first stimulus together."""
    times, units = found["spike_time"].values, found["spike_unit"].values
    order = np.lexsort((times, units))
    edges = np.searchsorted(units[order], np.arange(found.sizes["unit"] + 1))
    return [times[order][edges[k] : edges[k + 1]] for k in range(found.sizes["unit"])]


def padded(rows: list[np.ndarray]) -> np.ndarray:
    """Return rows of different lengths as one array, NaN where a row has ended."""
    whole = np.full((len(rows), max(map(len, rows))), np.nan)
    for k, row in enumerate(rows):
        whole[k, : len(row)] = row
    return whole


def steady_rates(found: xr.Dataset, after: float) -> np.ndarray:
    """Return one over the mean interval between spikes after a time (s), Hz; 0 where there are fewer than two."""
    later = [t[t > after] for t in trains(found)]
    return np.array([1 / np.diff(t).mean() if len(t) > 1 else 0.0 for t in later])


def shown_membrane(found: xr.Dataset, units: list[int], start: float, stop: float, every: int = 1) -> xr.DataArray:
    """Return some membranes in a window, (time, cell), V: the highest of so many samples, so that no spike is lost."""
    v = found["membrane_potential"].isel(stimulus=0, membrane_unit=units)
    v = v.sel(membrane_time=slice(start, stop)).reset_coords(drop=True)
    v = v.coarsen(membrane_time=every, boundary="trim").max()  # type: ignore[attr-defined]
    return v.transpose("membrane_time", "membrane_unit")
