"""Everything public, by name: what the stubs of the package and of its rooms list."""

import importlib
import inspect
from functools import cache

from neurosim import parameters
from neurosim.namespaces import public_names


@cache
def public():
    """Return every public object by its name; rooms are none."""
    found = {
        name: getattr(importlib.import_module(package), name)
        for package, names in public_names().items()
        for name in names
    }
    found |= {n: v for n, v in vars(parameters).items() if n.endswith("Parameters") and n[0] != "_"}
    return {name: thing for name, thing in found.items() if not inspect.ismodule(thing)}
