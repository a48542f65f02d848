"""NIR graphs as networks that can be trained: a chain of weights and neurons becomes a sequence of our layers."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import nir
import numpy as np
import torch
from torch import nn

from neurosim.networks.conversion import SpikingSequence
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.spiking.sequence import RESETS, SequenceReset
from neurosim.parameters import (
    DiscreteLIFParameters,
    DiscreteParameters,
    DiscreteSynapticParameters,
    from_metadata,
    parameters_of,
)
from neurosim.schema import InputError

NEURONS = (nir.LIF, nir.IF, nir.CubaLIF)


def from_nir(
    graph: nir.NIRGraph, *, dt: float | None = None, reset: SequenceReset | None = None, n_steps: int | None = None
) -> SpikingSequence:
    """Return a NIR graph as a network of torch, with copies of all weights (https://doi.org/10.1038/s41467-024-52259-9).

    Parameters
    ----------
    graph : a chain of ``Affine``, ``Linear``, ``Conv2d``, ``AvgPool2d``, ``Flatten`` and the neurons ``LIF``, ``IF``,
        ``CubaLIF``, each of which may send back to itself through ``Affine`` or ``Linear``.
    dt : duration of a step, s; by default what neurosim kept in the graph, else it has to be given.
    reset : of neurons in whose metadata neurosim kept none. NIR's own, to ``v_reset`` at once, has no layer here: one
        has to be chosen, and is not quite the graph then.
    n_steps : steps an input without time is shown.

    Raises
    ------
    InputError : a node or a wiring that layers do not have, a missing `dt`, or a reset that was not chosen.
    """
    if not isinstance(graph, nir.NIRGraph):
        raise InputError(f"from_nir: a NIR graph is asked, found {type(graph).__name__}; read files with load_nir.")
    order, back = _chain(graph)
    neurons = [name for name in order if isinstance(graph.nodes[name], NEURONS)]
    kept = next((m for n in neurons if (m := from_metadata(graph.nodes[n].metadata))), {})
    step = dt or kept.get("dt")
    if not isinstance(step, int | float) or not 0 < step <= 1:
        raise InputError(f"from_nir: a dt of 0 to 1 s asked, found {step!r}; the graph keeps none.")
    layers: list[nn.Module] = []
    for name in order:
        node = graph.nodes[name]
        if isinstance(node, NEURONS):
            layer, scale = _neurons(name, node, float(step), reset, back.get(name))
            _scale(name, layers, scale)
            layers.append(layer)
        elif not isinstance(node, nir.Input | nir.Output):
            layers.append(_weights(name, node))
    return SpikingSequence(layers, n_steps=n_steps, time_step=float(step))


def _chain(graph: nir.NIRGraph) -> tuple[list[str], dict[str, Any]]:
    """Return the nodes in order, and by neuron the node through which it sends back to itself."""
    after: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for source, target in graph.edges:
        if source not in after or target not in after:
            raise InputError(f"from_nir: an edge names {source!r} or {target!r}, which is no node of the graph.")
        after[source].append(target)
    loops = {n for n in after if len(after[n]) == 1 and n in after[after[n][0]] and not _is_end(graph, n)}
    loops = {n for n in loops if isinstance(graph.nodes[after[n][0]], NEURONS)}
    back = {after[n][0]: graph.nodes[n] for n in loops}
    starts = [n for n, node in graph.nodes.items() if isinstance(node, nir.Input)]
    if len(starts) != 1:
        raise InputError(f"from_nir: one input asked, found {len(starts)}.")
    order, here = [starts[0]], starts[0]
    while onward := [t for t in after[here] if t not in loops]:
        if len(onward) > 1 or onward[0] in order:
            raise InputError(f"from_nir: node {here!r} sends to {onward}; only chains become sequences of layers.")
        here = onward[0]
        order.append(here)
    left = sorted(set(graph.nodes) - set(order) - loops)
    if left:
        raise InputError(f"from_nir: node {left[0]!r} is not on the chain from the input to the output.")
    return order, back


def _is_end(graph: nir.NIRGraph, name: str) -> bool:
    return isinstance(graph.nodes[name], (nir.Input, nir.Output, *NEURONS))


def _weights(name: str, node: Any) -> nn.Module:
    if isinstance(node, nir.Affine | nir.Linear):
        return _linear(node)
    if isinstance(node, nir.Conv2d):
        n_out, n_in = node.weight.shape[:2]
        layer = nn.Conv2d(
            n_in * node.groups, n_out, node.weight.shape[2:], _pair(node.stride), _pair(node.padding),
            _pair(node.dilation), node.groups,
        )  # fmt: skip
        _copy(layer, node.weight, node.bias)
        return layer
    if isinstance(node, nir.AvgPool2d):
        return nn.AvgPool2d(_pair(node.kernel_size), _pair(node.stride), _pair(node.padding))
    if isinstance(node, nir.Flatten):
        return nn.Flatten()
    raise InputError(
        f"from_nir: node {name!r} ({type(node).__name__}) is not known; known: Affine, Linear, Conv2d, AvgPool2d, "
        "Flatten, LIF, IF, CubaLIF."
    )


def _linear(node: Any) -> nn.Linear:
    layer = nn.Linear(node.weight.shape[1], node.weight.shape[0])
    _copy(layer, node.weight, getattr(node, "bias", np.zeros(node.weight.shape[0])))
    return layer


def _copy(layer: nn.Linear | nn.Conv2d, weight: Any, bias: Any) -> None:
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.array(weight, dtype=float)))
        assert layer.bias is not None
        layer.bias.copy_(torch.from_numpy(np.array(bias, dtype=float)))


def _neurons(
    name: str, node: Any, dt: float, reset: SequenceReset | None, back: Any
) -> tuple[SpikingLayer, np.ndarray | float]:
    """Return a layer of neurons, and what its input has to be multiplied by."""
    kept = from_metadata(node.metadata)
    threshold = np.ravel(np.asarray(node.v_threshold, dtype=float))
    scale: np.ndarray | float = 1.0
    exact: dict[str, np.ndarray]
    if kept is not None:
        model = str(kept.get("model", "discrete_lif"))
        names = [f.name for f in fields(parameters_of(model, {}))]
        record = parameters_of(model, {k: kept[k] for k in names if k in kept})
        exact = {k: np.asarray(v, dtype=float) for k, v in kept.get("exact", {}).items()}
        exact |= {"threshold": threshold} if "threshold" in kept.get("varying", ()) else {}
    else:
        if reset not in RESETS:
            raise InputError(
                f"from_nir: node {name!r} resets to v_reset at once, which no layer does; choose reset= of "
                f"{', '.join(RESETS)}, or simulate the graph: to_circuit."
            )
        record, exact, scale = _discrete(name, node, dt, reset, threshold)
    recurrent = None
    if back is not None:
        if not isinstance(back, nir.Affine | nir.Linear):
            raise InputError(
                f"from_nir: node {name!r} sends back through {type(back).__name__}; Affine or Linear asked."
            )
        recurrent = _linear(back)
    layer = SpikingLayer(
        record,
        n_recurrent=None if recurrent is None else recurrent.out_features,
        exact={k: torch.from_numpy(v) for k, v in exact.items()},
    )
    if recurrent is not None and layer.recurrent is not None:
        layer.recurrent.load_state_dict(recurrent.state_dict())
    return layer, scale


def _discrete(
    name: str, node: Any, dt: float, reset: SequenceReset, threshold: np.ndarray
) -> tuple[DiscreteParameters, dict[str, np.ndarray], np.ndarray]:
    """Return the record of a node of another tool, integrated exactly over a step."""
    if np.any(np.asarray(getattr(node, "v_leak", 0.0))) or np.any(
        np.asarray(node.v_reset if node.v_reset is not None else 0)
    ):
        raise InputError(f"from_nir: node {name!r} rests or resets at another value than 0, which layers do not have.")
    common: dict[str, Any] = {"dt": dt, "threshold": float(threshold[0]), "reset": reset}
    r = np.ravel(np.asarray(node.r, dtype=float))
    if isinstance(node, nir.IF):
        return DiscreteLIFParameters(math.inf, **common), {"threshold": threshold}, r
    tau = np.ravel(np.asarray(node.tau_mem if isinstance(node, nir.CubaLIF) else node.tau, dtype=float))
    beta = np.exp(-dt / tau)
    exact = {"threshold": threshold, "beta": beta}
    if isinstance(node, nir.LIF):
        return DiscreteLIFParameters(float(tau[0]), **common), exact, (1 - beta) * r
    tau_syn = np.ravel(np.asarray(node.tau_syn, dtype=float))
    record = DiscreteSynapticParameters(float(tau_syn[0]), float(tau[0]), **common)
    gain = (1 - beta) * r * np.ravel(np.asarray(node.w_in, dtype=float)) * (1 - np.exp(-dt / tau_syn))
    return record, exact | {"alpha": np.exp(-dt / tau_syn)}, gain


def _scale(name: str, layers: list[nn.Module], scale: np.ndarray | float) -> None:
    """Multiply the weights before neurons by what their input counts."""
    values = np.ravel(np.asarray(scale, dtype=float))
    if np.all(values == 1.0):
        return
    before = next((m for m in reversed(layers) if isinstance(m, nn.Linear | nn.Conv2d)), None)
    alike = bool(np.all(values == values[0]))
    if before is None or not (alike or (isinstance(before, nn.Linear) and before is layers[-1])):
        raise InputError(
            f"from_nir: the input of node {name!r} counts differently a unit, and no Affine stands before it."
        )
    factor = torch.from_numpy(values if not alike else values[:1]).to(before.weight.dtype)
    with torch.no_grad():
        before.weight.mul_(factor.view(-1, *(1,) * (before.weight.ndim - 1)))
        if before.bias is not None:
            before.bias.mul_(factor)


def _pair(value: Any) -> Any:
    return value if isinstance(value, str) else tuple(int(v) for v in np.broadcast_to(np.asarray(value), (2,)))
