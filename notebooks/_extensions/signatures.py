"""Signatures as they are written: names, annotations and defaults of the source, not the values behind them."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Callable, Iterator


def signature(thing: Callable[..., object]) -> str:
    """Return what stands in the parentheses of a function or of a class, and what comes out; "" where none is written.

    Examples
    --------
    >>> signature(dataclasses.is_dataclass)
    '(obj)'
    """
    if not inspect.isclass(thing):
        return _of_function(thing)
    if dataclasses.is_dataclass(thing) or hasattr(thing, "model_fields"):
        return f"({', '.join(_fields(thing))})"
    own = vars(thing).get("__init__")
    return _of_function(own).removesuffix(" -> None") if inspect.isfunction(own) else ""


def parameters(thing: object) -> tuple[str, ...]:
    """Return the names of the parameters of a function, or of the fields of a class."""
    return tuple(inspect.signature(thing).parameters) if callable(thing) else ()


def _of_function(function: Callable[..., object]) -> str:
    node = _source(function)
    assert isinstance(node, ast.FunctionDef)
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    for k, default in enumerate(arguments.defaults):
        arguments.defaults[k] = _value(function, positional[k - len(arguments.defaults)].arg, default)
    for k, default in enumerate(arguments.kw_defaults):
        arguments.kw_defaults[k] = default and _value(function, arguments.kwonlyargs[k].arg, default)
    arguments.args[:] = [a for a in arguments.args if a.arg not in {"self", "cls"}]
    returned = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"({ast.unparse(arguments)}){returned}"


def _value(function: Callable[..., object], name: str, written: ast.expr) -> ast.expr:
    """Return the default of a parameter as it is written, or where that is a name its value, if it is short."""
    value = repr(inspect.signature(function).parameters[name].default)
    is_short = isinstance(written, ast.Name) and len(value) <= 60 and "<" not in value
    return ast.parse(value, mode="eval").body if is_short else written


def _fields(record: type) -> Iterator[str]:
    """Yield the fields of a record, those of the classes that it is made from first."""
    found: dict[str, str] = {}
    for base in reversed(record.__mro__):
        if base.__module__.startswith("neurosim"):
            found |= dict(_written(base))
    stars = iter("*")
    for name, parameter in inspect.signature(record).parameters.items():
        if name in found:
            yield from stars if parameter.kind is parameter.KEYWORD_ONLY else ()
            yield found[name]


def _written(record: type) -> Iterator[tuple[str, str]]:
    node = _source(record)
    assert isinstance(node, ast.ClassDef)
    for line in node.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            default = "" if line.value is None else _default(line.value)
            yield line.target.id, f"{line.target.id}: {ast.unparse(line.annotation)}" + default


def _default(value: ast.expr) -> str:
    """Return " = default" as it is written; of what is made anew for each record, what makes it."""
    if isinstance(value, ast.Call) and ast.unparse(value.func) in {"field", "Field", "dataclasses.field"}:
        said = {keyword.arg: keyword.value for keyword in value.keywords}
        if "default" in said:
            return f" = {ast.unparse(said['default'])}"
        if "default_factory" in said:
            factory = ast.unparse(said["default_factory"])
            return f" = {factory.removeprefix('lambda: ')}" + ("" if factory.startswith("lambda") else "()")
        return ""
    return f" = {ast.unparse(value)}"


def _source(thing: object) -> ast.stmt:
    return ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(thing)))).body[0]  # type: ignore[arg-type]
