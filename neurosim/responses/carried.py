"""What is found of responses keeps their labels, unless one has the name of something that is found."""

from __future__ import annotations

from typing import TypeVar

import xarray as xr

from neurosim.schema import InputError

OWN = ("stimulus", "trial", "time", "unit")
Found = TypeVar("Found", xr.DataArray, xr.Dataset)


def with_labels(found: Found, responses: xr.DataArray, along: tuple[str, ...], who: str) -> Found:
    """Return what was found with the labels that responses have along some of their dims.

    Raises
    ------
    InputError : a label of the responses that has the name of a dim, label or result of what was found.

    Examples
    --------
    >>> rated = xr.DataArray([0.0, 1.0], dims="stimulus", coords={"rate": ("stimulus", [1, 2])})
    >>> with_labels(xr.Dataset({"rate": 3.0}), rated, ("stimulus",), "here")
    Traceback (most recent call last):
    neurosim.schema.InputError: here: the responses have a label 'rate', as the result has; .rename(rate='rate_shown').
    """
    carried = {str(k): c for k, c in responses.coords.items() if set(c.dims) <= set(along)}
    dims = {str(d) for d in found.dims}
    carried = {k: c for k, c in carried.items() if k not in OWN or k in along}
    variables = found.variables if isinstance(found, xr.Dataset) else found.coords
    taken = (dims | {str(k) for k in variables}) - set(OWN)
    for name in carried:
        if name in taken:
            raise InputError(
                f"{who}: the responses have a label {name!r}, as the result has; .rename({name}='{name}_shown')."
            )
    return found.assign_coords(carried)
