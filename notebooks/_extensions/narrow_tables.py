"""Tables on a phone: each cell of a wide one carries the head of its column, so that its rows can be read as cards."""

from __future__ import annotations

import html
import re
from typing import Any

TABLE = re.compile(r'<table(?: border="1")?(?: class="(?P<kind>table|dataframe)")?>(?P<parts>.*?)</table>', re.S)
ROW = re.compile(r"<tr(?: [^>]*)?>.*?</tr>", re.S)
CELL = re.compile(r"<(?P<tag>t[dh])(?P<more>(?: [^>]*)?)>(?P<inside>.*?)</(?P=tag)>", re.S)
LETTERS, LONGEST, GAP = 44, 24, 2  # of a line on a phone; of a column before it breaks its lines; between columns


def as_cards(page: str) -> str:
    """Return a page whose wide tables have the class "cards", and cells that know the heads of their columns.

    Tables with cells that span others stay as they are.

    Parameters
    ----------
    page : the HTML.
    """
    return TABLE.sub(_labelled, page)


def _labelled(found: re.Match[str]) -> str:
    """Return a table with the heads of the columns in its cells where it is wider than a phone."""
    head, begin, body = found["parts"].rpartition("<tbody")
    rows = [[_words(cell["inside"]) for cell in CELL.finditer(row)] for row in ROW.findall(found["parts"])]
    same = len({len(row) for row in rows}) == 1
    if not same or not _is_wide(rows) or re.search(r"(?:row|col)span=", found["parts"]):
        return found[0]
    heads = ["" for _ in rows[0]]
    for row in rows[: len(ROW.findall(head))]:
        heads = [said or cell for said, cell in zip(heads, row, strict=True)]
    kind = " ".join(filter(None, [found["kind"], "cards"]))
    return f'<table class="{kind}">{head}{begin}{ROW.sub(lambda row: _with_heads(row[0], heads), body)}</table>'


def _is_wide(rows: list[list[str]]) -> bool:
    """Return whether the columns take more letters than a line on a phone has."""
    return sum(min(max(map(len, column)), LONGEST) + GAP for column in zip(*rows, strict=True)) > LETTERS


def _with_heads(row: str, heads: list[str]) -> str:
    """Return a row whose cells say the head of their column; empty ones are marked."""
    left = iter(heads)

    def cell(found: re.Match[str]) -> str:
        label = html.escape(next(left))
        empty = "" if _words(found["inside"]) else " data-empty"
        return f'<{found["tag"]}{found["more"]} data-label="{label}"{empty}>{found["inside"]}</{found["tag"]}>'

    return CELL.sub(cell, row)


def _words(inside: str) -> str:
    """Return what a reader sees of a cell."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", inside)).split())


def _on_page(app: Any, name: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Change the text of one page before it is written."""
    if "body" in context:
        context["body"] = as_cards(context["body"])


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx of the tables."""
    app.connect("html-page-context", _on_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
