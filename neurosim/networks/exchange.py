"""Networks as NIR graphs, the exchange format of spiking networks (https://doi.org/10.1038/s41467-024-52259-9).

NIR holds neither the reset nor the time step: both are kept in each neuron node's metadata, so that the bridge to
Brian2 is exact. Ours and snnTorch's neurons are known; whatever cannot be represented is refused by name.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import nir
import numpy as np
import snntorch as snn
import torch
from torch import nn

from neurosim.networks.chains import SKIPPED, is_neuron, spiking_layers
from neurosim.networks.recording import layer_label
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.parameters import (
    DiscreteAdaptiveLIFParameters,
    DiscreteLIFParameters,
    DiscreteParameters,
    DiscreteSynapticParameters,
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
    network : one of our spiking networks, an ``nn.Sequential`` or a module of ``Linear``, ``Conv2d``, ``AvgPool2d``,
        ``Flatten``, batch norm (folded in as it stands in evaluation) and the neurons ``SpikingLayer``, ``snn.Leaky``,
        ``snn.RLeaky``, ``snn.Synaptic``.
    input_shape : shape of the input of one step, ([channel, y, x] or [unit]); known for our networks and where the
        first layer is ``Linear``.
    dt : duration of one step of snnTorch neurons, which have none of their own, s.
    inputs : what the network is shown: "spikes" or "current"; known for our networks.
    example : an input (time, batch, ...) of a module with a ``forward`` of its own, for which it is needed: the layers
        are followed on random numbers of its shape, and whatever is no chain is refused by name.
    keep_reset : keep resets, which NIR does not hold, in the metadata of neurons; otherwise they are refused.

    Raises
    ------
    InputError : a layer that cannot be represented, or a neuron with an option that cannot.

    Examples
    --------
    >>> from neurosim.networks.architectures import build_network
    >>> from neurosim.networks.specifications import SpikingMLPSpecification
    >>> sorted(to_nir(build_network(SpikingMLPSpecification((5,)), (4, 4), 2)).nodes)
    ['hidden1', 'input', 'output', 'output_readout', 'weights_hidden1', 'weights_output']
    """
    shape = input_shape or getattr(network, "input_shape", None)
    layers = spiking_layers(network, example)
    if not any(is_neuron(m) for _, m in layers):
        raise InputError(
            f"to_nir: {type(network).__name__} holds no neurons that spike (SpikingLayer, snn.Leaky, ...)."
        )
    if not keep_reset:
        raise InputError(
            "to_nir: NIR resets to v_reset at once, trained neurons one step later; keep_reset=True keeps theirs in "
            "the metadata of the graph."
        )
    if shape is None:
        first = next((m for _, m in layers if not isinstance(m, SKIPPED)), None)
        if not isinstance(first, nn.Linear):
            raise InputError("to_nir: pass input_shape=(channel, y, x), the shape of the input of one step.")
        shape = (first.in_features,)
    about = {"input_kind": getattr(network, "input_kind", inputs)}
    if hasattr(network, "n_steps"):
        about["duration"] = float(network.n_steps) * float(network.time_step)  # type: ignore[arg-type]
    return _Builder(tuple(shape), dt, about).graph(layers)


