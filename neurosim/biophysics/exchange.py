"""Circuits from and to NIR graphs, the exchange format of spiking networks (https://doi.org/10.1038/s41467-024-52259-9).

Between two layers of neurons a graph may hold any linear nodes (weights, convolutions, pooling, scale, flatten, delay):
each path is multiplied out to one sparse matrix. What NIR cannot hold (step, reset) stands in the metadata of a node.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import nir
import numpy as np
import scipy.sparse

from neurosim import storage
from neurosim.biophysics.circuit import INPUT, Circuit, Input, InputKind, Population, Projection, Readout, Weights
from neurosim.biophysics.linear_nodes import LINEAR_NODES, operator_of, shape_after_node, spread
from neurosim.parameters import (
    DiscreteLIFParameters,
    DiscreteParameters,
    DiscreteSynapticParameters,
    from_metadata,
    parameters_of,
    to_metadata,
)
from neurosim.schema import InputError

Integration = Literal["euler", "exact"]
IfInput = Literal["charge", "current"]
NEURON_NODES = (nir.LIF, nir.IF, nir.CubaLIF)


@dataclass(frozen=True)
class _Path:
    """What happens between two layers of neurons: ``matrix @ spikes + bias``, after a delay."""

    source: str
    matrix: Any
    bias: np.ndarray
    delay: float


def load_nir(path: str | Path) -> nir.NIRGraph:
    """Read a NIR graph from a file, of whatever tool; only its shapes are not insisted on.

    Parameters
    ----------
    path : ``.nir`` file (HDF5).

    Raises
    ------
    StorageError : no such file, a damaged or hostile one.
    InputError : no NIR graph.
    """
    checked = storage.check_hdf5(Path(path))
    try:
        graph = nir.read(checked, type_check=False)
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"load_nir: {path} is not a NIR graph ({reason}).") from error
    if not isinstance(graph, nir.NIRGraph):
        raise InputError(f"load_nir: {path} holds a single node ({type(graph).__name__}), not a graph.")
    return graph


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
    graph : layers of LIF, IF or CubaLIF neurons, any linear nodes between them, recurrent connections, subgraphs.
    name : name of the circuit.
    dt : step, s; by default what the graph's metadata say, else 1e-4 s.
    integration : how the differential equations of plain NIR nodes become steps: "euler" (forward, as most simulators
        do) or "exact" (for input that is constant within a step; a LIF neuron then resets at the moment of crossing).
    inputs : kind of input; by default what the metadata say, else "spikes".
    duration : how long stimuli without a ``time`` dim are shown, s.
    if_input : what reaches an IF neuron, which has no time constant: "charge" a step, ``v += r I``, as event-driven
        tools do, or "current", ``v += r I dt``, as NIR's equation says; charge, with a warning, where nobody says.

    Raises
    ------
    InputError : a node that cannot be represented, a cycle without neurons, shapes that do not fit, no neurons.
    """
    _check_weights(graph)
    nodes, edges = _flat(graph)
    before: dict[str, list[str]] = {}
    for a, b in dict.fromkeys(edges):
        before.setdefault(b, []).append(a)
    neurons = _in_order(nodes, edges)
    if not neurons:
        raise InputError("to_circuit: the graph holds no neurons (LIF, IF, CubaLIF).")
    entry = _only(nodes, nir.Input)
    shapes = _output_shapes(nodes, before, entry)
    kept = next((m for n in neurons if (m := from_metadata(nodes[n].metadata))), {})
    step = dt or kept.get("dt", 1e-4)
    if not isinstance(step, int | float) or not 0 < step <= 1:
        raise InputError(f"to_circuit: a dt of 0 to 1 s asked, found {step!r}.")
    populations, projections = [], []
    for label in neurons:
        size = int(np.prod(shapes[label]))
        record, varying, scale, shift = _discrete(label, nodes[label], step, integration, if_input, shapes[label])
        drive = np.array(shift)
        for path in _paths(label, nodes, before, shapes, neurons, entry):
            drive = drive + scale * path.bias
            matrix = scipy.sparse.csr_array(path.matrix.T) * scale
            dense = matrix.nnz > 0.3 * matrix.shape[0] * matrix.shape[1]
            delay = round(path.delay / step) * step
            source = INPUT if path.source == entry else path.source
            projections.append(Projection(source, label, matrix.toarray() if dense else matrix, delay))
        populations.append(Population(label, size, record, drive, varying=varying))
    shown = Input(
        int(np.prod(shapes[entry])),
        inputs or kept.get("input_kind", "spikes"),
        duration or kept.get("duration", 100 * step),
    )
    readout = _readout(nodes, before, shapes, neurons, entry)
    return Circuit(name, shown, tuple(populations), tuple(projections), step, step, readout)


