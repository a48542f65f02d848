"""Responses from files of any format that has a reader."""

from __future__ import annotations

import os
import typing
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.recordings.columns import shown
from neurosim.recordings.reader import READERS, Reader, reader_of
from neurosim.recordings.timing import in_seconds, with_time_step
from neurosim.registry import called, options_of
from neurosim.schema import InputError, SchemaError, check_responses


def load_responses(
    path: str | Path,
    *,
    options: object = None,
    time_bin: float | None = None,
    reader: str | None = None,
    lazy: bool = False,
) -> xr.DataArray:
    """Read responses of any subject from a file, by the reader of its ending.

    * ``.nc``, ``.zarr``: one variable with dims ``stimulus, [trial, time,] unit``; with ``time``, its coordinate in s
      or the attribute ``time_step``. Whole numbers along ``time`` need its ``units`` ("s") or that attribute.
    * ``.nc`` of BrainIO, an assembly ``presentation, neuroid, [time_bin]``: the presentations of a stimulus are its
      trials, NaN where it has fewer; bins are in ms.
    * ``.npz``: an array ``responses`` and, optionally, ``dims``, ``quantity``, ``time_step`` (s), ``stimulus`` (ids),
      ``category`` along ``stimulus``, ``trial``, ``measured`` (stimulus, trial; false where not), ``time`` (s), and
      ``unit`` (ids), ``layer``, ``area``, ``subject``, ``cell_type`` along ``unit``. Other arrays are refused.
    * ``.csv``, ``.tsv``, ``.parquet``: one row a spike, columns ``stimulus``, ``unit``, ``time`` (s from onset) and
      optionally ``trial``; which trials were run is said by the option ``trials``, the path of a table or "all".
    * ``.mat``: the same names, in MATLAB 5 to 7.3. ``.npy``: one array, whose ``dims`` are an option.
    * folders of phy or Kilosort, ALF and suite2p, and ``.npz`` of SpikeInterface and pynapple, told by what they hold:
      sessions, cut out around a table of ``events`` (an option; ALF has trials of its own).
    * ``.nwb``, ``.nii``, ``.nii.gz``, ``.fif``, ``.fif.gz``: as :func:`load_nwb_responses`, :func:`load_betas` and
      :func:`load_epochs` say, with their arguments as `options`.

    Parameters
    ----------
    path : the file.
    options : what the reader must know of its format, by name or as its record, such as
        ``{"by": "image", "window": (0, 0.3)}`` for NWB; another option is refused with those that are known.
    time_bin : for spikes, width of the bins in s; one bin over everything when absent. The same as that option.
    reader : name of the reader, where the ending does not tell.
    lazy : for ``.nc`` and ``.zarr``, leave the values on disk until they are used; they are then not searched for NaN.
        With dask (``pip install 'neurosim[cluster]'``) they are read chunk by chunk, and ``average_trials``, ``rebin``
        and ``firing_rate`` of them are made so too, when they are used: what is larger than memory goes through.

    Returns
    -------
    responses (stimulus, [trial,] [time,] unit); NaN is a trial of a unit that was not measured.

    Raises
    ------
    StorageError : missing, truncated or unsafe file.
    InputError : a format or an option that is not known, missing columns or labels, NaN but for whole trials, no times
        in s.

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(os.path.join(folder, "x.npz"), responses=np.ones((3, 2)), stimulus=["a", "b", "c"])
    ...     found = ns.load_responses(os.path.join(folder, "x.npz"))
    >>> found.dims, found.stimulus.values.tolist()
    (('stimulus', 'unit'), ['a', 'b', 'c'])
    """
    path = storage.as_path(path, "load_responses")
    chosen = reader_of(path, "responses", "load_responses", reader)
    asked = _options(chosen, options, time_bin, path)
    if not lazy:
        assert chosen.responses is not None
        return _labelled(called(chosen.responses)(path, asked), path)
    if chosen.lazy is None:
        able = ", ".join(r.name for r in READERS.values() if r.lazy)
        raise InputError(f"load_responses: {path.name} is read whole; lazy=True is for {able}.")
    return _with_dims(called(chosen.lazy)(path, asked), path)


