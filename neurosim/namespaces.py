"""Rooms as namespaces: a package's public names are those of its ``__init__.pyi``, loaded when they are first used.

So are its modules: ``from neurosim.networks import training`` names a module that is loaded when something of it is
first asked for, ``from neurosim.networks.training import train`` loads it at once. Whoever needs a module only in some
calls takes the first way, so that a study is planned without what its steps run.
"""

from __future__ import annotations

import ast
import difflib
import re
import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType, ModuleType

import lazy_loader

ROOT = Path(__file__).resolve().parent


_LINE = re.compile(
    r"^# (?P<title>\S.*)$|^(?:from \S+ import |    )(?P<name>\w+) as (?P=name),?(?:  # (?P<said>.*))?$", re.M
)
_OWN = vars(ModuleType)["__dict__"]  # by which a module's own names are reached, past a property of that name


class Later(ModuleType):
    """A module that is loaded when something of it is first asked for, or set.

    Examples
    --------
    >>> Later("fractions").Fraction(1, 2)
    Fraction(1, 2)
    """

    def __init__(self, name: str) -> None:
        own = _OWN.__get__(self)
        own.clear()
        own["__name__"] = name

    @property
    def __dict__(self) -> dict[str, object]:  # type: ignore[override]
        """What stands in the module, as whoever sets something of it for a while looks there for what to put back."""
        return vars(import_module(self.__name__))

    def __getattr__(self, name: str) -> object:
        return getattr(import_module(self.__name__), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(import_module(self.__name__), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(import_module(self.__name__), name)


def attach(package: str, file: str) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` of `package`: what the stub beside its `file` says.

    Its modules are attached too, beside the public names, each as a :class:`Later`; and what the stub says of each name
    is put below the docstring of the package, so that ``help`` begins with it.
    """
    load, names, public = lazy_loader.attach_stub(package, file)
    asked, own = _questions_in(Path(file).with_suffix(".pyi")), sys.modules[package]
    own.__doc__ = "\n\n".join([own.__doc__ or "", *_paragraphs(asked)])

    def load_or_explain(name: str) -> object:
        if name in public:
            return load(name)
        if Path(file).with_name(f"{name}.py").is_file():
            module = f"{package}.{name}"
            return vars(sys.modules[package]).setdefault(name, sys.modules.get(module) or Later(module))
        raise AttributeError(f"module {package!r} has no attribute {name!r}.{_hint(package, name, public)}")

    return load_or_explain, names, public


@cache
def public_names() -> Mapping[str, tuple[str, ...]]:
    """Return the public names by package, as the stubs list them; the stubs are read once.

    Examples
    --------
    >>> sum("fano_factor" in names for names in public_names().values())
    1
    """
    return MappingProxyType(
        {
            ".".join(("neurosim", *stub.parent.relative_to(ROOT).parts)): _names_in(stub)
            for stub in sorted(ROOT.rglob("__init__.pyi"))
        }
    )


def questions(package: str) -> dict[str, dict[str, str]]:
    """Return the public names of a package by the question that they answer, each with its line, as the stub has them.

    Parameters
    ----------
    package : dotted name, of one that has a stub.

    Examples
    --------
    >>> list(questions("neurosim.similarity"))[0]
    'RDMs: how differently a subject answers every two stimuli'
    """
    return _questions_in(_stub_of(package))


def summary(package: str) -> str:
    """Return the sentence that the stub of a package says of it."""
    said = ast.get_docstring(ast.parse(_stub_of(package).read_text(encoding="utf-8"))) or ""
    return said.partition("\n")[0]


def _stub_of(package: str) -> Path:
    return ROOT.joinpath(*package.split(".")[1:], "__init__.pyi")


def _questions_in(stub: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for line in _LINE.finditer(stub.read_text(encoding="utf-8")):
        if line["title"]:
            names = found.setdefault(line["title"], {})
        else:
            names[line["name"]] = line["said"] or ""
    return found


def _paragraphs(asked: dict[str, dict[str, str]]) -> list[str]:
    """Return a paragraph for each question: its title, and the names below it."""
    return ["\n".join([title, *(f"    {n}: {said}" for n, said in names.items())]) for title, names in asked.items()]


def _names_in(stub: Path) -> tuple[str, ...]:
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    return tuple(a.name for node in tree.body if isinstance(node, ast.ImportFrom) for a in node.names)


def _hint(package: str, name: str, public: list[str]) -> str:
    """Return where `name` is, or the nearest name in its own package or in any other.

    Names of Python's own protocols, which inspectors ask every module for, are near to none.
    """
    all_names = f" All names: dir({package})."
    if name.startswith("__"):
        return all_names
    elsewhere = {n: room for room, names in public_names().items() if room != package for n in names}
    if name in elsewhere:
        return f" It is {elsewhere[name]}.{name}."
    spelled = {n.lower(): n for n in elsewhere} | {n.lower(): n for n in public}
    near = difflib.get_close_matches(name.lower(), spelled, n=1, cutoff=0.7)
    if not near:
        return all_names
    found = spelled[near[0]]
    return f" Did you mean {found!r}?" if found in public else f" Did you mean {elsewhere[found]}.{found}?"