def circuit_to_nir(circuit: Circuit) -> nir.NIRGraph:
    """Return a circuit of discrete neurons as a NIR graph; step, reset and kind of input stand in the metadata.

    Raises
    ------
    InputError : the circuit has left the first rung, or its neurons differ in a way that NIR cannot hold.
    """
    if not circuit.is_discrete:
        raise InputError(
            f"to_nir: {circuit.name!r} stands on rung {circuit.rung!r}; NIR holds the neurons of rung 'exact' only. "
            "save_circuit keeps every circuit."
        )
    nodes: dict[str, nir.NIRNode] = {INPUT: nir.Input({"input": np.array([circuit.inputs.size])})}
    edges = []
    about = {"input_kind": circuit.inputs.kind, "duration": circuit.inputs.duration}
    for population in circuit.populations:
        nodes[population.name] = _node_of(population, about)
        into = circuit.into(population.name)
        zero = scipy.sparse.csr_array((circuit.inputs.size, population.size))
        if not into and population.drive.any():
            into = (Projection(INPUT, population.name, zero),)
        for i, q in enumerate(into):
            label = f"{q.source}_to_{q.target}" + (f"_{i}" if sum(r.source == q.source for r in into) > 1 else "")
            weight = _as_dense(q.weights).T
            bias = population.drive if i == 0 else np.zeros(population.size)
            nodes[label] = nir.Affine(weight=weight, bias=np.array(bias))
            edges += [(q.source, label)]
            if q.delay:
                nodes[f"{label}_delay"] = nir.Delay(np.full(population.size, q.delay))
                edges += [(label, f"{label}_delay"), (f"{label}_delay", population.name)]
            else:
                edges += [(label, population.name)]
    last = circuit.populations[-1].name
    if circuit.readout is not None:
        weight = _as_dense(circuit.readout.weights).T
        nodes["readout"] = nir.Affine(weight=weight, bias=np.array(circuit.readout.bias))
        edges.append((circuit.readout.source, "readout"))
        last = "readout"
    n_out = len(nodes[last].bias) if last == "readout" else circuit.sizes[last]
    nodes["output_port"] = nir.Output({"output": np.array([n_out])})
    return nir.NIRGraph(nodes, [*edges, (last, "output_port")], type_check=False)


def _node_of(population: Population, about: Mapping[str, Any]) -> nir.NIRNode:
    record = population.parameters
    assert isinstance(record, DiscreteLIFParameters | DiscreteSynapticParameters)
    n = population.size
    exact = {k: v.tolist() for k, v in population.varying.items() if k in ("alpha", "beta", "input_scale")}

    def values(name: str, default: float) -> np.ndarray:
        return np.array(population.varying.get(name, np.full(n, default)), dtype=float)

    beta = values("beta", record.beta)
    tau = np.where(beta < 1, -record.dt / np.log(np.where(beta < 1, beta, 0.5)), np.inf)
    common = {
        "r": 1 / np.where(beta < 1, 1 - beta, 1.0),
        "v_leak": np.zeros(n),
        "v_threshold": values("threshold", record.threshold),
        "v_reset": values("v_reset", record.v_reset),
        "metadata": to_metadata(record, varying=sorted(population.varying), exact=exact, **about),
    }
    if isinstance(record, DiscreteSynapticParameters):
        alpha = values("alpha", record.alpha)
        return nir.CubaLIF(tau_syn=-record.dt / np.log(alpha), tau_mem=tau, w_in=1 / (1 - alpha), **common)
    if not np.isfinite(tau).all():
        common.pop("v_leak")
        return nir.IF(**common | {"r": np.ones(n)})
    return nir.LIF(tau=tau, **common)


