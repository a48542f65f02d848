"""Numbers in a text that are read from a file of results when the site is built, so that none can be stale.

{number}`analyses/digits/table.json > rows > digits, CNN > accuracy | .1%` is what stands there, in a format of Python.
A file or key that is not there ends the build. Keys of lists are whole numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes

from neurosim import storage

ROOT = Path(__file__).resolve().parents[2]


class NumberError(ValueError):
    """A number that no file of results holds."""


def file_of(text: str) -> Path:
    """Return the file that holds a number."""
    return ROOT / text.partition(">")[0].strip()


def number(text: str) -> str:
    """Return a number as it is written in a text.

    Parameters
    ----------
    text : file below the repository, keys, each after " > ", and a format of Python after " | ", if any.

    Raises
    ------
    NumberError : there is no such file, key or format.
    """
    where, _, style = text.partition(" | ")
    path, *keys = (part.strip() for part in where.split(" > "))
    try:
        found: Any = storage.read_json(ROOT / path)
    except storage.StorageError as error:
        raise NumberError(f"number: {error}") from error
    for n, key in enumerate(keys):
        known = found if isinstance(found, dict) else dict(enumerate(found)) if isinstance(found, list) else {}
        if (name := int(key) if isinstance(found, list) and key.isdigit() else key) not in known:
            asked = " > ".join(keys[: n + 1])
            raise NumberError(
                f"number: {path} has no {asked!r}; known there: {', '.join(map(str, known)) or 'nothing'}."
            )
        found = known[name]
    if not isinstance(found, int | float | str):
        raise NumberError(
            f"number: {where.strip()} is no number or word but a {type(found).__name__}; name one of its keys."
        )
    try:
        return format(found, style.strip())
    except ValueError as error:
        raise NumberError(f"number: {found!r} cannot be written as {style.strip()!r}: {error}.") from error


def role(name: str, rawtext: str, text: str, lineno: int, inliner: Any, *_: Any) -> tuple[list[Any], list[Any]]:
    """Return the number as text, or the error that ends the build."""
    inliner.document.settings.env.note_dependency(str(file_of(text)))
    try:
        return [nodes.Text(number(text))], []
    except NumberError as error:
        said = inliner.reporter.error(str(error), line=lineno)
        return [inliner.problematic(rawtext, rawtext, said)], [said]


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx of the role."""
    app.add_role("number", role)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
