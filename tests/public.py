"""Everything public, by name: what the stubs of the package and of its rooms list, and what a reader's example sees."""

import doctest
import importlib
import inspect
from functools import cache

import numpy as np

import neurosim
from neurosim import parameters
from neurosim.namespaces import public_names


@cache
def packages():
    """Return the module in which each public name is found."""
    found = {name: package for package, names in public_names().items() for name in names}
    return found | dict.fromkeys(parameters.__all__, parameters.__name__)


@cache
def public():
    """Return every public object by its name; rooms are none."""
    found = {name: getattr(importlib.import_module(package), name) for name, package in packages().items()}
    return {name: thing for name, thing in found.items() if not inspect.ismodule(thing)}


def as_a_reader():
    """Return what an example of a public name may use without importing it."""
    return {"__name__": "__main__", "np": np, "ns": neurosim}


def is_of_public_name(test: doctest.DocTest) -> bool:
    """Return whether a test of a module's docstrings is that of a public name, or of a method of one."""
    name = test.name.removeprefix(f"{test.globs['__name__']}.").split(".")[0]
    if name not in packages() or name not in test.globs:
        return False
    return getattr(importlib.import_module(packages()[name]), name) is test.globs[name]
