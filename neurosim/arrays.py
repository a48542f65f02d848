"""Arrays as strangers bring them: lists, tensors, tables and masked arrays, converted once to plain numbers and names.

What cannot be represented is refused here by name; nothing is imported to recognise what was brought.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from neurosim.refusals import SchemaError

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp")

WORDS = {  # what a column of a table says that is no unit, and who takes it
    "stimulus": "as_responses takes it as the names of the rows",
    "trial": "ns.as_trials(units, table['stimulus'], trials=table['trial']) takes it",
    "time": "as an array, table.set_index(['stimulus', 'time']).rename_axis(columns='unit').stack().to_xarray()",
    "unit": "one row a stimulus is table.pivot(index='stimulus', columns='unit', values=...)",
    "category": "coords={'category': ('stimulus', table['category'])} takes it",
    "subject": "give each subject's rows as a table of its own",
}

_PATH = re.compile(r"[/\\]|\.[A-Za-z]|^\.")


def plain(values: object, who: str, reader: str = "load_responses") -> np.ndarray:
    """Return `values` as an array of real numbers, or raise :class:`SchemaError`; `reader` is told to who gave a path.

    >>> plain([[1, 2], [3, 4]], "here").shape
    (2, 2)
    """
    for value in values[:1] if isinstance(values, list | tuple) else [values]:
        refuse_path(value, who, reader)
    if isinstance(values, np.ma.MaskedArray):
        hidden = int(np.broadcast_to(values.mask, values.shape).sum())
        if hidden:
            raise SchemaError(f"{who}: {hidden} of {values.size} values are masked; drop or impute them first.")
        values = values.data
    if hasattr(values, "detach") and hasattr(values, "cpu"):
        values = _of_tensor(values)
    elif is_table(values):
        values = _of_table(values, who)
    elif is_other_table(values) or hasattr(values, "collect_schema"):
        collected = ".collect()" if not is_other_table(values) else ""
        raise SchemaError(
            f"{who}: an array or a table of pandas asked, found a {library_of(values)}; give {collected}.to_pandas()."
        )
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        _refuse_unequal(values, who, reader)
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SchemaError(f"{who}: a {type(values).__name__} is no array of numbers ({said}).") from None
    check_numbers(array, who, type(values).__name__)
    return array


def refuse_path(values: object, who: str, reader: str, asked: str = "an array") -> None:
    """Raise :class:`SchemaError` for the path of a file where what it holds is asked, such as a text with "." or "/".

    >>> refuse_path("x.npy", "here", "load_responses")
    Traceback (most recent call last):
    neurosim.schema.SchemaError: here: an array asked, found the text 'x.npy'; of a file: ns.load_responses('x.npy').
    """
    if not isinstance(values, os.PathLike) and not (isinstance(values, str) and _PATH.search(values)):
        return
    text = os.fspath(values)
    found = f"{who}: {asked} asked, found the {'text' if isinstance(values, str) else 'path'} {text!r}"
    if without_ending(text) == text:
        raise SchemaError(f"{found}; of a file: ns.{reader}({text!r}).")
    answered = "" if reader == "load_stimuli" else ", and ns.record_responses(network, stimuli) what a network answers"
    raise SchemaError(f"{found}, a picture; ns.load_stimuli(folder) reads the pictures of a folder{answered}.")


def _refuse_unequal(values: object, who: str, reader: str) -> None:
    """Raise :class:`SchemaError` for a list of parts of unequal shapes."""
    parts = values if isinstance(values, list | tuple) else []
    try:
        shapes = list(dict.fromkeys(np.shape(part) for part in parts))
    except ValueError:
        for part in parts:
            _refuse_unequal(part, who, reader)
        return
    if len(shapes) > 1:
        trials = (
            "; trials in unequal numbers are rows of ns.as_trials(rows, stimuli)" if reader != "load_stimuli" else ""
        )
        raise SchemaError(
            f"{who}: an array asked, found a list of parts of unequal shapes, {shapes[0]} and {shapes[1]}; cut them to "
            f"one{trials}."
        )


def check_numbers(array: Any, who: str, kind: str = "array") -> None:
    """Raise :class:`SchemaError` if the dtype of `array` is complex, objects, text or else no real numbers."""
    if array.dtype.kind == "c":
        raise SchemaError(f"{who}: the values are complex ({array.dtype}); give .real, abs(...) or both as units.")
    if array.dtype.kind not in "biuf":
        raise SchemaError(f"{who}: numbers asked, found a {kind} of dtype {array.dtype}; convert it to floats first.")


def is_table(values: object) -> bool:
    """Return whether `values` is a pandas DataFrame or Series (something with rows named by an index)."""
    return hasattr(values, "iloc") and hasattr(values, "index")


def is_spike_table(values: object) -> bool:
    """Return whether `values` is a table with one row a spike: columns ``stimulus``, ``unit`` and ``time``."""
    return is_table(values) and {"stimulus", "unit", "time"} <= set(getattr(values, "columns", ()))


def is_other_table(values: object) -> bool:
    """Return whether `values` is a table of another library than pandas, such as Polars and Arrow."""
    return hasattr(values, "to_pandas") and hasattr(values, "columns") and not is_table(values)


def library_of(values: object) -> str:
    """Return what `values` are, with the library that they are of.

    >>> library_of(np.zeros(2))
    'numpy ndarray'
    """
    return f"{type(values).__module__.partition('.')[0]} {type(values).__name__}".removeprefix("builtins ")


def in_pandas(values: Any, who: str) -> Any:
    """Return a table of Polars or Arrow as one of pandas, its columns by name, and anything else as it is.

    Raises
    ------
    SchemaError : the library cannot do it.
    """
    if not is_other_table(values):
        return values
    try:
        return values.to_pandas()
    except Exception as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SchemaError(
            f"{who}: a {library_of(values)} is taken by its to_pandas(), which says: {said}; give a table of pandas."
        ) from error


def by_stimulus(values: Any, who: str) -> Any:
    """Return a table that has a column ``stimulus`` with that as its index, and anything else as it is.

    Tables of Polars and Arrow, which name no rows otherwise, become tables of pandas.

    Raises
    ------
    SchemaError : some rows name no stimulus, the column is there twice, or the rows are spikes.
    """
    values = in_pandas(values, who)
    if not is_table(values) or list(getattr(values, "columns", ())).count("stimulus") == 0:
        return values
    if is_spike_table(values):
        raise SchemaError(
            f"{who}: the table has one row a spike (columns stimulus, unit, time); count them first, with "
            "ns.recordings.bin_spikes(table)."
        )
    if list(values.columns).count("stimulus") > 1:
        raise SchemaError(f"{who}: the column 'stimulus' is there twice; leave one out.")
    unnamed = int(values["stimulus"].isna().sum())
    if unnamed:
        raise SchemaError(f"{who}: {unnamed} rows of the table name no stimulus; drop those rows.")
    named = values.set_index("stimulus")
    counted = list(named.columns) == list(range(named.shape[1]))  # a column by name makes objects of counted ones
    return named.set_axis(range(named.shape[1]), axis=1) if counted else named


def row_names(table: Any, who: str) -> list[str] | None:
    """Return the names of the rows of a table, or None where its index, without a name, only counts them."""
    return _names(table.index, who)


def column_names(table: object, who: str) -> list[str] | None:
    """Return the names of the columns of a table, or None where they are only counted."""
    return _names(table.columns, who) if hasattr(table, "columns") else None


def listed(names: Any, who: str) -> list[Any]:
    """Return names in their order, out of a list, array, tensor, labelled array or Series; bytes become text.

    Raises
    ------
    SchemaError : a set or something else without an order, or names of more than one dim.

    >>> listed(np.array([b"a", b"b"]), "here")
    ['a', 'b']
    """
    if isinstance(names, str | bytes | set | frozenset | dict) or not hasattr(names, "__iter__"):
        raise SchemaError(f"{who}: a list of names asked, found a {type(names).__name__}; give them in their order.")
    if hasattr(names, "columns"):
        raise SchemaError(f"{who}: a list of names asked, found a table; give one of its columns, as table['name'].")
    names = names.detach().cpu() if hasattr(names, "detach") else names
    names = names.values if hasattr(names, "coords") else names
    names = names.tolist() if hasattr(names, "tolist") else list(names)
    if not isinstance(names, list):
        raise SchemaError(f"{who}: a list of names asked, found the single {names!r}; give one name each.")
    found = [n.item() if isinstance(n, np.generic) or (hasattr(n, "item") and np.ndim(n) == 0) else n for n in names]
    odd = [n for n in found if isinstance(n, list | set | dict) or bool(getattr(n, "ndim", False))]
    if odd:
        raise SchemaError(f"{who}: one name each asked, found a {type(odd[0]).__name__} among them; give a flat list.")
    return [n.decode(errors="backslashreplace") if isinstance(n, bytes) else n for n in found]


def is_missing(value: object) -> bool:
    """Return whether a value of a table stands for nothing: None, NaN, NaT or NA.

    >>> is_missing(np.datetime64("NaT")), is_missing("NA")
    (True, False)
    """
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, np.datetime64 | np.timedelta64):
        return bool(np.isnat(value))
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def is_count(names: Sequence[str]) -> bool:
    """Return whether `names` are the numbers from 0 in another order: a default index, shuffled.

    >>> is_count(["2", "0", "1"]), is_count(["2", "5"])
    (True, False)
    """
    return sorted(names) == sorted(str(i) for i in range(len(names)))


def match_names(wanted: Sequence[str], found: Sequence[str], who: str) -> list[int]:
    """Return where each of the `wanted` names is in `found`: by name, or else by name without the ending of a picture.

    Raises
    ------
    SchemaError : the two do not name the same, or names without their endings are not unique.

    >>> match_names(["a.png", "b.png"], ["b", "a"], "here")
    [1, 0]
    """
    if set(wanted) != set(found):
        first, second = [without_ending(n) for n in wanted], [without_ending(n) for n in found]
        if set(first) != set(second) or not (set(first) - set(wanted) or set(second) - set(found)):
            raise SchemaError(_difference(wanted, found, who))
        for names, bare in ((wanted, first), (found, second)):
            if len(set(bare)) < len(names):
                twice = next(b for b in bare if bare.count(b) > 1)
                both = [n for n, b in zip(names, bare, strict=True) if b == twice][:3]
                raise SchemaError(
                    f"{who}: names match without the endings of pictures only, and {both} are then the same; name the "
                    "endings on both sides."
                )
        wanted, found = first, second
    place = {name: i for i, name in enumerate(found)}
    return [place[name] for name in wanted]


def without_ending(name: str) -> str:
    """Return a picture's name without its ending.

    >>> without_ending("cat/one.PNG"), without_ending("v1.5")
    ('cat/one', 'v1.5')
    """
    ending = next((e for e in PICTURE_ENDINGS if name.lower().endswith(e)), "")
    return name[: len(name) - len(ending)]


def _difference(wanted: Sequence[str], found: Sequence[str], who: str) -> str:
    only_first, only_second = (sorted(set(a) - set(b))[:3] for a, b in ((wanted, found), (found, wanted)))
    shared = len(set(wanted) & set(found))
    advice = (
        f"Select the {shared} common ones with .sel(stimulus=...)."
        if shared
        else "No name is shared: give both the same names, or, where both are in one order, the values without names."
    )
    alike = _alike(wanted, found)
    if alike is not None:
        advice = alike
    counted = [all(name.isdigit() for name in names) for names in (wanted, found)]
    if alike is None and not shared and any(counted):
        advice = (
            f"The numbers of the {'first' if counted[0] else 'second'} count rows, in another order or with gaps: give "
            "both names, as table.set_index('picture'), or, where all rows are in one order, values without names, as "
            "table.reset_index(drop=True)."
        )
    return (
        f"{who}: the two describe different stimuli; only in the first: {only_first}, "
        f"only in the second: {only_second}. {advice}"
    )


def _alike(wanted: Sequence[str], found: Sequence[str]) -> str | None:
    """Return what to do where numbers in names are the same but for zeros in front, or but for where they begin."""
    first, second = ({without_ending(n) for n in names} for names in (wanted, found))
    if {_renumbered(n, 0) for n in first} == {_renumbered(n, 0) for n in second}:
        return "They differ by zeros in front of numbers: name both alike, as by f'{number:03d}'."
    for one, other, low, high in ((first, second, "first", "second"), (second, first, "second", "first")):
        if {_renumbered(n, 1) for n in one} == {_renumbered(n, 0) for n in other}:
            return (
                f"The {low} counts from one less than the {high}, as 0 and 1: if these are the same, number both alike."
            )
    return None


def _renumbered(name: str, more: int) -> str:
    """Return a name whose last number is `more` and has no zeros in front.

    >>> _renumbered("img_09", 1)
    'img_10'
    """
    return re.sub(r"(\d+)(?=\D*$)", lambda found: str(int(found[1]) + more), name)


def _names(index: Any, who: str) -> list[str] | None:
    if getattr(index, "nlevels", 1) > 1:
        raise SchemaError(f"{who}: names of {index.nlevels} levels; join them into one, or give the values without.")
    counts = type(index).__name__ == "RangeIndex" and index.name is None and (index.start, index.step) == (0, 1)
    return None if counts else [str(n) for n in index]


def _of_table(table: Any, who: str) -> np.ndarray:
    """Numbers of a DataFrame or Series; missing values become NaN."""
    types = list(table.dtypes) if hasattr(table, "columns") else [table.dtype]
    if hasattr(table, "columns"):
        _check_columns(list(table.columns), types, who)
    bad = [str(n) for n, t in zip(getattr(table, "columns", ["values"]), types, strict=True) if t.kind not in "biufc"]
    if bad:
        raise SchemaError(f"{who}: columns {bad[:3]} of the table are no numbers; leave them out or convert them.")
    if any(t.kind == "c" for t in types):
        return np.asarray(table.to_numpy(dtype=complex))
    values = table.to_numpy()
    return np.asarray(values if values.dtype.kind in "biuf" else table.to_numpy(dtype=float, na_value=np.nan))


def _check_columns(columns: list[Any], types: list[Any], who: str) -> None:
    """Raise :class:`SchemaError` for columns that say something of the rows, where each is taken as a unit."""
    word = next((c for c in columns if isinstance(c, str) and c in WORDS), None)
    if word is not None:
        raise SchemaError(
            f"{who}: the column {word!r} of the table is no unit, leave it out or rename it; {WORDS[word]}."
        )
    counted = next((c for c in columns if isinstance(c, str) and re.fullmatch(r"(Unnamed: \d+)?", c)), None)
    if counted is not None:
        raise SchemaError(
            f"{who}: the column {counted!r} of the table is the index of the one that was written; read it with "
            "read_csv(..., index_col=0), or leave it out."
        )
    flags = [str(c) for c, t in zip(columns, types, strict=True) if t.kind == "b"]
    if flags and len(flags) < len(columns):
        raise SchemaError(
            f"{who}: columns {flags[:3]} of the table are true or false and the others numbers; leave them out, or "
            "convert them with .astype(float) if they are units."
        )


def _of_tensor(tensor: Any) -> Any:
    """Numbers of a torch tensor on any device, with or without gradient, in a precision that numpy knows."""
    tensor = tensor.detach()
    if getattr(tensor, "is_quantized", False):
        tensor = tensor.dequantize()
    if getattr(tensor, "layout", None) is not None and str(tensor.layout) != "torch.strided":
        tensor = tensor.to_dense()
    tensor = tensor.cpu()
    return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()
