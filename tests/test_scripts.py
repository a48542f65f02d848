"""Scripts of analyses and notebooks name what there is; those that run say how, and refuse what they do not know."""

import ast
import importlib
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "analyses"))

from command_line import usage  # noqa: E402

RUN = [path for path in sorted(ROOT.glob("analyses/**/*.py")) if "__main__" in path.read_text()]
ALL_IN_ONE_PROCESS = """
import contextlib, io, json, runpy, sys
told, paths = {}, list(sys.path)
for script, *words in json.loads(sys.argv[1]):
    sys.path[:], sys.argv = [script.rpartition("/")[0], *paths], [script, *words]
    said, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(error):
        try:
            runpy.run_path(script, run_name="__main__")
            code = None
        except SystemExit as end:
            code = end.code or 0
        except BaseException as end:
            code = repr(end)
    told[" ".join([script, *words])] = code, said.getvalue(), error.getvalue()
print(json.dumps(told))
"""
NAMED = {  # words that name what there is none of, and what is said
    "accuracy/table1_accuracy.py": (["here", "digits, CNM"], "Did you mean 'digits, CNN'?"),
    "calibration/table1_calibration.py": (["tunin"], "no module of worlds 'tunin'"),
    "gallery/table1_gallery.py": (["brunell"], "Did you mean 'brunel'?"),
    "imagenet/table1_published.py": (
        ["pictures"],
        "found 1 words. Usage: python analyses/imagenet/table1_published.py",
    ),
}
SCRIPTS = sorted([*ROOT.glob("analyses/**/*.py"), *ROOT.glob("notebooks/**/*.py")])


def imported(script):
    """Yield (module, name) of what a script imports from neurosim."""
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "neurosim":
            yield from ((node.module, alias.name) for alias in node.names)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda s: str(s.relative_to(ROOT)))
def test_what_a_script_imports_is_there(script):
    for module, name in imported(script):
        if not hasattr(importlib.import_module(module), name):
            importlib.import_module(f"{module}.{name}")


@pytest.fixture(scope="module")
def called(tmp_path_factory):
    """Code, output and errors of every script that is run, with `--help` and with an option that is none.

    Those that take a folder also with a file in its place. All are run in one process, from an empty folder, which has
    to stay so.
    """
    folder = tmp_path_factory.mktemp("called")
    (folder / "afile").write_text("")
    calls = [[str(path), word] for path in RUN for word in ("--help", "--mistyped")]
    calls += [[str(path), "afile"] for path in RUN if "given.folder(" in path.read_text()]
    calls += [[str(ROOT / "analyses" / script), *words] for script, (words, _) in NAMED.items()]
    command = [sys.executable, "-W", "ignore", "-c", ALL_IN_ONE_PROCESS, json.dumps(calls)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in folder.iterdir()] == ["afile"]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("script", RUN, ids=lambda s: str(s.relative_to(ROOT)))
def test_a_script_says_how_it_is_run_and_runs_nothing_that_it_does_not_know(script, called):
    code, said, error = called[f"{script} --help"]
    assert code == 0 and said.startswith("usage: ") and script.name in said.splitlines()[0], error
    code, said, error = called[f"{script} --mistyped"]
    assert code == 2 and said == "" and "--mistyped" in error and script.name in error, code
    code, said, error = called.get(f"{script} afile", (2, "", "afile is a file\n"))
    assert code == 2 and said == "" and "afile is a file" in error and error.count("\n") == 1, code


@pytest.mark.parametrize("script", NAMED)
def test_a_name_that_a_script_does_not_know_is_refused_before_anything_is_computed(script, called):
    words, refused = NAMED[script]
    code, said, error = called[" ".join([str(ROOT / "analyses" / script), *words])]
    assert code == 2 and said == "" and refused in error and error.count("\n") == 1, error


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (
            "python analyses/a/b.py [folder [n of groups]] (two minutes)",
            ("python analyses/a/b.py", 0, 2, "Two minutes."),
        ),
        (
            "DATA=... python a.py FILE [name ...] [--all]. It ends.",
            ("DATA=... python a.py FILE", 1, math.inf, "It ends."),
        ),
        (
            "python a.py (all: an hour on\none core). Each ends.",
            ("python a.py", 0, 0, "All: an hour on one core. Each ends."),
        ),
    ],
)
def test_a_docstring_tells_command_words_and_what_is_said_of_it(run, told):
    asked = usage(f"Table 1.\n\nRun: {run}\n\nMore.")
    assert (asked.command, asked.fewest, asked.most, asked.said) == told
    assert asked.options == (["--all"] if "--all" in run else [])
