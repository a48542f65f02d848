"""The guides and the pages for those who come from other tools: every block of Python runs, and what it asserts holds.

A block of another tool carries ``:class: peer`` and runs where that tool, the page's ``peer``, is installed.
"""

import functools
import importlib.util
import json
import os
import re
from pathlib import Path

import pytest

import neurosim

from .study.conftest import made_once
from .study.conftest import script as run_script

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
ROOMS = ("guides", "coming_from")
PAGES = [p for room in ROOMS for p in sorted((NOTEBOOKS / room).rglob("*.md")) if p.stem != "index"]
BLOCK = re.compile(r"^```(?:python|\{code-block\} python)\n(?P<code>.*?)^```$", re.S | re.M)
PEER = re.compile(r"\A---\n.*?^peer: (\S+)\n.*?^---$", re.S | re.M)
NAME = re.compile(r"\bns\.((?:\w+\.)*\w+)")
OF_PEER = ":class: peer\n"
NO_PART_OF_DEV = {"brainscore_vision", "mne_rsa", "spikingjelly", "thingsvision"}
ALL_IN_ONE_PROCESS = """
import json, logging, os, runpy, sys, traceback, warnings
logging.disable(logging.WARNING)
warnings.simplefilter("ignore")
failed = {}
for script in sys.argv[1:]:
    os.makedirs(script + ".files")
    os.chdir(script + ".files")
    try:
        runpy.run_path(script, run_name="__main__")
    except BaseException:
        failed[script] = traceback.format_exc()
print(json.dumps(failed))
"""


def peer_of(text):
    """Return the module of the other tool that a page is about."""
    found = PEER.search(text)
    return found and found[1]


def is_installed(module):
    """Whether a module is there, without importing it."""
    return importlib.util.find_spec(module) is not None


def script_of(text):
    """Return the blocks of a page that can run here, each on its own lines of the page, so that failures name these."""
    peer = peer_of(text)
    with_peer = peer is not None and is_installed(peer)
    lines = [""] * text.count("\n")
    for block in BLOCK.finditer(text):
        code = block["code"]
        if OF_PEER in code and not with_peer:
            continue
        start = text.count("\n", 0, block.start("code"))
        lines[start : start + code.count("\n")] = code.replace(OF_PEER, "\n").splitlines()
    return "\n".join(lines)


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    """What went wrong on each page, all run one after the other in a process of their own, once for all tests.

    It is a fork, as are the workers of the studies on the pages: see ``tests/forks.py``.
    """

    def make(folder):
        scripts = [folder / f"{page.parent.name}_{page.stem}.py" for page in PAGES]
        for page, script in zip(PAGES, scripts, strict=True):
            script.write_text(script_of(page.read_text()))
        (folder / "all.py").write_text(ALL_IN_ONE_PROCESS)
        done = run_script("all.py", *scripts, cwd=folder, env=dict(os.environ))
        assert done.returncode == 0, done.stderr
        by_script = json.loads(done.stdout.splitlines()[-1])
        found = [by_script.get(str(script)) for script in scripts]
        (folder / "failed.json").write_text(json.dumps(found))

    found = json.loads((made_once(tmp_path_factory, "pages", make) / "failed.json").read_text())
    return dict(zip(PAGES, found, strict=True))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_blocks_run_and_what_they_assert_holds(page, failed):
    assert failed[page] is None, failed[page]
    peer = peer_of(page.read_text())
    if peer is not None and not is_installed(peer) and peer not in NO_PART_OF_DEV:
        pytest.skip(f"{peer} is not installed: its blocks did not run")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_names_in_the_text_are_names_of_the_package(page):
    for name in sorted(set(NAME.findall(page.read_text()))):
        assert functools.reduce(getattr, name.split("."), neurosim) is not None, name


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_no_number_from_a_file_stands_in_a_table_whose_bars_would_cut_it(page):
    assert not [line for line in page.read_text().splitlines() if line.startswith("|") and "{number}" in line]


@pytest.mark.parametrize("page", [p for p in PAGES if p.parent.name == "coming_from"], ids=lambda p: p.stem)
def test_a_page_has_words_and_three_scripts_of_both(page):
    text = page.read_text()
    assert peer_of(text)
    assert "## Words" in text
    scripts = re.split(r"^## \d\. ", text, flags=re.M)[1:]
    assert len(scripts) == 3
    for script in scripts:
        blocks = [b["code"] for b in BLOCK.finditer(script)]
        of_peer = [b for b in blocks if OF_PEER in b]
        assert len(blocks) > len(of_peer) > 0
        assert any("assert" in b for b in blocks)
