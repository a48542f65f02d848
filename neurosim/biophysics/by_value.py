"""Records that hold arrays are equal where all that they hold is, have a hash, and a text without numbers of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import singledispatch
from typing import Any, TypeVar

import numpy as np
import scipy.sparse
import xarray as xr

from neurosim.showing import shown

R = TypeVar("R")


def by_value(cls: type[R]) -> type[R]:
    """Give a frozen dataclass (``eq=False``) equality and a hash by what its fields hold, arrays and tables among them,
    and show it without them; see :func:`~neurosim.showing.shown`.

    Numbers of any type are equal where their values are, NaN to NaN; lists equal tuples; dense and sparse weights are
    of two kinds, as are records of two classes.
    """

    def equals(self: R, other: object) -> Any:
        return _held(self) == _held(other) if type(other) is type(self) else NotImplemented

    def hashed(self: R) -> int:
        return hash((type(self).__qualname__, _held(self)))

    setattr(cls, "__eq__", equals)  # noqa: B010 - a method of a class of any kind
    setattr(cls, "__hash__", hashed)  # noqa: B010
    return shown(cls)


def _held(record: Any) -> tuple[Any, ...]:
    return tuple(_frozen(getattr(record, f.name)) for f in fields(record))


@singledispatch
def _frozen(value: Any) -> Any:
    """Return what can be compared and hashed, the same for values that are the same."""
    return "NaN" if isinstance(value, float) and np.isnan(value) else value


@_frozen.register
def _(value: Mapping) -> Any:  # type: ignore[type-arg]
    return frozenset((k, _frozen(v)) for k, v in value.items())


@_frozen.register(list)
@_frozen.register(tuple)
def _(value: Any) -> Any:
    return tuple(map(_frozen, value))


@_frozen.register
def _(value: np.ndarray) -> Any:
    if value.dtype.kind not in "biuf":
        return value.shape, tuple(value.ravel().tolist())
    numbers = value.astype(float) + 0.0  # without -0.0
    numbers[np.isnan(numbers)] = np.nan  # of which there are many kinds
    return (value.shape, numbers.tobytes()) if value.ndim else _frozen(float(numbers))


@_frozen.register(scipy.sparse.sparray)
@_frozen.register(scipy.sparse.spmatrix)
def _(value: Any) -> Any:
    """Compare what is stored, in one order: a 0 that is stored is a synapse."""
    found = scipy.sparse.csr_array(value).sorted_indices()
    return "sparse", value.shape, *map(_frozen, (found.indptr, found.indices, found.data))


@_frozen.register(xr.DataArray)
@_frozen.register(xr.Dataset)
def _(value: Any) -> Any:
    parts = value.data_vars if isinstance(value, xr.Dataset) else {None: value.variable}
    labelled = {k: (v.dims, np.asarray(v.values)) for k, v in (*parts.items(), *value.coords.items())}
    return _frozen(labelled), _frozen(value.attrs)