class _Builder:
    """Adds one layer after another to a graph and keeps the shape of what the last one sends."""

    def __init__(self, shape: Shape, dt: float, about: dict[str, Any]) -> None:
        self.nodes: dict[str, nir.NIRNode] = {"input": nir.Input({"input": np.array(shape)})}
        self.chain: list[str] = ["input"]
        self.back: list[tuple[str, str]] = []
        self.shape, self.dt, self.about = shape, dt, about

    def graph(self, layers: list[tuple[str, nn.Module]]) -> nir.NIRGraph:
        """Return the graph of all layers."""
        names = _weight_names(layers)
        for name, module in layers:
            if not isinstance(module, SKIPPED):
                self._add(names.get(name, layer_label(name)), name, module)
        self._put("output_readout", nir.Output({"output": np.array(self.shape)}))
        return nir.NIRGraph(self.nodes, [*pairwise(self.chain), *self.back], type_check=False)

    def _put(self, label: str, node: nir.NIRNode) -> None:
        self.nodes[label] = node
        self.chain.append(label)

    def _add(self, label: str, name: str, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            if self.shape != (module.in_features,):
                raise InputError(
                    f"to_nir: layer {name!r} takes {module.in_features} values, the layer before it gives {self.shape}."
                )
            bias = np.zeros(module.out_features) if module.bias is None else _array(module.bias)
            self._put(label, nir.Affine(weight=_array(module.weight), bias=bias))
            self.shape = (module.out_features,)
        elif isinstance(module, nn.Conv2d):
            self._add_convolution(label, name, module)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            self._fold(name, module)
        elif isinstance(module, nn.AvgPool2d):
            self._add_pool(label, name, module)
        elif isinstance(module, nn.Flatten):
            self._put(label, nir.Flatten({"input": np.array(self.shape)}, 0, -1))
            self.shape = (int(np.prod(self.shape)),)
        elif is_neuron(module):
            self._add_neuron(label, name, module)
        else:
            hint = " Average pooling is linear: AvgPool2d." if "MaxPool" in type(module).__name__ else ""
            raise InputError(
                f"to_nir: layer {name!r} ({type(module).__name__}) cannot be represented; known: Linear, Conv2d, "
                f"BatchNorm, AvgPool2d, Flatten, SpikingLayer, snn.Leaky, snn.RLeaky, snn.Synaptic.{hint}"
            )

    def _add_convolution(self, label: str, name: str, module: nn.Conv2d) -> None:
        if module.padding_mode != "zeros" or len(self.shape) != 3:
            raise InputError(
                f"to_nir: layer {name!r} needs padding with zeros and (channel, y, x), found {self.shape}."
            )
        bias = np.zeros(module.out_channels) if module.bias is None else _array(module.bias)
        node = nir.Conv2d(
            self.shape[1:], _array(module.weight), module.stride, module.padding, module.dilation, module.groups, bias
        )
        self._put(label, node)
        with torch.no_grad():
            probe = torch.zeros(1, *self.shape, dtype=module.weight.dtype, device=module.weight.device)
            self.shape = tuple(module(probe).shape[1:])

    def _add_pool(self, label: str, name: str, module: nn.AvgPool2d) -> None:
        if module.ceil_mode or not module.count_include_pad or module.divisor_override is not None:
            raise InputError(f"to_nir: layer {name!r} pools with options that NIR does not hold.")
        sizes = [np.broadcast_to(v, (2,)).copy() for v in (module.kernel_size, module.stride, module.padding)]
        self._put(label, nir.AvgPool2d(*sizes))
        self.shape = tuple(module(torch.zeros(1, *self.shape)).shape[1:])

    def _fold(self, name: str, module: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
        """Fold a batch norm, as it stands in evaluation, into the weights before it."""
        before = self.nodes[self.chain[-1]]
        if not isinstance(before, nir.Affine | nir.Conv2d) or module.running_var is None:
            raise InputError(f"to_nir: batch norm {name!r} does not follow weights, or keeps no statistics.")
        variance, mean = _array(module.running_var), _array(module.running_mean)
        scale = (1.0 if module.weight is None else _array(module.weight)) / np.sqrt(variance + module.eps)
        before.weight = before.weight * np.reshape(scale, (-1,) + (1,) * (before.weight.ndim - 1))
        before.bias = (before.bias - mean) * scale + (0.0 if module.bias is None else _array(module.bias))

    def _add_neuron(self, label: str, name: str, module: nn.Module) -> None:
        record, exact = of_layer(name, module) if isinstance(module, SpikingLayer) else record_of(name, module, self.dt)
        n = int(np.prod(self.shape))
        exact = {k: np.broadcast_to(v, (n,)).tolist() for k, v in exact.items()}
        threshold = np.asarray(exact.get("threshold", np.full(n, record.threshold)))
        varying = sorted(exact)
        kept = to_metadata(
            record, varying=varying, exact={k: v for k, v in exact.items() if k != "threshold"}, **self.about
        )
        common = {"v_leak": np.zeros(n), "v_threshold": threshold, "v_reset": np.zeros(n), "metadata": kept}
        beta = np.asarray(exact.get("beta", np.full(n, record.beta)))
        tau = np.full(n, record.tau_mem)
        if isinstance(record, DiscreteSynapticParameters):
            node: nir.NIRNode = nir.CubaLIF(np.full(n, record.tau_syn), tau, r=np.ones(n), w_in=np.ones(n), **common)
        elif np.isfinite(tau).all():
            node = nir.LIF(tau=tau, r=1 / np.where(beta < 1, 1 - beta, 1.0), **common)
        else:
            node = nir.IF(r=np.ones(n), **{k: v for k, v in common.items() if k != "v_leak"})
        self._put(label, node)
        inner = getattr(module, "recurrent", None)
        if inner is not None:
            self._add_recurrence(label, inner)

    def _add_recurrence(self, label: str, inner: nn.Module) -> None:
        back = f"recurrent_{label}"
        if isinstance(inner, nn.Linear):
            bias = np.zeros(inner.out_features) if inner.bias is None else _array(inner.bias)
            self.nodes[back] = nir.Affine(weight=_array(inner.weight), bias=bias)
        elif isinstance(inner, nn.Conv2d):
            bias = np.zeros(inner.out_channels) if inner.bias is None else _array(inner.bias)
            self.nodes[back] = nir.Conv2d(
                self.shape[1:], _array(inner.weight), inner.stride, inner.padding, inner.dilation, inner.groups, bias
            )
        else:
            self.nodes[back] = nir.Scale(np.broadcast_to(_array(inner.V), self.shape).copy())
        self.back += [(label, back), (back, label)]


def of_layer(name: str, layer: SpikingLayer) -> tuple[DiscreteParameters, dict[str, np.ndarray]]:
    """Return the record of one of our layers, and the numbers that the record cannot hold exactly."""
    if isinstance(layer.neuron, DiscreteAdaptiveLIFParameters):
        raise InputError(f"to_nir: layer {name!r} has an adaptive threshold, which NIR does not hold.")
    return layer.neuron, {k: _array(getattr(layer, f"exact_{k}")).ravel() for k in layer.exact}


def record_of(
    name: str, module: nn.Module, dt: float
) -> tuple[DiscreteLIFParameters | DiscreteSynapticParameters, dict[str, np.ndarray]]:
    """Return the record of a snnTorch neuron, and the numbers that the record cannot hold exactly."""
    kind = type(module).__name__
    if type(module) not in (snn.Leaky, snn.RLeaky, snn.Synaptic):
        raise InputError(f"to_nir: neuron {name!r} (snn.{kind}) cannot be represented; known: Leaky, RLeaky, Synaptic.")
    refused = {
        "reset_delay=False": not getattr(module, "reset_delay", True),
        "inhibition": bool(module.inhibition),
        "state_quant": bool(module.state_quant),
        "graded spikes": bool((torch.as_tensor(module.graded_spikes_factor) != 1).any()),
    }
    found = next((option for option, is_set in refused.items() if is_set), None)
    if found:
        raise InputError(f"to_nir: neuron {name!r} (snn.{kind}) has {found}, which cannot be represented.")
    reset = {0: "subtract", 1: "zero" if type(module) is snn.Leaky else "clear", 2: "none"}[
        int(module.reset_mechanism_val)  # type: ignore[arg-type]
    ]
    beta = np.clip(_array(module.beta).ravel(), 0, 1)
    threshold = _array(module.threshold).ravel()
    if (beta <= 0).any() or (threshold <= 0).any():
        raise InputError(f"to_nir: neuron {name!r} has beta or threshold not above 0.")
    numbers: dict[str, Any] = {"tau_mem": _time_constant(beta[0], dt), "dt": dt, "threshold": float(threshold[0])}
    exact = {"beta": beta, "threshold": threshold}
    if type(module) is snn.Synaptic:
        alpha = np.clip(_array(module.alpha).ravel(), 0, 1)
        if (alpha <= 0).any():
            raise InputError(f"to_nir: neuron {name!r} has alpha not above 0.")
        numbers["tau_syn"] = _time_constant(alpha[0], dt)
        synaptic = DiscreteSynapticParameters(**numbers, reset=reset)  # type: ignore[arg-type]
        return synaptic, _inexact(exact | {"alpha": alpha}, synaptic)
    record = DiscreteLIFParameters(**numbers, reset=reset)  # type: ignore[arg-type]
    return record, _inexact(exact, record)


def _inexact(numbers: dict[str, np.ndarray], record: object) -> dict[str, np.ndarray]:
    return {k: v for k, v in numbers.items() if (v != getattr(record, k)).any()}


def _time_constant(share: float, dt: float) -> float:
    return float(np.inf if share == 1 else -dt / np.log(share))


def _weight_names(layers: list[tuple[str, nn.Module]]) -> dict[str, str]:
    """Name weights after the neurons that they drive, where those have names of their own."""
    names: dict[str, str] = {}
    pending: str | None = None
    for name, module in layers:
        if isinstance(module, nn.Linear | nn.Conv2d):
            pending = name
        elif is_neuron(module) and pending is not None and name.startswith("spikes."):
            names[pending], pending = f"weights_{layer_label(name)}", None
    return names | {n: n.replace(".", "_") for n, m in layers if n not in names and not is_neuron(m)}


def _array(values: Any) -> np.ndarray:
    return np.array(torch.as_tensor(values).detach().cpu().numpy(), dtype=float)
