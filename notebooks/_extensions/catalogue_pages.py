"""The catalogue: pages made from files of results and from records, written before Sphinx looks for pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import benchmark_pages
import data_pages
import gallery_pages
from pages import replace_pages

KEPT = ("index.md", "conformance.md", "ingredients.md")  # written by hand, they include what is made


def pages() -> dict[str, str]:
    """Return the text of every page by its path below ``catalogue/``."""
    return {**dict(gallery_pages.pages()), **dict(data_pages.pages()), **dict(benchmark_pages.pages())}


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx of it."""
    app.connect("builder-inited", lambda app: replace_pages(Path(app.srcdir) / "catalogue", pages(), kept=KEPT))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
