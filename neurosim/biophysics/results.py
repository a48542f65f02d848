"""What a simulation returns: counts, spike tables and membranes of all chunks, labelled."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import Run
from neurosim.schema import as_responses


def count_spikes(circuit: Circuit, run: Run, per_bin: int, n_bins: int, n_copies: int) -> np.ndarray:
    """Return spike counts (copy, bin, unit) as float32."""
    parts = []
    for p in circuit.populations:
        spikes = run.events[p.name]
        flat = (spikes.copy * n_bins + np.minimum(spikes.step // per_bin, n_bins - 1)) * p.size + spikes.neuron
        counts = np.bincount(flat, minlength=n_copies * n_bins * p.size)
        parts.append(counts.reshape(n_copies, n_bins, p.size).astype(np.float32))
    return np.concatenate(parts, axis=-1)


def label_counts(
    circuit: Circuit, counts: np.ndarray, stimuli: xr.DataArray, trials: int, width: float, engine: str
) -> xr.DataArray:
    """Return counts (copy, bin, unit) as labelled responses."""
    layers = np.repeat([p.name for p in circuit.populations], [p.size for p in circuit.populations])
    dims: tuple[str, ...] = ("stimulus", "time", "unit")
    if trials > 1:
        counts, dims = counts.reshape(-1, trials, *counts.shape[1:]), ("stimulus", "trial", "time", "unit")
    responses = as_responses(
        counts,
        dims=dims,
        stimuli=stimuli,
        coords={"layer": ("unit", layers)},
        quantity="spike_count",
        time_step=width,
    )
    responses.attrs |= {"engine": engine, "rung": circuit.rung}
    return responses


def spike_table(circuit: Circuit, parts: list[Run], starts: list[int], trials: int) -> dict[str, Any]:
    """Return the sparse table of spikes, sorted by copy, step and unit."""
    rows, first = [], 0
    for p in circuit.populations:
        for start, run in zip(starts, parts, strict=True):
            e = run.events[p.name]
            rows.append(np.stack([e.step, e.copy + start, e.neuron + first]))
        first += p.size
    step, copy, unit = np.concatenate(rows, axis=1)
    order = np.lexsort((unit, step, copy))
    stimulus, trial = np.divmod(copy[order], trials)
    return {
        "spike_time": ("spike", step[order] * circuit.dt, {"units": "s"}),
        "spike_stimulus": ("spike", stimulus),
        "spike_trial": ("spike", trial),
        "spike_unit": ("spike", unit[order]),
    }


def label_membrane(circuit: Circuit, parts: list[Run], names: list[str], trials: int) -> xr.DataArray:
    """Return what was recorded of the membrane, with its times and the names of its units."""
    values = np.concatenate([np.concatenate(list(run.membrane.values()), axis=2) for run in parts])
    dims: tuple[str, ...] = ("stimulus", "membrane_time", "membrane_unit")
    if trials > 1:
        values, dims = values.reshape(-1, trials, *values.shape[1:]), ("stimulus", "trial", *dims[1:])
    coords = {"membrane_time": np.arange(values.shape[-2]) * circuit.dt, "membrane_unit": names}
    return xr.DataArray(values, dims=dims, coords=coords, attrs={"units": "1" if circuit.is_discrete else "V"})
