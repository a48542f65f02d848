"""Every tutorial can be read, has a title and exercises; the build of the site runs them (see .ci/run), and only it."""

import ast
from pathlib import Path

import jupytext
import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("[a-z]*/*.py"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem, scope="module")
def notebook(request):
    return request.param, jupytext.read(request.param).cells


def test_its_code_can_be_parsed(notebook):
    _, cells = notebook
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    assert code
    for source in code:
        ast.parse(source)


def test_it_begins_with_its_title(notebook):
    _, cells = notebook
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith("# ")


def test_a_tutorial_ends_with_exercises(notebook):
    path, cells = notebook
    if path.parent.name == "tutorials":
        told = [cell.source for cell in cells if cell.cell_type == "markdown"]
        assert any(text.startswith("## Exercises") and "\n1. " in text for text in told[-2:])
