"""What every door of recorded times and names asks: times in s, and names that stay apart."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import numpy as np

from neurosim.arrays import is_other_table, library_of, refuse_path
from neurosim.clock import is_fine
from neurosim.schema import InputError

SECONDS = ("s", "sec", "secs", "second", "seconds")


def seconds(times: object, who: str, what: str = "times", *, samples: bool = False) -> np.ndarray:
    """Return times as 64-bit numbers of s, in the shape given; units that come with them are converted.

    Parameters
    ----------
    times : array, list or column; quantities of quantities, Neo, Brian2, pint or astropy; timedelta. who : asks.
    what : they are, for errors. samples : whole numbers are refused, because they may count samples.

    Raises
    ------
    InputError : no numbers, dates, other units than of time, NaN, or held too coarsely.

    Examples
    --------
    >>> seconds(np.array([500, 1500], "timedelta64[ms]"), "here").tolist()
    [0.5, 1.5]
    """
    try:
        if isinstance(times, np.ma.MaskedArray) and np.any(times.mask):
            hidden = int(np.broadcast_to(times.mask, times.shape).sum())
            raise InputError(f"{who}: {hidden} {what} are masked; drop them.")
        held = np.asarray(_without_unit(times, who, what))
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{who}: the {what} cannot be given in s ({_line(error)}).") from error
    if held.dtype.kind == "O" and held.size and isinstance(held.flat[0], timedelta | np.timedelta64):
        held = np.asarray(held, "timedelta64[ns]")
    if held.dtype.kind == "m":
        held = held / np.timedelta64(1, "s")
    if held.dtype.kind == "M" or (held.dtype.kind == "O" and held.size and isinstance(held.flat[0], date)):
        raise InputError(
            f"{who}: the {what} are dates, held as {held.dtype}; s from the start of the session asked: (times - "
            "start) / np.timedelta64(1, 's')."
        )
    if held.dtype.kind in "bc" or (samples and held.dtype.kind in "iu" and held.size):
        hint = "counted in samples? divide by the sampling rate; in s, give them as float" if samples else "s asked"
        raise InputError(f"{who}: the {what} are held as {held.dtype}; {hint}.")
    try:
        found = held.astype(float, copy=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"{who}: the {what} are not numbers, s asked ({_line(error)}).") from error
    if found.size and not np.isfinite([found.min(), found.max()]).all():
        raise InputError(
            f"{who}: {int((~np.isfinite(found)).sum())} of {found.size} {what} are NaN or infinite; drop those rows."
        )
    if not is_fine(held):
        raise InputError(
            f"{who}: {what} of {float(np.abs(found).max()):g} s held as {held.dtype} are coarser than the clock of a "
            "recording; pass them in s from the start of the session, in float64 from the source."
        )
    return found


def names(ids: Any, who: str, what: str) -> np.ndarray:
    """Return ids as text, in their order, or refuse ids that differ and read alike: 1 and "1".

    >>> names([1, "a", 1], "here", "units").tolist()
    ['1', 'a', '1']
    """
    import pandas as pd

    held = ids if isinstance(ids, pd.Series) else pd.Series(list(ids), dtype=object)
    if isinstance(held.dtype, pd.CategoricalDtype):
        held = held.astype(object)
    if held.dtype == object:
        text = np.array([as_text(v) for v in held], dtype=str)
        kinds = [type(v.item() if isinstance(v, np.generic) else v).__name__ for v in held]
        pairs = pd.DataFrame({"text": text, "kind": kinds}).drop_duplicates()
        alike = pairs[pairs["text"].duplicated(keep=False)]
        if len(alike):
            found = alike[alike["text"] == alike["text"].iloc[0]]
            raise InputError(
                f"{who}: {what} {found['text'].iloc[0]} is there as {' and as '.join(sorted(found['kind']))}; give all "
                "ids as one type."
            )
        return text
    return np.asarray(held.astype(str).to_numpy(dtype=str))


def coded(ids: Any, who: str, what: str) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return the names that ids have, in order, which of them each is, and the numbers that the names are, if they are.

    Numbers are in the order of their size, other names in that of the alphabet.

    >>> found, code, numbers = coded([10, 2, 100, 2], "here", "orientation")
    >>> found.tolist(), code.tolist(), numbers.tolist()
    (['2', '10', '100'], [1, 0, 2, 0], [2, 10, 100])
    """
    import pandas as pd

    held = ids if isinstance(ids, pd.Series) else pd.Series(list(ids), dtype=object)
    if isinstance(held.dtype, pd.CategoricalDtype):
        held = held.astype(held.dtype.categories.dtype)
    try:
        code, found = pd.factorize(held)
    except TypeError as error:
        raise InputError(f"{who}: {what} holds lists or arrays; one name a row asked.") from error
    text = names(pd.Series(found), who, what)
    numbers = pd.api.types.infer_dtype(found, skipna=False) in ("integer", "floating", "mixed-integer-float")
    values = np.asarray(found.tolist()) if numbers else text
    order = np.argsort(values, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return text[order], place[code], values[order] if numbers else None


def as_text(value: object) -> str:
    """Return a name as text; bytes are decoded.

    >>> as_text(b"a"), as_text(1)
    ('a', '1')
    """
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)


