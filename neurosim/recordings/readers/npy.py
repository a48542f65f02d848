"""A bare array of numpy: its dims are asked for, labels come from tables beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.recordings.reader import Reader
from neurosim.schema import InputError, as_responses


@dataclass(frozen=True)
class NpyOptions:
    """What a bare array cannot say of itself.

    Parameters
    ----------
    dims : name of each dim in order: "stimulus", "unit", and "trial" and "time" as it has them.
    stimuli : table (CSV, TSV, Parquet), one row a stimulus; its column ``stimulus`` names them, others are labels.
    units : the same for units, with a column ``unit``.
    quantity : of the values, such as "spike_count". time_step : s, where there is a ``time``.
    """

    dims: tuple[str, ...]
    stimuli: Path | None = None
    units: Path | None = None
    quantity: str = "activation"
    time_step: float | None = None


def read_responses(path: Path, options: NpyOptions) -> xr.DataArray:
    """Read the array, whose NaN are trials that were not measured."""
    values = storage.read_npy(path)
    dims = tuple(options.dims)
    if values.ndim != len(dims) or not {"stimulus", "unit"} <= set(dims):
        raise InputError(
            f"{path.name}: dims names each dim of an array of shape {values.shape}, 'stimulus' and 'unit' among them; "
            f"found {dims}."
        )
    labels = [
        _labels(getattr(options, f), dim, values.shape[dims.index(dim)], path.name)
        for f, dim in (("stimuli", "stimulus"), ("units", "unit"))
    ]
    return as_responses(
        values,
        dims=dims,
        stimuli=labels[0].pop("stimulus", (None, None))[1],
        coords=labels[0] | labels[1],
        quantity=options.quantity,
        time_step=options.time_step,
    )


def _labels(table: Path | None, dim: str, n: int, name: str) -> dict[str, Any]:
    """Return the columns of a table as labels along `dim`."""
    if table is None:
        return {}
    rows = storage.read_table(table, ids=(dim,))
    if dim not in rows or len(rows) != n:
        raise InputError(
            f"{name}: {table.name} has a column {dim} and one row each for {n}; found {len(rows)} rows of "
            f"{', '.join(map(str, rows.columns))}."
        )
    plain = {str(k): v.to_numpy() for k, v in rows.items()}
    return {k: (dim, v if v.dtype.kind in "biuf" and k != dim else v.astype(str)) for k, v in plain.items()}


def example(path: Path) -> NpyOptions:
    """Write three stimuli and two units."""
    np.save(path, np.arange(6.0).reshape(2, 3))
    return NpyOptions(dims=("unit", "stimulus"))


NPY = Reader(
    name="npy",
    caption="one array of numpy, whose dims are said",
    endings=(".npy",),
    responses=read_responses,
    options=NpyOptions,
    citation="https://doi.org/10.1038/s41586-020-2649-2",
    example=example,
)
