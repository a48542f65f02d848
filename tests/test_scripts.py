"""Scripts of analyses and notebooks name what there is: each name that they import from neurosim can be imported."""

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
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
