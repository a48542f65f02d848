"""Simulate a circuit in Brian2: stimuli are folded into the neurons, in chunks that fit a memory budget.

Nothing random happens inside: input spikes come as arrays, so results depend neither on the chunk size nor on the
order of the stimuli.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from neurosim.biophysics.circuit import INPUT, Circuit, Population, Projection
from neurosim.biophysics.neurons import MODELS, namespace_of
from neurosim.parameters import DiscreteLIFParameters
from neurosim.runtime import private_folder, track
from neurosim.schema import InputError, as_responses

BYTES_A_SYNAPSE = 64
Gains = Mapping[str, np.ndarray]


def simulate(
    circuit: Circuit,
    stimuli: xr.DataArray,
    *,
    tail: float = 0.0,
    time_bin: float | None = None,
    memory: int = 2**29,
    progress: bool = True,
) -> xr.DataArray:
    """Run `circuit` on every stimulus and count the spikes of every neuron in every time bin.

    Parameters
    ----------
    circuit : what to simulate.
    stimuli : input spikes (stimulus, time, unit), 0 or 1, one sample every ``circuit.step``.
    tail : time simulated after the last input sample, s.
    time_bin : width of the bins in which spikes are counted, s; a multiple of ``circuit.step``, which is the default.
    memory : about how many bytes of synapses exist at once; stimuli are cut into chunks accordingly.
    progress : show a progress bar.

    Returns
    -------
    responses (stimulus, time, unit) of spike counts, with ``layer`` (the population) along ``unit``.

    Raises
    ------
    InputError : the stimuli are not spike trains of the circuit's input, or a chunk of one stimulus does not fit.
    """
    spikes = _check_input(circuit, stimuli)
    width = circuit.step if time_bin is None else time_bin
    n_bins = round((spikes.shape[1] * circuit.step + tail) / width)
    n_synapses = sum(int(np.count_nonzero(p.weights)) for p in circuit.projections)
    chunk = max(1, min(len(spikes), memory // (BYTES_A_SYNAPSE * max(1, n_synapses))))
    starts = range(0, len(spikes), chunk)
    parts = [
        run_copies(circuit, spikes[i : i + chunk], tail=tail, width=width, n_bins=n_bins)
        for i in track(starts, f"simulating {circuit.name}", progress=progress)
    ]
    layers = np.repeat([p.name for p in circuit.populations], [p.size for p in circuit.populations])
    responses = as_responses(
        np.concatenate(parts),
        dims=("stimulus", "time", "unit"),
        stimuli=stimuli,
        coords={"layer": ("unit", layers)},
        quantity="spike_count",
        time_step=width,
    )
    responses.attrs["engine"] = "brian2, numpy target"
    return responses


def run_copies(
    circuit: Circuit, spikes: np.ndarray, *, tail: float, width: float, n_bins: int, gains: Gains | None = None
) -> np.ndarray:
    """Run one copy of `circuit` a row of `spikes` (copy, time, unit); return counts (copy, bin, neuron) as float32.

    `gains` multiplies all input to a population, one number a copy.
    """
    b2 = _brian2()
    n_copies, n_time, _ = spikes.shape
    schedule, slots = _schedule(circuit)
    source = _input_group(b2, circuit, spikes, slots)
    groups = {p.name: _group(b2, p, i, n_copies, circuit, slots, gains) for i, p in enumerate(circuit.populations)}
    groups[INPUT] = source
    synapses = [
        s
        for i, p in enumerate(circuit.projections)
        for s in _synapses(b2, p, i, groups, circuit, n_copies, slots, gains)
    ]
    monitors = {p.name: b2.SpikeMonitor(groups[p.name], name=f"M{i}") for i, p in enumerate(circuit.populations)}
    network = b2.Network(*groups.values(), *synapses, *monitors.values())
    network.schedule = schedule
    network.run((n_time * circuit.step + tail) * b2.second, namespace={})
    counts = [_count(monitors[p.name], p.size, n_copies, width, n_bins, circuit.dt) for p in circuit.populations]
    return np.concatenate(counts, axis=-1)


def _schedule(circuit: Circuit) -> tuple[list[str], dict[str, dict[str, str]]]:
    """Return Brian2's schedule and the slots of each population.

    Discrete neurons pass a spike on within the step, as torch does: synapses, update and threshold of a layer, then
    of the next. Continuous neurons keep Brian2's own order.
    """
    if not circuit.is_discrete:
        return ["start", "groups", "thresholds", "synapses", "resets", "end"], {}
    slots = {
        p.name: {"synapses": f"syn_{i}", "update": f"upd_{i}", "threshold": f"thr_{i}"}
        for i, p in enumerate(circuit.populations)
    }
    inner = [slot for layer in slots.values() for slot in layer.values()]
    return ["start", "groups", "input", *inner, "thresholds", "synapses", "resets", "end"], slots


def _input_group(b2: Any, circuit: Circuit, spikes: np.ndarray, slots: dict[str, dict[str, str]]) -> Any:
    copy, time, unit = np.nonzero(spikes)
    order = np.argsort(time, kind="stable")
    when = {"when": "input"} if slots else {}
    return b2.SpikeGeneratorGroup(
        len(spikes) * circuit.n_inputs,
        (copy * circuit.n_inputs + unit)[order],
        time[order] * circuit.step * b2.second,
        dt=circuit.dt * b2.second,
        name="input_spikes",
        **when,
    )


def _group(
    b2: Any, population: Population, index: int, n_copies: int, circuit: Circuit, slots: Any, gains: Gains | None
) -> Any:
    model = MODELS[type(population.parameters)]
    namespace = namespace_of(population.parameters)
    options = {"refractory": model.refractory} if model.refractory else {}
    group = b2.NeuronGroup(
        n_copies * population.size,
        model.equations,
        threshold=model.threshold,
        reset=model.reset,
        method=model.method,
        dt=circuit.dt * b2.second,
        namespace=namespace | {"second": b2.second},
        name=f"L{index}",
        **options,
    )
    gain = np.ones(n_copies) if gains is None else gains.get(population.name, np.ones(n_copies))
    group.drive = (gain[:, None] * population.drive).ravel()
    group.v = namespace.get(model.initial, 0.0)
    if isinstance(population.parameters, DiscreteLIFParameters):
        group.current = group.drive[:]
        group.thresholder["spike"].when = slots[population.name]["threshold"]
        group.run_regularly(_discrete_update(population.parameters), when=slots[population.name]["update"])
    return group


def _discrete_update(parameters: DiscreteLIFParameters) -> str:
    """Return one step of the discrete neuron; the reset acts one step after the spike, as in snnTorch."""
    new = (
        "v = beta*v + current - fired*threshold"
        if parameters.reset == "subtract"
        else "v = beta*v*(1.0 - fired) + current"
    )
    return f"fired = 1.0*int(v > threshold)\n{new}\ncurrent = drive"


def _synapses(
    b2: Any,
    projection: Projection,
    index: int,
    groups: dict[str, Any],
    circuit: Circuit,
    n_copies: int,
    slots: Any,
    gains: Gains | None,
) -> list[Any]:
    target = circuit.population(projection.target)
    model = MODELS[type(target.parameters)]
    made = []
    for sign, action in ((1, model.on_excitation), (-1, model.on_inhibition)):
        pre, post = np.nonzero(projection.weights * sign > 0)
        if not len(pre):
            continue
        copies = np.arange(n_copies)[:, None]
        gain = np.ones(n_copies) if gains is None else gains.get(target.name, np.ones(n_copies))
        synapses = b2.Synapses(
            groups[projection.source],
            groups[projection.target],
            "w : 1 (constant)",
            on_pre=action,
            dt=circuit.dt * b2.second,
            namespace={},
            name=f"S{index}_{'exc' if sign > 0 else 'inh'}",
        )
        synapses.connect(
            i=(copies * circuit.sizes[projection.source] + pre).ravel(),
            j=(copies * target.size + post).ravel(),
        )
        synapses.w = (gain[:, None] * projection.weights[pre, post]).ravel()
        if slots:
            synapses.pre.when = slots[target.name]["synapses"]
        made.append(synapses)
    return made


def _count(monitor: Any, size: int, n_copies: int, width: float, n_bins: int, dt: float) -> np.ndarray:
    steps = np.rint(np.asarray(monitor.t_) / dt).astype(np.int64)
    bins = np.minimum(steps // round(width / dt), n_bins - 1)
    copy, neuron = np.divmod(np.asarray(monitor.i, dtype=np.int64), size)
    counts = np.zeros((n_copies, n_bins, size), dtype=np.float32)
    np.add.at(counts, (copy, bins, neuron), 1)
    return counts


def _check_input(circuit: Circuit, stimuli: xr.DataArray) -> np.ndarray:
    if tuple(stimuli.dims) != ("stimulus", "time", "unit"):
        raise InputError(
            f"simulate: stimuli are spike trains (stimulus, time, unit), found {tuple(stimuli.dims)}; "
            "encode images with encode_rate."
        )
    spikes = np.asarray(stimuli.values)
    if spikes.shape[2] != circuit.n_inputs:
        raise InputError(
            f"simulate: {circuit.name} has {circuit.n_inputs} inputs, the stimuli {spikes.shape[2]} units."
        )
    if not np.isin(spikes, (0, 1)).all():
        raise InputError("simulate: input spikes are 0 or 1; graded input cannot be sent as spikes.")
    step = stimuli.attrs.get("time_step", circuit.step)
    if not np.isclose(step, circuit.step):
        raise InputError(
            f"simulate: the stimuli come every {step} s, {circuit.name} expects one every {circuit.step} s."
        )
    return spikes


def _brian2() -> Any:
    """Import Brian2 from an empty folder (it would run a file ``brian_preferences`` of the current one)."""
    if "brian2" not in sys.modules:
        with private_folder():
            import brian2
    else:
        import brian2
    brian2.prefs.codegen.target = "numpy"
    return brian2
