"""MATLAB files (version 5 to 7.3) that hold responses and their labels under the names of an npz archive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.recordings.reader import Reader
from neurosim.recordings.readers.npz import responses_of
from neurosim.registry import NoOptions


def read_responses(path: Path, _options: NoOptions) -> xr.DataArray:
    """Read the variable ``responses`` with the labels that stand beside it."""
    content = {k: np.atleast_1d(v) for k, v in storage.read_mat(path).items()}
    with storage.readable(path, "MATLAB file of responses"):
        return responses_of(content, path.name)


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
