"""Networks as NIR graphs, the exchange format of spiking networks (https://doi.org/10.1038/s41467-024-52259-9).

NIR holds neither the reset nor the time step nor the surrogate gradient: all are kept in each neuron node's metadata,
so that the bridge to Brian2 is exact and a network that comes back goes on learning as it did. Ours and snnTorch's
neurons are known; whatever cannot be represented is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import nir
import numpy as np
import torch
from torch import nn

from neurosim.networks.chains import SKIPPED, is_neuron, neuron_names, structure_of
from neurosim.networks.flags import check_module
from neurosim.networks.neuron_records import SNNTORCH, input_gain, numbers_of, of_layer, record_of, surrogate_of
from neurosim.networks.nir_integrators import each_unit, integrator_node, read_membranes, time_constant
from neurosim.networks.nir_pooling import POOLS, pooling_node
from neurosim.networks.recording import layer_label
from neurosim.networks.spiking.delays import DelayedLinear
from neurosim.networks.spiking.graded import GradedSpikes
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.wiring import INPUT, Chain, Connections, Wiring, as_numbers
from neurosim.parameters import (
    DiscreteAdaptiveLIFParameters,
    DiscreteAlphaParameters,
    DiscreteLIFParameters,
    to_metadata,
)
from neurosim.schema import InputError

Shape = tuple[int, ...]


def to_nir(
    network: nn.Module,
    *,
    input_shape: Shape | None = None,
    dt: float = 1e-3,
    inputs: str = "spikes",
    example: torch.Tensor | None = None,
    keep_reset: bool = True,
) -> nir.NIRGraph:
    """Return a spiking network as a NIR graph: its layers in the order in which they are called.

    Parameters
    ----------
    network : one of our spiking networks, an ``nn.Sequential`` or a module of ``Linear``, ``Conv1d``, ``Conv2d``,
        average pooling (also adaptive), ``Flatten``, ``DelayedLinear`` (its delays as whole steps), batch norm (folded
        in as it stands in evaluation) and the neurons ``SpikingLayer``, ``snn.Leaky``, ``snn.RLeaky``,
        ``snn.Synaptic``, ``snn.RSynaptic``, ``snn.Lapicque`` (a forward Euler step; what its input counts is a
        ``Scale``) and ``snn.Alpha`` (a CubaLIF of the same course, one step earlier, for readers without our metadata).
        A ``MembraneReadout`` is LI, I or CubaLI.
    input_shape : shape of the input of one step, ([channel, y, x] or [unit]); known for our networks and where the
        first layer is ``Linear``.
    dt : duration of one step of snnTorch neurons, which have none of their own, s.
    inputs : what the network is shown: "spikes" or "current"; known for our networks.
    example : an input (time, batch, ...) of two steps or more of a module with a ``forward`` of its own, for which
        it is needed unless its ``Linear`` layers tell the width of its input. The module is run on it and on random
        numbers. Layers that form a chain keep a node each; else
        each weighted sum of input and spikes (residual and parallel branches, factors, shared weights, feedback of
        earlier steps) becomes one matrix. Whatever else stands between layers is refused by name.
    keep_reset : keep resets, which NIR does not hold, in the metadata of neurons; otherwise they are refused.

    Raises
    ------
    InputError : a layer that cannot be represented, or a neuron with an option that cannot.

    Examples
    --------
    >>> from neurosim.networks.architecture import build_network
    >>> from neurosim.networks.architectures.spiking_mlp import SpikingMLPSpecification
    >>> sorted(to_nir(build_network(SpikingMLPSpecification((5,)), (4, 4), 2)).nodes)
    ['hidden1', 'input', 'output', 'output_readout', 'weights_hidden1', 'weights_output']
    """
    check_module("to_nir", network)
    found = structure_of(network, example)
    if not neuron_names(found):
        raise InputError(
            f"to_nir: {type(network).__name__} holds no neurons that spike (SpikingLayer, snn.Leaky, ...)."
        )
    if not keep_reset:
        raise InputError(
            "to_nir: NIR resets to v_reset at once, trained neurons one step later; keep_reset=True keeps theirs in "
            "the metadata of the graph."
        )
    dt, reads = _step_of(found, dt), read_membranes(network)
    about = {"input_kind": getattr(network, "input_kind", inputs)}
    if hasattr(network, "n_steps") and hasattr(network, "time_step"):
        about["duration"] = float(network.n_steps) * float(network.time_step)  # type: ignore[arg-type]
    elif found.time.shown_steps is not None:
        about["duration"] = found.time.shown_steps * dt
    shown = found.input_shape
    if input_shape is not None and shown is not None and np.prod(input_shape) != np.prod(shown):
        raise InputError(f"to_nir: input_shape is {tuple(input_shape)}, the example shows {shown} in a step.")
    if isinstance(found, Wiring):
        return wired_graph(found, dt, about, reads)
    shape = shown or input_shape or getattr(network, "input_shape", None)
    if shape is None:
        first = next((m for _, m in found.layers if not isinstance(m, SKIPPED)), None)
        if not isinstance(first, nn.Linear | DelayedLinear):
            raise InputError("to_nir: pass input_shape=(channel, y, x), the shape of the input of one step.")
        shape = (first.in_features,)
    return _Builder(tuple(shape), dt, about, reads).graph(found.layers)


def _step_of(structure: Chain | Wiring, dt: float) -> float:
    """Return the step of our neurons, s, which know it; else the one given, for those of snnTorch."""
    layers = structure.layers if isinstance(structure, Chain) else structure.neurons
    steps = {m.neuron.dt: n for n, m in layers if isinstance(m, SpikingLayer)}
    if len(steps) > 1:
        (one, first), (other, second) = list(steps.items())[:2]
        raise InputError(
            f"to_nir: layer {first!r} advances in steps of {one} s, layer {second!r} in steps of {other} s; one "
            "step is represented."
        )
    return next(iter(steps), dt)


class _Builder:
    """Adds one layer after another to a graph and keeps the shape of what the last one sends."""

    def __init__(self, shape: Shape, dt: float, about: dict[str, Any], reads: Mapping[str, str]) -> None:
        self.nodes: dict[str, nir.NIRNode] = {"input": nir.Input({"input": np.array(shape)})}
        self.edges: list[tuple[str, str]] = []
        self.back: list[tuple[str, str]] = []
        self.ends: list[str] = ["input"]
        self.shape, self.dt, self.about, self.reads = shape, dt, about, reads

    def graph(self, layers: list[tuple[str, nn.Module]]) -> nir.NIRGraph:
        """Return the graph of all layers; a layer that stands in several places has a node in each."""
        names, taken = _weight_names(layers), _neuron_labels(n for n, m in layers if is_neuron(m))
        for name, module in layers:
            if not isinstance(module, SKIPPED):
                self._add(taken[name] if is_neuron(module) else _free(names[name], self.nodes, taken), name, module)
        self._put("output_readout", nir.Output({"output": np.array(self.shape)}))
        return nir.NIRGraph(self.nodes, [*self.edges, *self.back], type_check=False)

    def _put(self, label: str, node: nir.NIRNode) -> None:
        self.nodes[label] = node
        self.edges += [(end, label) for end in self.ends]
        self.ends = [label]

    def _add(self, label: str, name: str, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            if self.shape != (module.in_features,):
                raise InputError(
                    f"to_nir: layer {name!r} takes {module.in_features} values, the layer before it gives {self.shape}."
                )
            bias = np.zeros(module.out_features) if module.bias is None else numbers_of(module.bias)
            self._put(label, nir.Affine(weight=numbers_of(module.weight), bias=bias))
            self.shape = (module.out_features,)
        elif isinstance(module, GradedSpikes):
            factor = torch.broadcast_to(module.factor, self.shape)
            self._put(label, nir.Scale(numbers_of(factor)))
        elif isinstance(module, DelayedLinear):
            self._add_delayed(label, name, module)
        elif isinstance(module, nn.Conv1d | nn.Conv2d):
            self._add_convolution(label, name, module)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            self._fold(name, module)
        elif isinstance(module, POOLS):
            node, after = pooling_node(name, module, self.shape)
            self._put(label, node)
            self.shape = after
        elif isinstance(module, nn.Flatten) and module.start_dim == 1 and module.end_dim in (-1, len(self.shape)):
            self._put(label, nir.Flatten({"input": np.array(self.shape)}, 0, -1))
            self.shape = (int(np.prod(self.shape)),)
        elif is_neuron(module):
            self._add_neuron(label, name, module)
        else:
            hint = " Average pooling is linear: AvgPool2d." if "MaxPool" in type(module).__name__ else ""
            neurons = ", ".join(f"snn.{kind.__name__}" for kind in SNNTORCH)
            raise InputError(
                f"to_nir: layer {name!r} ({type(module).__name__}) cannot be represented; known: Linear, Conv1d, "
                "Conv2d, DelayedLinear, GradedSpikes, BatchNorm, AvgPool, AdaptiveAvgPool, Flatten, SpikingLayer, "
                f"{neurons}.{hint}"
            )

    def _add_delayed(self, label: str, name: str, module: DelayedLinear) -> None:
        """Add the weights of each delay; the bias goes with those that have none."""
        if self.shape != (module.in_features,):
            raise InputError(
                f"to_nir: layer {name!r} takes {module.in_features} values, the layer before it gives {self.shape}."
            )
        if not np.isclose(module.dt, self.dt):
            raise InputError(
                f"to_nir: layer {name!r} delays by steps of {module.dt} s, neurons advance in steps of {self.dt} s."
            )
        starts, ends, lags, weight = self.ends, [], module.steps, module.weight
        bias = np.zeros(module.out_features) if module.bias is None else numbers_of(module.bias)
        for lag in sorted({0, *lags.flatten().tolist()}):
            self.ends = starts
            here = label if lag == 0 else f"{label}_{lag}_ago"
            self._put(here, nir.Affine(weight=numbers_of(weight * (lags == lag)), bias=bias if lag == 0 else 0 * bias))
            if lag:
                self._put(f"{here}_delay", nir.Delay(np.full(module.out_features, lag * self.dt)))
            ends += self.ends
        self.ends, self.shape = ends, (module.out_features,)

    def _add_convolution(self, label: str, name: str, module: nn.Conv1d | nn.Conv2d) -> None:
        dims = ("channel", "x") if isinstance(module, nn.Conv1d) else ("channel", "y", "x")
        if module.padding_mode != "zeros" or len(self.shape) != len(dims):
            raise InputError(
                f"to_nir: layer {name!r} needs padding with zeros and ({', '.join(dims)}), found {self.shape}."
            )
        self._put(label, _convolution(module, self.shape))
        with torch.no_grad():
            probe = torch.zeros(1, *self.shape, dtype=module.weight.dtype, device=module.weight.device)
            self.shape = tuple(module(probe).shape[1:])

    def _fold(self, name: str, module: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
        """Fold a batch norm, as it stands in evaluation, into the weights before it."""
        before = self.nodes[self.ends[-1]]
        if (
            len(self.ends) > 1
            or not isinstance(before, nir.Affine | nir.Conv1d | nir.Conv2d)
            or module.running_var is None
        ):
            raise InputError(f"to_nir: batch norm {name!r} does not follow weights, or keeps no statistics.")
        variance, mean = numbers_of(module.running_var), numbers_of(module.running_mean)
        scale = (1.0 if module.weight is None else numbers_of(module.weight)) / np.sqrt(variance + module.eps)
        before.weight = before.weight * np.reshape(scale, (-1,) + (1,) * (before.weight.ndim - 1))
        before.bias = (before.bias - mean) * scale + (0.0 if module.bias is None else numbers_of(module.bias))

    def _add_neuron(self, label: str, name: str, module: nn.Module) -> None:
        gain = input_gain(module)
        if (gain != 1).any():
            self._put(_free(f"{label}_gain", self.nodes, {}), nir.Scale(each_unit(name, "C", gain, self.shape)))
        self._put(label, neuron_node(name, module, self.shape, self.dt, self.about, self.reads.get(name)))
        inner = getattr(module, "recurrent", None)
        if inner is not None:
            back = f"recurrent_{label}"
            self.nodes[back] = recurrent_node(inner, self.shape)
            self.back += [(label, back), (back, label)]


def neuron_node(
    name: str, module: nn.Module, shape: Shape, dt: float, about: dict[str, Any], reads: str | None
) -> nir.NIRNode:
    """Return the node of a layer of neurons of `shape`; what NIR does not hold stands in its metadata.

    What counts their input (:func:`input_gain`) is not in it. Units whose membrane is read send no spikes.
    """
    if reads is not None:
        assert isinstance(module, SpikingLayer)
        return integrator_node(name, module, shape, dt, about | {"reads": reads})
    record, exact = of_layer(name, module) if isinstance(module, SpikingLayer) else record_of(name, module, dt)
    n = int(np.prod(shape))
    exact = {k: each_unit(name, k, v, shape).tolist() for k, v in exact.items()}
    threshold = np.asarray(exact.get("threshold", np.full(n, record.threshold)))
    if isinstance(module, SpikingLayer) and module.learn.learned:
        about = about | {"learn": asdict(module.learn)}
    surrogate = module.surrogate if isinstance(module, SpikingLayer) else surrogate_of(module)
    if surrogate is not None:  # one that only snnTorch has is not kept
        about = about | {"surrogate": asdict(surrogate)}
    kept = to_metadata(
        record, varying=sorted(exact), exact={k: v for k, v in exact.items() if k != "threshold"}, **about
    )
    common = {"v_leak": np.zeros(n), "v_threshold": threshold, "v_reset": np.zeros(n), "metadata": kept}
    beta = np.asarray(exact.get("beta", np.full(n, record.beta)))
    tau, r = time_constant(beta, dt), 1 / np.where(beta < 1, 1 - beta, 1.0)
    if not isinstance(record, DiscreteLIFParameters):
        assert not isinstance(record, DiscreteAdaptiveLIFParameters)  # refused by of_layer
        alpha = np.asarray(exact.get("alpha", np.full(n, record.alpha)))
        if not (np.isfinite(tau).all() and (alpha < 1).all()):
            raise InputError(f"to_nir: {name!r} has synaptic currents or membranes that never decay; NIR's CubaLIF do.")
        if isinstance(record, DiscreteAlphaParameters):
            r = r * np.asarray(exact.get("kernel_gain", record.kernel_gain)) * (alpha - beta)
        return nir.CubaLIF(time_constant(alpha, dt), tau, r=r, w_in=1 / (1 - alpha), **common)
    if np.isfinite(tau).all():
        return nir.LIF(tau=tau, r=r, **common)
    return nir.IF(r=np.ones(n), **{k: v for k, v in common.items() if k != "v_leak"})


def recurrent_node(inner: nn.Module, shape: Shape) -> nir.NIRNode:
    """Return the node of the weights with which a layer of `shape` drives itself."""
    if isinstance(inner, nn.Linear):
        bias = np.zeros(inner.out_features) if inner.bias is None else numbers_of(inner.bias)
        return nir.Affine(weight=numbers_of(inner.weight), bias=bias)
    if isinstance(inner, nn.Conv1d | nn.Conv2d):
        return _convolution(inner, shape)
    return nir.Scale(np.broadcast_to(numbers_of(inner.V), shape).copy())


def _convolution(module: nn.Conv1d | nn.Conv2d, shape: Shape) -> nir.NIRNode:
    bias = np.zeros(module.out_channels) if module.bias is None else numbers_of(module.bias)
    weight, options = numbers_of(module.weight), (module.stride, module.padding, module.dilation)
    if isinstance(module, nn.Conv2d):
        return nir.Conv2d(shape[1:], weight, *options, module.groups, bias)
    single = (v if isinstance(v, str) else int(v[0]) for v in options)
    return nir.Conv1d(shape[1], weight, *single, module.groups, bias)


def wired_graph(wiring: Wiring, dt: float, about: dict[str, Any], reads: Mapping[str, str]) -> nir.NIRGraph:
    """Return a wiring as a graph: a matrix for each pair of layers, and a delay for spikes of earlier steps."""
    labels = {INPUT: INPUT, **_neuron_labels(n for n, _ in wiring.neurons)}
    nodes: dict[str, nir.NIRNode] = {INPUT: nir.Input({"input": np.array([int(np.prod(wiring.input_shape))])})}
    edges: list[tuple[str, str]] = []

    def connect(onto: Connections, target: str, name: str) -> None:
        bias, none = as_numbers(onto.bias).ravel(), torch.zeros(onto.bias.numel(), int(np.prod(wiring.input_shape)))
        at_once = any(not lag for _, lag in onto.weights)
        weights = dict(onto.weights) if at_once or not bias.any() else {(INPUT, 0): none, **onto.weights}
        for (source, lag), weight in sorted(weights.items(), key=lambda item: item[0][1]):
            label = _free(name.format(labels[source]) + f"_{lag}_ago" * (lag > 0), nodes, labels)
            nodes[label] = nir.Affine(weight=as_numbers(weight), bias=bias)
            edges.append((labels[source], label))
            bias = np.zeros(len(bias))
            if lag:
                nodes[f"{label}_delay"] = nir.Delay(np.full(len(bias), lag * dt))
                edges.append((label, f"{label}_delay"))
            edges.append((list(nodes)[-1], target))

    for name, module in wiring.neurons:
        label, shape = labels[name], wiring.shapes[name]
        connect(_counted(wiring.onto[name], each_unit(name, "C", input_gain(module), shape)), label, "{}_to_" + label)
        nodes[label] = neuron_node(name, module, shape, dt, about, reads.get(name))
        if (inner := getattr(module, "recurrent", None)) is not None:
            nodes[f"recurrent_{label}"] = recurrent_node(inner, shape)
            edges += [(label, f"recurrent_{label}"), (f"recurrent_{label}", label)]
    last, n_out = label, int(np.prod(shape))
    if wiring.readout is not None:
        name, _, onto = wiring.readout
        connect(onto, "output_readout", name.replace(".", "_"))
        nodes["output_readout"], n_out = nir.Output({"output": np.array([onto.bias.numel()])}), 0
    else:
        nodes["output_readout"] = nir.Output({"output": np.array([n_out])})
        edges.append((last, "output_readout"))
    return nir.NIRGraph(nodes, edges, type_check=False)


def _counted(onto: Connections, gain: np.ndarray) -> Connections:
    """Return connections with all that arrives multiplied by `gain`, (unit,)."""
    factor = torch.from_numpy(gain)
    weights = {key: weight * factor[:, None].to(weight) for key, weight in onto.weights.items()}
    return Connections(weights, onto.bias.flatten() * factor.to(onto.bias))


def _neuron_labels(names: Iterable[str]) -> dict[str, str]:
    """Return the label of each neuron module; two may not be called alike."""
    labels = {n: layer_label(n) for n in names}
    for name, label in labels.items():
        if label in (INPUT, "output_readout") or list(labels.values()).count(label) > 1:
            raise InputError(
                f"to_nir: neuron {name!r} would be called {label!r}, as another node is; rename the module."
            )
    return labels


def _free(label: str, nodes: Mapping[str, nir.NIRNode], taken: Mapping[str, str]) -> str:
    """Return a label that no node has, nor will have."""
    while label in nodes or label in taken.values() or label == "output_readout":
        label += "_"
    return label


def _weight_names(layers: list[tuple[str, nn.Module]]) -> dict[str, str]:
    """Name weights after the neurons that they drive, where those have names of their own."""
    names: dict[str, str] = {}
    pending: str | None = None
    for name, module in layers:
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
            pending = name
        elif is_neuron(module) and pending is not None and name.startswith("spikes."):
            names[pending], pending = f"weights_{layer_label(name)}", None
    return names | {n: n.replace(".", "_") for n, m in layers if n not in names and not is_neuron(m)}
