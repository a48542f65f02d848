"""Names, order and values along the dims of a labelled array: what every builder and check of arrays is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from neurosim.arrays import check_numbers, column_names, is_missing, is_table, listed, match_names, row_names
from neurosim.refusals import SchemaError, suggest
from neurosim.units import plain

STIMULUS, TRIAL, TIME, UNIT = "stimulus", "trial", "time", "unit"
STIMULUS_OTHER = "stimulus_other"
FINITE_BLOCK = 2**23


def wide(array: xr.DataArray) -> xr.DataArray:
    """Return an array in which sums have room: numbers of 16 bits become numbers of 32, others stay as they are.

    >>> wide(xr.DataArray(np.ones(2, np.float16))).dtype
    dtype('float32')
    """
    return array.astype(np.float32) if array.dtype == np.float16 else array


def is_lazy(array: xr.DataArray) -> bool:
    """Whether the values of an array are computed, or read, chunk by chunk when they are used."""
    return array.chunks is not None


def is_finite(array: xr.DataArray) -> bool:
    """Whether no value is NaN or infinite, read in blocks."""
    try:
        check_finite(array, "")
    except SchemaError:
        return False
    return True


def check_finite(array: xr.DataArray, who: str) -> None:
    """Raise :class:`SchemaError` if `array` holds NaN or infinity, naming the first place; read it in blocks."""
    if not np.issubdtype(array.dtype, np.inexact) or (is_lazy(array) and bool(np.isfinite(array.data).all())):
        return
    last = array.dims[-1] if array.dims else None
    n_last = array.shape[-1] if last is not None else 1
    step = max(1, FINITE_BLOCK // max(1, array.size // max(1, n_last)))
    for start in range(0, n_last, step):
        block = array if last is None else array.isel({last: slice(start, start + step)})
        values = block.values
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(values.sum()):
                continue
        bad = ~np.isfinite(values)
        if bad.any():
            first = np.array(np.unravel_index(int(np.argmax(bad)), bad.shape))
            first[-1:] += start
            place = ", ".join(f"{d}={i}" for d, i in zip(array.dims, first, strict=True))
            raise SchemaError(
                f"{who}: {int(bad.sum())} of {bad.size} values are NaN or infinite, the first at ({place}); "
                "drop or impute them first."
            )


def check_missing(responses: xr.DataArray, who: str) -> xr.DataArray:
    """Return responses in which NaN says "not measured", or raise :class:`SchemaError` if it can mean anything else.

    NaN is a whole (stimulus, trial) of a unit, at all times of it. A label ``measured`` (stimulus, trial) becomes NaN
    and is dropped, so that there is one truth; whole numbers become float where something is missing.

    >>> check_missing(xr.DataArray([[1.0, np.nan]], dims=("stimulus", "unit")), "here").isnull().values.tolist()
    [[False, True]]
    """
    responses = wide(responses)
    if "measured" in responses.coords:
        measured = responses["measured"].drop_vars("measured")
        if measured.dtype.kind not in "biu":
            raise SchemaError(f"{who}: the label 'measured' is true or false, found {measured.dtype}; convert it.")
        measured = measured.astype(bool)
        responses = responses.drop_vars("measured")
        responses = responses if bool(measured.all()) else responses.where(measured)
    if is_finite(responses):
        return responses
    missing = responses.isnull()
    if TIME in responses.dims:
        partly = missing.any(TIME) & ~missing.all(TIME)
        if bool(partly.any()):
            raise SchemaError(
                f"{who}: {int(partly.sum())} trials of a unit are NaN at some times only; NaN says that a whole trial "
                "was not measured; impute those times, or set the whole trial to NaN."
            )
    if bool(missing.all()):
        raise SchemaError(f"{who}: all values are NaN; nothing was measured.")
    check_finite(responses.fillna(0.0) if bool(missing.any()) else responses, who)
    return responses


def check_measured(array: xr.DataArray, who: str) -> xr.DataArray:
    """Return an array of any dims that holds real numbers, finite wherever something was ``measured``."""
    check_numbers(array, who)
    check_not_empty(array, who, "arrays")
    check_finite(array.where(array["measured"], 0) if "measured" in array.coords else array, who)
    return array


def check_named(values: object, name: str, who: str) -> np.ndarray:
    """Return the values of a label, or refuse a label that has none for some, or words beside numbers.

    >>> check_named(["a", "b"], "category", "here").tolist()
    ['a', 'b']
    """
    found = np.asarray(values)
    missing = sum(is_missing(v) for v in found.ravel()) if found.dtype.kind in "OfmM" else 0
    if missing:
        raise SchemaError(
            f"{who}: {missing} of {found.size} values of the label {name!r} are missing; leave them out by .isel(...)."
        )
    words = sum(isinstance(v, str | bytes) for v in found.ravel()) if found.dtype.kind == "O" else 0
    if words not in (0, found.size):
        raise SchemaError(f"{who}: the label {name!r} holds words and numbers; give all as one type.")
    return found


def check_individuals(array: xr.DataArray, who: str) -> None:
    """Raise :class:`SchemaError` where a name along ``subject`` is there twice: it would count as two individuals.

    >>> check_individuals(xr.DataArray([1.0, 2], {"subject": ["a", "a"]}, "subject"), "here")
    Traceback (most recent call last):
    neurosim.schema.SchemaError: here: the subject 'a' is there 2 times, and each would count as another individual; ...
    """
    if "subject" not in array.coords:
        return
    names, counts = np.unique(array["subject"].values.astype(str), return_counts=True)
    if (counts > 1).any():
        first = int(np.argmax(counts > 1))
        raise SchemaError(
            f"{who}: the subject {str(names[first])!r} is there {counts[first]} times, and each would count as another "
            "individual; average them, or select one area or session."
        )


def label_along(array: xr.DataArray, name: object, who: str) -> np.ndarray:
    """Return the values of a label along ``stimulus``, one of each; the door of every function that takes a label.

    >>> shown = xr.DataArray([1, 2], dims="stimulus", coords={"size": ("stimulus", [3, 4])})
    >>> label_along(shown, "size", "here").tolist()
    [3, 4]
    """
    known = [str(k) for k, v in array.coords.items() if v.dims == (STIMULUS,)]
    if not isinstance(name, str) or name not in known:
        raise SchemaError(f"{who}: no label {name!r} along stimulus. Labels: {', '.join(known)}.{suggest(name, known)}")
    return check_named(array[name].values, name, who)


def stimulus_labels(array: xr.DataArray) -> dict[str, np.ndarray]:
    """Return the labels along ``stimulus``, without the ids."""
    return {str(k): v.values for k, v in array.coords.items() if v.dims == (STIMULUS,) and k != STIMULUS}


def carry_stimulus_labels(array: xr.DataArray, stimuli: xr.DataArray) -> xr.DataArray:
    """Return `array` with the id and labels that `stimuli` have along ``stimulus``."""
    if array.sizes[STIMULUS] != stimuli.sizes[STIMULUS]:
        raise SchemaError(
            f"there are {array.sizes[STIMULUS]} rows of responses for {stimuli.sizes[STIMULUS]} stimuli; "
            "give one row a stimulus, in the same order."
        )
    labels = {STIMULUS: stimuli[STIMULUS].values, **stimulus_labels(stimuli)}
    return array.assign_coords({k: (STIMULUS, v) for k, v in labels.items()})


def same_stimuli(reference: xr.DataArray, other: xr.DataArray, who: str) -> xr.DataArray:
    """Return `other` in the stimulus order of `reference`; raise :class:`SchemaError` if the sets differ.

    >>> a = xr.DataArray([1.0, 2.0, 3.0], dims="stimulus", coords={"stimulus": ["a", "b", "c"]})
    >>> same_stimuli(a, a[::-1], "here").values.tolist()
    [1.0, 2.0, 3.0]
    """
    reference, other = (with_ids(_is_labelled(x, who), None, who) for x in (reference, other))
    first, second = [str(s) for s in reference[STIMULUS].values], [str(s) for s in other[STIMULUS].values]
    if first == second:
        return other
    index = match_names(first, second, who)
    picks = {d: index for d in (STIMULUS, STIMULUS_OTHER) if d in other.dims}
    ordered = other.isel(picks)
    named = {d: reference[STIMULUS].values for d in picks if d in other.coords}
    return ordered if set(first) == set(second) else ordered.assign_coords(named)


def same_places(reference: xr.DataArray, other: xr.DataArray, dim: str, who: str) -> xr.DataArray:
    """Return `other` with its places along `dim` in the order of `reference`; refuse others, or names on one side.

    >>> a = xr.DataArray([1.0, 2.0], dims="time", coords={"time": [0.1, 0.2]})
    >>> same_places(a, a[::-1], "time", "here").values.tolist()
    [1.0, 2.0]
    """
    if reference.sizes[dim] != other.sizes[dim]:
        raise SchemaError(f"{who}: {reference.sizes[dim]} and {other.sizes[dim]} places along {dim}; select the same.")
    if (dim in reference.coords) != (dim in other.coords):
        raise SchemaError(f"{who}: only one of the two arrays names its places along {dim!r}; name both.")
    if dim not in reference.coords:
        return other
    own, theirs = reference[dim].values, other[dim].values
    order = np.argsort(own, kind="stable"), np.argsort(theirs, kind="stable")
    if len(np.unique(own)) < len(own) or not np.array_equal(own[order[0]], theirs[order[1]]):
        raise SchemaError(f"{who}: the two arrays do not have the same, different, labels along {dim!r}.")
    return other.isel({dim: order[1][np.argsort(order[0])]})


def _is_labelled(array: object, who: str) -> xr.DataArray:
    if not isinstance(array, xr.DataArray):
        raise SchemaError(f"{who}: a labelled array asked, found a {type(array).__name__}; see as_responses, as_rdm.")
    return array


def with_dims(array: np.ndarray, dims: Sequence[str] | None, who: str) -> xr.DataArray:
    """Return the array with the names of its dims, which must be as many."""
    if dims is None or isinstance(dims, str) or len(dims) != array.ndim or len(set(dims)) != array.ndim:
        raise SchemaError(
            f"{who}: an array of shape {array.shape} needs its dims named, {array.ndim} of them; pass dims=(...)."
        )
    return xr.DataArray(array, dims=tuple(dims))


def with_table_names(array: xr.DataArray, values: object, who: str) -> xr.DataArray:
    """Return the array with the names that a table has along its rows and columns."""
    if not is_table(values):
        return array
    found = {array.dims[0]: row_names(values, who)}
    if array.ndim == 2:
        found[array.dims[1]] = column_names(values, who)
    return array.assign_coords({d: names for d, names in found.items() if names is not None and d in (STIMULUS, UNIT)})


def in_order_of(array: xr.DataArray, stimuli: object, who: str) -> xr.DataArray:
    """Return `array` with the names, labels and order of `stimuli`: by its own names, or as it stands without any.

    Raises
    ------
    SchemaError : other names or another number of them, or no names beside stimuli whose order may be one of two.
    """
    if isinstance(stimuli, str):
        raise SchemaError(f"{who}: one name a stimulus asked, found the text {stimuli!r}; give a list.")
    shown = stimuli if isinstance(stimuli, xr.DataArray) and STIMULUS in stimuli.dims else None
    if shown is not None:
        shown = with_ids(shown, None, who)
    ids = (
        None if stimuli is None else [str(s) for s in listed(stimuli if shown is None else shown[STIMULUS].values, who)]
    )
    bare = STIMULUS not in array.coords
    array = with_ids(array, ids if bare else None, who)
    if ids is None or STIMULUS not in array.dims:
        return array
    own = [str(s) for s in array[STIMULUS].values]
    bare = bare or (own == _counted(len(own)) and set(own) != set(ids))
    if bare and shown is not None and may_be_in_two_orders(ids):
        raise SchemaError(
            f"{who}: values without names, for stimuli whose order is that of their letters ({', '.join(ids[:3])}, "
            f"...), not of their numbers; {who if who == 'as_rdm' else 'as_responses'}(values, stimuli=[...]) names the"
            " rows, and where they have that very order stimuli=list(stimuli.stimulus.values) says so."
        )
    if not bare and own != ids:
        index = match_names(ids, own, who)
        array = array.isel({d: index for d in (STIMULUS, STIMULUS_OTHER) if d in array.dims})
    array = with_ids(array, ids, who)
    if STIMULUS_OTHER in array.dims:
        array = array.assign_coords({STIMULUS_OTHER: array[STIMULUS].values})
    return array if shown is None else carry_stimulus_labels(array, shown)


def _counted(n: int) -> list[str]:
    return [f"stimulus_{i:03d}" for i in range(n)]


def labels_along(
    array: xr.DataArray, coords: Mapping[str, Any] | None, who: str, default: str | None
) -> dict[str, Any]:
    """Return labels as xarray takes them, each along a dim that is there and as long as it."""
    if coords is not None and not isinstance(coords, Mapping):
        raise SchemaError(
            f"{who}: coords by name asked, found a {type(coords).__name__}; give {{'label': (dim, values)}}."
        )
    found: dict[str, Any] = {}
    for name, given in (coords or {}).items():
        if isinstance(given, xr.DataArray):
            strange = {str(d): n for d, n in given.sizes.items() if array.sizes.get(d) != n}
            if strange:
                raise SchemaError(
                    f"{who}: label {name!r} along {strange} (dims {dict(array.sizes)}); rename its dim or give "
                    f"{{{name!r}: (dim, values)}}."
                )
            found[name] = given
            continue
        pair = isinstance(given, tuple) and len(given) == 2 and (given[0] in array.dims or isinstance(given[0], tuple))
        dim, values = given if pair else (name if name in array.dims else default, given)
        if is_table(values) and isinstance(dim, str):
            rows = row_names(values, who)
            order = None if rows is None or dim not in array.coords else [str(n) for n in array[dim].values]
            values = values.to_numpy()
            values = values if order is None or rows is None else values[match_names(order, rows, f"{who}, {name}")]
        sizes = [array.sizes.get(d) for d in ((dim,) if isinstance(dim, str) else dim or ())]
        if np.ndim(values) and list(np.shape(values)) != sizes:
            raise SchemaError(
                f"{who}: label {name!r} of shape {np.shape(values)} along {dim!r} (dims {dict(array.sizes)}); give "
                f"{{{name!r}: (dim, values)}} with one value a place."
            )
        found[name] = (dim, np.asarray(values)) if np.ndim(values) else values
    return found


def timed(array: xr.DataArray, time_step: float | None, who: str) -> xr.DataArray:
    """Return the array with seconds along its ``time``, where a step is given."""
    if time_step is None:
        return array
    time_step = plain(time_step, "s", f"{who}: time_step")
    number = isinstance(time_step, int | float | np.integer | np.floating) and not isinstance(time_step, bool)
    if TIME not in array.dims or not number or not np.isfinite(time_step) or time_step <= 0:
        raise SchemaError(f"{who}: time_step = {time_step!r} of dims {array.dims}; a time dim and s above 0 asked.")
    timed = array.assign_coords(time=np.arange(array.sizes[TIME]) * time_step)
    return timed.assign_attrs(time_step=float(time_step))


def step_of(array: xr.DataArray, who: str) -> float:
    """Return the step of what has times, s, that ``attrs["time_step"]`` gives.

    Raises
    ------
    SchemaError : no such number above 0, or times that are other than a step apart, as after ``coarsen`` or ``isel``.

    Examples
    --------
    >>> step_of(xr.DataArray([0, 1], dims="time", coords={"time": [0.0, 0.2]}, attrs={"time_step": 0.2}), "here")
    0.2
    """
    step = array.attrs.get("time_step")
    if step is None or (isinstance(step, int | float) and step == 0):
        raise SchemaError(f"{who}: what has times needs a time_step in attrs, in s; .assign_attrs(time_step=...).")
    number = isinstance(step, int | float | np.integer | np.floating) and not isinstance(step, bool)
    if not number or not np.isfinite(step) or step < 0:
        raise SchemaError(f"{who}: time_step = {step!r} in attrs; seconds above 0 asked.")
    if TIME in array.coords and array[TIME].dtype.kind in "iuf":
        check_step(np.asarray(array[TIME].values), float(step), who)
    return float(step)


def check_step(clock: np.ndarray, step: float, who: str) -> None:
    """Refuse times that are other than `step` apart."""
    gaps = np.diff(clock)
    rounding = 2 * np.spacing(np.abs(clock).max(initial=0)) if clock.dtype.kind == "f" else 0.0
    if gaps.size and not np.allclose(gaps, step, rtol=1e-3, atol=float(rounding)):
        raise SchemaError(
            f"{who}: the times are {gaps.min():g} to {gaps.max():g} s apart and time_step is {step:g} s; correct one, "
            "as with .assign_attrs(time_step=...)."
        )


def check_not_empty(array: xr.DataArray, who: str, what: str) -> None:
    """Raise :class:`SchemaError` if a dim has no place."""
    empty = [str(d) for d in array.dims if array.sizes[d] == 0]
    if empty:
        raise SchemaError(f"{who}: {what} are empty along {empty}; at least one unit and stimulus is asked.")


def _is_named(names: xr.Variable, ids: Sequence[str] | None) -> bool:
    """Whether the names are what :func:`with_ids` would set anew: setting them is most of what a check costs."""
    values = names.values
    if ids is not None and values.tolist() != list(ids):
        return False
    if values.dtype.kind != "U" or names.attrs or names.encoding:
        return False
    listed_once = set(values.tolist())
    return len(listed_once) == len(values) and values.dtype.itemsize == 4 * max(map(len, listed_once), default=1)


def with_ids(array: xr.DataArray, ids: Sequence[str] | None, who: str) -> xr.DataArray:
    """Return the array with one name a stimulus: its own, those given, or counted ones."""
    if STIMULUS not in array.dims:
        raise SchemaError(f"{who}: no 'stimulus' dim among {tuple(array.dims)}.")
    n = array.sizes[STIMULUS]
    if ids is not None and len(ids) != n:
        raise SchemaError(f"{who}: {len(ids)} stimulus ids for {n} stimuli.")
    if STIMULUS in array.coords and _is_named(array.coords[STIMULUS].variable, ids):
        return array.copy(deep=False)
    if ids is None and STIMULUS in array.coords:
        ids = [str(s) for s in array[STIMULUS].values]
    elif ids is None:
        ids = _counted(n)
    repeated = sorted({str(s) for s in ids if list(ids).count(s) > 1}) if len(set(ids)) != n else []
    if repeated:
        raise SchemaError(f"{who}: stimulus ids repeat: {repeated[:3]}; put repetitions along the 'trial' dim.")
    return array.assign_coords({STIMULUS: np.asarray(ids, dtype=str)})


def may_be_in_two_orders(ids: Iterable[object]) -> bool:
    """Return whether ids are sorted by their letters where their numbers have another order, as files of a folder.

    >>> may_be_in_two_orders(["img1", "img10", "img2"]), may_be_in_two_orders(["img01", "img02", "img10"])
    (True, False)
    """
    names = [str(s) for s in ids]
    parts = [[(int(t), "") if t.isdigit() else (-1, t) for t in re.split(r"(\d+)", name)] for name in names]
    return names == sorted(names) and parts != sorted(parts)
