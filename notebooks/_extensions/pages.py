"""Pages that are written by the build: tables, links, and files that are only touched where they changed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

ADDRESS = re.compile(r"https?://\S*[^\s,.;:)]")


def replace_pages(folder: Path, pages: dict[str, str], kept: Collection[str] = ()) -> None:
    """Write pages into a folder, and delete those that were written before and are none any more.

    Parameters
    ----------
    folder : of the pages. pages : texts by path below it.
    kept : paths of pages there that are written by hand.
    """
    for path in [*folder.rglob("*.md"), *folder.rglob("*.rst")]:
        if str(path.relative_to(folder)) not in {*pages, *kept}:
            path.unlink()
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def linked(text: str) -> str:
    """Return a text for Markdown in which every address is a link."""
    return ADDRESS.sub(r"<\g<0>>", text)


def rst_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a table as lines of reStructuredText."""
    lines = [".. list-table::", "    :header-rows: 1", "    :widths: auto", ""]
    for row in (heads, *rows):
        lines += [f"    {'* -' if k == 0 else '  -'} {' '.join(cell.split())}" for k, cell in enumerate(row)]
    return [*lines, ""]


def md_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a table as lines of Markdown."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return [*lines, *("| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows), ""]