def files_in(options: Mapping[str, Any]) -> dict[str, Path]:
    """Return which options of readers name a file beside the first, such as a table of events, and where it is.

    >>> files_in({"by": "image", "events": "shown.csv", "trials": "all"})
    {'events': PosixPath('shown.csv')}
    """
    hints = [typing.get_type_hints(reader.options) for reader in READERS.values()]
    named = {k for hint in hints for k, kind in hint.items() if kind is Path or Path in typing.get_args(kind)}
    return {k: Path(v) for k, v in options.items() if k in named and isinstance(v, str | os.PathLike) and v != "all"}


def _options(reader: Reader, given: object, time_bin: float | None, path: Path) -> Any:
    named = {field.name for field in fields(reader.options)}
    if time_bin is not None and "time_bin" not in named:
        raise InputError(
            f"load_responses: {path.name} holds no spikes to count; time_bin = {shown(time_bin)} is given."
        )
    said = given.get("time_bin") if isinstance(given, Mapping) else getattr(given, "time_bin", None)
    if time_bin is not None and said not in (None, time_bin):
        raise InputError(f"load_responses: time_bin = {shown(time_bin)}, and the option says {shown(said)}; give one.")
    if time_bin is not None and (given is None or isinstance(given, Mapping)):
        given = dict(given or {}) | {"time_bin": time_bin}
    options = options_of(reader.options, given, f"load_responses: {path.name}")
    _check_types(options, path.name)
    return options if time_bin is None else replace(options, time_bin=time_bin)


_KINDS = {Path: "the path of a file", bool: "True or False", int: "a whole number", float: "a number", str: "text"}
_KINDS[NoneType] = "None"


def _check_types(options: Any, name: str) -> None:
    """Refuse an option whose value is of another type than its record says."""
    for option, hint in typing.get_type_hints(type(options)).items():
        value = getattr(options, option)
        if not _fits(value, hint):
            kinds = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, UnionType) else (hint,)
            asked = " or ".join(_KINDS.get(kind, str(kind).replace("typing.", "")) for kind in kinds)
            held = "; a table that is held goes to bin_spikes or align_spikes" if hasattr(value, "columns") else ""
            raise InputError(f"load_responses: {name}: the option {option} is {asked}, found {shown(value)}{held}.")


def _fits(value: object, hint: Any) -> bool:
    """Whether a value is of the type of an option; whole numbers are numbers, text and paths name files.

    >>> _fits(1, float | None), _fits(True, float), _fits("ab", tuple[str, ...]), _fits(["ab"], tuple[str, ...])
    (True, False, False, True)
    """
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, UnionType):
        return any(_fits(value, part) for part in inside)
    if origin is typing.Literal:
        return isinstance(value, str) and value in inside
    if origin is tuple:
        if not isinstance(value, list | tuple | np.ndarray):
            return False
        parts = [inside[0]] * len(value) if inside[-1] is Ellipsis else list(inside)
        return len(parts) == len(value) and all(_fits(v, part) for v, part in zip(value, parts, strict=True))
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    kinds = {
        Path: isinstance(value, str | os.PathLike),
        bool: isinstance(value, bool | np.bool_),
        int: whole,
        float: whole or isinstance(value, float | np.floating),
    }
    return kinds[hint] if hint in kinds else isinstance(value, hint)


def _labelled(found: object, path: Path) -> xr.DataArray:
    """Check what a reader gave: its dims, labels and values, and its times."""
    timed = in_seconds(found, path.name) if isinstance(found, xr.DataArray) else found
    trials = isinstance(timed, xr.DataArray) and "trial" in timed.dims
    return with_time_step(check_responses(timed, path.name, missing=trials), path.name)


def _with_dims(found: object, path: Path) -> xr.DataArray:
    """Check the dims and times of what a reader gave, its values left on disk."""
    if not isinstance(found, xr.DataArray):
        raise SchemaError(f"{path.name}: a labelled array asked, found a {type(found).__name__}.")
    missing = [d for d in ("stimulus", "unit") if d not in found.dims]
    if missing:
        raise SchemaError(f"{path.name}: responses have dims {tuple(found.dims)} and lack {missing}; rename them.")
    order = [d for d in ("stimulus", "trial", "time", "unit") if d in found.dims]
    return with_time_step(in_seconds(found.transpose(..., *order), path.name), path.name)
