"""MATLAB files (version 5 to 7.3) that hold responses and their labels under the names of an npz archive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.arrays import listed
from neurosim.recordings.reader import Reader
from neurosim.recordings.readers.npz import ALONG, responses_of
from neurosim.registry import NoOptions
from neurosim.schema import RESPONSE_DIMS, InputError


def read_responses(path: Path, _options: NoOptions) -> xr.DataArray:
    """Read the variable ``responses`` with the labels that stand beside it."""
    content = {k: np.atleast_1d(v) for k, v in storage.read_mat(path).items()}
    with storage.readable(path, "MATLAB file of responses"):
        content |= {k: _whole(content[k]) for k in ("stimulus", "trial", *ALONG) if k in content}
        if "responses" in content:
            content["responses"] = _with_lost_dims(content, path.name)
        return responses_of(content, path.name)


def _whole(names: np.ndarray) -> np.ndarray:
    """Return names that are whole numbers as such: MATLAB keeps 100 as 100.0."""
    plain = names.dtype.kind == "f" and np.isfinite(names).all() and (names == np.round(names)).all()
    return names.astype(np.int64) if plain and np.abs(names).max(initial=0) < 2**53 else names


def _with_lost_dims(content: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Return responses with the dims of one element, which MATLAB drops, by their labels or, if it is one, the unit."""
    values = content["responses"]
    sizes = {d: len(content[d]) for d in RESPONSE_DIMS if d in content}
    if "dims" not in content:
        if values.ndim != 1 or sizes.get("stimulus", sizes.get("unit")) is None:
            return values
        if sizes.get("stimulus", 1) == len(values) and sizes.get("unit", 1) == 1:
            return values[:, None]
        return values[None] if sizes.get("unit") == len(values) and sizes.get("stimulus", 1) == 1 else values
    dims = [str(d) for d in listed(content["dims"], name)]
    lost = len(dims) - values.ndim
    alone = [d for d in dims if sizes.get(d) == 1]
    alone = alone if len(alone) == lost else ["unit"] if lost == 1 and "unit" in dims and "unit" not in sizes else []
    if lost > 0 and not alone:
        raise InputError(
            f"{name}: responses of shape {values.shape} for dims {', '.join(dims)}; MATLAB drops dims of one element: "
            "say which by their labels, such as a variable 'unit' of one name."
        )
    return np.expand_dims(values, tuple(dims.index(d) for d in alone)) if lost > 0 else values


def example(path: Path) -> NoOptions:
    """Write three stimuli and two units."""
    import scipy.io

    names = np.array(["a", "b", "c"], dtype=object)
    scipy.io.savemat(path, {"responses": np.arange(6.0).reshape(3, 2), "stimulus": names})
    return NoOptions()


MAT = Reader(
    name="mat",
    caption="variables of MATLAB by name: responses and their labels",
    endings=(".mat",),
    responses=read_responses,
    example=example,
)
