"""What a record looks like where it is the last line: short text in a terminal, a small table in a notebook.

Neither ever holds the numbers of an array; both say how large it is.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import singledispatch
from typing import Any, TypeVar

import numpy as np

from neurosim.units import unit_of

R = TypeVar("R")
WIDTH, ITEMS, WORD = 110, 6, 80
CELL = 'style="text-align:left; vertical-align:top; padding-right:1em"'


def shown(cls: type[R]) -> type[R]:
    """Give a dataclass a short text and a table of what it holds, arrays by their sizes, functions by their names.

    What is as it is by default is left out of the text. A class whose text is its own says ``repr=False``, and one with
    a table of its own keeps it.

    >>> from dataclasses import dataclass, field
    >>> @shown
    ... @dataclass(frozen=True)
    ... class Cells:
    ...     name: str
    ...     drive: Any
    ...     refractory: float = 0.0
    >>> Cells("E", np.zeros((3, 4)))
    Cells(name='E', drive=float64 (3, 4))
    """

    def text(self: Any) -> str:
        return as_text(type(self).__name__, {f.name: brief(getattr(self, f.name)) for f in told(self)})

    if getattr(cls, "__dataclass_params__").repr:  # noqa: B009 - what dataclass() was asked
        setattr(cls, "__repr__", text)  # noqa: B010 - a method of a class of any kind
    return tabled(cls)


def tabled(cls: type[R]) -> type[R]:
    """Give a dataclass a table of its fields with their units for a notebook, and leave its text as it is.

    >>> from dataclasses import dataclass
    >>> @tabled
    ... @dataclass(frozen=True)
    ... class Cell:
    ...     threshold: float = -50e-3
    >>> "-0.05" in Cell()._repr_html_()
    True
    """

    def table(self: Any) -> str:
        rows = [(f.name, brief(getattr(self, f.name)), _unit(self, f.name)) for f in fields(self) if f.repr]
        return as_table(type(self).__name__, rows)

    if "_repr_html_" not in vars(cls):
        setattr(cls, "_repr_html_", table)  # noqa: B010
    return cls


def told(record: Any) -> list[Field[Any]]:
    """Return the fields of a record that are not as they are by default."""
    return [f for f in fields(record) if f.repr and not _is_default(f, getattr(record, f.name))]


def _is_default(field: Field[Any], value: Any) -> bool:
    default = field.default if field.default_factory is MISSING else field.default_factory()
    if default is MISSING or type(default) is not type(value):
        return False
    return value is default or (
        isinstance(value, str | int | float | tuple | Mapping) and brief(value) == brief(default)
    )


def _unit(record: Any, name: str) -> str:
    """Return the unit of a number with one."""
    value = getattr(record, name)
    is_number = isinstance(value, int | float | np.ndarray) and not isinstance(value, bool)
    unit = unit_of(record, name)
    return unit if is_number and unit != "1" else ""


def as_text(name: str, parts: Mapping[str, str]) -> str:
    """Return ``Name(part=..., part=...)`` in one line, or one line a part where that is too long.

    >>> as_text("Cells", {"name": "'E'", "size": "3"})
    "Cells(name='E', size=3)"
    """
    said = [f"{key}={value}" for key, value in parts.items()]
    line = f"{name}({', '.join(said)})"
    return line if len(line) <= WIDTH else "\n    ".join([f"{name}(", *(f"{s}," for s in said)]) + "\n)"


def in_a_line(record: object) -> str:
    """Return the text of a record, which may have several lines, as one.

    >>> in_a_line({"a": 1})
    "{'a': 1}"
    """
    return " ".join(repr(record).split()).replace("( ", "(").replace(", )", ")")


def as_table(title: str, rows: Iterable[Sequence[object]], head: Sequence[str] = (), *, below: str = "") -> str:
    """Return rows of text as an HTML table with a title, and with HTML `below`; everything else is escaped.

    >>> as_table("a < b", [("size", 3)]).startswith("<div><b>a &lt; b</b>")
    True
    """

    def row(cells: Sequence[object], tag: str) -> str:
        return "".join(["<tr>", *(f"<{tag} {CELL}>{_escaped(c)}</{tag}>" for c in cells), "</tr>"])

    top = f"<thead>{row(head, 'th')}</thead>" if head else ""
    body = "".join(row(cells, "td") for cells in rows)
    return f"<div><b>{_escaped(title)}</b><table>{top}<tbody>{body}</tbody></table>{below}</div>"


def _escaped(text: object) -> str:
    return html.escape(str(text)).replace("\n", "<br>")


def words(values: Iterable[str], what: str) -> str:
    """Return the first of many names and how many there are of `what`.

    >>> words("abcdefgh", "stimuli")
    'a, b, c, d, e, f, ... (8 stimuli)'
    """
    names = [str(v) for v in values]
    return ", ".join(names) if len(names) <= ITEMS else f"{', '.join(names[:ITEMS])}, ... ({len(names)} {what})"


@singledispatch
def brief(value: Any) -> str:
    """Return a value in one line: arrays as their sizes, functions by their names, long texts cut.

    >>> brief(np.zeros((2, 3))), brief(len), brief([1, 2]), brief(range(3)), brief("x" * 100)[-8:]
    ('float64 (2, 3)', 'len', '[1, 2]', 'range(0, 3)', "xxxx...'")
    """
    if isinstance(getattr(value, "sizes", None), Mapping):  # xarray
        sizes = ", ".join(f"{dim} {n}" for dim, n in value.sizes.items())
        return f"{type(value).__name__} ({sizes})"
    if hasattr(value, "shape") and hasattr(value, "dtype"):  # an array of any library, dense or sparse
        kept = f", {value.nnz} stored" if hasattr(value, "nnz") else ""
        return _number(value) if value.shape == () else f"{value.dtype} {tuple(value.shape)}{kept}"
    text = repr(value)
    if len(text) <= WORD and "\n" not in text and " at 0x" not in text:
        return text
    return f"{type(value).__name__}(...)" if is_dataclass(value) or " at 0x" in text else f"{_one_line(text)}..."


def _number(value: Any) -> str:
    return repr(value.item()) if hasattr(value, "item") else str(value)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:WORD]


@brief.register
def _(value: str) -> str:
    text = " ".join(value.split())
    return repr(text if len(text) <= WORD else f"{text[:WORD]}...")


@brief.register(list)
@brief.register(tuple)
def _(value: Any) -> str:
    left, right = "[]" if isinstance(value, list) else "()"
    parts = [brief(v) for v in value[:ITEMS]]
    more = [f"... {len(value)} in all"] if len(value) > ITEMS else []
    comma = "," if isinstance(value, tuple) and len(value) == 1 else ""
    return f"{left}{', '.join([*parts, *more])}{comma}{right}"


@brief.register
def _(value: Mapping) -> str:  # type: ignore[type-arg]
    parts = [f"{k!r}: {brief(value[k])}" for k, _ in zip(value, range(ITEMS), strict=False)]
    more = [f"... {len(value)} in all"] if len(value) > ITEMS else []
    return f"{{{', '.join([*parts, *more])}}}"


@brief.register(type)
@brief.register(type(len))
@brief.register(type(as_text))
def _(value: Callable[..., Any]) -> str:
    return value.__qualname__.removeprefix("<locals>.").rpartition("<locals>.")[2]
