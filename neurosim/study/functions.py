"""Functions of a user's own in a study: where they stand, what of their source a key holds, how a worker gets them."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from neurosim import own_functions, storage
from neurosim.schema import InputError
from neurosim.study.given import StudyLike
from neurosim.study.tables import StudyError, Table

MAX_NAME = 200  # characters of a text that may name a file
NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class FunctionFigure(Table):
    """A function of your own, at the top of a Python file, that draws what analyses found.

    Its parameters are names of analyses of the study; it is given their Datasets and returns a matplotlib Figure.

    Examples
    --------
    >>> ns.study.FunctionFigure(path="mine.py", function="my_figure").function
    'my_figure'
    """

    kind: Literal["function"] = "function"
    title: str = ""
    path: Path
    function: str


def located(function: Callable[..., Any], what: str) -> dict[str, str]:
    """Return the file and the name of a function, by which a worker finds it again.

    Raises
    ------
    StudyError : it does not stand at the top of a file, as one of a notebook cell, a lambda or one inside another does.
    """
    file = inspect.getsourcefile(function) if inspect.isfunction(function) else None
    name = getattr(function, "__qualname__", "")
    if file is None or not Path(file).is_file() or not name.isidentifier():
        raise StudyError(
            f"{what}: {name or function!r} does not stand at the top of a Python file, so that no other process can "
            "find it; write it into a file (in a notebook: %%writefile mine.py) and import it from there."
        )
    return {"path": str(Path(file).resolve()), "function": name}


def source_of(path: Path, name: str) -> dict[str, str]:
    """Return the digests of all source that a function runs: its own, what it names in its file, the user's modules.

    Parameters
    ----------
    path : the file. name : the function at its top.

    Returns
    -------
    digests by relative place: "mine.py:my_network", "helpers/layers.py". What is installed counts by its version. A
    name in a text, as in the equations of Brian2, counts as one in code.

    Raises
    ------
    StudyError : the file has no such function, or cannot be read.
    """
    tree = _parsed(path)
    parts = _definitions(tree)
    if name not in parts:
        raise StudyError(f"{path.name}: no function {name!r} stands at its top.")
    used: set[str] = set()
    waiting = [name]
    imported: set[Path] = set()
    while waiting:
        part = waiting.pop()
        if part in used or part not in parts:
            continue
        used.add(part)
        for node in parts[part]:
            waiting += _names_in(node)
            imported |= set(_user_files(node, path.parent))
    own = "\n".join(ast.dump(node) for part in sorted(used) for node in parts[part])
    digests = {f"{path.name}:{name}": hashlib.sha256(own.encode()).hexdigest()}
    return digests | {p.relative_to(path.parent).as_posix(): storage.sha256(p) for p in _closure(imported, path.parent)}


def functions_in(study: StudyLike) -> list[Any]:
    """Return the rows of a study that run functions of a user's own."""
    rows = [*study.subjects.values(), *study.analyses.values(), *study.figures.values()]
    return [row for row in rows if hasattr(row, "function")]


def names_of_functions(row: Any) -> list[str]:
    """Return the names of the functions in its file that a row runs."""
    return [row.function, *filter(None, [getattr(row, "present", None)])]


def own_modules(study: StudyLike) -> dict[str, Path]:
    """Return the files that the functions of a study need beside their own, by their place relative to it."""
    found: dict[str, Path] = {}
    for row in functions_in(study):
        digests = [name for function in names_of_functions(row) for name in source_of(row.path, function)]
        beside = [name for name in digests if ":" not in name]
        found |= {name: row.path.parent / name for name in beside}
    return found


