"""Study files: TOML in, validated records out, and back. Files name kinds and give numbers; they never name code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from neurosim import storage
from neurosim.refusals import suggest
from neurosim.study.study import Study, checked
from neurosim.study.tables import StudyError, as_row, as_values

BUILTIN_STUDIES = ("digits", "object_vision")
CODE = ("function", "brian2_network")


def find_study(name: str | Path) -> Path:
    """Return the study file called `name`: a path, or the name of a built-in study.

    Parameters
    ----------
    name : path of a file, which goes first, or name of a study that is built in ("digits", ...).

    Returns
    -------
    path of a file that is there.

    Raises
    ------
    StudyError : neither is there; the message lists the names.

    Examples
    --------
    >>> ns.study.find_study("digits").name
    'study.toml'
    """
    path = Path(name)
    if path.is_file():
        return path
    found = builtin("analyses", f"{name}/study.toml")
    if found is None:
        hint = suggest(str(name), BUILTIN_STUDIES)
        raise StudyError(f"{name}: no such study file, nor a built-in study ({', '.join(BUILTIN_STUDIES)}).{hint}")
    return found


def load_study(path: str | Path, *, code: bool = False) -> Study:
    """Read, complete and check a study file.

    Parameters
    ----------
    path : a TOML file, or the ``resolved.json`` of a results folder.
    code : whether it may name functions in Python files below its own folder, as that of a results folder may; none
        is run here.

    Raises
    ------
    StudyError : not TOML, unknown key or name (the nearest known one is given), or a value out of range.
    StorageError : no such file, or a function outside of its folder.

    Examples
    --------
    >>> ns.study.load_study(ns.study.find_study("digits")).name
    'digits'
    """
    path = Path(path)
    content = storage.read_json(path) if path.suffix == ".json" else read_table(path)
    if not isinstance(content, dict):
        raise StudyError(f"{path.name}: a table of keys asked, found a {type(content).__name__}.")
    subjects = content.get("subjects")
    if isinstance(subjects, dict):
        content["subjects"] = {k: _model(v, path.parent, f"subjects.{k}") for k, v in subjects.items()}
    for _, _, row in _functions(content) if code else ():
        if isinstance(row, dict) and isinstance(row.get("path"), str):
            row["path"] = str(storage.inside(path.parent, row["path"]))
    return parse_study(content, path.name, code=code)


def parse_study(content: dict[str, Any], name: str = "study", *, code: bool = False) -> Study:
    """Check the content of a study file; unless it may name `code`, functions are refused."""
    for group, key, _ in () if code else _functions(content):
        raise StudyError(f"{name}: {group}.{key} is a function, which no file may name; run the Python file.")
    try:
        return checked(as_row(Study, content, ""))
    except StudyError as error:
        raise StudyError(f"{name}: {error}".replace(f"{name}: {content.get('name')}: ", f"{name}: ")) from None


def _functions(content: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield group, name and table of every function that the content of a study file names."""
    for group in ("subjects", "brains", "analyses", "figures"):
        rows = content.get(group)
        for key, row in rows.items() if isinstance(rows, dict) else ():
            if group == "figures" or (isinstance(row, dict) and (row.get("kind") in CODE or "function" in row)):
                yield group, key, row


def to_toml(study: Study) -> str:
    """Return a study as the text of its file."""
    content = as_values(study)
    groups = ("subjects", "brains", "analyses")
    lines = [f"{k} = {_toml_value(v)}" for k, v in content.items() if k not in (*groups, "stimuli")]
    lines += ["", "[stimuli]", *_toml_rows(content["stimuli"])]
    for group in groups:
        for name, entry in content[group].items():
            lines += ["", f"[{group}.{name}]", *_toml_rows(entry)]
    return "\n".join(lines) + "\n"


def builtin(kind: str, name: str) -> Path | None:
    """Return the file of a built-in model or analysis, from the wheel or the source tree."""
    package = Path(__file__).resolve().parent.parent
    for root in (package / "builtin", package.parent):
        path = root / kind / name
        if path.is_file():
            return path
    return None


def builtin_models() -> list[str]:
    """Return the names of the built-in models."""
    package = Path(__file__).resolve().parent.parent
    folders = (package / "builtin" / "models", package.parent / "models")
    return sorted({p.stem for folder in folders for p in folder.glob("*.toml")})


def read_table(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file."""
    storage.existing(path)
    try:
        return storage.read_toml(path)
    except storage.StorageError as error:
        raise StudyError(str(error)) from error


def _model(value: object, folder: Path, place: str) -> Any:
    """Return the table that a subject given by name or path stands for; a table may add keys to a model."""
    extra: dict[str, Any] = {}
    if isinstance(value, dict) and "model" in value:
        extra = {k: v for k, v in value.items() if k != "model"}
        value = value["model"]
    if not isinstance(value, str):
        return value
    if value.endswith(".toml"):
        return read_table(storage.inside(folder, value)) | extra
    return model_of(value, place) | extra


def model_of(name: str, place: str = "subject") -> dict[str, Any]:
    """Return the table of a built-in model."""
    path = builtin("models", f"{name}.toml")
    if path is None:
        known = builtin_models()
        raise StudyError(f"{place}: no model {name!r}. Models: {', '.join(known)}.{suggest(name, known)}")
    return read_table(path)


def _toml_rows(entry: dict[str, Any]) -> list[str]:
    return [f"{k} = {_toml_value(v)}" for k, v in entry.items() if v is not None]


def _toml_value(value: object) -> str:
    if isinstance(value, dict):
        return (
            "{ "
            + ", ".join(f"{_toml_value(str(k))} = {_toml_value(v)}" for k, v in value.items() if v is not None)
            + " }"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml_value(v) for v in value) + "]"
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, str):
        return json.dumps(plain.replace("\n", " "), ensure_ascii=False).replace("\x7f", "\\u007f")
    if not isinstance(plain, bool | int | float):
        raise StudyError(f"texts, numbers and lists of them asked, found a {type(plain).__name__}.")
    return str(plain).lower()
