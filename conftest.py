"""An example of a public name runs as a reader would run it: after two imports, not inside the module it stands in.

The rule for examples: ``import numpy as np`` and ``import neurosim as ns`` are understood; whatever else an example of
a public name uses, it imports itself.
"""

import os
import sys
from pathlib import Path

import pytest
from _pytest import doctest as pytest_doctest

if sys.dont_write_bytecode and os.environ.get("NEUROSIM_TESTS_BYTECODE") != "never":
    # Compiling is a third of what a process of a test takes; where bytecode is not to lie beside sources, it lies here.
    sys.dont_write_bytecode, sys.pycache_prefix = False, str(Path(__file__).parent / ".pytest_cache" / "bytecode")
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

from tests.public import as_a_reader, is_of_public_name

DOCTESTS = pytest_doctest.DoctestModule


@pytest.hookimpl(tryfirst=True)
def pytest_collect_file() -> None:
    """Collect examples with pytest's own class; Brian2 puts one of its own there where a test file imports it."""
    pytest_doctest.DoctestModule = DOCTESTS  # type: ignore[misc]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give the examples of public names nothing but what a reader has."""
    if isinstance(item, pytest.DoctestItem) and is_of_public_name(item.dtest):
        item.dtest.globs = as_a_reader()
