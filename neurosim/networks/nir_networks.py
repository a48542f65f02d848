"""NIR graphs as networks that can be trained: a chain of weights and neurons becomes a sequence of our layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import nir
import numpy as np
import torch
from torch import nn

from neurosim.networks.conversion import SpikingSequence
from neurosim.networks.learnable import COEFFICIENTS, Learnable
from neurosim.networks.nir_delays import Delayed, delayed_layer, with_delays_joined
from neurosim.networks.spiking.delays import DelayedLinear
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.spiking.sequence import RESETS, SequenceReset
from neurosim.networks.spiking.surrogates import Surrogate
from neurosim.nir_graphs import (
    INTEGRATOR_NODES,
    NEURON_NODES,
    Edges,
    IfInput,
    Integration,
    check_unchanged,
    decay_a_step,
    flat_graph,
    if_gain,
    only_one,
    port_shape,
    settled_if_input,
    spread,
    time_step,
)
from neurosim.parameters import (
    DiscreteLIFParameters,
    DiscreteParameters,
    DiscreteSynapticParameters,
    from_metadata,
    parameters_of,
)
from neurosim.schema import InputError

ASKER = "from_nir"
KNOWN = (
    *NEURON_NODES, nir.Affine, nir.Linear, nir.Scale, nir.Conv1d, nir.Conv2d, nir.AvgPool2d, nir.SumPool2d,
    nir.Flatten, nir.Delay,
)  # fmt: skip
Shape = tuple[int, ...]
Record = TypeVar("Record", Learnable, Surrogate)


@dataclass(frozen=True)
class _Choice:
    """How nodes of other tools become steps."""

    dt: float
    reset: SequenceReset | None
    integration: Integration
    if_input: IfInput


def from_nir(
    graph: nir.NIRGraph,
    *,
    dt: float | None = None,
    reset: SequenceReset | None = None,
    n_steps: int | None = None,
    integration: Integration = "exact",
    if_input: IfInput | None = None,
) -> SpikingSequence:
    """Return a NIR graph as a network of torch, with copies of all weights (https://doi.org/10.1038/s41467-024-52259-9).

    Parameters
    ----------
    graph : a chain of ``Affine``, ``Linear``, ``Scale``, ``Conv1d``, ``Conv2d``, ``AvgPool2d``, ``SumPool2d``,
        ``Flatten`` and the neurons ``LIF``, ``IF``, ``CubaLIF``, each of which may send back to itself through
        ``Affine`` or ``Linear``. Branches of weights, with a ``Delay`` each, from one node to one other become a
        :class:`DelayedLinear`, which may learn delays up to twice the longest of them.
    dt : duration of a step, s; by default what neurosim kept in the graph, else it has to be given.
    reset : of neurons in whose metadata neurosim kept none. NIR sets a neuron that fired to `v_reset` at once; "zero"
        sends the same spikes for ``v_reset = 0``, and shows the membrane before it is reset.
    n_steps : steps an input without time is shown.
    integration : how neurons of other tools become steps: "exact" (LIF with input that is constant within a step, reset
        at its end) or "euler" (forward, as ``to_circuit`` does).
    if_input : what reaches IF neurons of other tools: "charge" a step, or a "current"; charge, with a warning, where
        nobody says.

    Returns
    -------
    network over (time, batch, ...).

    Raises
    ------
    InputError : a node or a wiring that layers do not have, a missing `dt`, or a reset that was not chosen.

    Examples
    --------
    >>> import nir
    >>> import torch
    >>> one = np.ones(1)
    >>> graph = nir.NIRGraph.from_list(nir.Linear(2 * np.eye(1)), nir.LIF(0.01 * one, one, 0 * one, one))
    >>> ns.networks.from_nir(graph, dt=1e-3, reset="zero")(torch.ones(20, 1, 1)).sum().item()
    2.0
    """
    nodes, edges, entries, leaves = flat_graph(ASKER, graph, (*KNOWN, *INTEGRATOR_NODES))
    _refuse_integrators(nodes)
    entry, leave = only_one(ASKER, "Input", entries), only_one(ASKER, "Output", leaves)
    parts, edges = with_delays_joined(ASKER, nodes, edges)
    order, back = _chain(parts, edges, entry, leave)
    tables = [from_metadata(nodes[n].metadata) for n in order if isinstance(parts[n], NEURON_NODES)]
    kept = next((table for table in tables if table is not None), {})
    charge = settled_if_input(ASKER, {n: parts[n] for n in order}, if_input)
    choice = _Choice(time_step(ASKER, dt, kept.get("dt"), None), reset, integration, charge)
    layers = _Layers(port_shape(ASKER, entry, nodes[entry]))
    for name in order:
        node = parts[name]
        if isinstance(node, Delayed):
            layers.add_delayed(name, delayed_layer(ASKER, name, node, choice.dt))
        elif isinstance(node, NEURON_NODES):
            layers.add_neurons(name, node, back.get(name), choice)
        elif not isinstance(node, nir.Input | nir.Output):
            layers.add_linear(name, node)
    return SpikingSequence(layers.found, n_steps=n_steps, time_step=choice.dt)


def _refuse_integrators(nodes: Mapping[str, nir.NIRNode]) -> None:
    """Raise where a node sends its membrane, which layers read only with a pooling that NIR does not say."""
    found = next((name for name, node in nodes.items() if isinstance(node, INTEGRATOR_NODES)), None)
    if found is not None:
        raise InputError(
            f"from_nir: node {found!r} ({type(nodes[found]).__name__}) sends its membrane, where layers send spikes; "
            "to_circuit reads it before the output, or take it off and put a MembraneReadout after the network."
        )


def _chain(
    nodes: Mapping[str, nir.NIRNode | Delayed], edges: Edges, entry: str, leave: str
) -> tuple[list[str], dict[str, nir.NIRNode]]:
    """Return the nodes in order, and by neuron the node through which it sends back to itself."""
    after: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in edges:
        after[source].append(target)
    neurons = [n for n, node in nodes.items() if isinstance(node, NEURON_NODES)]
    loops = {n: after[n][0] for n in nodes if n not in neurons and len(after[n]) == 1 and n in after[after[n][0]]}
    loops = {n: neuron for n, neuron in loops.items() if neuron in neurons}
    back: dict[str, nir.NIRNode] = {}
    for name, neuron in loops.items():
        if neuron in back:
            raise InputError(f"{ASKER}: node {neuron!r} sends back to itself in several ways; one is represented.")
        back[neuron] = nodes[name]
    order, here = [entry], entry
    while onward := [t for t in after[here] if t not in loops]:
        if len(onward) > 1 or onward[0] in order:
            raise InputError(f"{ASKER}: node {here!r} sends to {onward}; only chains become sequences of layers.")
        here = onward[0]
        order.append(here)
    left = sorted(set(nodes) - set(order) - set(loops))
    if left or here != leave:
        raise InputError(f"{ASKER}: node {(left or [leave])[0]!r} is not on the chain from the input to the output.")
    return order, back


class _Layers:
    """Adds one layer after another, and keeps the shape of what the last one sends."""

    def __init__(self, shape: Shape) -> None:
        self.found: list[nn.Module] = []
        self.came = self.shape = shape

    def add_linear(self, name: str, node: nir.NIRNode) -> None:
        """Add a node that knows no time."""
        if isinstance(node, nir.Affine | nir.Linear):
            self._add_weights(name, node)
        elif isinstance(node, nir.Scale):
            self._add_gain(name, spread(ASKER, name, node.scale, self.shape))
        elif isinstance(node, nir.Flatten):
            ends = (int(d) + (int(d) >= 0) for d in (node.start_dim, node.end_dim))
            self._add(name, lambda: nn.Flatten(*ends) if len(self.shape) > 1 else nn.Flatten())
        elif isinstance(node, nir.Conv1d | nir.Conv2d):
            self._add(name, lambda: _convolution(node))
            said = None if node.input_shape is None else tuple(int(n) for n in np.ravel(node.input_shape))
            if said is not None and said != self.came[1:]:
                raise InputError(f"{ASKER}: node {name!r} says input_shape = {said}, {self.came} arrives.")
        else:
            self._add(name, lambda: _pooling(node))

    def add_delayed(self, name: str, layer: DelayedLinear) -> None:
        """Add weights with delays, between flat values."""
        if self.shape != (layer.in_features,):
            raise InputError(f"{ASKER}: node {name!r} takes {layer.in_features} values, {self.shape} arrives.")
        self.found.append(layer)
        self.came, self.shape = self.shape, (layer.out_features,)

    def add_neurons(self, name: str, node: nir.NIRNode, back: nir.NIRNode | None, choice: _Choice) -> None:
        """Add neurons, and before them what their input counts."""
        kept = from_metadata(node.metadata)
        gain: np.ndarray | None = None
        if kept is None:
            record, exact, gain = _discrete(name, node, self.shape, choice)
        else:
            record, exact = _recorded(name, node, kept, self.shape, choice.dt)
        recurrent = None
        if back is not None:
            if not isinstance(back, nir.Affine | nir.Linear) or len(self.shape) != 1:
                raise InputError(
                    f"{ASKER}: node {name!r} of shape {self.shape} sends back through {type(back).__name__}; Affine or "
                    "Linear of flat neurons asked."
                )
            recurrent = _linear(name, back)
            if recurrent.weight.shape != (self.shape[0], self.shape[0]):
                raise InputError(f"{ASKER}: node {name!r} sends back through weights of shape {back.weight.shape}.")
        learn = _kept(name, kept, "learn", Learnable)
        layer = SpikingLayer(
            record,
            n_recurrent=None if recurrent is None else recurrent.out_features,
            surrogate=_kept(name, kept, "surrogate", Surrogate),
            exact={k: torch.from_numpy(_shared(name, k, v, self.shape, learn)) for k, v in exact.items()},
            learn=learn,
            shape=self.shape,
        )
        if gain is not None and (gain != 1.0).any():
            self._add_gain(name, gain)
            if recurrent is not None:
                _multiply(recurrent, gain)
        if recurrent is not None and layer.recurrent is not None:
            layer.recurrent.load_state_dict(recurrent.state_dict())
        self.found.append(layer)

    def _add_weights(self, name: str, node: nir.NIRNode) -> None:
        layer = _linear(name, node)
        if math.prod(self.shape) != layer.in_features:
            raise InputError(f"{ASKER}: node {name!r} takes {layer.in_features} values, {self.shape} arrives.")
        if len(self.shape) > 1:
            self._add(name, nn.Flatten)
        self._add(name, lambda: layer)

    def _add_gain(self, name: str, gain: np.ndarray) -> None:
        """Multiply what arrives: in the weights just before, where they can hold it, else by a layer of its own.

        A gain never passes neurons: what lies before them is another layer's input.
        """
        last = self.found[-1] if self.found else None
        channels = gain.reshape(self.shape[0], -1)
        if isinstance(last, nn.Linear) or (
            isinstance(last, nn.Conv1d | nn.Conv2d) and (channels == channels[:, :1]).all()
        ):
            _multiply(last, channels[:, 0])
        elif len(self.shape) == 1:
            diagonal = nn.Linear(len(gain), len(gain), bias=False)
            _copy(diagonal, np.diag(gain), None)
            self.found.append(diagonal)
        elif len(self.shape) == 3 and (channels == channels[:, :1]).all():
            n = self.shape[0]
            each = nn.Conv2d(n, n, 1, groups=n, bias=False)
            _copy(each, channels[:, :1].reshape(n, 1, 1, 1), None)
            self.found.append(each)
        else:
            raise InputError(
                f"{ASKER}: the input of node {name!r} counts differently at places of one channel, or has the shape "
                f"{self.shape}; a factor a channel or a unit is represented."
            )

    def _add(self, name: str, make: Callable[[], nn.Module]) -> None:
        """Add a layer, and find out the shape of what it sends."""
        try:
            layer = make()
            with torch.no_grad():
                sent = layer(torch.zeros(1, *self.shape, dtype=torch.get_default_dtype()))
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            reason = " ".join(str(error).split())[:120]
            raise InputError(
                f"{ASKER}: node {name!r} does not take values of shape {self.shape} ({reason})."
            ) from error
        self.found.append(layer)
        self.came, self.shape = self.shape, tuple(sent.shape[1:])


def _convolution(node: nir.NIRNode) -> nn.Conv1d | nn.Conv2d:
    weight, groups = np.asarray(node.weight, dtype=float), int(node.groups)
    n = 1 if isinstance(node, nir.Conv1d) else 2
    options: Any = [weight.shape[2:], *(_whole(v, n) for v in (node.stride, node.padding, node.dilation))]
    kind: Any = nn.Conv1d if n == 1 else nn.Conv2d
    layer: nn.Conv1d | nn.Conv2d = kind(weight.shape[1] * groups, len(weight), *options, groups)
    _copy(layer, weight, node.bias)
    return layer


def _pooling(node: nir.NIRNode) -> nn.AvgPool2d:
    kernel, stride, padding = (_whole(v, 2) for v in (node.kernel_size, node.stride, node.padding))
    return nn.AvgPool2d(kernel, stride, padding, divisor_override=1 if isinstance(node, nir.SumPool2d) else None)


def _linear(name: str, node: nir.NIRNode) -> nn.Linear:
    weight = np.asarray(node.weight, dtype=float)
    bias = np.ravel(getattr(node, "bias", np.zeros(len(weight))))
    if weight.ndim != 2 or len(bias) != len(weight):
        raise InputError(f"{ASKER}: node {name!r} has weights of shape {weight.shape} and {len(bias)} biases.")
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    _copy(layer, weight, bias)
    return layer


def _copy(layer: nn.Linear | nn.Conv1d | nn.Conv2d, weight: np.ndarray, bias: np.ndarray | None) -> None:
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.array(weight, dtype=float)))
        if layer.bias is not None:
            flat = np.zeros(len(weight)) if bias is None else np.array(bias, dtype=float).ravel()
            layer.bias.copy_(torch.from_numpy(flat))


def _multiply(layer: nn.Linear | nn.Conv1d | nn.Conv2d, gain: np.ndarray) -> None:
    """Multiply what a layer sends by a number a unit or channel."""
    factor = torch.from_numpy(gain.copy()).to(layer.weight)
    with torch.no_grad():
        layer.weight.mul_(factor.view(-1, *(1,) * (layer.weight.ndim - 1)))
        if layer.bias is not None:
            layer.bias.mul_(factor)


def _recorded(
    name: str, node: nir.NIRNode, kept: Mapping[str, Any], shape: Shape, dt: float
) -> tuple[DiscreteParameters, dict[str, np.ndarray]]:
    """Return the record that neurosim kept of a node, and the numbers that it cannot hold exactly."""
    check_unchanged(ASKER, name, node, kept)
    model = str(kept.get("model", "discrete_lif"))
    names = [f.name for f in fields(parameters_of(model, {}))]
    record = parameters_of(model, {k: kept[k] for k in names if k in kept})
    if not isinstance(record, DiscreteLIFParameters | DiscreteSynapticParameters):
        raise InputError(f"{ASKER}: node {name!r} says that its neurons are {model!r}, which NIR does not hold.")
    if not math.isclose(record.dt, dt):
        raise InputError(f"{ASKER}: node {name!r} advances in steps of {record.dt} s, others in steps of {dt} s.")
    exact = {k: spread(ASKER, name, v, shape) for k, v in kept.get("exact", {}).items()}
    if "threshold" in kept.get("varying", ()):
        exact["threshold"] = spread(ASKER, name, node.v_threshold, shape)
    unknown = {*kept.get("varying", ()), *exact} - {"beta", "threshold", "alpha"}
    if unknown:
        raise InputError(
            f"{ASKER}: {min(unknown)!r} of node {name!r} differs between neurons, which layers do not have."
        )
    return record, exact


def _kept(name: str, kept: Mapping[str, Any] | None, key: str, record: type[Record]) -> Record:
    """Return a record of a node as neurosim kept it: what is learned, the surrogate; else the default."""
    told = (kept or {}).get(key, {})
    known = {f.name: type(f.default) for f in fields(record)}
    if not (isinstance(told, Mapping) and all(isinstance(v, known.get(k, ())) for k, v in told.items())):
        raise InputError(f"{ASKER}: the metadata 'neurosim' of node {name!r} are not as neurosim writes them: {key}.")
    return record(**told)


def _shared(name: str, key: str, values: np.ndarray, shape: Shape, learn: Learnable) -> np.ndarray:
    """Return the numbers that are learned, one where a layer and one a channel where a channel shares them."""
    sharing = {COEFFICIENTS[n]: by for n, by in learn.learned.items()}.get(key)
    if sharing not in ("layer", "channel"):
        return values.reshape(shape) if sharing else values
    each = values.reshape(shape[0] if sharing == "channel" else 1, -1)
    if (each != each[:, :1]).any():
        raise InputError(f"{ASKER}: {key!r} of node {name!r} is said to be one a {sharing}, and its numbers differ.")
    return each[:, 0].copy()


def _discrete(
    name: str, node: nir.NIRNode, shape: Shape, choice: _Choice
) -> tuple[DiscreteParameters, dict[str, np.ndarray], np.ndarray]:
    """Return the record of a node of another tool, what it cannot hold exactly, and what its input counts."""
    if choice.reset not in RESETS:
        raise InputError(
            f"{ASKER}: node {name!r} resets to v_reset at once, which no layer does; choose reset= of "
            f"{', '.join(RESETS)} ('zero' sends the same spikes), or simulate the graph: to_circuit."
        )
    if any(np.any(value) for key in ("v_leak", "v_reset") if (value := getattr(node, key, None)) is not None):
        raise InputError(f"{ASKER}: node {name!r} rests or resets at another value than 0, which layers do not have.")

    def each(key: str) -> np.ndarray:
        return spread(ASKER, name, getattr(node, key), shape)

    def decay(key: str) -> np.ndarray:
        return decay_a_step(ASKER, name, node, key, choice.dt, choice.integration, shape)

    exact, gain = {"threshold": each("v_threshold")}, each("r")
    if not (exact["threshold"] > 0).all():
        raise InputError(
            f"{ASKER}: node {name!r} has a threshold that is not above v_reset; it would fire without end."
        )
    common: dict[str, Any] = {"dt": choice.dt, "threshold": float(exact["threshold"][0]), "reset": choice.reset}
    if isinstance(node, nir.IF):
        gain = gain * if_gain(choice.if_input, choice.dt)
        return DiscreteLIFParameters(math.inf, **common), exact, gain
    key = "tau_mem" if isinstance(node, nir.CubaLIF) else "tau"
    exact["beta"], tau = decay(key), float(each(key)[0])
    gain = gain * (1 - exact["beta"])
    if isinstance(node, nir.LIF):
        return DiscreteLIFParameters(tau, **common), exact, gain
    exact["alpha"] = decay("tau_syn")
    record = DiscreteSynapticParameters(float(each("tau_syn")[0]), tau, **common)
    return record, exact, gain * each("w_in") * (1 - exact["alpha"])


def _whole(value: object, n: int) -> Any:
    if isinstance(value, str):
        return value
    flat = np.ravel(np.asarray(value, dtype=float))
    if len(flat) not in (1, n) or (flat != np.floor(flat)).any() or (flat < 0).any():
        raise ValueError(f"{value!r} is not {n} whole numbers")
    return tuple(int(v) for v in np.broadcast_to(flat, (n,)))
