"""The site's sources: every page is reached, every link and number leads somewhere, every public name has its entry."""

import ast
import fnmatch
import inspect
import posixpath
import pydoc
import re
import sys
from functools import cache
from pathlib import Path

import pytest

import neurosim as ns
from neurosim.namespaces import public_names
from neurosim.recordings.published import DATASETS
from tests.public import packages, public

jupytext = pytest.importorskip("jupytext")
pytest.importorskip("sphinx")
ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "notebooks"
TABLE = ROOT / "analyses" / "data_sets" / "table1_data_sets.json"
sys.path.insert(0, str(SITE / "_extensions"))

import api_pages  # noqa: E402
import catalogue_pages  # noqa: E402
import docstrings  # noqa: E402
import gallery_pages  # noqa: E402
import house_picture  # noqa: E402
import notebook_cells  # noqa: E402
import number_role  # noqa: E402
import signatures  # noqa: E402

MADE = {"start/house.svg"}  # files that the build draws
TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```$|^\.\. toctree::\n((?: [^\n]*\n|\n)+)", re.M | re.S)
LINK = re.compile(r"\]\((?!https?:)([^)\s#]+)(?:#[^)]*)?\)")
LINES = 100  # letters of code that a column shows beside both menus
BLOCK = re.compile(r"^(`{3,})([^\n]*)\n(.*?)^\1$", re.M | re.S)
CODE = re.compile(r"^(`{3,}|:{3,})(?!\{)[^\n]*\n.*?^\1$", re.M | re.S)
NAMED = re.compile(r"(?:\{doc\}|:doc:)`(?:[^`<]*<)?([^`<>]+)>?`|^:link: (\S+)\n:link-type: doc", re.M)
FILES = re.compile(r"\{download\}`[^`<]*<([^>]+)>`|^:img-top: (\S+)|^```\{include\} (\S+)", re.M)


@cache
def pages():
    """Every page of the site by its name: those in git, and those that are made."""
    found = {}
    for path in [*SITE.rglob("*.md"), *SITE.rglob("*.py")]:
        name = path.relative_to(SITE).with_suffix("").as_posix()
        is_made = name.startswith("api/") or (name.startswith("catalogue/") and path.name not in catalogue_pages.KEPT)
        if not name.startswith("_") and name != "conf" and not is_made:
            found[name] = path.read_text() if path.suffix == ".md" else _told(path)
    made = {f"catalogue/{name}": text for name, text in catalogue_pages.pages().items()}
    made |= {f"api/{name}": text for name, text in api_pages.pages()}
    return found | {name.rpartition(".")[0]: text for name, text in made.items()}


def _told(path):
    """The text of a notebook, without its code."""
    return "\n\n".join(c.source for c in jupytext.read(path).cells if c.cell_type == "markdown")


def below(name):
    """The pages that the toctrees of a page name."""
    folder = posixpath.dirname(name)
    for found in TOCTREE.finditer(pages()[name]):
        lines = [line.strip() for line in (found[1] or found[2]).splitlines()]
        for entry in (line for line in lines if line and not line.startswith(":")):
            asked = posixpath.normpath(posixpath.join(folder, entry))
            matched = [
                p for p in pages() if fnmatch.fnmatch(p, asked) and p.count("/") == asked.count("/") and p != name
            ]
            assert matched, f"{name}: its toctree names {entry}, and there is no such page"
            yield from matched


def test_every_page_is_reached_from_the_start_page():
    reached, waiting = set(), ["index"]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += below(name)
    assert sorted(set(pages()) - reached) == []


def test_every_page_has_one_title():
    for name, text in pages().items():
        titles = re.findall(r"^# \S.*$|^.+\n=+$", CODE.sub("", text), re.M)
        assert len(titles) == 1, f"{name}: {len(titles)} titles"


def test_no_line_of_code_is_longer_than_the_column():
    fenced = [(name, found) for name, text in pages().items() for found in BLOCK.finditer(text)]
    blocks = [(name, found[3]) for name, found in fenced if found[2][:1] != "{" or found[2].startswith("{code")]
    notebooks = [path for room in ("start", "tutorials") for path in (SITE / room).glob("*.py")]
    blocks += [(p.stem, c.source) for p in notebooks for c in jupytext.read(p).cells if c.cell_type == "code"]
    lines = [(name, line) for name, code in blocks for line in code.splitlines()]
    assert len(lines) > 1500
    assert [f"{name}: {line}" for name, line in lines if len(line) > LINES] == []


