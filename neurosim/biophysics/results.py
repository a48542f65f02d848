"""What a simulation returns: counts, spike tables, membranes and records of all chunks, labelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import Events, Run, Watch
from neurosim.biophysics.watching import unit_of
from neurosim.schema import responses_to

AFTER = {"units": "s", "state": "at the end of the step that begins at this time"}
BEFORE = {"units": "s", "state": "at this time, before the step that begins then"}


def count_spikes(circuit: Circuit, run: Run, per_bin: int, n_bins: int, n_copies: int) -> np.ndarray:
    """Return spike counts (copy, bin, unit) as float32."""
    counts = np.zeros((n_copies, n_bins, sum(p.size for p in circuit.populations)), dtype=np.float32)
    first = 0
    for p in circuit.populations:
        spikes = run.events[p.name]
        bins = np.minimum(spikes.step // per_bin, n_bins - 1)
        places = (spikes.copy * n_bins + bins) * counts.shape[-1] + first + spikes.neuron
        np.add.at(counts.reshape(-1), places, np.float32(1))
        first += p.size
    return counts


def keep_records(kept: list[np.ndarray], run: Run, start: int, n_copies: int) -> list[np.ndarray]:
    """Return what was recorded of all copies, (copy, record, neuron) by watch, with that of a run from `start` on."""
    if all(len(part) == n_copies for part in run.recorded):
        return list(run.recorded)
    kept = kept or [np.empty((n_copies, *part.shape[1:])) for part in run.recorded]
    for whole, part in zip(kept, run.recorded, strict=True):
        whole[start : start + len(part)] = part
    return kept


def label_counts(
    circuit: Circuit, counts: np.ndarray, stimuli: xr.DataArray, trials: int, width: float, engine: str
) -> xr.DataArray:
    """Return counts (copy, bin, unit) as labelled responses."""
    layers = np.repeat([p.name for p in circuit.populations], [p.size for p in circuit.populations])
    dims: tuple[str, ...] = ("stimulus", "time", "unit")
    if trials > 1:
        counts, dims = counts.reshape(-1, trials, *counts.shape[1:]), ("stimulus", "trial", "time", "unit")
    responses = responses_to(
        stimuli,
        counts,
        dims=dims,
        coords={"layer": ("unit", layers)},
        quantity="spike_count",
        time_step=width,
    )
    responses.attrs |= {"engine": engine, "rung": circuit.rung}
    return responses


def spike_table(
    circuit: Circuit, parts: Sequence[Mapping[str, Events]], starts: list[int], trials: int
) -> dict[str, Any]:
    """Return the sparse table of spikes, sorted by copy, step and unit."""
    rows, first = [], 0
    for p in circuit.populations:
        for start, events in zip(starts, parts, strict=True):
            e = events[p.name]
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


def label_membrane(
    circuit: Circuit, recorded: Sequence[np.ndarray], watches: Sequence[Watch], trials: int
) -> xr.DataArray:
    """Return what was recorded of the membranes with its times and the names of its units."""
    values = recorded[0] if len(recorded) == 1 else np.concatenate(recorded, axis=2)
    names = [name for watch in watches for name in _unit_names(watch)]
    units = "1" if circuit.is_discrete else "V"
    return _over_time(values, trials, {"membrane_time": circuit.dt, "membrane_unit": names}, units)


def label_records(
    circuit: Circuit, recorded: Sequence[np.ndarray], watches: Sequence[Watch], trials: int, *, learns: bool = False
) -> dict[str, xr.DataArray]:
    """Return what each watch recorded by its key, with neurons or synapses along its last dim."""
    found = {}
    for watch, values in zip(watches, recorded, strict=True):
        times, units = {"record_time": watch.every * circuit.dt}, unit_of(circuit, watch, learns)
        if watch.projection is None:
            coords = times | {f"{watch.population}_unit": _unit_names(watch)}
            found[watch.key] = _over_time(values, trials, coords, units)
            continue
        q, stem = circuit.projections[watch.projection], watch.population.replace(" ", "_")
        source, target = (end[watch.index] for end in q.synapses()[:2])
        names = [f"{q.source}/{i}->{q.target}/{j}" for i, j in zip(source, target, strict=True)]
        labelled = _over_time(values, trials, times | {f"{stem}_synapse": names}, units)
        ends = {f"{stem}_source": (labelled.dims[-1], source), f"{stem}_target": (labelled.dims[-1], target)}
        found[watch.key] = labelled.assign_coords(ends)
    return found


def _unit_names(watch: Watch) -> list[str]:
    return [f"{watch.population}/{i}" for i in watch.index]


def _over_time(values: np.ndarray, trials: int, coords: dict[str, Any], units: str) -> xr.DataArray:
    """Return values (copy, time, unit) with labels; `coords` names both dims, with the step of time and the units."""
    dims: tuple[str, ...] = ("stimulus", *coords)
    if trials > 1:
        values, dims = values.reshape(-1, trials, *values.shape[1:]), ("stimulus", "trial", *coords)
    time, unit = coords
    labels = {time: (time, np.arange(values.shape[-2]) * coords[time], AFTER), unit: coords[unit]}
    return xr.DataArray(values, dims=dims, coords=labels, attrs={"units": units})
