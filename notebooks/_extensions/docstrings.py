"""Docstrings of the house as reStructuredText: sections with dashes below them, entries ``names : what they mean``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection

SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.M)
ENTRY = re.compile(r"^(\*{0,2}\w+(?:(?:, | / | \.\.\. )\*{0,2}\w+)*) : (?=\S)")
NAME = re.compile(r"(?:\\\*)*\w+")
INNER = re.compile(r"(?<=[.;])\s+(?=(\w+)(?:(?:, | \.\.\. )\w+)* : )")
ROLE = re.compile(r":(?:class|func|meth|mod|attr|data|exc):`~?neurosim\.([\w.]+)`")
OF_ENTRIES = ("Parameters", "Raises", "Attributes")


def as_rst(doc: str, names: Collection[str], homes: dict[str, str]) -> list[str]:
    """Return the lines of a docstring as reStructuredText.

    Parameters
    ----------
    doc : the docstring.
    names : of parameters; where one begins within a line, it begins an entry of its own.
    homes : the room in which each public name is found, to which references are led.
    """
    doc = ROLE.sub(lambda found: _reference(found[1].split("."), homes), inspect.cleandoc(doc))
    head, *rest = SECTION.split(doc)
    lines = head.rstrip().splitlines()
    for title, body in zip(rest[::2], rest[1::2], strict=True):
        if title in OF_ENTRIES:
            lines += ["", f":{title}:", *_indented(_definitions(body, names))]
        elif title in {"Returns", "Yields"}:
            lines += ["", f":{title}:", *_indented(body.strip().splitlines())]
        else:
            lines += ["", f".. rubric:: {title}", "", *body.strip().splitlines()]
    return [*lines, ""]


def _reference(parts: list[str], homes: dict[str, str]) -> str:
    """Return a reference to the room where a name is public, or the bare name where it is public nowhere."""
    for n, part in enumerate(parts):
        if part in homes:
            return f":py:obj:`~{'.'.join([homes[part], *parts[n:]])}`"
    return f"``{parts[-1]}``"


def _definitions(body: str, names: Collection[str]) -> list[str]:
    lines: list[str] = []
    for entry in _entries(body.rstrip().splitlines(), names):
        found = ENTRY.match(entry)
        if found is None:
            lines += ["", *entry.splitlines(), ""]
            continue
        said = entry[found.end() :].splitlines()
        lines += [NAME.sub(r"**\g<0>**", found[1].replace("*", r"\*"))]
        lines += _indented([said[0], *inspect.cleandoc("\n".join(["", *said[1:]])).splitlines()])
    return lines


def _entries(lines: list[str], names: Collection[str]) -> list[str]:
    """Return the entries of a section: each begins at the margin, or within a line with the name of a parameter."""
    entries: list[str] = []
    for line in lines:
        if line and not line[0].isspace():
            entries.append(line)
        elif entries:
            entries[-1] += "\n" + line
    return [part for entry in entries for part in _parts(entry, names)]


def _parts(entry: str, names: Collection[str]) -> list[str]:
    """Return an entry in parts, one for each name of a parameter that begins one within its lines."""
    starts = [found.start() for found in INNER.finditer(entry) if found[1] in names]
    return [entry[i:j].strip() for i, j in zip([0, *starts], [*starts, None], strict=True)]


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" if line else "" for line in lines]