def test_a_box_of_a_study_holds_a_command_and_nothing_else():
    studies = [text for name, text in pages().items() if name.startswith("catalogue/studies/")]
    boxes = [found[3].rstrip() for text in studies for found in BLOCK.finditer(text) if found[2] == "text"]
    assert boxes
    command = re.compile(r"(NEUROSIM_DATA=\.\.\. )?python (analyses/\S+\.py)( [A-Z_]+)*")
    assert [box for box in boxes if not ((found := command.fullmatch(box)) and (ROOT / found[2]).exists())] == []
    assert "quarter of an hour" in pages()["catalogue/studies/v4"]


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(0.05, "3 seconds"), (0.001, "1 second"), (1.49, "89 seconds"), (1.5, "2 minutes"), (12.49, "12 minutes")],
)
def test_how_long_a_model_takes_is_said_in_whole_seconds_or_minutes(minutes, said):
    assert gallery_pages.lasting(minutes) == said


def test_links_lead_to_pages_and_files():
    missed = []
    for name, text in pages().items():
        folder, prose = posixpath.dirname(name), CODE.sub("", text)
        for found in [*LINK.finditer(prose), *NAMED.finditer(prose), *FILES.finditer(prose)]:
            target = next(part for part in found.groups() if part)
            where = target[1:] if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
            is_page = where.removesuffix(".md").removesuffix(".py") in pages()
            if not (is_page or where in MADE or (SITE / where).exists()):
                missed.append(f"{name}: {target}")
    assert missed == []


def test_numbers_are_those_of_their_files():
    asked = {name: re.findall(r"\{number\}`([^`]+)`", text) for name, text in pages().items()}
    for name, texts in asked.items():
        for text in texts:
            assert number_role.number(text), name
    assert any(asked.values())


def test_a_number_is_read_by_its_keys_and_written_by_its_format():
    file = "analyses/data_sets/table1_data_sets.json"
    told = ns.storage.read_json(ROOT / file)["data_sets"]["cichy2014_92"]["recordings"]["EVC"]["ceiling"][1]
    where = f"{file} > data_sets > cichy2014_92 > recordings > EVC > ceiling"
    assert number_role.number(f"{where} > 1 | .2f") == f"{told:.2f}"
    assert number_role.number(f"{where} > 1") == str(told)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("analyses/none.json > a", "none.json"),
        ("analyses/data_sets/table1_data_sets.json > sets", "no 'sets'; known there: data_sets"),
        ("analyses/data_sets/table1_data_sets.json > data_sets", "is no number"),
        (
            "analyses/data_sets/table1_data_sets.json > data_sets > rokem2006 > megabytes | d",
            "cannot be written as 'd'",
        ),
    ],
)
def test_a_number_that_is_nowhere_is_refused_in_one_line(text, said):
    with pytest.raises(number_role.NumberError, match=re.escape(said)) as refused:
        number_role.number(text)
    assert "\n" not in str(refused.value)


def test_every_public_name_has_one_entry_in_its_room():
    entries = {}
    for name, text in pages().items():
        module = re.search(r"^\.\. py:(?:current)?module:: (\S+)$", text, re.M)
        for found in re.findall(r"^\.\. py:(?:function|class|exception|data):: (\w+)", text, re.M):
            entries.setdefault(found, []).append(module[1] if name.startswith("api/") and module else name)
    rooms = {name: room for name, room in packages().items() if name in public()}
    of_rooms = {
        n: f"neurosim.{room}" for room in api_pages.ORDER for names in api_pages.asked(room).values() for n in names
    }
    assert entries == {name: [of_rooms.get(name, rooms[name])] for name in rooms}


def test_signatures_name_what_python_names():
    for name, thing in public().items():
        text = signatures.signature(thing) if callable(thing) else ""
        if text:
            arguments = ast.parse(f"def f{text}: ...").body[0].args
            found = [*arguments.posonlyargs, *arguments.args, arguments.vararg, *arguments.kwonlyargs, arguments.kwarg]
            assert [a.arg for a in found if a] == list(inspect.signature(thing).parameters), name


