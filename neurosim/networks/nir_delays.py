"""Weights with delays in a NIR graph: branches of weights, each with its delay, become one layer of delayed weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import nir
import numpy as np
import torch

from neurosim.networks.spiking.delays import DelayedLinear
from neurosim.nir_graphs import Edges, spread
from neurosim.schema import InputError

WEIGHTS = (nir.Affine, nir.Linear)
WHOLE = 1e-6


@dataclass(frozen=True)
class Delayed:
    """Weights (to, from) by their delay, s, and one bias: what stands between two nodes of a graph."""

    weights: Mapping[float, np.ndarray]
    bias: np.ndarray


def with_delays_joined(
    asker: str, nodes: Mapping[str, nir.NIRNode], edges: Edges
) -> tuple[dict[str, nir.NIRNode | Delayed], Edges]:
    """Return a graph in which the branches from a node through weights, and delays, to one other are one node.

    Raises
    ------
    InputError : a delay that does not follow weights; a bias that is delayed.
    """
    into, out = _neighbours(nodes, edges)
    found: dict[str, nir.NIRNode | Delayed] = dict(nodes)
    gone: set[str] = set()
    added: Edges = []
    for start in nodes:
        groups: dict[str, list[list[str]]] = {}
        for branch in (_branch(name, nodes, into, out) for name in out[start]):
            if branch is not None:
                groups.setdefault(out[branch[-1]][0], []).append(branch)
        for end, branches in groups.items():
            if any(len(branch) > 1 for branch in branches):
                label = branches[0][0]
                found[label] = _joined(asker, [[nodes[n] for n in branch] for branch in branches], branches)
                gone |= {n for branch in branches for n in branch}
                added += [(start, label), (label, end)]
    late = next((n for n, node in nodes.items() if isinstance(node, nir.Delay) and n not in gone), None)
    if late is not None:
        raise InputError(f"{asker}: node {late!r} (Delay) does not follow weights, which alone are delayed in layers.")
    kept = {n: node for n, node in found.items() if n not in gone or isinstance(node, Delayed)}
    return kept, [e for e in edges if not gone & set(e)] + added


def _neighbours(nodes: Mapping[str, nir.NIRNode], edges: Edges) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    into: dict[str, list[str]] = {name: [] for name in nodes}
    out: dict[str, list[str]] = {name: [] for name in nodes}
    for a, b in edges:
        out[a].append(b)
        into[b].append(a)
    return into, out


def _branch(
    name: str, nodes: Mapping[str, nir.NIRNode], into: Mapping[str, list[str]], out: Mapping[str, list[str]]
) -> list[str] | None:
    """Return weights and the delay behind them that lead from one node to one node; None for what is no branch."""
    if not isinstance(nodes[name], WEIGHTS) or len(into[name]) != 1 or len(out[name]) != 1:
        return None
    after = out[name][0]
    if isinstance(nodes[after], nir.Delay):
        return [name, after] if len(into[after]) == 1 and len(out[after]) == 1 else None
    return None if into[name] == [after] else [name]


def _joined(asker: str, branches: list[list[nir.NIRNode]], names: list[list[str]]) -> Delayed:
    weights: dict[float, np.ndarray] = {}
    total = np.zeros(1)
    for (node, *late), labels in zip(branches, names, strict=True):
        weight = np.asarray(node.weight, dtype=float)
        if weight.ndim != 2 or (weights and weight.shape != next(iter(weights.values())).shape):
            raise InputError(
                f"{asker}: node {labels[0]!r} has weights of shape {weight.shape}, others beside it differ."
            )
        bias = np.ravel(np.asarray(getattr(node, "bias", np.zeros(len(weight))), dtype=float))
        delays = np.unique(spread(asker, labels[-1], late[0].delay, (len(weight),))) if late else np.zeros(1)
        if len(delays) > 1:
            raise InputError(f"{asker}: node {labels[-1]!r} has delays that differ; one behind weights is represented.")
        if delays[0] and bias.any():
            raise InputError(f"{asker}: node {labels[-1]!r} delays a bias, which layers do not.")
        weights[float(delays[0])] = weights.get(float(delays[0]), 0.0) + weight
        total = total + bias
    return Delayed(weights, total)


def delayed_layer(asker: str, name: str, given: Delayed, dt: float) -> DelayedLinear:
    """Return the layer of such weights, with room for delays twice as long as the longest.

    Raises
    ------
    InputError : a delay that is no whole number of steps, or a synapse with several delays.
    """
    steps = {delay: delay / dt for delay in given.weights}
    uneven = next((d for d, k in steps.items() if abs(k - round(k)) > WHOLE), None)
    if uneven is not None:
        raise InputError(f"{asker}: node {name!r} delays by {uneven:g} s, no whole number of steps of {dt:g} s.")
    stack = np.stack(list(given.weights.values()))
    if ((stack != 0).sum(0) > 1).any():
        raise InputError(f"{asker}: node {name!r} has synapses with several delays each; one each is represented.")
    which = (stack != 0).argmax(0)
    delays = np.array([round(k) for k in steps.values()])[which] * dt
    n_out, n_in = which.shape
    layer = DelayedLinear(n_in, n_out, longest=max(2 * delays.max(), dt), dt=dt)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(stack.sum(0)))
        layer.set_delays(torch.from_numpy(delays))
        if layer.bias is not None:
            layer.bias.copy_(torch.from_numpy(np.broadcast_to(given.bias, (n_out,)).copy()))
    return layer
