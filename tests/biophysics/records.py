"""The public records of biophysics, and instances of each: those that the examples of their documentation make."""

import doctest
import inspect
from dataclasses import is_dataclass

import numpy as np

import neurosim as ns
from neurosim.registry import Registry

PUBLIC = {name: getattr(ns.biophysics, name) for name in dir(ns.biophysics)}
RECORDS = {name: kind for name, kind in PUBLIC.items() if inspect.isclass(kind) and is_dataclass(kind)}
REGISTERED = [record for found in PUBLIC.values() if isinstance(found, Registry) for record in found.values()]


def made_by_its_example(kind, monkeypatch):
    """Run the example of a record and return what it made of this kind."""
    found, make = [], kind.__init__

    def noting(self, *given, **named):
        make(self, *given, **named)
        found.append(self)

    monkeypatch.setattr(kind, "__init__", noting)
    names = {"ns": ns, "np": np}
    for example in doctest.DocTestParser().get_examples(kind.__doc__):
        exec(compile(example.source, kind.__name__, "single"), names)
    monkeypatch.undo()
    return found or [record for record in REGISTERED if type(record) is kind]