def _discrete(
    label: str, node: Any, step: float, integration: Integration, if_input: IfInput | None, shape: tuple[int, ...]
) -> tuple[DiscreteParameters, dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return (record, varying numbers, factor of all input, constant input) of a neuron node."""
    kept = from_metadata(node.metadata)
    if kept is not None:
        return _recorded(label, node, kept, shape)
    size = int(np.prod(shape))
    threshold, v_reset = spread(label, node.v_threshold, shape), spread(label, _or_zero(node.v_reset), shape)
    r = spread(label, node.r, shape)
    if isinstance(node, nir.IF):
        r = r * _if_gain(label, if_input, step)
        common = {"threshold": float(threshold[0]), "v_reset": float(v_reset[0])}
        record: DiscreteParameters = DiscreteLIFParameters(np.inf, step, reset="immediate", **common)  # type: ignore[arg-type]
        return record, _varying({"threshold": threshold, "v_reset": v_reset}, record), r, np.zeros(size)
    tau = spread(label, node.tau if isinstance(node, nir.LIF) else node.tau_mem, shape)
    _check_positive(label, "tau", tau, step)
    beta, leak = _step_of(tau, step, integration), spread(label, node.v_leak, shape)
    gain = 1 - beta
    numbers = {"beta": beta, "threshold": threshold, "v_reset": v_reset}
    common = {"threshold": float(threshold[0]), "v_reset": float(v_reset[0])}
    if isinstance(node, nir.LIF):
        reset = "interpolated" if integration == "exact" else "immediate"
        record = DiscreteLIFParameters(float(tau[0]), step, reset=reset, **common)  # type: ignore[arg-type]
        return record, _varying(numbers, record), gain * r, gain * leak
    tau_syn = spread(label, node.tau_syn, shape)
    _check_positive(label, "tau_syn", tau_syn, step)
    alpha = _step_of(tau_syn, step, integration)
    if leak.any():
        raise InputError(f"to_circuit: node {label!r} (CubaLIF) has a v_leak other than 0, which is not represented.")
    record = DiscreteSynapticParameters(float(tau_syn[0]), float(tau[0]), step, reset="immediate", **common)
    numbers |= {"alpha": alpha, "input_scale": gain * r}
    return (
        record,
        _varying(numbers, record, input_scale=1.0),
        (1 - alpha) * spread(label, node.w_in, shape),
        np.zeros(size),
    )


def _if_gain(label: str, if_input: IfInput | None, step: float) -> float:
    if if_input is None:
        warnings.warn(
            f"to_circuit: node {label!r} (IF) does not say whether its input is charge a step or a current; charge is "
            "taken, pass if_input='charge' or 'current'.",
            stacklevel=2,
        )
    elif if_input not in get_args(IfInput):
        raise InputError(f"to_circuit: if_input is 'charge' or 'current', found {if_input!r}.")
    return step if if_input == "current" else 1.0


def _recorded(
    label: str, node: Any, kept: Mapping[str, Any], shape: tuple[int, ...]
) -> tuple[DiscreteParameters, dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return what the metadata of a node say, which is exact; numbers that vary stand in the node itself."""
    fields = ("tau_syn", "tau_mem", "dt", "threshold", "reset", "v_reset")
    numbers = {k: kept[k] for k in fields if k in kept}
    record = parameters_of(str(kept.get("model", "discrete_lif")), numbers)
    varying = {}
    for key in kept.get("varying", ()):
        if key in ("threshold", "v_reset"):
            varying[key] = spread(label, getattr(node, "v_threshold" if key == "threshold" else "v_reset"), shape)
        elif key in kept.get("exact", {}):
            varying[key] = spread(label, kept["exact"][key], shape)
        else:
            raise InputError(f"to_circuit: node {label!r} says that {key!r} varies, but does not hold it.")
    size = int(np.prod(shape))
    return record, varying, np.ones(size), np.zeros(size)


def _varying(numbers: Mapping[str, np.ndarray], record: Any, **defaults: float) -> dict[str, np.ndarray]:
    """Return the numbers that one record cannot hold exactly."""
    held = {k: defaults.get(k, getattr(record, k, None)) for k in numbers}
    return {k: v for k, v in numbers.items() if held[k] is None or (v != held[k]).any()}


def _step_of(tau: np.ndarray, step: float, integration: Integration) -> np.ndarray:
    return np.exp(-step / tau) if integration == "exact" else 1 - step / tau


def _check_positive(label: str, what: str, tau: np.ndarray, step: float) -> None:
    if not (tau > 0).all():
        raise InputError(f"to_circuit: node {label!r} has {what} = {tau.min():g} s, which is not above 0.")
    if (tau < step).any():
        raise InputError(
            f"to_circuit: dt = {step:g} s is above {what} = {tau.min():g} s of node {label!r}; pass a shorter dt."
        )


def _check_weights(graph: nir.NIRGraph, inside: str = "") -> None:
    for label, node in graph.nodes.items():
        if isinstance(node, nir.NIRGraph):
            _check_weights(node, f"{inside}{label}.")
            continue
        known = (*NEURON_NODES, *LINEAR_NODES, nir.Input, nir.Output)
        if not isinstance(node, known):
            names = ", ".join(k.__name__ for k in (*NEURON_NODES, *LINEAR_NODES))
            raise InputError(
                f"to_circuit: node {inside + label!r} ({type(node).__name__}) cannot be represented; known: {names}."
            )
        for key in ("weight", "bias", "tau", "r", "v_threshold", "tau_mem", "tau_syn", "scale", "delay"):
            value = getattr(node, key, None)
            if value is not None and not np.isfinite(np.asarray(value, dtype=float)).all():
                raise InputError(f"to_circuit: {key} of node {inside + label!r} holds NaN or infinity.")


def _flat(graph: nir.NIRGraph, prefix: str = "") -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return nodes and edges with subgraphs dissolved; ports of subgraphs become pass-through edges."""
    nodes: dict[str, Any] = {}
    edges: list[tuple[str, str]] = []
    doors: dict[str, tuple[str, str]] = {}
    for label, node in graph.nodes.items():
        if isinstance(node, nir.NIRGraph):
            inner_nodes, inner_edges = _flat(node, f"{prefix}{label}.")
            entry, leave = _only(inner_nodes, nir.Input), _only(inner_nodes, nir.Output)
            sources = [a for a, b in inner_edges if b == leave]
            if len(sources) != 1:
                raise InputError(f"to_circuit: subgraph {label!r} has {len(sources)} outputs; one is represented.")
            nodes |= {k: v for k, v in inner_nodes.items() if k not in (entry, leave)}
            targets = [b for a, b in inner_edges if a == entry]
            edges += [(a, b) for a, b in inner_edges if a != entry and b != leave]
            doors[label] = ("|".join(targets), sources[0])
        else:
            nodes[prefix + label] = node
    for a, b in graph.edges:
        start = doors[a][1] if a in doors else prefix + a
        for end in doors[b][0].split("|") if b in doors else [prefix + b]:
            edges.append((start, end))
    return nodes, edges


def _only(nodes: Mapping[str, Any], kind: type) -> str:
    found = [n for n, node in nodes.items() if isinstance(node, kind)]
    if len(found) != 1:
        raise InputError(f"to_circuit: a graph with one {kind.__name__} node is represented, found {len(found)}.")
    return found[0]


def _in_order(nodes: Mapping[str, Any], edges: list[tuple[str, str]]) -> list[str]:
    """Return the neuron nodes in topological order from the input; edges that close a cycle do not count.

    The order is that of the nodes where the graph leaves it open, never that of the edges.
    """
    rank = {label: i for i, label in enumerate(nodes)}
    following: dict[str, list[str]] = {label: [] for label in nodes}
    for a, b in dict.fromkeys(edges):
        following[a].append(b)
    entry = _only(nodes, nir.Input)
    finished: list[str] = []
    seen = {entry}
    pending = [(entry, iter(sorted(following[entry], key=rank.__getitem__, reverse=True)))]
    while pending:
        label, others = pending[-1]
        fresh = next((o for o in others if o not in seen), None)
        if fresh is None:
            finished.append(label)
            pending.pop()
        else:
            seen.add(fresh)
            pending.append((fresh, iter(sorted(following[fresh], key=rank.__getitem__, reverse=True))))
    missing = [n for n, node in nodes.items() if isinstance(node, NEURON_NODES) and n not in seen]
    if missing:
        raise InputError(f"to_circuit: node {missing[0]!r} is never reached by the input.")
    return [label for label in reversed(finished) if isinstance(nodes[label], NEURON_NODES)]


def _paths(
    label: str, nodes: Mapping[str, Any], before: Mapping[str, list[str]], shapes: Any, neurons: list[str], entry: str
) -> Iterator[_Path]:
    """Yield every path of linear nodes that ends at `label`, multiplied out."""
    for start in before.get(label, []):
        yield from _paths_through(start, (label,), nodes, before, shapes, neurons, entry)


def _paths_through(
    label: str, seen: tuple[str, ...], nodes: Any, before: Any, shapes: Any, neurons: list[str], entry: str
) -> Iterator[_Path]:
    if label in neurons or label == entry:
        n = int(np.prod(shapes[label]))
        yield _Path(label, scipy.sparse.eye_array(n, format="csr"), np.zeros(n), 0.0)
        return
    if label in seen:
        raise InputError(f"to_circuit: node {label!r} lies on a cycle without neurons, which is not represented.")
    node = nodes[label]
    is_first = True
    for start in before.get(label, []):
        if start not in shapes:
            continue
        for path in _paths_through(start, (*seen, label), nodes, before, shapes, neurons, entry):
            matrix, bias = operator_of(label, node, shapes[start])
            if matrix.shape[1] != len(path.bias):
                raise InputError(
                    f"to_circuit: node {label!r} takes {matrix.shape[1]} values, {start!r} gives {len(path.bias)}."
                )
            delay = float(np.asarray(node.delay).ravel()[0]) if isinstance(node, nir.Delay) else 0.0
            own, is_first = bias if is_first else np.zeros(len(bias)), False
            yield replace(path, matrix=matrix @ path.matrix, bias=matrix @ path.bias + own, delay=path.delay + delay)


def _output_shapes(nodes: Mapping[str, Any], before: Mapping[str, list[str]], entry: str) -> dict[str, tuple[int, ...]]:
    """Return the shape of what every node sends, found by walking from the input until nothing is new."""
    shapes = {entry: _size_of_port(nodes[entry], "input")}
    fresh = True
    while fresh:
        fresh = False
        for label, node in nodes.items():
            known = next((shapes[start] for start in before.get(label, []) if start in shapes), None)
            if label not in shapes and known is not None:
                shapes[label] = shape_after_node(label, node, known)
                fresh = True
    return shapes


def _size_of_port(node: Any, key: str) -> tuple[int, ...]:
    shape = tuple(int(n) for n in np.atleast_1d(np.asarray(node.input_type[key])).ravel())
    return shape or (1,)


def _readout(nodes: Any, before: Any, shapes: Any, neurons: list[str], entry: str) -> Readout | None:
    """Return the linear nodes behind the last neurons, when the output hangs on them."""
    leave = _only(nodes, nir.Output)
    last = before.get(leave, [])
    if len(last) != 1 or last[0] in neurons:
        return None
    paths = list(_paths(leave, nodes, before, shapes, neurons, entry))
    if len(paths) != 1 or paths[0].source == entry:
        raise InputError("to_circuit: the output reads more than one layer; one readout is represented.")
    weights: Weights = scipy.sparse.csr_array(paths[0].matrix.T)
    return Readout(paths[0].source, weights, paths[0].bias)


def _or_zero(value: Any) -> Any:
    return 0.0 if value is None else value


def _as_dense(weights: Weights) -> np.ndarray:
    return weights if isinstance(weights, np.ndarray) else weights.toarray()
