"""How discrete neurons stand in a NIR graph: what is written into a node, and what a node of another tool says."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import nir
import numpy as np

from neurosim.nir_graphs import IfInput, Integration, decay_a_step, if_gain, spread
from neurosim.parameters import Parameters
from neurosim.refusals import InputError

ASKER = "to_circuit"
log = logging.getLogger(__name__)
Neurons = tuple[Parameters, dict[str, np.ndarray], np.ndarray, np.ndarray]


@dataclass(frozen=True)
class PlainNode:
    """A neuron node that says no more than NIR does, and how its equation is to become steps."""

    label: str
    node: nir.NIRNode
    step: float
    integration: Integration
    if_input: IfInput
    shape: tuple[int, ...]
    resets: bool = True

    @property
    def size(self) -> int:
        """Number of neurons."""
        return int(np.prod(self.shape))

    def each(self, key: str) -> np.ndarray:
        """Return a number of every neuron, (neuron,); 0 where the node does not say."""
        value = getattr(self.node, key)
        return spread(ASKER, self.label, 0.0 if value is None else value, self.shape)

    def decay(self, key: str) -> np.ndarray:
        """Return the share that is left after a step of what decays with the time constant `key`, (neuron,)."""
        return decay_a_step(ASKER, self.label, self.node, key, self.step, self.integration, self.shape)

    def input_gain(self) -> float:
        """Return what the input of a unit that does not leak counts in a step."""
        return if_gain(self.if_input, self.step)

    def thresholds(self) -> dict[str, np.ndarray]:
        """Return threshold and reset of every neuron, the threshold alone where there is no reset."""
        if not self.resets:
            return {"threshold": self.each("v_threshold")}
        found = {"threshold": self.each("v_threshold"), "v_reset": self.each("v_reset")}
        if (found["threshold"] <= found["v_reset"]).any():
            raise InputError(
                f"{ASKER}: node {self.label!r} has a threshold that is not above v_reset; it would fire without end."
            )
        return found


@dataclass(frozen=True)
class NirForm:
    """How a discrete neuron stands in a NIR graph; what a node cannot hold stands in its metadata.

    Parameters
    ----------
    nodes : names of the NIR nodes that are this neuron where their metadata say no more; may be empty.
    write : (population, its constants (neuron,) by name, step in s, fields of every node) -> NIR node.
    read : (node) -> record, numbers that differ between neurons, factor of all input, constant input, both (neuron,).
    """

    nodes: tuple[str, ...]
    write: Callable[[str, Mapping[str, np.ndarray], float, Mapping[str, Any]], nir.NIRNode]
    read: Callable[[PlainNode], Neurons]

    def is_plainly(self, node: nir.NIRNode) -> bool:
        """Whether a node whose metadata say no more is this neuron."""
        return any(isinstance(node, getattr(nir, name)) for name in self.nodes)


def leaking(name: str, numbers: Mapping[str, np.ndarray]) -> bool:
    """Return whether the neurons of population `name` leak; some that do and some that do not are refused."""
    leaks = numbers["beta"] < 1
    if leaks.any() and not leaks.all():
        raise InputError(f"to_nir: {name!r} has neurons that leak and others that do not; split the population.")
    return bool(leaks.all())


def differing(numbers: Mapping[str, np.ndarray], record: Parameters, **defaults: float) -> dict[str, np.ndarray]:
    """Return the numbers that one record cannot hold exactly."""
    held = {k: defaults.get(k, getattr(record, k, None)) for k in numbers}
    return {k: v for k, v in numbers.items() if held[k] is None or (v != held[k]).any()}


def tell_added(entries: list[str], shown: Mapping[str, tuple[int, int]], nodes: Mapping[str, nir.NIRNode]) -> None:
    """Log a warning where NIR gave a node an input of its own, beside those that the graph has."""
    added = [entry for entry in entries if entry.partition("_")[2] in nodes]
    for entry in added if len(added) < len(entries) else ():
        start, end = shown[entry]
        log.warning(
            "%s: no edge leads to node %r, so that NIR itself adds the input %r: it is shown units %d to %d of the "
            "stimuli; add that edge, or leave the node out.",
            ASKER, entry.partition("_")[2], entry, start, end - 1,
        )  # fmt: skip


def added_by_nir(ports: list[str]) -> str:
    """Say for which node a port of a graph was made: NIR gives one to each node that lacks edges, and names it so."""
    for port in ports:
        kind, _, node = port.partition("_")
        if kind in ("input", "output") and node:
            way = "to" if kind == "input" else "from"
            return f" NIR itself adds {port!r} where no edge leads {way} {node!r}: add the edge, or leave {node!r} out."
    return ""
