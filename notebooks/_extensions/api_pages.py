"""The API by room and by question: the stub of each room says which names answer which question, in which order.

Pages are written into ``api/`` before Sphinx looks for pages, and only where they changed.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from docstrings import as_rst
from pages import replace_pages, rst_table
from signatures import parameters, signature

import neurosim
from neurosim.namespaces import ROOT, questions, summary
from neurosim.registry import Registry

ORDER = ["stimuli", "tasks", "networks", "biophysics", "recordings", "responses", "similarity", "plots", "study"]
ORDER += ["parameters", "storage"]


def asked(room: str) -> dict[str, dict[str, str]]:
    """Return the names of a room by question, each with its line; "" is the package itself."""
    if room == "parameters":  # a module, whose names answer one question
        module = importlib.import_module("neurosim.parameters")
        return {"All of them": {name: _first_sentence(getattr(module, name)) for name in module.__all__}}
    return questions(f"neurosim.{room}".rstrip("."))


def slug(title: str) -> str:
    """Return the name of the page of a question."""
    return re.sub(r"\W+", "_", title.partition(":")[0].lower()).strip("_")


@cache
def homes() -> dict[str, str]:
    """Return the module in which each public name is documented: its room, or the package where no room has it."""
    of_rooms = {name: f"neurosim.{room}" for room in ORDER for names in asked(room).values() for name in names}
    return dict.fromkeys((name for names in asked("").values() for name in names), "neurosim") | of_rooms


def pages() -> Iterator[tuple[str, str]]:
    """Yield path below ``api/`` and text of every page."""
    yield "index.rst", _index_page()
    yield "neurosim.rst", _verbs_page()
    for room in ORDER:
        yield f"{room}.rst", _room_page(room)
        for title, names in asked(room).items():
            yield f"{room}/{slug(title)}.rst", _question_page(room, title, names)


def _index_page() -> str:
    rows = [["``ns``", ":doc:`The verbs of the first hour <neurosim>`"]]
    rows += [[f":doc:`ns.{room} <{room}>`", _said_of(room)] for room in ORDER]
    lines = [*_title("API"), "Every public name, by room and by the question that it answers; examples are tests.", ""]
    lines += ["``import numpy as np`` and ``import neurosim as ns`` are understood in all of them.", ""]
    lines += [*rst_table(["room", "what is in it"], rows), ".. toctree::", "    :hidden:", ""]
    return "\n".join([*lines, *(f"    {page}" for page in ("neurosim", *ORDER)), ""])


def _said_of(room: str) -> str:
    """Return what is said of a room, in one sentence."""
    said = _first_sentence(neurosim.parameters) if room == "parameters" else summary(f"neurosim.{room}")
    return _sentence(said.removeprefix(f"{room.capitalize()}: "))


def _verbs_page() -> str:
    """Return the page of the package: the verbs of the first hour, and those that stand in no room in full."""
    lines = [".. py:currentmodule:: neurosim", "", *_title("ns: the verbs of the first hour")]
    lines += ["``import neurosim as ns`` gives the rooms (:doc:`index`) and these:", ""]
    for title, names in asked("").items():
        here = {n: said for n, said in names.items() if not inspect.ismodule(getattr(neurosim, n))}
        if here:
            lines += [*_title(title, "-"), *_names_table(here)]
            for name in here:
                lines += _entry("neurosim", name) if homes()[name] == "neurosim" else []
    return "\n".join(lines)


def _room_page(room: str) -> str:
    lines = [f".. py:module:: neurosim.{room}", "", *_title(f"ns.{room}"), _said_of(room), ""]
    lines += [f"In a terminal: ``help(ns.{room})``.", "", ".. toctree::", "    :hidden:", ""]
    lines += [*(f"    {room}/{slug(title)}" for title in asked(room)), ""]
    for title, names in asked(room).items():
        lines += [*_title(title, "-"), *_names_table(names)]
    return "\n".join(lines)


def _question_page(room: str, title: str, names: dict[str, str]) -> str:
    lines = [
        f".. py:currentmodule:: neurosim.{room}",
        "",
        *_title(title),
        f"In the room :doc:`ns.{room} </api/{room}>`.",
        "",
    ]
    for name in names:
        lines += _entry(f"neurosim.{room}", name)
    return "\n".join(lines)


def _entry(module: str, name: str) -> list[str]:
    """Return one public name: signature, docstring, methods; the table of its records where it is a registry."""
    thing = getattr(importlib.import_module(module), name)
    if isinstance(thing, Registry):
        return [f".. py:data:: {name}", "", *_indented(_registry(name, thing)), ""]
    if not (inspect.isclass(thing) or callable(thing)):
        return [f".. py:data:: {name}", "", *_indented(_constant(thing)), ""]
    kind = "class" if inspect.isclass(thing) else "function"
    if inspect.isclass(thing) and issubclass(thing, Exception):
        kind = "exception"
    lines = [f".. py:{kind}:: {name}{signature(thing)}", ""]
    body = as_rst(thing.__doc__ or "", parameters(thing), homes())
    if inspect.isclass(thing):
        body += [line for member in _members(thing) for line in member]
    source = inspect.getsourcefile(inspect.unwrap(thing))
    body += [".. rst-class:: source-file", "", f"``{Path(str(source)).relative_to(ROOT.parent)}``", ""]
    return [*lines, *_indented(body), ""]


def _members(record: type) -> Iterator[list[str]]:
    """Yield the documented methods and properties that a class of neurosim has of its own or from one of neurosim."""
    seen = set(getattr(record, "__dataclass_fields__", ())) | set(getattr(record, "model_fields", ()))
    for base in record.__mro__:
        for name, member in vars(base).items() if base.__module__.startswith("neurosim") else ():
            function = getattr(member, "__func__", getattr(member, "fget", None) or getattr(member, "func", member))
            if name.startswith("_") or name in seen or not inspect.isfunction(function) or not function.__doc__:
                continue
            seen.add(name)
            is_property = not inspect.isfunction(member) and not hasattr(member, "__func__")
            written = f"py:property:: {name}" if is_property else f"py:method:: {name}{signature(function)}"
            yield [f".. {written}", "", *_indented(as_rst(function.__doc__, parameters(function), homes())), ""]


def _registry(name: str, registry: Registry[object]) -> list[str]:
    """Return what a registry is, and its records: name, what it is, whom to cite."""
    lines = [f"Every {registry.kind} by name: a mapping of :py:obj:`{registry.record.__name__}` records."]
    lines += [f"``{name}.added(record)`` adds one of your own for the time of a ``with`` block.", ""]
    fields = [field.name for field in dataclasses.fields(registry.record)]  # type: ignore[arg-type]
    told = {"name": "name", "caption": "what it is", "reference": "reference", "citation": "reference"}
    heads = [told[field] for field in told if field in fields]
    rows = [[str(getattr(record, field)) for field in told if field in fields] for record in registry.values()]
    return lines + rst_table(heads, rows)


def _constant(value: object) -> list[str]:
    if isinstance(value, dict):
        return [f"A mapping; its keys: {', '.join(f'``{key}``' for key in value)}."]
    return [f"``{value!r}``"]


def _names_table(names: dict[str, str]) -> list[str]:
    rows = [[f":py:obj:`~{homes().get(name, 'neurosim')}.{name}`", said] for name, said in names.items()]
    return rst_table(["name", "what it does"], rows)


def _first_sentence(thing: object) -> str:
    return inspect.cleandoc(thing.__doc__ or "").split("\n\n")[0].replace("\n", " ").rstrip(".")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _title(text: str, line: str = "=") -> list[str]:
    return [text, line * len(text), ""]


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" if line else "" for line in lines]


def write(app: object) -> None:
    """Write the pages before Sphinx looks for them."""
    replace_pages(Path(app.srcdir) / "api", dict(pages()))  # type: ignore[attr-defined]


def setup(app: object) -> dict[str, bool]:
    """Tell Sphinx of it."""
    app.connect("builder-inited", write)  # type: ignore[attr-defined]
    return {"parallel_read_safe": True, "parallel_write_safe": True}
