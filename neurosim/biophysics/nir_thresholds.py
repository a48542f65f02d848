"""Integrators of a NIR graph whose membrane a threshold alone reads: together they are neurons that never reset."""

from __future__ import annotations

from collections.abc import Mapping

import nir
import numpy as np

from neurosim.nir_graphs import INTEGRATOR_NODES, Edges

JOINED: dict[type, tuple[type, tuple[str, ...]]] = {
    nir.LI: (nir.LIF, ("tau", "r", "v_leak")),
    nir.I: (nir.IF, ("r",)),
    nir.CubaLI: (nir.CubaLIF, ("tau_syn", "tau_mem", "r", "v_leak", "w_in")),
}


def with_thresholds_joined(
    nodes: Mapping[str, nir.NIRNode], edges: Edges
) -> tuple[dict[str, nir.NIRNode], Edges, set[str]]:
    """Return a graph in which such pairs are one node each, called as the threshold; and the names of these.

    The neurons advance where the integrator did: spikes of a pair leave in the step in which its input arrives.
    """
    into: dict[str, list[str]] = {label: [] for label in nodes}
    out: dict[str, list[str]] = {label: [] for label in nodes}
    for a, b in edges:
        into[b].append(a)
        out[a].append(b)
    pairs = {
        into[label][0]: label
        for label, node in nodes.items()
        if isinstance(node, nir.Threshold) and len(into[label]) == 1 and out[into[label][0]] == [label]
        if isinstance(nodes[into[label][0]], INTEGRATOR_NODES) and not node.metadata
    }
    found = {
        pairs.get(label, label): _joined(node, nodes[pairs[label]]) if label in pairs else node
        for label, node in nodes.items()
        if label not in pairs.values()
    }
    kept = [(a, pairs.get(b, b)) for a, b in edges if a not in pairs]
    return found, kept, set(pairs.values())


def _joined(integrator: nir.NIRNode, threshold: nir.Threshold) -> nir.NIRNode:
    """Return the neuron node with the numbers of both, whatever their shapes."""
    kind, names = JOINED[type(integrator)]
    one = np.ones(1)
    neuron = kind(**dict.fromkeys((*names, "v_threshold"), one))
    for name in names:
        setattr(neuron, name, getattr(integrator, name))
    neuron.v_threshold = threshold.threshold
    return neuron
