"""Scripts of analyses and notebooks name what there is; those that run say how, and refuse what they do not know."""

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
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
