"""Numbers and arrays of circuits, converted once where they come in: any numeric type, or refused in one line."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import scipy.sparse

from neurosim.schema import InputError
from neurosim.units import plain, plain_field

WHOLE = 1e-6
LARGEST_BRAIN = 10.0  # m


def is_whole(steps: float) -> bool:
    """Whether a number of steps is a whole one, to a millionth of a step."""
    return abs(steps - round(steps)) <= WHOLE


def number(value: Any) -> float:
    """Return one number as a float."""
    return float(value)


def whole(value: Any) -> int:
    """Return one number as an int; raise ValueError where it has a fraction."""
    if not float(value).is_integer():
        raise ValueError(value)
    return int(value)


def convert(record: object, who: str, **kinds: Any) -> None:
    """Replace fields of a frozen record by plain numbers, whatever numeric type or unit they have."""
    for name, kind in kinds.items():
        value = plain_field(record, name, who)
        try:
            if isinstance(value, str | bool) or np.ndim(value) or isinstance(value, complex | np.complexfloating):
                raise TypeError
            object.__setattr__(record, name, kind(value))
        except (TypeError, ValueError, OverflowError, RuntimeError) as error:
            asked = f"{', '.join(kinds)} {'are numbers' if len(kinds) > 1 else 'is one number'}"
            whole_one = f" ({name} a whole one)" if kind is whole else ""
            raise InputError(f"{who}: {asked}{whole_one}, found {name} = {str(value)[:60]!r}.") from error


def one_of(who: str, name: str, value: object, kind: object = number) -> Any:
    """Return an option that is one number, whatever numeric type it has."""
    given = SimpleNamespace(**{name: value})
    convert(given, who, **{name: kind})
    return getattr(given, name)


def real(values: Any, what: str, unit: str = "1") -> np.ndarray:
    """Return values as an array of real numbers, of whatever kind of array they come in, and in whatever `unit`."""
    values = plain(values, unit, what)
    values = values.detach().cpu() if hasattr(values, "detach") else values
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"dtype {array.dtype}")
        return array.astype(float, copy=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} of real numbers asked, found {type(values).__name__} ({error}).") from error


def places(values: object, n: int, what: str) -> np.ndarray:
    """Return where `n` neurons are, (neuron, 2 or 3), m."""
    found = real(values, what, "m")
    if found.shape not in ((n, 2), (n, 3)):
        raise InputError(f"{what}: finite numbers of shape ({n}, 2) or ({n}, 3) asked, in m, found {found.shape}.")
    if not np.isfinite(found).all() or np.abs(found).max() > LARGEST_BRAIN:
        raise InputError(
            f"{what}: finite numbers within {LARGEST_BRAIN:g} m asked, found up to {np.abs(found).max():g}; positions "
            "are in SI units: 100 um is 100e-6."
        )
    return found


def matrix(weights: Any, what: str) -> Any:
    """Return weights as a dense array or, where they are sparse, as a csr_array, of real numbers."""
    if not scipy.sparse.issparse(weights):
        return real(weights, what)
    if weights.dtype.kind not in "biuf":
        raise InputError(f"{what} of real numbers asked, found dtype {weights.dtype}.")
    found = scipy.sparse.csr_array(weights, dtype=float)
    if not found.has_canonical_format:
        found = found.copy()  # what was given stays as it is
        found.sum_duplicates()
    return found


def scaled(weights: Any, factor: np.ndarray) -> Any:
    """Return weights (source, target), dense or sparse, with each column multiplied by its `factor`."""
    return weights * factor if isinstance(weights, np.ndarray) else weights.multiply(factor[None]).tocsr()