def test_entries_of_a_docstring_are_told_apart():
    doc = """Do it.

    Parameters
    ----------
    a, b : of both. c : of one: a : b
        and more.
    **rest : whatever.

    Raises
    ------
    InputError : never.
    """
    lines = docstrings.as_rst(doc, ("a", "b", "c"), {})
    assert [line.strip() for line in lines if "**" in line] == [
        "**a**, **b**",
        "**c**",
        r"**\*\*rest**",
        "**InputError**",
    ]
    assert "        of one: a : b" in lines and "        and more." in lines


def test_references_lead_to_rooms():
    doc = "See :class:`~neurosim.similarity.inference_options.Resampling` and :func:`neurosim.nowhere.private`."
    said = docstrings.as_rst(doc, (), {"Resampling": "neurosim.similarity"})[0]
    assert said == "See :py:obj:`~neurosim.similarity.Resampling` and ``private``."


@pytest.mark.parametrize("package", public_names())
def test_help_begins_with_the_names_by_question(package):
    shown = pydoc.plain(pydoc.render_doc(sys.modules.get(package) or __import__(package, fromlist=["x"])))
    begin = shown[: shown.index("PACKAGE CONTENTS")]
    assert all(re.search(rf"^ +{name}: ", begin, re.M) for name in public_names()[package])


def test_help_of_a_function_fits_a_terminal():
    lines = pydoc.plain(pydoc.render_doc(ns.similarity.infer)).splitlines()[3:]
    assert max(map(len, lines)) <= 124
    assert {"    Parameters", "    Returns", "    Raises", "    Examples"} <= set(lines)


def test_the_start_page_shows_what_the_readme_runs():
    code = re.search(r"```python\n(.*?)```", pages()["index"], re.S)[1]
    assert code in (ROOT / "README.md").read_text()


def test_the_house_has_every_room_once():
    picture = house_picture.picture()
    drawn = re.findall(r'<text class="room"[^>]*>(?:ns\.)?(\w+)', picture)
    rooms = [name.removeprefix("neurosim.") for name in public_names() if name != "neurosim"]
    assert set(rooms) <= set(drawn)
    assert len(drawn) == len(set(drawn))
    assert {f"api/{room}" for room in rooms} <= set(re.findall(r'href="\.\./(\S+)\.html"', picture)) <= set(pages())
    assert set(api_pages.ORDER) == {*rooms, "parameters"}


def test_a_notebook_of_real_data_is_not_run_without_them(monkeypatch):
    script = '# %% [markdown]\n# # Title\n\n# %%\nns.load_dataset("rokem2006")\n'
    monkeypatch.setenv("NEUROSIM_DATA", "/somewhere")
    assert "mystnb" not in notebook_cells.read(script).metadata
    monkeypatch.delenv("NEUROSIM_DATA")
    notebook = notebook_cells.read(script)
    assert notebook.metadata["mystnb"] == {"execution_mode": "off"}
    assert [cell.source[:12] for cell in notebook.cells[:2]] == ["# Title", ":::{note}\nTh"]
    assert "mystnb" not in notebook_cells.read(script.replace("load_dataset", "load_digits")).metadata


def test_what_cells_gave_is_kept_for_one_source_alone(tmp_path):
    for folder in ("neurosim", "tests"):
        (tmp_path / folder).mkdir()
    (tmp_path / "tests" / "constraints.txt").write_text("a==1")
    (tmp_path / "neurosim" / "a.py").write_text("x = 1")
    first = notebook_cells.execution_cache(tmp_path)
    assert notebook_cells.execution_cache(tmp_path) == first
    (tmp_path / "neurosim" / "a.py").write_text("x = 2")
    assert notebook_cells.execution_cache(tmp_path) != first


def test_the_table_of_data_sets_is_that_of_the_records():
    measured = ns.storage.read_json(TABLE)["data_sets"]
    assert list(measured) == list(DATASETS)
    for name, one in measured.items():
        assert all(recording.startswith(DATASETS[name].recordings) for recording in one["recordings"])


@pytest.mark.data
@pytest.mark.parametrize("name", ["cichy2014_92", "rokem2006"])
def test_a_row_of_the_table_of_data_sets_is_what_its_files_give(name, data_folder):
    sys.path.insert(0, str(TABLE.parent))
    import table1_data_sets

    assert table1_data_sets.row(DATASETS[name]) == ns.storage.read_json(TABLE)["data_sets"][name]


def test_aims_of_a_time_are_not_published():
    page = pages()["catalogue/benchmarks"]
    assert "ratio lowest" in page
    assert "ratio asked" not in page
