"""Kinds of things, each a record in one file: found in a folder of the package and in installed packages, read by all.

A record is a frozen dataclass with a ``name``. The records of one kind stand in the modules of one folder, one a file;
an installed package adds its own by naming the module that holds them in its entry-point group ``neurosim``.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields
from functools import cache, cached_property
from types import ModuleType
from typing import Any, Generic, Protocol, TypeVar

from neurosim.refusals import InputError, suggest
from neurosim.showing import WIDTH, as_table

GROUP = "neurosim"


class Named(Protocol):
    """What a registry holds: anything with a name."""

    @property
    def name(self) -> str:
        """Name that users type."""


class PackageError(InputError):
    """An installed package adds kinds of things that cannot be used, whatever was asked for."""


Record = TypeVar("Record", bound=Named)
Options = TypeVar("Options")


class Registry(Mapping[str, Record], Generic[Record]):
    """The records of one kind by name, in the order of their files.

    Parameters
    ----------
    kind : what a record is, as an error calls it: "metric".
    package : dotted name of the folder whose modules hold one record each.
    record : class of the records.

    Raises
    ------
    InputError : a name that no record has, with the nearest one; two records of one name.
    """

    def __init__(self, kind: str, package: str, record: type[Record]) -> None:
        self.kind, self.package, self.record = kind, package, record

    def __getitem__(self, name: str) -> Record:
        return self._records[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def __repr__(self) -> str:
        """Return how many there are, and their names."""
        names = textwrap.fill(", ".join(self), WIDTH, initial_indent="  ", subsequent_indent="  ")
        return f"{len(self)} kinds of {self.kind}, .added(...) takes one of your own:\n{names}"

    def _repr_html_(self) -> str:
        """Return the names, with what each is, for a notebook."""
        rows = [(name, getattr(record, "caption", "")) for name, record in self.items()]
        return as_table(f"{len(self)} kinds of {self.kind}", rows, ("name", "what it is"))

    def find(self, name: object, asked_by: str) -> Record:
        """Return the record called `name`, or refuse in one line on behalf of `asked_by`."""
        if isinstance(name, str) and name in self._records:
            return self._records[name]
        known = ", ".join(self._records)
        raise InputError(f"{asked_by}: unknown {self.kind} {name!r}; known: {known}.{suggest(name, self._records)}")

    def add(self, record: Record) -> Record:
        """Add a record for this process and return it; its name must be new."""
        if not isinstance(record, self.record):
            raise InputError(f"{self.kind}: a {self.record.__name__} asked, found a {type(record).__name__}.")
        if record.name in self._records:
            raise InputError(f"{self.kind} {record.name!r} is there already; give it a name of its own.")
        self._records[record.name] = record
        return record

    @contextmanager
    def added(self, record: Record) -> Iterator[Record]:
        """Add a record for the time of a ``with`` block."""
        yield self.add(record)
        del self._records[record.name]

    @cached_property
    def _records(self) -> dict[str, Record]:
        records: dict[str, Record] = {}
        for module in (*_modules_of(self.package), *plugins()):
            for record in _things_in(module):
                if isinstance(record, self.record) and records.setdefault(record.name, record) is not record:
                    raise InputError(f"{self.kind} {record.name!r} stands twice, the second in {module.__name__}.")
        return records


@cache
def plugins() -> tuple[ModuleType, ...]:
    """Return the modules that installed packages name in the entry-point group ``neurosim``."""
    points = sorted(importlib.metadata.entry_points(group=GROUP), key=lambda p: (p.name, p.value))
    return tuple(_imported(point) for point in points)


def _imported(point: importlib.metadata.EntryPoint) -> ModuleType:
    try:
        return importlib.import_module(point.value)
    except Exception as error:
        package = point.dist.name if point.dist else point.name
        raise PackageError(
            f"{package}: its kinds of things cannot be used: {point.value}, which its entry point {point.name!r} in "
            f"the group {GROUP!r} names, fails with {type(error).__name__}: {error}. Mend or uninstall the package."
        ) from error


def called(builder: Callable[..., Any] | str) -> Callable[..., Any]:
    """Return a builder, or the one that is named as "module:function" so that nothing heavy loads before it is used."""
    if not isinstance(builder, str):
        return builder
    module, _, name = builder.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def _things_in(module: ModuleType) -> Iterator[object]:
    """Yield what stands at the top of a module, and what stands in tuples there."""
    for thing in vars(module).values():
        yield from thing if isinstance(thing, tuple) else (thing,)


def _modules_of(package: str) -> Iterator[ModuleType]:
    folder = importlib.import_module(package)
    for module in pkgutil.iter_modules(folder.__path__):
        yield importlib.import_module(f"{package}.{module.name}")


@dataclass(frozen=True)
class NoOptions:
    """Options of what has none."""


def options_of(record: type[Options], given: Options | Mapping[str, object] | None, asked_by: str) -> Options:
    """Return the options that were given as a record or by name; what is not said is as the record says.

    Raises
    ------
    InputError : a key that the record does not have, with the nearest one; one that it needs is missing.

    Examples
    --------
    >>> options_of(NoOptions, None, "here")
    NoOptions()
    """
    if isinstance(given, record):
        return given
    if given is not None and not isinstance(given, Mapping):
        raise InputError(f"{asked_by}: options are a {record.__name__} or given by name, found {type(given).__name__}.")
    known = {field.name: field for field in fields(record)}  # type: ignore[arg-type]
    for key in given or {}:
        if key not in known:
            named = f"known: {', '.join(known)}" if known else "it has none"
            raise InputError(f"{asked_by}: no option {key!r}; {named}.{suggest(key, known)}")
    asked = [n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING]
    missing = [n for n in asked if n not in (given or {})]
    if missing:
        raise InputError(f"{asked_by}: the options need {', '.join(missing)}.")
    return record(**(given or {}))