def code_of(row: Any, folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what a key holds of the function that a row names, and where its file is."""
    path = (folder / row.path).resolve()
    source: dict[str, str] = {}
    for name in names_of_functions(row):
        source |= source_of(path, name)
    return {"source": source}, {"path": str(path)}


@contextmanager
def imported(path: Path, name: str) -> Iterator[Callable[..., Any]]:
    """Give a function of a user's file, with the modules beside the file to import from, as when it is run there."""
    with _beside(path):
        yield module_of(path).__dict__[name]


def call(function: Callable[..., Any], given: Mapping[str, Any], what: str) -> Any:
    """Call a function with those of the `given` things that its parameters name.

    Raises
    ------
    StudyError : it asks for something else.
    """
    return own_functions.call(function, given, what, StudyError)


def parameters_of(path: Path, name: str) -> list[str]:
    """Return the names of the parameters of a function in a file, without running the file."""
    for node in _definitions(_parsed(path)).get(name, []):
        if isinstance(node, ast.FunctionDef):
            return [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    raise StudyError(f"{path.name}: no function {name!r} stands at its top.")


def says_parameters(path: Path, name: str) -> bool:
    """Whether a file defines a function at its top, as it is called; what is made otherwise is known when it is run."""
    found = [node for node in _definitions(_parsed(path)).get(name, []) if not isinstance(node, ast.ImportFrom)]
    return len(found) == 1 and isinstance(found[0], ast.FunctionDef) and not found[0].decorator_list


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(storage.read_text(path))
    except (SyntaxError, ValueError, RecursionError) as error:
        raise StudyError(f"{path.name}: not Python: {error}.") from error


def _definitions(tree: ast.Module) -> dict[str, list[ast.stmt]]:
    """Return the statements at the top of a file that give each name its meaning; ``import *`` counts for all."""
    found: dict[str, list[ast.stmt]] = {}
    for node in tree.body:
        for name in _names_given(node):
            found.setdefault(name, []).append(node)
    stars = found.pop("*", [])
    return {name: [*nodes, *stars] for name, nodes in found.items()}


def _names_given(node: ast.stmt) -> Iterable[str]:
    if isinstance(node, NAMED):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(a.asname or a.name).split(".")[0] for a in node.names]
    return [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]


def _names_in(node: ast.AST) -> Iterator[str]:
    """Return the names in a piece of code, and those in its texts: the equations of Brian2 read what they name."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield from re.findall(r"[A-Za-z_]\w*", part.value)


def _user_files(node: ast.AST, folder: Path) -> Iterable[Path]:
    """Return the modules beside the user's file that a piece of code imports."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and 0 < len(part.value) < MAX_NAME:
            yield from _named_by(part.value, folder)
        if isinstance(part, ast.Import):
            names = [a.name for a in part.names]
        elif isinstance(part, ast.ImportFrom):
            names = [part.module or "", *(f"{part.module or ''}.{a.name}".strip(".") for a in part.names)]
        else:
            continue
        for name in names:
            base = folder / Path(*name.split("."))
            inits = [p / "__init__.py" for p in base.parents if folder in p.parents]
            yield from (p for p in (base.with_suffix(".py"), base / "__init__.py", *inits) if p.is_file())


def _named_by(text: str, folder: Path) -> Iterable[Path]:
    """Return the file beside the user's that a text names: "data/k.json", or a module, "lib.consts"."""
    if "\0" in text or text.startswith(("/", "~", "..")):
        return
    module = folder / Path(*text.split(".")) if text.replace(".", "_").isidentifier() else folder
    with suppress(OSError):
        yield from (p for p in (folder / text, module.with_suffix(".py")) if p != folder and p.is_file())


def _closure(files: set[Path], folder: Path) -> list[Path]:
    seen: set[Path] = set()
    waiting = list(files)
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            if file.suffix == ".py":
                waiting += [*_user_files(_parsed(file), file.parent), *_user_files(_parsed(file), folder)]
    return sorted(seen)


def check_no_file_is_imported(who: str) -> None:
    """Refuse to start a run from inside a file that a run imports to find a function in.

    Raises
    ------
    StudyError : this process is importing such a file.
    """
    if _importing:
        raise StudyError(f"{who}: called while {_importing[-1]} is imported; put it under if __name__ == '__main__':")


_importing: list[str] = []


def module_of(path: Path) -> ModuleType:
    """Return a user's Python file as a module; running it is what importing means.

    Raises
    ------
    StudyError : it is not Python, or fails when it is run.
    """
    name = f"neurosim_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise StudyError(f"{path.name}: not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    _importing.append(path.name)
    try:
        with _beside(path):
            spec.loader.exec_module(module)
    except InputError:
        raise
    except Exception as error:
        raise StudyError(f"{path.name}, line {_line_in(path, error)}: {type(error).__name__}: {error}.") from error
    finally:
        _importing.pop()
    return module


def _line_in(path: Path, error: Exception) -> int | None:
    """Return the line of a file at which an error arose."""
    frames = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    return frames[-1] if frames else getattr(error, "lineno", None)


@contextmanager
def _beside(path: Path) -> Iterator[None]:
    """Let modules beside a file be imported, as when the file is run."""
    place = str(path.resolve().parent)
    sys.path.insert(0, place)
    try:
        yield
    finally:
        sys.path.remove(place)
