"""The key of a step: everything that its result depends on, as one digest."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from neurosim import registry, runtime, storage

SCHEMA_VERSION = 3
ROOT = Path(__file__).resolve().parent.parent.parent.parent
PACKAGE = "neurosim"
FILE, FOLDER = "file", "folder"
CODE = (".py", ".pyi", ".pyc")
INSTALLED = {"site-packages", "dist-packages"}
DOTTED = re.compile(r"[A-Za-z_]\w*(\.\w+)*(:\w+)?")
WORK = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
QUOTED = re.compile(rf"""["']({PACKAGE}[.:][\w.:]*)(?=["'{{])""")
IMPORTED = re.compile(r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|.*)|import[ \t]+(.*))", re.MULTILINE)
COMMENT = re.compile(r"#.*")
MOMENT = 2_000_000_000  # ns in which a file can change twice and look the same; some file systems count in seconds
MADE_FROM = ("work", "config", "inputs_digests", "source", "libraries", "device")


class Named(NamedTuple):
    """A dotted name in a source: of an import, or in a string that may be the name of a module."""

    name: str
    imported: bool = True


def digest_of(value: object) -> str:
    """Return the SHA-256 of `value` as canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def key_of(work: str, config: dict[str, Any], inputs: dict[str, str], device: str) -> str:
    """Return the key of a step: the digest of everything that its result depends on.

    That is the function and its configuration, the digests of what goes in, the source of the modules it can run,
    the versions of the numeric libraries, the class of device and the code-generation target of Brian2.
    """
    about = {"work": work, "config": config, "inputs_digests": inputs, "device": device}
    return key_from(about | {"source": source_of(work, config), "libraries": _versions()})


def key_from(record: Mapping[str, object]) -> str:
    """Return the key that a record of what a step depends on stands for."""
    parts = {name: record[name] for name in MADE_FROM}
    return digest_of(parts | {"schema_version": SCHEMA_VERSION, "brian2_target": "numpy"})


def source_of(work: str, config: dict[str, Any]) -> str:
    """Return the digest of the source that a step can run: its function and those that its configuration names."""
    own = {PACKAGE, *(name.partition(".")[0] for name in _plugins())}
    named = {text.partition(":")[0] for text in _texts(config) if WORK.fullmatch(text)}
    return source_digest(work.partition(":")[0], *sorted(n for n in named if n.partition(".")[0] in own))


@cache
def source_digest(*modules: str) -> str:
    """Return the digest of the source of `modules`, of all that they can run, and of installed kinds.

    What they can run is what they import, and every module or folder that they name in a string, as registries and
    "module:function" do; data files beside a module of a package belong to it. It is found once; :func:`forget` makes
    it look again.
    """
    return digest_of({name: _digest(p) for name, p in sorted(_sources(*modules, *_plugins()).items())})


def forget() -> None:
    """Look at the source again when a key is next asked for: it may have been edited meanwhile.

    Files that nobody wrote to since, by their size and times, are not read again.
    """
    for found in (source_digest, _plugins, _home, _state_of, _files, _inside, _whole, _data):
        found.cache_clear()


def sources(*modules: str) -> dict[str, Path]:
    """Return the files of `modules` and of all that they can run, by their path inside the folder of their package."""
    return {name: Path(path) for name, path in _sources(*modules).items()}


def _sources(*modules: str) -> dict[str, str]:
    """Do that with paths as texts, which take a third of the time: every step asks it of hundreds of files."""
    found: dict[str, str] = {}
    waiting = [Named(module) for module in modules]
    asked = set(waiting)
    while waiting:
        for name, path in _files(waiting.pop()).items():
            if name in found:
                continue
            found[name] = path
            if name.endswith(".py"):
                new = {n for n in _named_in(name, path) if n not in asked}
                asked |= new
                waiting += new
    return found


@cache
def _versions() -> dict[str, str]:
    return runtime.library_versions()


@cache
def _plugins() -> tuple[str, ...]:
    """Return the modules that installed packages add kinds with."""
    points = importlib.metadata.entry_points(group=registry.GROUP)
    return tuple(sorted({point.value.partition(":")[0] for point in points}))


@cache
def _home(top: str) -> str | None:
    """Return the folder of a top-level module whose source counts: ours, a plugin, or one that is not installed."""
    if top == PACKAGE:
        return str(ROOT)
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    places = [*(spec.submodule_search_locations or ()), spec.origin] if spec else []
    if not places or places[0] in (None, "built-in", "frozen") or top in sys.stdlib_module_names:
        return None
    home = Path(str(places[0])).resolve().parent
    mine = any(name.partition(".")[0] == top for name in _plugins())
    return str(home).rstrip(os.sep) if mine or not INSTALLED & set(home.parts) else None


@cache
def _state_of(path: str) -> tuple[int, ...]:
    """Return by what a file that was not written since is known; one that was just written is known by nothing."""
    about = Path(path).stat()
    written = max(about.st_mtime_ns, about.st_ctime_ns)
    now = time.time_ns()
    return (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino, now if now - written < MOMENT else 0)


def _digest(path: str) -> str:
    return _digest_of(path, _state_of(path))


@cache
def _digest_of(path: str, _state: tuple[int, ...]) -> str:
    return storage.sha256(Path(path))


@cache
def _files(named: Named) -> dict[str, str]:
    """Return the files that a dotted name stands for: a module and the packages around it, or a whole folder.

    What is imported from a package and is no module may be attached to it from anywhere in its folder.
    """
    parts = named.name.split(".")
    place = home = _home(parts[0])
    if place is None or home is None:
        return {}
    found: list[str] = []
    for part in parts:
        inside = _inside(place)
        if inside.get(f"{part}.py") == FILE:
            found += [f"{place}{os.sep}{part}.py", *_data(place, parts[0])]
            break
        if inside.get(part) != FOLDER:
            if place == home or not named.imported:
                return {}
            found += _whole(place)
            break
        place = f"{place}{os.sep}{part}"
        if _inside(place).get("__init__.py") == FILE:
            found.append(f"{place}{os.sep}__init__.py")
    else:
        found += _whole(place)
    start = len(home) + 1
    return {path[start:].replace(os.sep, "/"): path for path in found}


@cache
def _inside(folder: str) -> dict[str, str]:
    """Return what is in a folder: files and folders by name; nothing where it is none, as inside an archive."""
    if not Path(folder or os.sep).is_dir():
        return {}
    with os.scandir(folder or os.sep) as entries:
        return {e.name: FOLDER if e.is_dir() else FILE for e in entries if e.is_dir() or e.is_file()}


@cache
def _whole(folder: str) -> tuple[str, ...]:
    """Return all files in and below a folder but bytecode and hidden ones; links to folders are not followed."""
    return tuple(
        f"{place}{os.sep}{name}"
        for place, _, names in os.walk(folder)
        for name in names
        if not name.startswith(".") and not name.endswith(".pyc") and _inside(place).get(name) == FILE
    )


@cache
def _data(folder: str, top: str) -> tuple[str, ...]:
    """Return the data files beside the modules of a package of ours or of a plugin."""
    inside = _inside(folder)
    if inside.get("__init__.py") != FILE or top not in {PACKAGE, *(n.partition(".")[0] for n in _plugins())}:
        return ()
    found: list[str] = []
    for name, kind in inside.items():
        path = f"{folder}{os.sep}{name}"
        if name.startswith((".", "__")):
            continue
        if kind == FILE and not name.endswith(CODE):
            found.append(path)
        elif kind == FOLDER and _inside(path).get("__init__.py") != FILE:
            found += (p for p in _whole(path) if not p.endswith(CODE))
    return tuple(found)


def _named_in(name: str, path: str) -> frozenset[Named]:
    module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    package = module if name.rpartition("/")[2] == "__init__.py" else module.rpartition(".")[0]
    return _names(path, _state_of(path), module.partition(".")[0], package)


@cache
def _names(path: str, _state: tuple[int, ...], top: str, package: str) -> frozenset[Named]:
    """Return the modules that a source file can load: what it imports, and names in strings.

    Of the sources of this package those of others are not asked for: their versions are in the key.
    """
    text = storage.read_text(Path(path))
    if top == PACKAGE:
        return frozenset(n for n in in_lines(text, package) if n.name.partition(".")[0] == PACKAGE)
    return frozenset(in_tree(text, package))


def in_lines(text: str, package: str) -> Iterator[Named]:
    """Yield what :func:`in_tree` finds, for sources written as those of this package are, in a tenth of its time."""
    for value in QUOTED.findall(text):
        yield from _in_string(value)
    for base, listed, plain in IMPORTED.findall(text):
        parts = COMMENT.sub("", listed or plain).strip("() \t").split(",")
        words = [part.split()[0] for part in parts if part.split()]
        module = base.lstrip(".")
        prefix = "" if plain else _absolute(module, len(base) - len(module), package) + "."
        yield from (Named(f"{prefix}{word}") for word in words)


def in_tree(text: str, package: str) -> Iterator[Named]:
    """Yield what any source text of a `package` imports, and the names in its strings."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = _absolute(node.module or "", node.level, package)
            yield from (Named(f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (Named(alias.name) for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _in_string(node.value)


def _absolute(module: str, level: int, package: str) -> str:
    around = package.split(".")[: len(package.split(".")) - level + 1] if level else []
    return ".".join([*around, *([module] if module else [])])


def _in_string(value: str) -> Iterator[Named]:
    head = value.rstrip(".:")
    if DOTTED.fullmatch(head) and (set(".:") & set(value)):
        yield Named(head.partition(":")[0], imported=False)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)
