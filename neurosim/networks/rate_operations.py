"""Operations in the code of a network as the modules that do the same, so that there is one kind of each."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

from torch import fx, nn

POOLINGS: dict[str, tuple[type[nn.Module], tuple[str, ...]]] = {
    "max_pool2d": (nn.MaxPool2d, ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")),
    "avg_pool2d": (
        nn.AvgPool2d,
        ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"),
    ),
    "adaptive_avg_pool2d": (nn.AdaptiveAvgPool2d, ("output_size",)),
}


def operation_of(node: fx.Node) -> str:
    """Return what an operation is called, in place or not."""
    named = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
    return named.rstrip("_")


def is_size(node: object) -> bool:
    """Whether a node of a graph gives sizes of activity and no activity."""
    if not isinstance(node, fx.Node):
        return False
    if node.target is operator.getitem:
        return is_size(node.args[0])
    return (node.op == "call_method" and node.target == "size") or (
        node.target is getattr and node.args[1:] == ("shape",)
    )


def module_of(node: fx.Node, modules: Mapping[str, nn.Module]) -> nn.Module | None:
    """Return the module that does what an operation of one activity does, or None."""
    operation, rest, named = operation_of(node), list(node.args[1:]), dict(node.kwargs)
    found: nn.Module | None = None
    if operation in ("view", "reshape"):
        found = nn.Flatten() if not named and _flattens(node, rest, modules) else None
    elif len(node.all_input_nodes) > 1:  # numbers that depend on what is shown
        found = None
    elif operation in ("relu", "relu6"):
        found = nn.ReLU()
    elif operation == "dropout":
        drops = named.get("training", named.get("train", rest[1] if len(rest) > 1 else True))
        found = None if drops else nn.Identity()
    elif operation == "flatten":
        start = rest[0] if rest else named.get("start_dim", 0)
        end = rest[1] if len(rest) > 1 else named.get("end_dim", -1)
        found = nn.Flatten() if (start, end) == (1, -1) else None
    elif operation in POOLINGS:
        kind, names = POOLINGS[operation]
        found = kind(**(dict(zip(names, rest, strict=False)) | named))
    return found


def _flattens(node: fx.Node, shape: list[Any], modules: Mapping[str, nn.Module]) -> bool:
    """Whether a new shape keeps stimuli apart and puts all units of each in a row."""
    if len(shape) == 1 and isinstance(shape[0], list | tuple):
        shape = list(shape[0])
    if len(shape) != 2:
        return False
    if shape[1] == -1:
        return _is_number_of_stimuli(shape[0])
    readers = [modules.get(str(user.target)) for user in node.users if user.op == "call_module"]
    is_all = bool(readers) and len(readers) == len(node.users)  # who take as many as there are, or refuse
    return shape[0] == -1 and is_all and all(isinstance(m, nn.Linear) and m.in_features == shape[1] for m in readers)


def _is_number_of_stimuli(node: object) -> bool:
    if not isinstance(node, fx.Node) or not is_size(node):
        return False
    return node.args[1:] == (0,) or (node.op == "call_method" and node.kwargs == {"dim": 0})
