"""Operations of a network that are no modules, such as ``x + y``: found, named and heard in its graph of torch.fx."""

from __future__ import annotations

import copy
import fnmatch
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from neurosim.networks.feedforward import with_channel
from neurosim.networks.naming import Tap, taps
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.taps import STEPPERS
from neurosim.schema import InputError, suggest

_ROOT = "network"  # of the names in a graph


class _Called(nn.Module):
    """A network that is called with one input, so that its other arguments have their defaults in the graph too."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: object) -> Any:
        return self.network(inputs)


class _Tracer(fx.Tracer):
    """Traces a network, and names its operations by the module in whose code they are, as torchvision does.

    A second call of module "relu" is "relu_1", the first sum in "layer1.0" is "layer1.0.add", the second
    "layer1.0.add_1". Modules keep their own names.
    """

    def __init__(self, modules: set[str], opens_sequences: bool) -> None:
        super().__init__(autowrap_modules=(math,), autowrap_functions=(with_channel,))
        self.modules, self.inside, self.failed = modules, "", ""
        self.opens_sequences = opens_sequences
        self.named: dict[str, fx.Node] = {}

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        whole = isinstance(m, (*STEPPERS, SpikingLayer, torch.jit.ScriptModule))
        if self.opens_sequences and type(m).forward is nn.Sequential.forward:
            return False
        ops = any(kind.__module__.startswith("torchvision.ops") for kind in type(m).__mro__)
        return whole or ops or super().is_leaf_module(m, module_qualified_name)

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        outside, self.inside = self.inside, self.path_of_module(m)
        try:
            if self.is_leaf_module(m, self.inside):
                return self.create_proxy("call_module", self.inside, args, kwargs)
            return forward(*args, **kwargs)
        except Exception:
            self.failed = self.failed or self.inside
            raise
        finally:
            self.inside = outside

    def create_proxy(self, kind: str, target: Any, args: Any, kwargs: Any, *rest: Any, **named: Any) -> fx.Proxy:
        proxy = super().create_proxy(kind, target, args, kwargs, *rest, **named)
        place = self.inside.removeprefix(_ROOT).removeprefix(".")
        if kind == "call_module":
            self._name(proxy.node, place, is_module=True)
        elif kind in ("call_function", "call_method"):
            kind_of_operation = re.sub(r"_\d+$", "", proxy.node.name)
            self._name(proxy.node, f"{place}.{kind_of_operation}".removeprefix("."), is_module=False)
        return proxy

    def _name(self, node: fx.Node, name: str, is_module: bool) -> None:
        number, found = 0, name
        while found in self.named or (found in self.modules and not (is_module and found == name)):
            number += 1
            found = f"{name}_{number}"
        self.named[found] = node


@dataclass(frozen=True)
class Graph:
    """A network as torch.fx sees it: its operations by name, and what they call."""

    network: nn.Module
    graph: fx.Graph
    called: _Called
    operations: dict[str, fx.Node]

    def listened(self, names: Sequence[str]) -> nn.Module:
        """Return a network that runs the graph and hands the answer of each named operation to a module of that name.

        Weights are those of the network itself. It is to be called once, as the graph is changed.
        """
        heard = [name for name in names if not hasattr(nn.Identity, name.rpartition(".")[2])]
        if reserved := [name for name in names if name not in heard]:
            raise InputError(
                f"record_responses: {reserved[0]!r} changes only how numbers are kept, or is named like a method of "
                "modules; ask for the operation before or after it."
            )
        for name in heard:
            node = self.operations[name]
            with self.graph.inserting_after(node):
                self.graph.call_module(name, (node,))
        parts: dict[str, Any] = {name: nn.Identity() for name in heard}
        for node in self.graph.nodes:
            if node.op in ("call_module", "get_attr") and node.target not in parts:
                parts[str(node.target)] = _inside(self.called, str(node.target))
        made = fx.GraphModule(parts, self.graph, type(self.network).__name__)
        marked = [n for n, m in self.network.named_modules() if n and getattr(m, "time_first", False)]
        for name, container in made.named_modules():
            if name in marked:
                container.time_first = True
        return made.eval()


def _inside(module: nn.Module, target: str) -> Any:
    found: Any = module
    for name in target.split("."):
        found = getattr(found, name)
    return found


def graph_of(network: nn.Module, *, opens_sequences: bool = False) -> Graph:
    """Return the graph of a network in evaluation mode.

    It is traced on a copy with the same weights, since code that runs on symbols leaves them where it keeps values.
    Sequences that torchvision counts among its operations stay one, unless `opens_sequences`.

    Raises
    ------
    InputError : code that cannot be traced, as it decides by values.
    """
    modules = dict(network.named_modules(remove_duplicate=False))
    tensors = [v for m in modules.values() for v in (*m.parameters(False), *m.buffers(False), *vars(m).values())]
    tracer = _Tracer({name for name in modules if name}, opens_sequences)
    try:
        called = _Called(copy.deepcopy(network, {id(v): v for v in tensors if isinstance(v, Tensor)}))
        graph = tracer.trace(called)
    except Exception as error:  # whatever somebody's code raises on symbols
        where = tracer.failed.removeprefix(_ROOT).removeprefix(".")
        line = " ".join(str(error).split())[:200]
        raise InputError(
            f"its operations have no names, as the code of {where or 'the network'!r} "
            f"({type(modules[where]).__name__}) cannot be traced: {line}"
        ) from error
    calls = ("call_function", "call_method", "call_module")
    return Graph(network, graph, called, {n: node for n, node in tracer.named.items() if node.op in calls})


@dataclass(frozen=True)
class Wanted:
    """What is to be recorded, in the order asked: of modules, and of operations in the graph."""

    taps: list[Tap]
    operations: list[Tap]
    graph: Graph | None

    @property
    def modules(self) -> list[Tap]:
        """Taps of modules."""
        return [tap for tap in self.taps if tap not in self.operations]


def wanted(network: nn.Module, layers: Sequence[str] | None) -> Wanted:
    """Return where to listen for `layers`; what is the name of no module is looked for in the graph.

    Raises
    ------
    InputError : a name of neither, with the reason where the network has no graph.
    """
    if layers is None:
        return Wanted(taps(network, None), [], None)
    names = [layers] if isinstance(layers, str) else layers
    if not isinstance(names, Iterable) or not all(isinstance(name, str) for name in names):
        raise InputError(f"record_responses: layers = {layers!r}; names of layers are asked, as in ['conv1', 'fc'].")
    every: dict[Tap, None] = {}
    operations: dict[Tap, None] = {}
    graph: Graph | None = None
    for name in names:
        try:
            every |= dict.fromkeys(taps(network, [name]))
        except InputError as error:
            try:
                graph = graph or graph_of(network)
                found = _operations(name, graph)
            except InputError as reason:
                raise InputError(f"{error} If an operation is meant: {reason}") from reason
            operations |= dict.fromkeys(found)
            every |= dict.fromkeys(found)
    if not every:
        raise InputError("record_responses: layers = [] names no layer; leave it out for those with parameters.")
    return Wanted(list(every), list(operations), graph)


def _operations(name: str, graph: Graph) -> list[Tap]:
    operation, *path = name.split(":")
    if path[:1] == ["input"]:
        raise InputError("what it takes is recorded by the name of the operation or module that it comes from.")
    if set(operation) & set("*?["):
        fitting = [n for n in graph.operations if fnmatch.fnmatchcase(n, operation)]
    else:
        fitting = [operation] if operation in graph.operations else []
    if not fitting:
        raise InputError(f"there is none named {operation!r}.{suggest(operation, list(graph.operations))}")
    return [Tap(n, None, tuple(path), asked=fitting == [operation]) for n in fitting]
