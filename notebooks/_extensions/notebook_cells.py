"""Notebooks of the site: how a percent script is read, and where what its cells gave is kept."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import jupytext
import nbformat

NEEDS_DATA = re.compile(r"\b(load_dataset|data_folder|load_cifar10|load_mnist)\(|\bNEUROSIM_DATA\b")
NOT_RUN = """:::{note}
This page is shown without its outputs: it needs real data, and was built where `NEUROSIM_DATA` names no folder of them.
{doc}`How to get the data </catalogue/data_sets>`.
:::"""
# Not shown: labelled arrays are printed as their dims and labels, whose numbers a click shows.
FIRST_CELL = "import xarray\n\nxarray.set_options(display_expand_data=False)"


def read(text: str) -> nbformat.NotebookNode:
    """Return the notebook of a percent script; one that needs data that are not there is not run, and says so.

    Parameters
    ----------
    text : of the script.
    """
    notebook = jupytext.reads(text, fmt="py:percent")
    title = next(i for i, cell in enumerate(notebook.cells) if cell.cell_type == "markdown")
    if needs_data(notebook) and not os.environ.get("NEUROSIM_DATA"):
        notebook.metadata["mystnb"] = {"execution_mode": "off"}
        notebook.cells.insert(title + 1, nbformat.v4.new_markdown_cell(NOT_RUN))
    else:
        hidden = nbformat.v4.new_code_cell(FIRST_CELL, metadata={"tags": ["remove-cell"]})
        notebook.cells.insert(title + 1, hidden)
    return notebook


def needs_data(notebook: nbformat.NotebookNode) -> bool:
    """Return whether a cell of code asks for data that do not come with the package."""
    return any(cell.cell_type == "code" and NEEDS_DATA.search(cell.source) for cell in notebook.cells)


def execution_cache(root: Path) -> Path:
    """Return the folder of what cells gave with exactly this package: another one has another folder.

    Parameters
    ----------
    root : of the repository.
    """
    files = [*sorted((root / "neurosim").rglob("*.py")), root / "tests" / "constraints.txt"]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    return root / "build" / "site_cells" / digest[:16]
