"""Spikes in a recorded membrane."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim.schema import InputError, as_responses, check_sweeps


def detect_spikes(sweeps: xr.Dataset, *, threshold: float = -10e-3, dead_time: float = 2e-3) -> xr.DataArray:
    """Find the spikes of intracellular recordings: upward crossings of a voltage.

    Parameters
    ----------
    sweeps : ``current`` and ``voltage`` (sweep, time); see ``as_sweeps``.
    threshold : V.
    dead_time : crossings that follow a spike within this time belong to it, s.

    Returns
    -------
    spike counts (stimulus, [trial,] time, unit) of one unit, at the time step of the recording; sweeps of one stimulus
    are its trials. Along ``stimulus``, ``step_current`` in A: how far the current steps from where it starts, so that
    ``tuning_curve(..., "step_current")`` is an f-I curve.

    Raises
    ------
    InputError : no sweeps, a threshold that is not in volts, or stimuli that were not repeated equally often.

    Examples
    --------
    >>> v = np.full(100, -70e-3); v[[20, 60]] = 20e-3
    >>> found = ns.biophysics.detect_spikes(ns.as_sweeps(np.zeros(100), v, time_step=1e-3))
    >>> found.time.values[found.values[0, :, 0] > 0].tolist()
    [0.02, 0.06]
    """
    sweeps = check_sweeps(sweeps, "detect_spikes")
    if not -0.2 < threshold < 0.2 or dead_time < 0:
        raise InputError(
            f"detect_spikes: a threshold of -0.2 to 0.2 V and a dead_time >= 0 s asked, found {threshold}."
        )
    step = float(sweeps.attrs["time_step"])
    trains = np.zeros(sweeps["voltage"].shape, dtype=np.uint8)
    for train, v in zip(trains, sweeps["voltage"].values, strict=True):
        train[crossings(v, threshold, round(dead_time / step))] = 1
    shown = [str(s) for s in sweeps["stimulus"].values]
    counts = np.unique(shown, return_counts=True)[1]
    if counts.min() != counts.max():
        raise InputError(f"detect_spikes: stimuli have {counts.min()} to {counts.max()} sweeps; select with .sel(...).")
    names = list(dict.fromkeys(shown))
    order = [[i for i, s in enumerate(shown) if s == name] for name in names]
    values = trains[np.array(order)][..., None]
    values = values[:, 0] if counts.max() == 1 else values
    dims = ("stimulus", "time", "unit") if counts.max() == 1 else ("stimulus", "trial", "time", "unit")
    labels = {
        "unit": [str(sweeps.attrs.get("subject", "cell"))],
        "step_current": ("stimulus", [_step_of(sweeps["current"].values[rows[0]]) for rows in order]),
    }
    return as_responses(values, dims=dims, stimuli=names, coords=labels, quantity="spike_count", time_step=step)


def _step_of(current: np.ndarray) -> float:
    """Return the median, less the first value, of the current (time,) while it is more than half of the way out."""
    away = current - np.median(current[: max(1, len(current) // 100)])
    out = np.abs(away) > np.abs(away).max() / 2
    return float(np.median(away[out])) if out.any() else 0.0


def crossings(voltage: np.ndarray, threshold: float, dead: int) -> np.ndarray:
    """Return the samples at which `voltage` (time,) has crossed `threshold` upwards, at least `dead` samples apart."""
    above = voltage >= threshold
    found = np.flatnonzero(above[1:] & ~above[:-1]) + 1
    kept: list[int] = []
    for index in found:
        if not kept or index - kept[-1] > dead:
            kept.append(int(index))
    return np.asarray(kept, dtype=int)
