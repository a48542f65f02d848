"""A trained network of rectified units as parts that spiking neurons can take over: read off its graph of torch.fx.

Batch normalisation is folded into the weights before it, or becomes a convolution of one pixel. What has no such part
is refused by name.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from neurosim.networks.feedforward import with_channel
from neurosim.networks.functional import Graph, graph_of
from neurosim.networks.rate_operations import is_size, module_of, operation_of
from neurosim.schema import InputError

WHO = "to_spiking"
Kind = Literal["weights", "neurons", "pool", "max", "sum", "channel", "same"]
SAME = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.Identity)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
FUSED: dict[type, Callable[..., nn.Module]] = {nn.Linear: fuse_linear_bn_eval, nn.Conv2d: fuse_conv_bn_eval}
KNOWN = (
    "Linear, Conv2d, BatchNorm, ReLU, ReLU6, AvgPool2d, AdaptiveAvgPool2d, MaxPool2d, Flatten, Dropout and sums of "
    "branches"
)
SMOOTH = ("gelu", "silu", "tanh", "sigmoid", "elu", "softplus", "leakyrelu", "leaky_relu", "hardswish", "prelu")
INPUT = "input"


@dataclass(frozen=True)
class Part:
    """One part: what it is, where its input comes from, its module where it has one; `most` is what a unit can reach.

    `name` is that of the module or operation in the network, `node` that in its graph.
    """

    name: str
    node: str
    kind: Kind
    sources: tuple[str, ...]
    module: nn.Module | None = None
    most: float = math.inf


@dataclass(frozen=True)
class Parts:
    """The parts of a network in the order of the signal, by which node it answers, and the graph that they are of."""

    parts: tuple[Part, ...]
    answer: str
    graph: Graph

    def activations(self, shown: Tensor, wanted: Iterable[str]) -> dict[str, Tensor]:
        """Return what the nodes `wanted` of the untouched network answer to a batch."""
        names = {part.node: part.name for part in self.parts}
        watcher = _Watcher(fx.GraphModule(self.graph.called, self.graph.graph), set(wanted), names, len(shown))
        with torch.no_grad():
            watcher.run(shown)
        return watcher.seen


class _Watcher(fx.Interpreter):
    """Runs a graph, and keeps what some of its nodes answer."""

    def __init__(self, module: fx.GraphModule, wanted: set[str], names: dict[str, str], n_stimuli: int) -> None:
        super().__init__(module)
        self.extra_traceback = False
        self.wanted, self.seen, self.names, self.n_stimuli = wanted, dict[str, Tensor](), names, n_stimuli

    def run_node(self, n: fx.Node) -> Any:
        found = super().run_node(n)
        if n.name in self.names and len(found) != self.n_stimuli:
            raise InputError(
                f"{WHO}: {self.names[n.name]!r} answers to {self.n_stimuli} stimuli with {len(found)} rows; one each"
                " is asked."
            )
        if n.name in self.wanted:
            self.seen[n.name] = found.clone()  # which an operation in place may change
        return found


def parts_of(network: nn.Module) -> Parts:
    """Return the parts of a trained network.

    Raises
    ------
    InputError : code that cannot be traced, an operation without a spiking part, or activity that is not rectified
        where it is pooled by its maximum or is the answer.
    """
    try:
        graph = graph_of(network, opens_sequences=True)
        graph.called.eval()
    except InputError as error:
        raise InputError(f"{WHO}: {error}") from error
    names = {node.name: name for name, node in graph.operations.items()}
    modules = dict(graph.called.named_modules())
    _check_writes(graph.graph, names, modules)
    found: list[Part] = []
    answer = ""
    for node in graph.graph.nodes:
        if node.op == "output":
            answer = _answer(node, network)
        elif node.op == "placeholder":
            found.append(Part(INPUT, node.name, "same", ()))
        elif not is_size(node):
            found.append(_part(node, names.get(node.name, str(node.target)), modules))
    kept = _without_same(tuple(found), answer)
    parts = _folded(kept[0])
    _check(parts, kept[1])
    return Parts(parts, kept[1], graph)


def _check_writes(graph: fx.Graph, names: dict[str, str], modules: dict[str, nn.Module]) -> None:
    """Refuse what works in place where that is seen elsewhere than in its result, which a graph does not say."""
    order = {node: k for k, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        given = node.args[0] if node.args else None
        if not isinstance(given, fx.Node) or not _writes(node, modules):
            continue
        if not node.users or any(order[user] > order[node] for user in given.users):
            raise InputError(
                f"{WHO}: {names.get(node.name, str(node.target))!r} works in place, and what it changes is used "
                "besides its result; use the result alone, or inplace=False."
            )


def _writes(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    """Whether an operation writes into what it is given."""
    if node.op == "call_module":
        return bool(getattr(modules[str(node.target)], "inplace", False))
    name = str(getattr(node.target, "__name__", node.target))
    at_once = node.kwargs.get("inplace", node.args[1:2] == (True,) and name.startswith("relu"))
    return bool(at_once) or (name.endswith("_") and not name.endswith("__"))


def _answer(node: fx.Node, network: nn.Module) -> str:
    given = node.args[0]
    if not isinstance(given, fx.Node) or is_size(given):
        raise InputError(
            f"{WHO}: {type(network).__name__} answers with {type(given).__name__}; logits alone are asked."
        )
    return given.name


def _part(node: fx.Node, name: str, modules: dict[str, nn.Module]) -> Part:
    sources = tuple(a.name for a in node.args if isinstance(a, fx.Node) and not is_size(a))
    if node.op == "call_module":
        module = modules[str(node.target)]
        kind = _kind_of(module)
        if kind is None:
            raise _refused(name, type(module).__name__)
        return Part(name, node.name, kind, sources, module, 6.0 if isinstance(module, nn.ReLU6) else math.inf)
    if node.target is with_channel:
        return Part(name, node.name, "channel", sources)
    operation = operation_of(node)
    if operation in ("add", "iadd") and len(sources) == 2 and not node.kwargs:
        return Part(name, node.name, "sum", sources)
    found = module_of(node, modules) if len(sources) == 1 else None
    kind = None if found is None else _kind_of(found)
    if found is None or kind is None:
        raise _refused(name, operation)
    return Part(name, node.name, kind, sources, found, 6.0 if operation == "relu6" else math.inf)


def _kind_of(module: nn.Module) -> Kind | None:
    """Return what part a module is; exactly these, as a class of somebody's that is derived can do anything."""
    kinds: tuple[tuple[tuple[type[nn.Module], ...], Kind], ...] = (
        ((nn.Linear, nn.Conv2d, *NORMS), "weights"),
        ((nn.ReLU, nn.ReLU6), "neurons"),
        ((nn.AvgPool2d, nn.AdaptiveAvgPool2d), "pool"),
        ((nn.MaxPool2d,), "max"),
        (SAME, "same"),
    )
    if isinstance(module, nn.Flatten):
        return "pool" if (module.start_dim, module.end_dim) == (1, -1) else None
    if isinstance(module, nn.MaxPool2d) and module.return_indices:
        return None
    return next((kind for types, kind in kinds if type(module) in types), None)


