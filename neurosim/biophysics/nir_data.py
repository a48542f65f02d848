"""Signals of a NIR graph (``nir.NIRGraphData``): its inputs as stimuli, and what a circuit answered as such signals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import nir
import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.biophysics.circuit import Circuit
from neurosim.clock import bin_index, whole_number
from neurosim.refusals import InputError
from neurosim.schema import as_stimuli, check_responses

SPIKES, MEMBRANE = "spikes", "v"
Signal: TypeAlias = Any  # nir.TimeGriddedData or nir.EventData


def load_nir_data(path: str | Path) -> nir.NIRGraphData:
    """Read signals of a NIR graph from a file, of whatever tool.

    Parameters
    ----------
    path : file (HDF5), as ``nir.write_data`` writes them.

    Returns
    -------
    the signals, for :func:`stimuli_from_nir`.

    Raises
    ------
    StorageError : no such file, a damaged or hostile one.
    InputError : no signals of a NIR graph.

    Examples
    --------
    >>> import nir
    >>> import tempfile
    >>> shown = nir.TimeGriddedData(np.ones((1, 3, 2), dtype=bool), dt=1e-3)
    >>> data = nir.NIRGraphData({"input": nir.NIRNodeData({"spikes": shown})})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     nir.write_data(f"{folder}/shown.nir", data)
    ...     sorted(ns.biophysics.load_nir_data(f"{folder}/shown.nir").nodes)
    ['input']
    """
    checked = storage.check_hdf5(storage.as_path(path, "load_nir_data"))
    try:
        found = nir.read_data(checked)
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"load_nir_data: {path} holds no signals of a NIR graph ({reason}).") from error
    if not isinstance(found, nir.NIRGraphData) or not found.nodes:
        raise InputError(f"load_nir_data: {path} holds no signals of a NIR graph.")
    return found


def stimuli_from_nir(
    data: nir.NIRGraphData | nir.NIRNodeData | Signal,
    *,
    nodes: Sequence[str] | None = None,
    observable: str | None = None,
    time_step: float | None = None,
) -> xr.DataArray:
    """Return signals of a NIR graph as stimuli that a circuit made of this graph takes.

    Parameters
    ----------
    data : of a graph, of a node, or one signal: on a grid of time, or events, with or without values.
    nodes : names of the inputs, where the data are of several nodes; they are joined in the order of their names.
    observable : which signal of a node, where there are several.
    time_step : of the stimuli, s; asked for events, which are counted, or whose values are added, in each step.

    Returns
    -------
    stimuli (stimulus, time, unit): a stimulus a sample.

    Raises
    ------
    InputError : a name that is not there or has to be given, events outside their neurons or their time, a duration
        that is no whole number of steps, another step than that of the grid, nodes of unequal samples or steps.

    Examples
    --------
    >>> import nir
    >>> events = nir.EventData(np.array([[0, 1, -1]]), np.array([[0.0, 0.002, np.inf]]), n_neurons=2, t_max=0.003)
    >>> ns.biophysics.stimuli_from_nir(events, time_step=1e-3).values.tolist()
    [[[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]]
    """
    signals = [_signal(name, node, observable) for name, node in _chosen(data, nodes)]
    parts = [(name, *_gridded(name, signal, time_step)) for name, signal in signals]
    _, first, step = parts[0]
    for name, values, own in parts[1:]:
        if values.shape[:2] != first.shape[:2] or not np.isclose(own, step):
            raise InputError(
                f"stimuli_from_nir: {name!r} has {values.shape[0]} samples of {values.shape[1]} steps of {own:g} s, "
                f"{parts[0][0]!r} {first.shape[0]} of {first.shape[1]} steps of {step:g} s; inputs are shown together."
            )
    joined = np.concatenate([values for _, values, _ in parts], axis=2)
    return as_stimuli(joined, dims=("stimulus", "time", "unit"), time_step=step)


def _chosen(data: object, nodes: Sequence[str] | None) -> list[tuple[str, object]]:
    """Return the nodes whose signals are asked for, by name."""
    if not isinstance(data, nir.NIRGraphData):
        if nodes is not None:
            raise InputError("stimuli_from_nir: nodes= is for data of a graph; these are of one node.")
        return [("input", data)]
    wanted = sorted(data.nodes) if nodes is None else sorted({nodes} if isinstance(nodes, str) else set(nodes))
    absent = [n for n in wanted if n not in data.nodes]
    if absent or not wanted or (nodes is None and len(wanted) > 1):
        what = f"no node {absent[0]!r}" if absent else "the names of its inputs asked"
        raise InputError(f"stimuli_from_nir: {what}; nodes= names some of {', '.join(sorted(data.nodes)) or 'none'}.")
    return [(n, data.nodes[n]) for n in wanted]


def _signal(name: str, node: object, observable: str | None) -> tuple[str, Signal]:
    """Return the one signal of a node."""
    if isinstance(node, nir.TimeGriddedData | nir.EventData):
        return name, node
    if not isinstance(node, nir.NIRNodeData):
        raise InputError(f"stimuli_from_nir: signals of NIR asked at {name!r}, found {type(node).__name__}.")
    known = sorted(node.observables)
    if observable not in known and (observable is not None or len(known) != 1):
        raise InputError(f"stimuli_from_nir: node {name!r} has {', '.join(known) or 'nothing'}; observable= names one.")
    return name, node.observables[known[0] if observable is None else observable]


def _gridded(name: str, signal: Signal, time_step: float | None) -> tuple[np.ndarray, float]:
    """Return the values of a signal in each step, (sample, time, neuron), and the step, s."""
    if isinstance(signal, nir.TimeGriddedData):
        if time_step is not None and not np.isclose(time_step, signal.dt):
            raise InputError(f"stimuli_from_nir: {name!r} is on steps of {signal.dt:g} s, {time_step:g} s are asked.")
        return np.asarray(signal.data, dtype=float), float(signal.dt)
    if time_step is None:
        raise InputError(f"stimuli_from_nir: {name!r} holds events; time_step= says in which steps (s) they fall.")
    n_steps = whole_number(float(signal.t_max), time_step)
    if n_steps is None:
        raise InputError(
            f"stimuli_from_nir: {name!r} lasts {signal.t_max:g} s, no whole number of steps of {time_step:g} s."
        )
    index, times = np.asarray(signal.idx), np.asarray(signal.time, dtype=float)
    is_event = index >= 0
    step = bin_index(times[is_event], time_step) if np.isfinite(times[is_event]).all() else np.array([-1])
    outside = ((step < 0) | (step >= n_steps)).any() or (index >= signal.n_neurons).any() or (index < -1).any()
    if outside or np.isfinite(times[~is_event]).any():
        raise InputError(
            f"stimuli_from_nir: events of {name!r} lie outside 0 to {signal.t_max:g} s or 0 to {signal.n_neurons - 1}; "
            "no event is index -1 at an infinite time."
        )
    values = np.zeros((len(index), n_steps, int(signal.n_neurons)))
    size = np.asarray(signal.value, dtype=float)[is_event] if isinstance(signal, nir.ValuedEventData) else 1.0
    np.add.at(values, (np.nonzero(is_event)[0], step, index[is_event]), size)
    return values, float(time_step)


def responses_to_nir(circuit: Circuit, responses: xr.DataArray | xr.Dataset) -> nir.NIRGraphData:
    """Return what a circuit answered as signals of its NIR graph: "spikes" and, where kept, "v" of each population.

    Parameters
    ----------
    circuit : that answered, in steps as its graph.
    responses : its spikes (stimulus, time, unit), or the Dataset with membranes, as ``simulate`` returns them.

    Returns
    -------
    the signals, which ``nir.write_data`` keeps, a node a population; a sample a stimulus.

    Raises
    ------
    InputError : several trials, several spikes in a bin, other bins than the steps of the circuit.

    Examples
    --------
    >>> neurons = ns.biophysics.Population("out", 2, ns.parameters.DiscreteLIFParameters())
    >>> circuit = ns.biophysics.Circuit("two", ns.biophysics.Input(1), (neurons,), (), dt=1e-3, step=1e-3)
    >>> spikes = ns.as_stimuli(np.zeros((1, 4, 1)), dims=("stimulus", "time", "unit"), time_step=1e-3)
    >>> answers = ns.simulate(circuit, spikes, engine="torch", progress=False)
    >>> ns.biophysics.responses_to_nir(circuit, answers).nodes["out"].observables["spikes"].data.shape
    (1, 4, 2)
    """
    given = responses["responses"] if isinstance(responses, xr.Dataset) else responses
    counts = check_responses(given, "responses_to_nir")
    if "trial" in counts.dims or counts.dims != ("stimulus", "time", "unit") or "layer" not in counts.coords:
        raise InputError(
            f"responses_to_nir: (stimulus, time, unit) with 'layer' along unit asked, found {counts.dims}; NIR knows "
            "samples, no trials: select one, or stack them."
        )
    width = counts.attrs.get("time_step")
    if counts.max() > 1 or not (width and np.isclose(width, circuit.step)):
        raise InputError(
            f"responses_to_nir: at most one spike a bin of {circuit.step:g} s asked, found bins of {width} s, up to "
            f"{float(counts.max()):g}."
        )
    membranes = responses.get("membrane_potential") if isinstance(responses, xr.Dataset) else None
    nodes = {}
    for p in circuit.populations:
        spikes = counts.values[..., counts["layer"].values == p.name] > 0
        signals = {SPIKES: nir.TimeGriddedData(spikes, circuit.step)} if p.sends_spikes else {}
        units = [f"{p.name}/{i}" for i in range(p.size)]
        if membranes is not None and set(units) <= set(membranes["membrane_unit"].values.tolist()):
            kept = membranes.sel(membrane_unit=units).transpose("stimulus", "membrane_time", "membrane_unit")
            signals[MEMBRANE] = nir.TimeGriddedData(kept.values, circuit.dt)
        if signals:
            nodes[p.name] = nir.NIRNodeData(signals)
    return nir.NIRGraphData(nodes)
