"""Circuits from and to NIR graphs, the exchange format of spiking networks (https://doi.org/10.1038/s41467-024-52259-9).

Between two layers of neurons a graph may hold any linear nodes (weights, convolutions, pooling, scale, flatten, delay):
all ways from one to the other are multiplied out to one sparse matrix a delay. What NIR cannot hold (step, reset)
stands in the metadata of a node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import scipy.sparse

from neurosim import storage
from neurosim.biophysics.circuit import Circuit, Readout, ReadoutOf
from neurosim.biophysics.dynamics import constants_of
from neurosim.biophysics.inputs import INPUT, READ_BY, Input, InputKind
from neurosim.biophysics.linear_nodes import LINEAR_NODES
from neurosim.biophysics.models import NEURONS
from neurosim.biophysics.nir_nodes import ASKER, Neurons, PlainNode, added_by_nir, tell_added
from neurosim.biophysics.nir_paths import Arrivals, arrivals, in_order
from neurosim.biophysics.nir_thresholds import with_thresholds_joined
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection, Weights
from neurosim.biophysics.sources import refuse_sources
from neurosim.nir_graphs import (
    INTEGRATOR_NODES,
    POPULATION_NODES,
    IfInput,
    Integration,
    check_unchanged,
    flat_graph,
    settled_if_input,
    spread,
    time_step,
)
from neurosim.parameters import from_metadata, to_metadata
from neurosim.refusals import InputError


def load_nir(path: str | Path) -> nir.NIRGraph:
    """Read a NIR graph from a file, of whatever tool; only its shapes are not insisted on.

    Parameters
    ----------
    path : ``.nir`` file (HDF5).

    Raises
    ------
    StorageError : no such file, a damaged or hostile one.
    InputError : no NIR graph.

    Returns
    -------
    the graph, for ``to_circuit`` or ``networks.from_nir``.

    Examples
    --------
    >>> import nir
    >>> import tempfile
    >>> cell = ns.biophysics.Population("cell", 1, ns.parameters.DiscreteLIFParameters())
    >>> wire = ns.biophysics.Projection("input", "cell", [[1.5]])
    >>> circuit = ns.biophysics.Circuit("one", ns.biophysics.Input(1), (cell,), (wire,), 1e-3, 1e-3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     nir.write(f"{folder}/one.nir", ns.to_nir(circuit))
    ...     sorted(ns.biophysics.load_nir(f"{folder}/one.nir").nodes)
    ['cell', 'input', 'input_to_cell', 'output_port']
    """
    checked = storage.check_hdf5(storage.as_path(path, "load_nir"))
    try:
        graph = nir.read(checked, type_check=False)
    except Exception as error:
        reason = _unknown_type(checked) or (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"load_nir: {path} is not a NIR graph ({reason}).") from error
    if not isinstance(graph, nir.NIRGraph):
        raise InputError(f"load_nir: {path} holds a single node ({type(graph).__name__}), not a graph.")
    return graph


def _unknown_type(path: Path) -> str | None:
    """Return which node of a file is of a type that NIR does not have, in words."""
    found: list[str] = []

    def look(name: str, item: object) -> None:
        if name.endswith("/type") and isinstance(item, h5py.Dataset) and item.shape == ():
            kind = item.asstr()[()] if h5py.check_string_dtype(item.dtype) else str(item[()])
            if not hasattr(nir, kind):
                found.append(f"node {name.split('/')[-2]!r} is of the type {kind!r}, which NIR does not have")

    with h5py.File(path, "r") as file:
        file.visititems(look)
    return found[0] if found else None


def circuit_from_nir(
    graph: nir.NIRGraph,
    *,
    name: str = "twin",
    dt: float | None = None,
    integration: Integration = "euler",
    inputs: InputKind | None = None,
    duration: float | None = None,
    if_input: IfInput | None = None,
) -> Circuit:
    """Translate a NIR graph into a circuit of discrete neurons.

    Parameters
    ----------
    graph : layers of LIF, IF, CubaLIF or Threshold neurons, any linear nodes between them, recurrent connections,
        subgraphs. LI, I and CubaLI integrate what a layer sends and are read by their membrane, at the end where nobody
        said otherwise; before a Threshold of their own they are neurons that never reset. Several inputs are shown as
        one, in the order of their names; several outputs name what is read, of which one at most may have weights.
    name : name of the circuit.
    dt : step, s; by default what the graph's metadata say, else 1e-4 s.
    integration : how the differential equations of plain NIR nodes become steps: "euler" (forward, as most simulators
        do) or "exact" (LIF with input that is constant within a step; it then resets at the moment of crossing).
    inputs : kind of input; by default what the metadata say, else "spikes".
    duration : how long stimuli without a ``time`` dim are shown, s.
    if_input : what reaches an IF or I node, which has no time constant: "charge" a step, ``v += r I``, as event-driven
        tools do, or "current", ``v += r I dt``, as NIR's equation says; charge, with a warning, where nobody says.

    Raises
    ------
    InputError : a node that cannot be represented, a cycle without neurons, shapes that do not fit, no neurons, a
        delay that is no whole number of steps, numbers that are not finite, an integrator that sends to neurons.

    Populations stand in topological order; cycles are opened at delays, else by the order of the nodes. A spike that
    goes back along the order without delay arrives one step later.
    """
    flat, edges, entries, leaves = flat_graph(ASKER, graph, (*POPULATION_NODES, *LINEAR_NODES))
    nodes, edges, without_reset = with_thresholds_joined(flat, edges)
    neurons = [label for label, node in nodes.items() if isinstance(node, POPULATION_NODES)]
    if not neurons:
        raise InputError(f"{ASKER}: the graph holds no neurons ({', '.join(k.__name__ for k in POPULATION_NODES)}).")
    tables = {n: kept for n in neurons if (kept := from_metadata(nodes[n].metadata)) is not None}
    kept = next(iter(tables.values()), {})
    step = time_step(ASKER, dt, kept.get("dt"), 1e-4)
    found, shapes = arrivals(nodes, edges, entries, step)
    _check_graded(nodes, found)
    shown = _shown_at(entries, shapes)
    tell_added(entries, shown, nodes)
    places = {str(table.get("place")): n for n, table in tables.items()}
    numbered = [places.get(str(k), "") for k in range(len(neurons))]
    order = numbered if set(numbered) == set(neurons) else in_order(neurons, found)
    populations, projections = [], []
    charge = settled_if_input(ASKER, {n: nodes[n] for n in neurons}, if_input)
    for label in order:
        plain = PlainNode(label, nodes[label], step, integration, charge, shapes[label], label not in without_reset)
        population, into = _populated(label, _discrete(plain), found[label], shown, step, label in tables)
        populations.append(population)
        projections += into
    kind = inputs or kept.get("input_kind", "spikes")
    about: dict[str, Any] = {name: kept.get(name, 100 * step if name == "duration" else None) for name in READ_BY}
    about = {name: value for name, value in about.items() if kind in READ_BY[name][0]}
    about |= {} if duration is None else {"duration": duration}
    reads = {n: table.get("reads") for n, table in tables.items()}
    readout = _readout({leave: found[leave] for leave in leaves}, populations, shown, reads)
    every_input = Input(max(end for _, end in shown.values()), kind, **about)
    return Circuit(name, every_input, tuple(populations), tuple(projections), step, step, readout)


def _shown_at(entries: list[str], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, int]]:
    """Return the first unit of every input among all that are shown, and the one after its last."""
    ends = np.cumsum([int(np.prod(shapes[entry])) for entry in entries]).tolist()
    return {entry: (start, end) for entry, start, end in zip(entries, [0, *ends], ends, strict=False)}


def _check_graded(nodes: Mapping[str, nir.NIRNode], found: Mapping[str, Arrivals]) -> None:
    """Refuse integrators that send to neurons, which get spikes and input alone."""
    for label, arrived in found.items():
        graded = [s for s, _ in arrived.matrices if isinstance(nodes[s], INTEGRATOR_NODES)]
        if graded and not isinstance(nodes[label], nir.Output):
            kind, other = type(nodes[graded[0]]).__name__, type(nodes[label]).__name__
            raise InputError(
                f"{ASKER}: node {graded[0]!r} ({kind}) sends graded values to {label!r} ({other}); between layers "
                "spikes are represented, and an integrator only before the output or before one Threshold of its own."
            )


def _populated(
    label: str, neuron: Neurons, arrived: Arrivals, shown: Mapping[str, tuple[int, int]], step: float, is_kept: bool
) -> tuple[Population, list[Projection]]:
    """Return neurons as a population, and the projections onto it."""
    record, varying, scale, shift = neuron
    if arrived.late and not is_kept:
        raise InputError(
            f"{ASKER}: a bias passes the delay {arrived.late!r} on its way to node {label!r}, and NIR does not say "
            "what arrives before the delay is over; put the bias behind the delay."
        )
    if len(arrived.bias) != len(scale):
        raise InputError(f"{ASKER}: node {label!r} has {len(scale)} neurons, {len(arrived.bias)} values arrive.")
    projections = []
    for (source, steps), matrix in arrived.matrices.items():
        turned = scipy.sparse.csr_array(scipy.sparse.csr_array(matrix.T) * scale)
        if turned.nnz:
            turned = _among(turned, shown, source) if source in shown else turned
            dense = turned.nnz > 0.3 * turned.shape[0] * turned.shape[1]
            start = INPUT if source in shown else source
            projections.append(Projection(start, label, turned.toarray() if dense else turned, steps * step))
    drive = shift + scale * arrived.bias
    return Population(label, len(scale), record, drive, varying=varying), projections


def _among(weights: Weights, shown: Mapping[str, tuple[int, int]], entry: str) -> Weights:
    """Return the weights (source, target) of one input as those of all that are shown."""
    places = scipy.sparse.coo_array(weights)
    size = (max(end for _, end in shown.values()), weights.shape[1])
    moved = (places.data, (places.row + shown[entry][0], places.col))
    return scipy.sparse.csr_array(scipy.sparse.coo_array(moved, shape=size))


def circuit_to_nir(circuit: Circuit) -> nir.NIRGraph:
    """Return a circuit of discrete neurons as a NIR graph; step, reset, order and input stand in the metadata.

    Raises
    ------
    InputError : the circuit has left the first rung, or its neurons are or differ in a way that NIR cannot hold.
    """
    if not circuit.is_discrete:
        raise InputError(
            f"to_nir: {circuit.name!r} stands on rung {circuit.rung!r}; NIR holds the neurons of rung 'exact' only. "
            "save_circuit keeps every circuit."
        )
    refuse_sources(circuit, "to_nir")
    ruled = next((q for q in circuit.projections if q.release is not None or q.plasticity is not None), None)
    if ruled is not None:
        raise InputError(f"to_nir: {ruled.source}->{ruled.target} has release or plasticity, which NIR does not hold.")
    _check_names(circuit)
    inputs = circuit.only_input("to_nir")
    nodes: dict[str, nir.NIRNode] = {INPUT: nir.Input({"input": np.array([inputs.size])})}
    edges: list[tuple[str, str]] = []
    about = {"input_kind": inputs.kind} | {k: v for k in READ_BY if (v := getattr(inputs, k)) is not None}
    for k, population in enumerate(circuit.populations):
        read = circuit.readout if circuit.readout and circuit.readout.source == population.name else None
        own = about | {"place": k} | ({"reads": read.reads} if read and not population.sends_spikes else {})
        nodes[population.name] = _node_of(population, circuit.dt, own)
    reached = _reached(circuit)
    for population in circuit.populations:
        _add_projections(circuit, population, population.name in reached, nodes, edges)
    last = circuit.populations[-1].name
    n_out = circuit.sizes[last]
    if circuit.readout is not None:
        n_out, last = len(circuit.readout.bias), _free("readout", nodes)
        nodes[last] = nir.Affine(_as_dense(circuit.readout.weights).T, np.array(circuit.readout.bias, dtype=float))
        edges.append((circuit.readout.source, last))
    leave = _free("output_port", nodes)
    nodes[leave] = nir.Output({"output": np.array([n_out])})
    return nir.NIRGraph(nodes, [*edges, (last, leave)], type_check=False)


def _add_projections(
    circuit: Circuit,
    population: Population,
    is_reached: bool,
    nodes: dict[str, nir.NIRNode],
    edges: list[tuple[str, str]],
) -> None:
    """Add what arrives at a population; its drive goes with a projection without delay, if need be an empty one."""
    name, into = population.name, circuit.into(population.name)
    if not is_reached or (population.drive.any() and all(q.by_delay(circuit.dt)[0][0] for q in into)):
        into = (*into, Projection(INPUT, name, scipy.sparse.csr_array((circuit.inputs.size, population.size))))
    drive = population.drive
    for i, q in enumerate(into):
        several = sum(r.source == q.source for r in into) > 1
        for steps, where in q.by_delay(circuit.dt):
            label = _free(f"{q.source}_to_{name}" + (f"_{i}" if several else ""), nodes)
            bias = np.zeros(population.size) if steps else drive
            drive = drive if steps else np.zeros(population.size)
            weights = _as_dense(q.weights) * (1.0 if where is None else _as_dense(where))
            nodes[label] = nir.Affine(weight=weights.T, bias=np.array(bias))
            edges.append((q.source, label))
            if steps:
                late = _free(f"{label}_delay", nodes)
                nodes[late] = nir.Delay(np.full(population.size, steps * circuit.dt))
                edges.append((label, late))
                label = late
            edges.append((label, name))


def _check_names(circuit: Circuit) -> None:
    found = next((p.name for p in circuit.populations if "/" in p.name or not p.name), None)
    if found is not None:
        raise InputError(f"to_nir: a population is called {found!r}; files of NIR take names without '/'.")


def _free(name: str, nodes: Mapping[str, nir.NIRNode]) -> str:
    return name if name not in nodes else next(n for k in range(len(nodes) + 1) if (n := f"{name}_{k}") not in nodes)


def _reached(circuit: Circuit) -> set[str]:
    reached = {INPUT}
    for _ in circuit.populations:
        reached |= {q.target for q in circuit.projections if q.source in reached}
    return reached


def _node_of(population: Population, dt: float, about: Mapping[str, Any]) -> nir.NIRNode:
    record, n, name, model = population.parameters, population.size, population.name, population.model
    if model.nir is None:
        raise InputError(f"to_nir: {name!r} has neurons ({type(record).__name__}) that NIR does not hold.")
    if population.noise:
        raise InputError(f"to_nir: {name!r} has noise = {population.noise:g}, which NIR does not hold.")
    numbers = {
        k: np.broadcast_to(np.asarray(v, dtype=float), (n,)).copy()
        for k, v in constants_of(population, dt).items()
        if not isinstance(v, str | bool)
    }
    exact = {k: v.tolist() for k, v in population.varying.items() if k not in ("threshold", "v_reset")}
    kept = to_metadata(record, model=model.name, varying=sorted(population.varying), exact=exact, **about)
    levels = {"v_threshold": "threshold", "v_reset": "v_reset"}
    common = {key: numbers[name] for key, name in levels.items() if name in numbers} | {"metadata": kept}
    return model.nir.write(name, numbers, dt, common)


def _discrete(plain: PlainNode) -> Neurons:
    """Return (record, varying numbers, factor of all input, constant input) of a neuron node."""
    kept = from_metadata(plain.node.metadata)
    try:
        if kept is not None:
            return _recorded(plain.label, plain.node, kept, plain.shape)
        forms = (model.nir for model in NEURONS.values() if model.nir is not None)
        return next(form for form in forms if form.is_plainly(plain.node)).read(plain)
    except InputError as error:
        named = str(error).startswith(f"{ASKER}: ")
        raise error if named else InputError(f"{ASKER}: node {plain.label!r}: {error}") from error


def _recorded(label: str, node: nir.NIRNode, kept: Mapping[str, Any], shape: tuple[int, ...]) -> Neurons:
    """Return what the metadata of a node say, which is exact; numbers that vary stand in the node itself."""
    check_unchanged(ASKER, label, node, kept)
    model = NEURONS.find(kept.get("model", "discrete_lif"), f"{ASKER}: node {label!r}")
    if model.nir is None:
        raise InputError(f"{ASKER}: node {label!r} says that its neurons are {model.name!r}, which NIR does not hold.")
    record = model.of({f.name: kept[f.name] for f in fields(model.parameters) if f.name in kept})
    varying = {}
    for key in kept.get("varying", ()):
        if key in ("threshold", "v_reset"):
            level = key if hasattr(node, key) else "v_threshold"
            varying[key] = spread(ASKER, label, getattr(node, level), shape)
        elif key in kept.get("exact", {}):
            varying[key] = spread(ASKER, label, kept["exact"][key], shape)
        else:
            raise InputError(f"{ASKER}: node {label!r} says that {key!r} varies, but does not hold it.")
    size = int(np.prod(shape))
    return record, varying, np.ones(size), np.zeros(size)


def _readout(
    arrived: Mapping[str, Arrivals],
    populations: list[Population],
    shown: Mapping[str, tuple[int, int]],
    reads: Mapping[str, Any],
) -> Readout | None:
    """Return what the outputs make of one population; None where it is as it is, and the last one is among them."""
    found = [_read_at(leave, a, {p.name: p for p in populations}, shown, reads) for leave, a in arrived.items()]
    weighed = [read for read in found if not _is_same(read)]
    if len(weighed) > 1:
        raise InputError(
            f"{ASKER}: the outputs {', '.join(map(repr, arrived))} weigh what they read; one readout is represented."
        )
    chosen = weighed[0] if weighed else next((r for r in found if r.source == populations[-1].name), found[-1])
    is_plain = chosen.source == populations[-1].name and _is_same(chosen) and chosen.reads == "spikes"
    return None if is_plain else chosen


def _read_at(
    leave: str,
    arrived: Arrivals,
    populations: Mapping[str, Population],
    shown: Mapping[str, tuple[int, int]],
    reads: Mapping[str, Any],
) -> Readout:
    (source, steps), *others = arrived.matrices
    if others or source in shown:
        read = list(dict.fromkeys(name for name, _ in arrived.matrices))
        what = "more than one layer" if not set(read) & set(shown) else "the input"
        raise InputError(
            f"{ASKER}: the output {leave!r} reads {what} ({', '.join(map(repr, read))}); one readout of one layer of "
            f"neurons is represented.{added_by_nir([leave, *read])}"
        )
    if steps:
        raise InputError(f"{ASKER}: the output {leave!r} reads {source!r} after a delay, which is not represented.")
    kind: ReadoutOf = "spikes" if populations[source].sends_spikes else reads.get(source) or "last_membrane"
    return Readout(source, scipy.sparse.csr_array(arrived.matrices[(source, 0)].T), arrived.bias, kind)


def _is_same(readout: Readout) -> bool:
    """Whether a readout is the population as it is."""
    n, m = readout.weights.shape
    return n == m and not (readout.weights != scipy.sparse.eye_array(n)).nnz and not readout.bias.any()


def _as_dense(weights: Weights) -> np.ndarray:
    return weights if isinstance(weights, np.ndarray) else weights.toarray()
