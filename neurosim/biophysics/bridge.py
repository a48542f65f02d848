"""The bridge: a trained spiking network, as a NIR graph, becomes a Brian2 circuit that spikes identically."""

from __future__ import annotations

import nir
import numpy as np
import xarray as xr

from neurosim.biophysics.circuit import INPUT, Circuit, Population, Projection
from neurosim.biophysics.simulation import simulate
from neurosim.parameters import DiscreteLIFParameters
from neurosim.schema import InputError, same_stimuli


def to_circuit(graph: nir.NIRGraph, *, name: str = "twin") -> Circuit:
    """Translate a NIR graph that neurosim wrote (``neurosim.networks.exchange.to_nir``) into a circuit.

    Parameters
    ----------
    graph : chain of Affine or Linear and LIF nodes; the metadata of each LIF hold step, reset and time constant.
    name : name of the circuit.

    Raises
    ------
    InputError : a node cannot be represented, or a LIF node does not say its reset and step.
    """
    chain = _chain(graph)
    populations: list[Population] = []
    projections: list[Projection] = []
    source, weights, bias = INPUT, None, None
    for node_name in chain:
        node = graph.nodes[node_name]
        if isinstance(node, nir.Affine | nir.Linear):
            weights = np.asarray(node.weight, dtype=float)
            bias = np.asarray(getattr(node, "bias", np.zeros(len(weights))), dtype=float)
        elif isinstance(node, nir.LIF) and weights is not None and bias is not None:
            populations.append(Population(node_name, len(weights), _parameters(node_name, node), bias))
            projections.append(Projection(source, node_name, weights.T))
            source, weights, bias = node_name, None, None
        else:
            raise InputError(
                f"to_circuit: node {node_name!r} ({type(node).__name__}) cannot be represented; "
                "known: Affine or Linear, each followed by LIF."
            )
    if not populations:
        raise InputError("to_circuit: the graph holds no LIF node.")
    step = populations[0].parameters.dt  # type: ignore[union-attr]
    n_inputs = projections[0].weights.shape[0]
    return Circuit(name, n_inputs, tuple(populations), tuple(projections), dt=step, step=step)


def verify_translation(
    expected: xr.DataArray, circuit: Circuit, stimuli: xr.DataArray, *, simulated: xr.DataArray | None = None
) -> xr.Dataset:
    """Compare the spikes of a circuit with those of the network it was translated from, one by one.

    Parameters
    ----------
    expected : spikes of the network (stimulus, time, unit), computed in float64.
    circuit : its translation.
    stimuli : input spikes shown to both.
    simulated : responses of the circuit to the same stimuli, when they are at hand; otherwise it is run.

    Returns
    -------
    Dataset along ``layer``: ``n_spikes`` of the network, ``n_differing`` spikes, and ``first_step``,
    ``first_neuron``, ``first_stimulus`` of the first difference (-1 when there is none).
    """
    found = same_stimuli(expected, simulate(circuit, stimuli) if simulated is None else simulated, "verify_translation")
    rows = []
    for population in circuit.populations:
        a = expected.values[:, :, expected["layer"].values == population.name]
        b = found.values[:, :, found["layer"].values == population.name]
        if a.shape != b.shape:
            raise InputError(
                f"verify_translation: {population.name!r} has shape {a.shape} in one, {b.shape} in the other."
            )
        stimulus, step, neuron = np.nonzero(a != b)
        first = int(np.argmin(step)) if len(step) else None
        place = (-1, -1, -1) if first is None else (int(step[first]), int(neuron[first]), int(stimulus[first]))
        rows.append((int(a.sum()), int(np.abs(a - b).sum()), *place))
    names = ("n_spikes", "n_differing", "first_step", "first_neuron", "first_stimulus")
    columns = np.asarray(rows, dtype=np.int64).T
    verdict = "spike-exact" if not columns[1].any() else "different"
    return xr.Dataset(
        {n: ("layer", c) for n, c in zip(names, columns, strict=True)},
        coords={"layer": [p.name for p in circuit.populations]},
        attrs={"verdict": verdict, "n_stimuli": expected.sizes["stimulus"]},
    )


def _chain(graph: nir.NIRGraph) -> list[str]:
    """Return the names of the nodes between input and output, which must follow one another in a line."""
    following: dict[str, list[str]] = {}
    for a, b in graph.edges:
        following.setdefault(a, []).append(b)
    branches = [a for a, targets in following.items() if len(targets) > 1]
    if branches:
        raise InputError(f"to_circuit: node {branches[0]!r} branches; only chains are represented.")
    name = next((n for n, node in graph.nodes.items() if isinstance(node, nir.Input)), None)
    chain: list[str] = []
    while name in following:
        name = following[name][0]
        if name in chain:
            raise InputError(f"to_circuit: the graph returns to node {name!r}; recurrence is not represented.")
        chain.append(name)
    return [n for n in chain if not isinstance(graph.nodes[n], nir.Output)]


def _parameters(name: str, node: nir.LIF) -> DiscreteLIFParameters:
    kept = (node.metadata or {}).get("neurosim")
    if not isinstance(kept, dict):
        raise InputError(
            f"to_circuit: node {name!r} does not say its reset and time step, which NIR itself cannot hold; "
            "write the graph with neurosim.networks.exchange.to_nir."
        )
    return DiscreteLIFParameters(**kept)