def span(window: Any, who: str) -> tuple[float, float]:
    """Return a window as two finite numbers of s, in the order given."""
    try:
        start, stop = (float(t) for t in window)
    except (TypeError, ValueError) as error:
        raise InputError(f"{who}: a window (from, to) in s asked, found {shown(window)}.") from error
    if not np.isfinite([start, stop]).all():
        raise InputError(f"{who}: a window (from, to) in s asked, found {(start, stop)}.")
    return start, stop


def check_frame(table: object, who: str, asked: str) -> None:
    """Refuse what is no pandas DataFrame, and one with a column twice."""
    import pandas as pd

    refuse_path(table, who, "recordings.load_spikes", f"a table with {asked}")
    if not isinstance(table, pd.DataFrame):
        cure = "; give its .to_pandas()" if is_other_table(table) else ""
        raise InputError(f"{who}: a pandas DataFrame with {asked} asked, found a {library_of(table)}{cure}.")
    if table.columns.duplicated().any():
        raise InputError(f"{who}: the column {str(table.columns[table.columns.duplicated()][0])!r} is there twice.")


def _without_unit(times: Any, who: str, what: str) -> Any:
    """Numbers of s of a quantity; anything that has no unit as it is."""
    if hasattr(times, "rescale"):
        return times.rescale("s").magnitude
    if hasattr(times, "to_value"):
        return times.to_value("s")
    if hasattr(times, "magnitude"):
        return times.to("s").magnitude
    if hasattr(times, "get_best_unit") and str(times.dim) != "s":
        raise InputError(f"{who}: the {what} are in {times.dim}; s asked.")
    unit = getattr(times, "attrs", {}).get("units")
    if isinstance(unit, str) and unit not in SECONDS:
        raise InputError(f"{who}: the {what} are in {unit!r}; s asked.")
    return times


def shown(value: object) -> str:
    """Return what was given, in one short line.

    >>> shown(np.zeros((2, 2)))
    'array([[0., 0.], [0., 0.]])'
    """
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:57] + "..."


def _line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


def label_names(own: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """Return what labels of the units are called beside those of the stimuli: the same, or with ``unit_`` before it.

    >>> label_names(["area", "category"], ["category"])
    {'area': 'area', 'category': 'unit_category'}
    """
    own, taken = list(own), set(taken)
    found: dict[str, str] = {}
    for name in own:
        new = name
        while new in taken or (new != name and (new in own or new in found.values())):
            new = f"unit_{new}"
        found[name] = new
    return found
