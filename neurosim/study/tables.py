"""Tables of a study: validated, frozen records with the same keys in Python and in TOML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import ErrorDetails

from neurosim.refusals import InputError, suggest
from neurosim.registry import PackageError
from neurosim.showing import as_table, as_text, brief

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,63}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Count = Annotated[int, Field(ge=1, le=10**7)]
Several = Annotated[int, Field(ge=1, le=1000)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Layers = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
LARGE = 10**15
UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
A_NUMBER, A_WHOLE_NUMBER, A_TABLE = "a number", "a whole number", "a table of keys"
A_LIST = "a list in square brackets"
ASKED = {  # what pydantic found missing, as a user would say it
    "string_type": "a text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": A_WHOLE_NUMBER,
    "int_parsing": A_WHOLE_NUMBER,
    "int_from_float": A_WHOLE_NUMBER,
    "float_type": A_NUMBER,
    "float_parsing": A_NUMBER,
    "finite_number": "a finite number",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "a number of at most {le}",
    "too_short": "at least {min_length}",
    "string_too_short": "a text of at least {min_length} character",
    "tuple_type": A_LIST,
    "list_type": A_LIST,
    "dict_type": A_TABLE,
    "model_type": A_TABLE,
    "dataclass_type": A_TABLE,
    "literal_error": "{expected}",
    "string_pattern_mismatch": "letters, digits, - and _, the first a letter or digit, at most 64 characters,",
    "path_type": "a path",
}
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
    """One table of a study; fields of type ``Path``, and what ``named_paths`` gives, are files from outside."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _refusal(error, "", keys_of(type(self))) from None

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_no_flags(cls, values: object) -> object:
        if isinstance(values, Mapping):
            _check_no_flags(cls, values, "")
        return values

    def __repr__(self) -> str:
        """Return what is not as it is by default."""
        return as_text(type(self).__name__, {name: brief(value) for name, value in self._told()})

    def _repr_html_(self) -> str:
        """Return everything that is said, as a table for a notebook."""
        told = dict(self._told())
        rows = [(name, brief(value), "" if name in told else "default") for name, value in self]
        return as_table(type(self).__name__, rows)

    def _told(self) -> list[tuple[str, Any]]:
        model = type(self).model_fields
        return [
            (k, v) for k, v in self if model[k].is_required() or v != model[k].get_default(call_default_factory=True)
        ]

    def named_paths(self) -> dict[str, Path]:
        """Return the files and folders inside of its options, by dotted key, as "training.options.path"."""
        return {}


def as_row(table: type[Row], value: object, place: str) -> Row:
    """Return `value` as a validated record of `table`, or refuse in one line, with the nearest key.

    Parameters
    ----------
    table : a :class:`Table` or a dataclass.
    value : plain values by key, or such a record.
    place : where it stands, as in "subjects.cnn".
    """
    if isinstance(value, Mapping):
        _check_keys(table, value, place)
    try:
        return TypeAdapter(table).validate_python(value)
    except ValidationError as error:
        raise _refusal(error, place, keys_of(table)) from None


def _check_keys(table: type, values: Mapping[Any, Any], place: str) -> None:
    """Refuse keys that a record, or one inside it, does not have, and true and false where numbers are asked."""
    before, keys, hints = f"{place}." if place else "", keys_of(table), _hints(table)
    _check_no_flags(table, values, before)
    stray = next((k for k in values if k not in keys), None)
    if stray is not None:
        raise StudyError(_unknown(str(stray), place, keys))
    for key, value in values.items():
        records = [kind for kind in _plain_kinds(hints.get(key)) if isinstance(kind, type) and is_dataclass(kind)]
        inside = [v for v in (value if isinstance(value, list | tuple) else [value]) if isinstance(v, Mapping)]
        for record in inside if len(records) == 1 else []:
            _check_keys(records[0], record, f"{before}{key}")


def _hints(table: type) -> dict[str, Any]:
    """Return the types of the fields of a record; none where they stand inside a function."""
    fields = getattr(table, "model_fields", None)
    try:
        return {k: f.annotation for k, f in fields.items()} if fields else get_type_hints(table)
    except NameError:
        return {}


