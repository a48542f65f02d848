"""The list of mutants stays true to the code, and the tool tells the killed from those that live."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.mutate import ROOT, fault_of, read_mutants, selected, summary

MUTANTS = read_mutants()


def test_every_mutant_applies_and_names_tests_that_are_there():
    faults = {f"{m['file']}: {m['old']}": fault for m in MUTANTS if (fault := fault_of(m, ROOT))}
    assert not faults
    missing = {t for m in MUTANTS for t in m["tests"] if not (ROOT / t.split("::")[0]).is_file()}
    nameless = {t for m in MUTANTS for t in m["tests"] if "::" in t and f"def {t.split('::')[1]}(" not in _read(t)}
    assert not missing | nameless
    assert all(m["tests"] and m["why"] and m["old"] != m["new"] for m in MUTANTS)
    assert len({(m["file"], m["old"], m["new"]) for m in MUTANTS}) == len(MUTANTS) >= 100


def test_every_mutant_can_be_read_by_python():
    for m in MUTANTS:
        if m["file"].endswith(".py"):
            compile((ROOT / m["file"]).read_text(encoding="utf-8").replace(m["old"], m["new"]), m["file"], "exec")


@pytest.fixture
def toy(tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "__init__.py").write_text("def total(n):\n    while n > 3:\n        n -= 1\n    return n * 2\n")
    (tmp_path / "test_toy.py").write_text("from toy import total\n\n\ndef test():\n    assert total(5) == 6\n")
    return tmp_path


RUN = """
import json, sys
from pathlib import Path
from tests.mutation.mutate import outcomes
root, mutants = Path(sys.argv[1]), json.loads(sys.argv[2])
print(json.dumps([row for m in mutants for row in outcomes([m], root, limit=3 if m["old"] == "n -= 1" else 100)]))
"""


def run_toy(toy, mutants):
    """In a process of its own, since the tool forks."""
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", RUN, str(toy), json.dumps(mutants)]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_tool_tells_killed_from_survived_and_ends_what_does_not_end(toy):
    mutants = [
        {"file": "toy/__init__.py", "old": old, "new": new, "tests": ["test_toy.py"], "why": why}
        for old, new, why in (
            ("n * 2", "n * 3", "killed"),
            ("n > 3", "n >= 4", "survived"),
            ("n -= 1", "n -= 0", "killed"),
            ("n += 1", "n -= 1", "does not apply"),
        )
    ]
    before = (toy / "toy" / "__init__.py").read_text()
    rows = json.loads(run_toy(toy, mutants).stdout)
    assert [r["result"] for r in rows] == [m["why"] for m in mutants]
    assert [r["by"] for r in rows] == ["test_toy.py::test", "", "time limit", "the old text stands 0 times in the file"]
    assert (toy / "toy" / "__init__.py").read_text() == before
    assert summary(rows)["rate"] == pytest.approx(2 / 3, abs=1e-4)
    (toy / "test_toy.py").write_text("def test():\n    assert False\n")
    assert "test_toy.py::test fails without any mutant" in run_toy(toy, mutants[:1]).stderr


def test_examples_of_a_mutated_file_are_run_too_and_tests_of_another_time_are_left_out(toy):
    mutant = {"file": "neurosim/clock.py", "tests": ["test_toy.py", "test_of_tomorrow.py::test"]}
    assert selected(mutant, toy) == ["neurosim/clock.py", "test_toy.py"]


def _read(test):
    return (ROOT / Path(test.split("::")[0])).read_text(encoding="utf-8")
