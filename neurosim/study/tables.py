"""Tables of a study: validated, frozen records with the same keys in Python and in TOML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from neurosim.refusals import InputError, suggest

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,63}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Count = Annotated[int, Field(ge=1, le=10**7)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
Row = TypeVar("Row")


class StudyError(InputError):
    """The study asks for something that cannot be done.

    Examples
    --------
    >>> raise ns.study.StudyError("study.toml: the key 'name' is missing.")
    Traceback (most recent call last):
    neurosim.study.tables.StudyError: study.toml: the key 'name' is missing.
    """


class Table(BaseModel):
    """One table of a study; fields of type ``Path`` are files and folders from outside."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise StudyError(_explained(error, "", keys_of(type(self)))) from None


def as_row(table: type[Row], value: object, place: str) -> Row:
    """Return `value` as a validated record of `table`, or refuse in one line, with the nearest key.

    Parameters
    ----------
    table : a :class:`Table` or a dataclass.
    value : plain values by key, or such a record.
    place : where it stands, as in "subjects.cnn".
    """
    keys = keys_of(table)
    stray = next((k for k in value if k not in keys), None) if isinstance(value, Mapping) else None
    if stray is not None:
        at = f"{place}.{stray}" if place else str(stray)
        raise StudyError(f"unknown key {at!r}.{suggest(stray, keys)}")
    try:
        return TypeAdapter(table).validate_python(value)
    except ValidationError as error:
        raise StudyError(_explained(error, place, keys)) from None


def as_values(row: object) -> dict[str, Any]:
    """Return the plain values of a record, as JSON has them; paths as texts."""
    values: dict[str, Any] = TypeAdapter(type(row)).dump_python(row, mode="json")
    return values


def keys_of(table: object) -> list[str]:
    """Return the keys that a table knows."""
    return list(getattr(table, "model_fields", None) or getattr(table, "__dataclass_fields__", {}))


def paths_of(row: object) -> dict[str, Path]:
    """Return the files and folders that a record names, by key."""
    found = {key: getattr(row, key) for key in keys_of(type(row))}
    return {key: value for key, value in found.items() if isinstance(value, Path)}


def with_paths(row: Row, places: Mapping[str, str]) -> Row:
    """Return the record with other places for the files that it names."""
    moved = {key: places[str(path)] for key, path in paths_of(row).items() if str(path) in places}
    return as_row(type(row), as_values(row) | moved, "") if moved else row


def one_of(value: str, known: Any, place: str) -> None:
    """Refuse a value that is not among the known ones."""
    if value not in known:
        raise StudyError(f"{place} = {value!r} is not known. Known: {', '.join(known)}.{suggest(value, known)}")


def _explained(error: ValidationError, place: str, known: Iterable[str]) -> str:
    """Return one line about the first thing that is wrong, with the nearest known key."""
    first = min(error.errors(), key=lambda e: e["type"] not in UNKNOWN)
    where = [str(p) for p in first["loc"] if p != "[key]"]
    at = ".".join([place, *where] if place else where)
    if first["type"] in UNKNOWN:
        return f"unknown key {at!r}.{suggest(where[-1], known)}"
    if first["type"] in ("missing", "missing_argument"):
        return f"the key {at!r} is missing."
    if first["type"] == "value_error":
        return f"{at}: {first['ctx']['error']}" if at else str(first["ctx"]["error"])
    message = first["msg"][0].lower() + first["msg"][1:]
    found = first.get("input")
    shown = (
        f", found {found[:80] if isinstance(found, str) else found!r}"
        if isinstance(found, str | int | float | bool)
        else ""
    )
    return f"{at or 'the file'}: {message}{shown}."