def _check_no_flags(table: type, values: Mapping[Any, Any], place: str) -> None:
    """Refuse true and false where numbers are asked, which would be taken for 1 and 0."""
    hints = _hints(table)
    for key, value in values.items():
        each = value if isinstance(value, list | tuple) else [value]
        flag = next((v for v in each if isinstance(v, bool)), None)
        kinds = set(_plain_kinds(hints.get(key)))
        if flag is not None and kinds & {int, float} and bool not in kinds and not kinds - {int, float, type(None)}:
            asked = A_NUMBER if float in kinds else A_WHOLE_NUMBER
            raise StudyError(f"{place}{key}: {asked} asked, found {str(flag).lower()}.")


def _plain_kinds(hint: object) -> list[object]:
    """Return the types that a hint is made of: those of a union, or of the elements of a tuple or list."""
    parts = [part for part in get_args(hint) if part is not Ellipsis]
    return [kind for part in parts for kind in _plain_kinds(part)] if parts else [hint]


def as_values(row: object) -> dict[str, Any]:
    """Return the plain values of a record, as JSON has them; paths as texts."""
    values: dict[str, Any] = TypeAdapter(type(row)).dump_python(row, mode="json")
    return values


def keys_of(table: object) -> list[str]:
    """Return the keys that a table knows."""
    return list(getattr(table, "model_fields", None) or getattr(table, "__dataclass_fields__", {}))


def paths_of(row: object) -> dict[str, Path]:
    """Return the files and folders that a record names, by key, dotted where it lies deeper."""
    values = {key: getattr(row, key) for key in keys_of(type(row))}
    found = {key: value for key, value in values.items() if isinstance(value, Path)}
    return found | (row.named_paths() if isinstance(row, Table) else {})


def placed(values: dict[str, Any], places: Mapping[str, str | None]) -> dict[str, Any]:
    """Return plain values with others at dotted keys, and without those that are to be None.

    >>> placed({"a": {"b": 1, "c": 2}}, {"a.b": "x", "a.c": None})
    {'a': {'b': 'x'}}
    """
    made = dict(values)
    for key, value in places.items():
        head, _, rest = key.partition(".")
        if rest:
            made[head] = placed(made[head], {rest: value})
        elif value is None:
            made.pop(head)
        else:
            made[head] = value
    return made


def with_paths(row: Row, places: Mapping[str, str]) -> Row:
    """Return the record with other places for the files that it names."""
    moved = {key: places[str(path)] for key, path in paths_of(row).items() if str(path) in places}
    return as_row(type(row), placed(as_values(row), moved), "") if moved else row


def one_of(value: str, known: Any, place: str) -> None:
    """Refuse a value that is not among the known ones."""
    if value not in known:
        raise StudyError(f"{place} = {value!r} is not known. Known: {', '.join(known)}.{suggest(value, known)}")


def _refusal(error: ValidationError, place: str, known: Iterable[str]) -> InputError:
    """Return what is to be raised: one line about the first thing that is wrong."""
    first = min(error.errors(), key=lambda e: e["type"] not in UNKNOWN)
    cause = first.get("ctx", {}).get("error")
    return cause if isinstance(cause, PackageError) else StudyError(_explained(first, place, known))


def _unknown(key: str, place: str, known: Iterable[str]) -> str:
    known = list(known)
    near = suggest(key, known) or f" Keys: {', '.join(known)}."
    return f"{f'{place}: ' if place else ''}unknown key {key!r}.{near}"


def _explained(first: ErrorDetails, place: str, known: Iterable[str]) -> str:
    """Return one line about what is wrong, with the nearest known key."""
    where = [str(p) for p in first["loc"] if p != "[key]"]
    at = ".".join([place, *where] if place else where)
    around = ".".join([place, *where[:-1]] if place else where[:-1])
    if first["type"] in UNKNOWN:
        return _unknown(where[-1], around, known)
    if first["type"] in ("missing", "missing_argument"):
        return f"{f'{around}: ' if around else ''}the key {where[-1]!r} is missing."
    if first["type"] == "value_error":
        return f"{at}: {first['ctx']['error']}" if at else str(first["ctx"]["error"])
    asked = ASKED.get(first["type"])
    context = {k: _plain(v) for k, v in first.get("ctx", {}).items()}
    message = first["msg"][0].lower() + first["msg"][1:] if asked is None else f"{asked.format(**context)} asked"
    found = first.get("input")
    shown = (
        f", found {found[:80] if isinstance(found, str) else found!r}"
        if isinstance(found, str | int | float | bool)
        else ""
    )
    return f"{at or 'the file'}: {message}{shown}."


def _plain(value: object) -> Any:
    """Return a bound as a user would write it."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < LARGE else value
