"""Every tutorial can be read, has a title and exercises; the build of the site runs them (see .ci/run), and only it."""

import ast
import itertools
import re
from pathlib import Path

import pytest

jupytext = pytest.importorskip("jupytext")
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
        told = [k for k, cell in enumerate(cells) if cell.source.startswith("## Exercises")]
        assert len(told) == 1
        assert re.search(r"\n(1\. |\*\*1\.\*\* )", cells[told[0]].source)
        assert not any(cell.source.startswith("## ") for cell in cells[told[0] + 1 :])


def test_an_exercise_with_a_number_of_its_own_has_an_answer_that_is_hidden_and_runs(notebook):
    _, cells = notebook
    for asked, answer in itertools.pairwise(cells):
        if asked.cell_type == "markdown" and re.search(r"^\*\*\d\.\*\* ", asked.source, re.M):
            assert answer.cell_type == "code"
            assert "hide-cell" in answer.metadata["tags"]
            assert answer.metadata["mystnb"]["code_prompt_show"] == "Answer"
    hidden = [cell for cell in cells if "hide-cell" in cell.metadata.get("tags", [])]
    asked = [cell for cell in cells if re.search(r"^\*\*\d\.\*\* ", cell.source, re.M)]
    assert len(hidden) == len(asked)


def test_a_cell_that_ends_in_a_plot_does_not_show_what_it_returns(notebook):
    _, cells = notebook
    for cell in cells:
        last = ast.parse(cell.source).body[-1:] if cell.cell_type == "code" else []
        if last and isinstance(last[0], ast.Expr) and ast.unparse(last[0]).startswith("ns.plots.plot_"):
            assert cell.source.rstrip().endswith(";"), cell.source
