"""What reaches the neurons of a NIR graph, and in which order: every way through linear nodes, multiplied out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import nir
import numpy as np
import scipy.sparse

from neurosim.biophysics.linear_nodes import delays_in_steps, operator_of, shape_after_node
from neurosim.biophysics.nir_nodes import ASKER
from neurosim.nir_graphs import POPULATION_NODES, Edges, port_shape
from neurosim.schema import InputError

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Arrivals:
    """What arrives at a node in a step: the sum of ``matrix @ spikes of source`` some steps ago, and a constant.

    Parameters
    ----------
    matrices : sparse (unit here, unit of the source) by (source, delay in steps).
    bias : constant of every unit.
    late : name of a delay that the constant passes on its way, if there is one.
    """

    matrices: Mapping[tuple[str, int], scipy.sparse.csr_array]
    bias: np.ndarray
    late: str | None = None


def arrivals(
    nodes: Mapping[str, nir.NIRNode], edges: Edges, entries: list[str], step: float
) -> tuple[dict[str, Arrivals], dict[str, Shape]]:
    """Return what arrives at every neuron node and output, and the shape of what every node sends.

    Parameters
    ----------
    nodes, edges : of a flat graph. entries : its inputs. step : s, in which delays are counted.

    Raises
    ------
    InputError : shapes that do not fit, a cycle without neurons, delays that are no whole steps.
    """
    before: dict[str, list[str]] = {label: [] for label in nodes}
    for a, b in edges:
        before[b].append(a)
    shapes = _shapes(nodes, edges, before, entries)
    sent: dict[str, Arrivals] = {}
    for label in nodes:
        if label in entries or isinstance(nodes[label], POPULATION_NODES):
            size = int(np.prod(shapes[label]))
            sent[label] = Arrivals({(label, 0): scipy.sparse.eye_array(size, format="csr")}, np.zeros(size))
    linear = [label for label in nodes if label not in sent]
    for label in _sorted(linear, before):
        arrived = _sum(label, before, sent, shapes)
        sent[label] = _through(label, nodes[label], before[label][0], arrived, _arriving(label, before, shapes), step)
    found = {label: _sum(label, before, sent, shapes) for label in sent if label not in linear and label not in entries}
    return found | {n: sent[n] for n in linear if isinstance(nodes[n], nir.Output)}, shapes


def _shapes(
    nodes: Mapping[str, nir.NIRNode], edges: Edges, before: Mapping[str, list[str]], entries: list[str]
) -> dict[str, Shape]:
    """Return the shape of what every node sends: walk from the inputs until nothing is new.

    Where shapes of as many values meet, a flat one and one of several dims, the latter counts.
    """
    shapes = {entry: port_shape(ASKER, entry, nodes[entry]) for entry in entries}
    pending = {label: node for label, node in nodes.items() if label not in shapes}
    for _ in nodes:
        earlier = dict(shapes)
        for label, node in pending.items():
            if any(start in shapes for start in before[label]):
                with contextlib.suppress(InputError):
                    shapes[label] = shape_after_node(label, node, _arriving(label, before, shapes))
        if shapes == earlier:
            break
    for label, node in pending.items():
        if any(start in shapes for start in before[label]):
            shape_after_node(label, node, _arriving(label, before, shapes))
    for a, b in edges:
        expected = _arriving(b, before, shapes)
        if not _alike(shapes[a], expected):
            raise InputError(f"{ASKER}: node {b!r} gets values of shape {shapes[a]} from {a!r}, others of {expected}.")
    return shapes


def _arriving(label: str, before: Mapping[str, list[str]], shapes: Mapping[str, Shape]) -> Shape:
    return max((shapes[start] for start in before[label] if start in shapes), key=len)


def _alike(one: Shape, other: Shape) -> bool:
    """Whether values of two shapes can be added unit by unit: dims of one place aside they agree, or one is flat."""
    if np.prod(one) != np.prod(other):
        return False
    dims = [tuple(n for n in shape if n != 1) for shape in (one, other)]
    return dims[0] == dims[1] or min(map(len, dims)) <= 1


def _sorted(linear: list[str], before: Mapping[str, list[str]]) -> Iterable[str]:
    inside = set(linear)
    try:
        return list(TopologicalSorter({n: [a for a in before[n] if a in inside] for n in linear}).static_order())
    except CycleError as error:
        label = min(error.args[1], key=linear.index)
        raise InputError(
            f"{ASKER}: node {label!r} lies on a cycle without neurons, which is not represented."
        ) from error


def _sum(
    label: str, before: Mapping[str, list[str]], sent: Mapping[str, Arrivals], shapes: Mapping[str, Shape]
) -> Arrivals:
    """Return the sum of what the nodes before `label` send to it."""
    matrices: dict[tuple[str, int], scipy.sparse.csr_array] = {}
    parts = [sent[start] for start in before[label]]
    for part in parts:
        for key, matrix in part.matrices.items():
            matrices[key] = matrices[key] + matrix if key in matrices else matrix
    bias = np.sum([part.bias for part in parts], axis=0)
    return Arrivals(matrices, bias, next((p.late for p in parts if p.late), None))


def _through(label: str, node: nir.NIRNode, start: str, arrived: Arrivals, shape: Shape, step: float) -> Arrivals:
    """Return what a linear node makes of what arrives."""
    matrix, bias = operator_of(label, node, shape)
    if matrix.shape[1] != len(arrived.bias):
        raise InputError(
            f"{ASKER}: node {label!r} takes {matrix.shape[1]} values, {start!r} gives {len(arrived.bias)}."
        )
    if isinstance(node, nir.Delay):
        return _delayed(label, arrived, delays_in_steps(label, node, step, shape))
    matrices = {key: matrix @ m for key, m in arrived.matrices.items()}
    return Arrivals(matrices, matrix @ arrived.bias + bias, arrived.late)


def _delayed(label: str, arrived: Arrivals, steps: np.ndarray) -> Arrivals:
    """Return what arrives, of each unit as many steps later as it says."""
    matrices: dict[tuple[str, int], scipy.sparse.csr_array] = {}
    for (source, k), matrix in arrived.matrices.items():
        for late in np.unique(steps):
            rows = scipy.sparse.diags_array((steps == late) * 1.0, format="csr")
            key, part = (source, k + int(late)), rows @ matrix
            matrices[key] = matrices[key] + part if key in matrices else part
    return Arrivals(matrices, arrived.bias, label if (arrived.bias[steps > 0]).any() else arrived.late)


def in_order(neurons: list[str], found: Mapping[str, Arrivals]) -> list[str]:
    """Return neuron nodes in topological order; what that leaves open, the order of `neurons` decides.

    A cycle is opened where spikes are delayed, which then arrive when they should; else at the neurons that something
    already in order reaches.
    """
    every = {n: {source for source, _ in found[n].matrices} - {n} for n in neurons}
    at_once = {n: {source for source, steps in found[n].matrices if not steps} - {n} for n in neurons}
    order: list[str] = []
    waiting = list(neurons)
    while waiting:
        rest = set(waiting)
        chosen = next((n for n in waiting if not every[n] & rest), None)
        if chosen is None:
            heads = [n for n in waiting if _is_head(n, every, rest) and _is_head(n, at_once, rest)]
            chosen = min(heads, key=lambda n: (not every[n] - rest, waiting.index(n)))
        order.append(chosen)
        waiting.remove(chosen)
    return order


def _is_head(label: str, before: Mapping[str, set[str]], rest: set[str]) -> bool:
    """Whether all nodes of the rest that lead to this one are on a cycle with it."""
    return all(label in _leading(other, before, rest) for other in _leading(label, before, rest))


def _leading(label: str, before: Mapping[str, set[str]], rest: set[str]) -> set[str]:
    seen: set[str] = set()
    pending = [label]
    while pending:
        fresh = (before[pending.pop()] & rest) - seen
        seen |= fresh
        pending += fresh
    return seen
