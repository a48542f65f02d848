"""How the layers of a network are asked for, and how they are called in results."""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import nn

from neurosim.refusals import asked_by
from neurosim.schema import InputError, suggest

HOLDERS = ("blocks", "spikes", "network")
_ASKED = re.compile(r"(?P<module>[^:#]*)(?:#(?P<call>[1-9]\d*))?(?::(?P<path>.+))?")


@dataclass(frozen=True)
class Tap:
    """A place where a network is listened to.

    `module`, and of it one `call` (None: all); its output, or its input where the `path` starts with "input", and of
    those the part that the path leads to. `asked` by its own name, so that it must be reached.
    """

    module: str
    call: int | None = None
    path: tuple[str, ...] = ()
    asked: bool = True

    @property
    def of_input(self) -> bool:
        """Whether the input is listened to."""
        return self.path[:1] == ("input",)

    def name(self, call: int) -> str:
        """Return the full name of one call: ``module#2:path``."""
        return ":".join([(self.module or "output") + (f"#{call}" if call > 1 else ""), *self.path])


def taps(network: nn.Module, layers: Sequence[str] | None) -> list[Tap]:
    """Return where to listen for `layers`, by default those that the network names, else leaves with parameters."""
    modules = {n: m for n, m in network.named_modules() if n}
    asked = layers is not None
    if layers is None:
        leaves = [n for n, m in modules.items() if _is_leaf(n, m) and list(m.parameters())]
        layers = getattr(network, "recorded", leaves)
    if isinstance(layers, str):
        layers = [layers]
    if not layers:
        raise InputError(f"record_responses: {type(network).__name__} has no layer with parameters; pass layers=.")
    short = _short(network, modules)
    found: dict[Tap, None] = {}
    for name in layers:
        found |= dict.fromkeys(_fitting_taps(name, network, modules, short, asked))
    return list(found)


def layer_names(network: nn.Module, layers: Sequence[str] | None) -> list[str]:
    """Return the module names of `layers`, given as modules or as in results; by default those that are recorded."""
    return list(dict.fromkeys(tap.module for tap in taps(network, layers)))


def one_tap(network: nn.Module, layer: str, who: str) -> Tap:
    """Return where to listen for one layer: a name that fits several is refused.

    Raises
    ------
    InputError : no such layer, or a name that fits several.
    """
    with asked_by(who):
        found = taps(network, [layer])
    if len(found) > 1:
        raise InputError(f"{who}: one layer asked, {layer!r} fits {', '.join(t.module for t in found[:5])}.")
    return found[0]


def one_module(network: nn.Module, layer: str, who: str) -> str:
    """Return the name of the module that is one layer; single calls and parts of what it answers are refused."""
    tap = one_tap(network, layer, who)
    if tap.call is not None or tap.path:
        raise InputError(f"{who}: {layer!r} is a call or a part of module {tap.module!r}; name the whole module.")
    return tap.module


def layer_label(name: str) -> str:
    """Return how a module of a network that names its layers is called in results: without what holds it."""
    head, _, tail = name.partition(".")
    if not tail or head not in ("block", *HOLDERS):
        return name
    return tail if head in HOLDERS else f"block{tail}"


def layer_labels(network: nn.Module, names: Sequence[str]) -> list[str]:
    """Return how layers are called in results, by which they can be asked for again.

    Full names are those of a network that names no layers itself, and where two modules would be called alike.
    """
    if not hasattr(network, "recorded"):
        return list(names)
    shared = Counter(layer_label(n) for n, _ in network.named_modules() if n)
    labels = [_relabelled(name, shared) for name in names]
    twice = Counter(labels)
    return [name if twice[label] > 1 else label for name, label in zip(names, labels, strict=True)]


def _relabelled(name: str, shared: Counter[str]) -> str:
    module = re.split("[#:]", name, maxsplit=1)[0]
    label = layer_label(module)
    return name if shared[label] > 1 else label + name[len(module) :]


def _is_leaf(name: str, module: nn.Module) -> bool:
    """Whether a module holds no other, but for what computes its weights, as ``weight_norm`` adds."""
    return "parametrizations" not in name.split(".") and {n for n, _ in module.named_children()} <= {"parametrizations"}


def _short(network: nn.Module, modules: dict[str, nn.Module]) -> dict[str, str]:
    """Return the names in results of the layers that a network names itself, where they are plain."""
    recorded = [n for n in getattr(network, "recorded", ()) if n in modules]
    return dict(zip(layer_labels(network, recorded), recorded, strict=True))


def _fitting_taps(
    name: str, network: nn.Module, modules: dict[str, nn.Module], short: dict[str, str], asked: bool
) -> list[Tap]:
    if name in modules:
        return [Tap(name, asked=asked)]
    match = _ASKED.fullmatch(name)
    module = match["module"] if match else name
    call, path = (match["call"], match["path"]) if match else (None, None)
    number, parts = None if call is None else int(call), tuple(path.split(":")) if path else ()
    if module == "output" and module not in {**modules, **short}:
        return [Tap("", number, parts, asked)]
    if set(module) & set("*?["):
        fitting = _fitting(module, short.values()) or _fitting(module, modules)
        if not fitting:
            raise InputError(f"record_responses: no layer of {type(network).__name__} is named like {name!r}.")
        return [Tap(n, number, parts, asked=False) for n in fitting]
    named = short if module in short else dict(zip(layer_labels(network, list(modules)), modules, strict=True))
    if module not in modules and module not in named:
        known = ", ".join(list(short) or list(modules))
        raise InputError(
            f"record_responses: no layer {module!r} in {type(network).__name__}. Layers: {known}."
            f"{suggest(module, [*modules, *short])}"
        )
    return [Tap(module if module in modules else named[module], number, parts, asked=asked)]


def _fitting(pattern: str, names: Iterable[str]) -> list[str]:
    """Return the names that fit, as modules are named or as they are called in results."""
    return [n for n in names if fnmatch.fnmatchcase(n, pattern) or fnmatch.fnmatchcase(layer_label(n), pattern)]
