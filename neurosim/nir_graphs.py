"""The door of NIR graphs (https://doi.org/10.1038/s41467-024-52259-9): structure and numbers, checked once for all.

Circuits and networks are both made from what passes here: flat nodes and edges whose numbers are real and finite.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, TypeGuard, get_args

import nir
import numpy as np
import numpy.typing as npt

from neurosim.parameters import from_metadata
from neurosim.schema import InputError

Integration = Literal["euler", "exact"]
IfInput = Literal["charge", "current"]
NEURON_NODES = (nir.LIF, nir.IF, nir.CubaLIF)
INTEGRATOR_NODES = (nir.LI, nir.I, nir.CubaLI)
POPULATION_NODES = (*NEURON_NODES, nir.Threshold, *INTEGRATOR_NODES)
DEEPEST = 32
LARGEST = 2**31
FAR = 1e300
NO_NUMBERS = ("input_type", "output_type", "metadata", "input_shape")
Edges = list[tuple[str, str]]


def flat_graph(
    asker: str, graph: nir.NIRGraph, known: tuple[type, ...]
) -> tuple[dict[str, nir.NIRNode], Edges, list[str], list[str]]:
    """Return nodes, edges and the names of inputs and outputs, sorted, with subgraphs as ``subgraph.node``.

    Inputs and outputs of subgraphs stay as nodes that pass on what they get. Edges are sorted by the order of nodes.

    Parameters
    ----------
    asker : whom messages name. graph : of any tool. known : types of nodes that can be represented.

    Raises
    ------
    InputError : no graph, an edge that is double or names no node, unknown nodes, numbers that are not real and finite,
        a graph without input or output, a subgraph without exactly one of each, nodes that the input does not reach or
        that reach nobody.
    """
    if not isinstance(graph, nir.NIRGraph):
        raise InputError(f"{asker}: a NIR graph is asked, found {type(graph).__name__}; read files with load_nir.")
    nodes: dict[str, nir.NIRNode] = {}
    edges: Edges = []
    entries, leaves = _dissolve(asker, graph, "", nodes, edges, (nir.Input, nir.Output, *known))
    rank = {label: i for i, label in enumerate(nodes)}
    edges.sort(key=lambda edge: (rank[edge[0]], rank[edge[1]]))
    reached, heard = _closure(edges, set(entries)), _closure([(b, a) for a, b in edges], _ends(nodes, leaves))
    for label in nodes:
        if label not in reached:
            raise InputError(f"{asker}: node {label!r} is never reached by the input.")
        if label not in heard:
            raise InputError(f"{asker}: node {label!r} sends to no neurons and not to the output.")
    return nodes, edges, entries, leaves


def only_one(asker: str, kind: str, found: list[str]) -> str:
    """Return the one input or output of a graph.

    Raises
    ------
    InputError : there are several.
    """
    if len(found) != 1:
        raise InputError(f"{asker}: a graph with one {kind} node is represented, found {len(found)}: {found}.")
    return found[0]


def _dissolve(
    asker: str, graph: nir.NIRGraph, prefix: str, nodes: dict[str, nir.NIRNode], edges: Edges, known: tuple[type, ...]
) -> tuple[list[str], list[str]]:
    """Add nodes and edges of a graph and of all within; return the names of its inputs and outputs."""
    if prefix.count(".") > DEEPEST:
        raise InputError(f"{asker}: subgraphs lie more than {DEEPEST} deep in each other.")
    doors: dict[str, tuple[str, str]] = {}
    for name, node in graph.nodes.items():
        label = f"{prefix}{name}"
        if isinstance(node, nir.NIRGraph):
            (entry,), (leave,) = _dissolve(asker, node, f"{label}.", nodes, edges, known)
            doors[name] = (entry, leave)
        elif not isinstance(node, known):
            names = ", ".join(k.__name__ for k in known[2:])
            raise InputError(f"{asker}: node {label!r} ({type(node).__name__}) cannot be represented; known: {names}.")
        elif label in nodes:
            raise InputError(f"{asker}: two nodes are called {label!r} once subgraphs are dissolved; rename one.")
        else:
            _check_numbers(asker, label, node)
            nodes[label] = node
            doors[name] = (label, label)
    entries, leaves = (_ports(asker, graph, kind, prefix) for kind in (nir.Input, nir.Output))
    edges += [(doors[a][1], doors[b][0]) for a, b in _checked_edges(asker, graph, prefix)]
    return entries, leaves


def _checked_edges(asker: str, graph: nir.NIRGraph, prefix: str) -> Edges:
    found: dict[tuple[str, str], None] = {}
    for edge in graph.edges:
        is_pair = isinstance(edge, tuple | list) and len(edge) == 2
        if not is_pair or any(not isinstance(end, str) or end not in graph.nodes for end in edge):
            raise InputError(f"{asker}: the edge {edge!r} does not name two nodes of the graph.")
        a, b = edge
        if (a, b) in found:
            raise InputError(f"{asker}: the edge from {prefix + a!r} to {prefix + b!r} is there twice.")
        if isinstance(graph.nodes[b], nir.Input) or isinstance(graph.nodes[a], nir.Output):
            raise InputError(
                f"{asker}: the edge from {prefix + a!r} to {prefix + b!r} enters an input or leaves an output."
            )
        found[(a, b)] = None
    return list(found)


def _ports(asker: str, graph: nir.NIRGraph, kind: type, prefix: str) -> list[str]:
    found = sorted(name for name, node in graph.nodes.items() if isinstance(node, kind))
    if not found or (prefix and len(found) > 1):
        which = f"subgraph {prefix[:-1]!r} with one" if prefix else "a graph with an"
        raise InputError(f"{asker}: {which} {kind.__name__} node is represented, found {len(found)}.")
    return [f"{prefix}{name}" for name in found]


def _closure(edges: Edges, start: set[str]) -> set[str]:
    following: dict[str, list[str]] = {}
    for a, b in edges:
        following.setdefault(a, []).append(b)
    seen, pending = set(start), list(start)
    while pending:
        fresh = [b for b in following.get(pending.pop(), ()) if b not in seen]
        seen.update(fresh)
        pending += fresh
    return seen


def _ends(nodes: Mapping[str, nir.NIRNode], leaves: list[str]) -> set[str]:
    return {*leaves, *(label for label, node in nodes.items() if isinstance(node, POPULATION_NODES))}


def _check_numbers(asker: str, label: str, node: nir.NIRNode) -> None:
    """Refuse numbers of a node that are not real and finite; endless time constants are kept by metadata only."""
    kept = from_metadata(node.metadata) is not None
    for key in (f.name for f in fields(node) if f.name not in NO_NUMBERS):
        value = getattr(node, key)
        if value is None or isinstance(value, str):
            continue
        try:
            array = np.asarray(value)
        except ValueError:
            array = np.empty(0, dtype=object)
        if array.dtype.kind not in "biuf" or not array.size:
            raise InputError(
                f"{asker}: {key} of node {label!r} holds no real numbers, found {array.dtype} {array.shape}."
            )
        allowed = np.isposinf(array) if kept and key.startswith("tau") else False
        if not (np.isfinite(array) | allowed).all():
            raise InputError(f"{asker}: {key} of node {label!r} holds NaN or infinity.")
        if key.startswith("tau") and not (array > 0).all():
            raise InputError(f"{asker}: node {label!r} has {key} = {array.min():g} s, which is not above 0.")
        if key == "delay" and (array < 0).any():
            raise InputError(f"{asker}: node {label!r} has a delay of {array.min():g} s, which is below 0.")
        if key == "r" and (array == 0).any():
            raise InputError(f"{asker}: node {label!r} has r = 0: no input reaches its neurons.")


def port_shape(asker: str, label: str, node: nir.Input) -> tuple[int, ...]:
    """Return the shape of what enters at an input.

    Raises
    ------
    InputError : the input does not say, or says something that is no shape.
    """
    said = (node.input_type or {}).get("input")
    shape = np.atleast_1d(np.asarray(said)).ravel()
    whole = shape.dtype.kind in "iuf" and bool((shape == np.floor(shape)).all()) and bool((shape >= 1).all())
    if not whole or float(np.prod(shape.astype(float))) > LARGEST:
        raise InputError(f"{asker}: the input {label!r} has the shape {said!r}; whole numbers of at least 1 asked.")
    return tuple(int(n) for n in shape) or (1,)


def spread(asker: str, label: str, value: npt.ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    """Return a number a unit of `shape`, flat: from one for all, one each, one a channel (which comes first), or
    numbers of as many dims that broadcast.

    Raises
    ------
    InputError : numbers that fit in none of these ways.
    """
    given, size = np.asarray(value, dtype=float), int(np.prod(shape))
    if given.ndim == len(shape) and all(n in (1, m) for n, m in zip(given.shape, shape, strict=True)):
        return np.broadcast_to(given, shape).ravel().copy()
    if given.size == 1 or (given.size == size and (given.ndim <= 1 or _dims(given.shape) == _dims(shape))):
        return np.broadcast_to(given.ravel(), (size,)).copy()
    if given.size == size and len(_dims(shape)) <= 1:
        return given.ravel().copy()
    if given.ndim == 1 and len(shape) > 1 and len(given) == shape[0]:
        return np.repeat(given, size // len(given))
    count = given.size if given.ndim <= 1 else f"({', '.join(str(n) for n in given.shape)})"
    raise InputError(f"{asker}: node {label!r}: {count} numbers cannot be given to {size} neurons of shape {shape}.")


def _dims(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def time_step(asker: str, given: float | None, kept: float | None, default: float | None) -> float:
    """Return the step of a graph, s: the one given, else the one kept by neurosim, else the default.

    Raises
    ------
    InputError : none, one outside 0..1 s, or one given that is not the one that the graph keeps.
    """
    step = next((s for s in (given, kept, default) if s is not None), None)
    if isinstance(step, bool) or not isinstance(step, int | float) or not 0 < step <= 1:
        hint = "" if step is not None else "; the graph keeps none"
        raise InputError(f"{asker}: a dt of 0 to 1 s asked, found {step!r}{hint}.")
    if kept is not None and not (_is_number(kept) and np.isclose(step, kept)):
        raise InputError(f"{asker}: dt = {step:g} s, but the neurons of the graph advance in steps of {kept} s.")
    return float(step)


def decay_a_step(
    asker: str, label: str, node: nir.NIRNode, key: str, step: float, integration: str, shape: tuple[int, ...]
) -> np.ndarray:
    """Return the share that is left after a step of what decays with time constant `key` of a node, one a unit.

    Raises
    ------
    InputError : an unknown integration, a step above the time constant, a CubaLIF that is to be exact.
    """
    if integration not in get_args(Integration):
        raise InputError(f"{asker}: integration is 'euler' or 'exact', found {integration!r}.")
    if integration == "exact" and isinstance(node, nir.CubaLIF | nir.CubaLI):
        raise InputError(
            f"{asker}: node {label!r} ({type(node).__name__}) has no exact step here; integration='euler'."
        )
    tau = spread(asker, label, getattr(node, key), shape)
    if (tau < step).any():
        raise InputError(
            f"{asker}: dt = {step:g} s is above {key} = {tau.min():g} s of node {label!r}; pass a shorter dt."
        )
    return np.exp(-step / tau) if integration == "exact" else 1 - step / tau


def settled_if_input(asker: str, nodes: Mapping[str, Any], if_input: IfInput | None) -> IfInput:
    """Return what the input of nodes that do not leak is; charge is assumed aloud, once for all nodes of a graph."""
    at_rest = {n: node for n, node in nodes.items() if isinstance(node, nir.IF | nir.I)}
    asking = [n for n, node in at_rest.items() if from_metadata(node.metadata) is None]
    if if_input is None and asking:
        some = ", ".join(map(repr, asking[:3])) + ", ..." * (len(asking) > 3)
        named = f"node {some} does not leak, nor says" if len(asking) == 1 else f"nodes {some} do not leak, nor say"
        warnings.warn(
            f"{asker}: {named} whether input is charge a step or a current; charge is taken, pass if_input='charge' or "
            "'current'.",
            stacklevel=3,
        )
    elif if_input is not None and if_input not in get_args(IfInput):
        raise InputError(f"{asker}: if_input is 'charge' or 'current', found {if_input!r}.")
    return if_input or "charge"


def if_gain(if_input: IfInput, step: float) -> float:
    """Return what input of an IF or I node counts: 1 as charge a step, `step` as a current."""
    return step if if_input == "current" else 1.0


def check_unchanged(asker: str, label: str, node: nir.NIRNode, kept: Mapping[str, Any]) -> None:
    """Refuse a neuron node whose numbers are no longer those that neurosim kept of it: another tool changed them.

    Raises
    ------
    InputError : threshold, reset or time constant differ, or what is kept is no table of numbers.
    """
    varying, exact = kept.get("varying", []), kept.get("exact", {})
    if not (isinstance(varying, list) and all(isinstance(v, str) for v in varying) and _is_table(exact)):
        raise InputError(f"{asker}: the metadata 'neurosim' of node {label!r} are not as neurosim writes them.")
    for key, told in _told(node, kept, {*varying, *exact}).items():
        found = getattr(node, key, None)
        if found is None:
            continue
        if not _is_number(told) or not np.allclose(np.asarray(found, dtype=float), told, rtol=1e-6, atol=0):
            raise InputError(
                f"{asker}: node {label!r} has {key} = {np.ravel(found)[0]:g}, its metadata say {told}; it was changed "
                "after neurosim wrote it. Remove its metadata 'neurosim', or write it anew."
            )


def _told(node: nir.NIRNode, kept: Mapping[str, Any], freed: set[str]) -> dict[str, Any]:
    """Return the numbers that neurosim wrote into a neuron node, as far as they follow from what it kept."""
    own = "tau_mem" if isinstance(node, nir.CubaLIF | nir.CubaLI) else "tau"
    level = "threshold" if isinstance(node, nir.Threshold) else "v_threshold"
    names = {level: ("threshold", ()), "tau_syn": ("tau_syn", ("alpha",)), own: ("tau_mem", ("beta",))}
    if kept.get("reset") in ("immediate", "interpolated"):
        names["v_reset"] = ("v_reset", ())
    told = {key: kept[name] for key, (name, also) in names.items() if name in kept and not freed & {name, *also}}
    told |= {} if "leak_drive" in freed else {"v_leak": 0.0}
    tau, step = told.get("tau"), kept.get("dt")
    if isinstance(node, nir.LIF) and _is_number(tau) and _is_number(step) and tau > 0 and step > 0:
        told["r"] = 1 / share if (share := -math.expm1(-step / tau)) > 0 else 1.0
    return told | ({"r": 1.0} if isinstance(node, nir.IF) else {})


def _is_number(value: object) -> TypeGuard[float]:
    """Whether this is a number that floats hold; whole numbers of JSON have no end."""
    return isinstance(value, int | float) and (value == math.inf or abs(value) < FAR)


def _is_table(exact: object) -> bool:
    """Whether this is numbers by name."""
    try:
        return isinstance(exact, dict) and all(np.asarray(v, dtype=float).size for v in exact.values())
    except (TypeError, ValueError):
        return False