def _refused(name: str, what: str) -> InputError:
    hint = " Train the network with ReLU instead." if what.lower() in SMOOTH else ""
    return InputError(f"{WHO}: layer {name!r} ({what}) has no counterpart in spikes; {KNOWN} have.{hint}")


def _without_same(parts: tuple[Part, ...], answer: str) -> tuple[tuple[Part, ...], str]:
    """Return parts without those that pass on what they get, and the node that answers."""
    behind: dict[str, str] = {}
    kept = []
    for part in parts:
        sources = tuple(behind.get(s, s) for s in part.sources)
        if part.kind == "same" and part.sources:
            behind[part.node] = sources[0]
        else:
            kept.append(replace(part, sources=sources))
    return tuple(kept), behind.get(answer, answer)


def _folded(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Return parts whose batch normalisations are part of the weights before them, or convolutions of one pixel."""
    readers = Counter(source for part in parts for source in part.sources)
    by_node = {part.node: part for part in parts}
    behind: dict[str, str] = {}
    for part in parts:
        if not isinstance(part.module, NORMS):
            continue
        if part.module.running_var is None:
            raise InputError(f"{WHO}: batch norm {part.name!r} keeps no statistics, so that it cannot be folded.")
        before = by_node[behind.get(part.sources[0], part.sources[0])]
        fuse = FUSED.get(type(before.module))
        if fuse is not None and readers[part.sources[0]] == 1:
            by_node[before.node] = replace(before, module=fuse(before.module, part.module.eval()))
            behind[part.node] = before.node
        else:
            by_node[part.node] = replace(part, module=_as_convolution(part.module, part.name))
    return tuple(
        replace(by_node[p.node], sources=tuple(behind.get(s, s) for s in by_node[p.node].sources))
        for p in parts
        if p.node not in behind
    )


def _as_convolution(norm: nn.Module, name: str) -> nn.Conv2d:
    """Return a batch normalisation of pictures as a convolution of one pixel, each channel for itself."""
    if not isinstance(norm, nn.BatchNorm2d) or norm.running_mean is None or norm.running_var is None:
        raise InputError(f"{WHO}: batch norm {name!r} does not follow weights of its own, nor is it one of pictures.")
    n = norm.num_features
    found = nn.Conv2d(n, n, 1, groups=n).to(norm.running_mean)
    scale = (norm.running_var + norm.eps).rsqrt() * (1.0 if norm.weight is None else norm.weight)
    shift = (0.0 if norm.bias is None else norm.bias) - norm.running_mean * scale
    with torch.no_grad():
        found.weight.copy_(scale.view(-1, 1, 1, 1))
        found.bias.copy_(shift)  # type: ignore[union-attr]
    return found


def _check(parts: tuple[Part, ...], answer: str) -> None:
    """Refuse a network without rectified units, the maximum of what is not rectified, and an answer that is."""
    kinds = {part.node: part for part in parts}
    if not any(part.kind == "neurons" for part in parts):
        raise InputError(f"{WHO}: the network has no rectified units (ReLU), which spiking neurons could take over.")
    for part in parts:
        source = part
        while source.kind in ("max", "pool") and part.kind == "max":
            source = kinds[source.sources[0]]
        if part.kind == "max" and source.kind != "neurons":
            raise InputError(
                f"{WHO}: layer {part.name!r} takes the maximum of what is not rectified; put it behind the ReLU, which "
                "gives the same."
            )
        if part.kind == "sum" and INPUT in (kinds[s].name for s in part.sources):
            raise InputError(f"{WHO}: {part.name!r} adds the stimulus itself to activity; let weights be between.")
    if kinds[answer].kind == "neurons":
        raise InputError(f"{WHO}: the network answers with rectified units {kinds[answer].name!r}; logits are asked.")


def is_chain(parts: Parts) -> bool:
    """Whether each part gets what the one before it sends, and circuits know all of them."""
    order = [part for part in parts.parts if part.kind != "channel"]
    plain = all(part.kind in ("weights", "neurons", "pool") for part in order[1:])
    nodes = [part.node for part in parts.parts]
    in_order = all(part.sources == (nodes[k],) for k, part in enumerate(parts.parts[1:]))
    return plain and in_order and isinstance(order[-1].module, nn.Linear) and parts.answer == nodes[-1]
