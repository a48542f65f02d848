"""Which category a population of output neurons names."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim.responses.averages import over_time
from neurosim.schema import InputError


def named_category(responses: xr.DataArray, layer: str) -> np.ndarray:
    """Return, per stimulus, the index of the most active unit of `layer`; the first one wins a tie.

    >>> from neurosim.schema import as_responses
    >>> r = as_responses(np.eye(3), coords={"layer": ("unit", ["out"] * 3)})
    >>> named_category(r, "out").tolist()
    [0, 1, 2]
    """
    inside = responses["layer"].values == layer
    if not inside.any():
        known = list(dict.fromkeys(responses["layer"].values.tolist()))
        raise InputError(f"named_category: no layer {layer!r}. Layers: {', '.join(known)}.")
    return over_time(responses).isel(unit=np.flatnonzero(inside)).transpose("stimulus", "unit").values.argmax(axis=1)
