"""Two responses to the same stimuli, checked and as plain arrays: what every measure of alignment starts from."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import xarray as xr

from neurosim.arrays import is_table, plain
from neurosim.schema import InputError, check_responses, same_stimuli
from neurosim.similarity.kernels.arrays import Array, array_namespace, is_torch_array

Responses = xr.DataArray | np.ndarray


def as_pair(a: Any, b: Any, who: str, least: int = 3) -> tuple[Array, Array]:
    """Return the two as finite arrays (K, P) in one order of stimuli."""
    a, b = (check_responses(x, who) if is_table(x) else x for x in (a, b))
    if isinstance(a, xr.DataArray) and isinstance(b, xr.DataArray):
        b = same_stimuli(check_responses(a, who), check_responses(b, who), who)
    a, b = alike(as_matrix(a, who), as_matrix(b, who))
    if len(a) != len(b):
        raise InputError(f"{who}: responses to {len(a)} and {len(b)} stimuli; give the same stimuli to both.")
    if len(a) < least:
        raise InputError(f"{who}: at least {least} stimuli are needed, found {len(a)}.")
    return a, b


def as_matrix(x: object, who: str) -> Array:
    """Return responses (stimulus, unit) as an array or tensor, or raise :class:`InputError`."""
    if isinstance(x, xr.DataArray):
        x = check_responses(x, who).values
    if not is_torch_array(x):
        x = plain(x, who).astype(float)
    elif x.is_complex():
        raise InputError(f"{who}: the values are complex ({x.dtype}); give the real part, or both as units.")
    elif not x.is_floating_point():
        x = x.double()
    if x.ndim != 2 or not all(x.shape):
        raise InputError(f"{who}: responses are (stimulus, unit), found shape {tuple(x.shape)}; average or select.")
    if not bool(array_namespace(x).all(array_namespace(x).isfinite(x))):
        raise InputError(f"{who}: responses hold NaN or infinite values; drop or impute them first.")
    return x


def alike(a: Array, b: Array) -> tuple[Array, Array]:
    """Return the two as tensors of one device and dtype if either is a tensor; arrays stay arrays."""
    if not (is_torch_array(a) or is_torch_array(b)):
        return a, b
    model = a if is_torch_array(a) else b
    a, b = (x if is_torch_array(x) else model.new_tensor(x, dtype=model.dtype) for x in (a, b))
    wider = a.dtype if a.dtype.itemsize >= b.dtype.itemsize else b.dtype
    return a.to(wider), b.to(device=a.device, dtype=wider)


def with_trials(x: object, who: str) -> np.ndarray:
    """Return responses (stimulus, trial, unit) with 2 trials or more, or raise :class:`InputError`.

    A trial that was not measured is NaN in all units.
    """
    if isinstance(x, xr.DataArray) and set(x.dims) != {"stimulus", "trial", "unit"}:
        raise InputError(f"{who}: needs responses (stimulus, trial, unit), found {tuple(x.dims)}; average or select.")
    dims = ("stimulus", "trial", "unit")
    x = x if isinstance(x, xr.DataArray) else xr.DataArray(plain(x, who), dims=dims[: np.ndim(plain(x, who))])
    values = np.asarray(check_responses(x, who, missing=True).values, dtype=float) if x.ndim == 3 else np.zeros(())
    measured = np.isfinite(values).any(-1) if values.ndim == 3 else np.zeros((1, 1), dtype=bool)
    if measured.sum(1).min() < 2 or not np.isfinite(values[measured]).all():
        raise InputError(
            f"{who}: needs finite responses (stimulus, trial, unit) with 2 trials of every stimulus, in "
            f"all units, found {x.shape}."
        )
    return values


def plain_scalar(value: Array) -> float:
    """Return a float of a numpy result; a tensor stays what it is, so that it can be differentiated."""
    scalar: Any = value if is_torch_array(value) else float(value)
    return cast(float, scalar)
