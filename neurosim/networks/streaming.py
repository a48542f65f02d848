"""Responses on disk while they are recorded, and read back when they are used; spikes take one bit each."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from neurosim import storage
from neurosim.schema import InputError, responses_to

PACKED, PLAIN = "packed_spikes", "responses"


@dataclass(frozen=True)
class Plan:
    """What responses will be before they are recorded: labels, shape, quantity."""

    stimuli: xr.DataArray
    layer: np.ndarray
    n_time: int | None
    dtype: np.dtype
    quantity: str
    time_step: float | None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape (stimulus, [time,] unit)."""
        time = () if self.n_time is None else (self.n_time,)
        return (self.stimuli.sizes["stimulus"], *time, len(self.layer))

    @property
    def dims(self) -> tuple[str, ...]:
        """Dims."""
        return ("stimulus", "unit") if self.n_time is None else ("stimulus", "time", "unit")

    @property
    def n_values(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def itemsize(self) -> int:
        """Bytes of a value."""
        return self.dtype.itemsize

    def labelled(self, values: np.ndarray) -> xr.DataArray:
        """Return finished responses."""
        return responses_to(
            self.stimuli,
            values,
            dims=self.dims,
            coords={"layer": ("unit", self.layer)},
            quantity=self.quantity,
            time_step=self.time_step,
        )

    def empty(self) -> xr.Dataset:
        """Return the labels alone, as responses would have them."""
        none = np.broadcast_to(np.zeros((), dtype=np.uint8), self.shape)
        labelled = self.labelled(none)
        return xr.Dataset(coords=labelled.coords, attrs=labelled.attrs)


def stream_responses(path: Path, plan: Plan, blocks: Iterable[tuple[int, np.ndarray]]) -> xr.DataArray:
    """Write blocks of responses as they come, (first stimulus, values); return them as :func:`open_streamed` does."""
    packs = plan.quantity == "spike_count"
    name, shape, dims = PLAIN, plan.shape, plan.dims
    if packs:
        name, shape, dims = PACKED, (*plan.shape[:-1], -(-plan.shape[-1] // 8)), (*plan.dims[:-1], "byte")
    dtype = np.dtype(np.uint8) if packs else plan.dtype
    with storage.growing_array(path, plan.empty(), name, dims, shape, dtype, rows=8) as put:
        for start, values in blocks:
            if not np.isfinite(values).all():
                raise InputError("record_responses: the network answers with values that are NaN or infinite.")
            put(start, np.packbits(values != 0, axis=-1) if packs else values)
    return open_streamed(path)


def open_streamed(path: str | Path) -> xr.DataArray:
    """Open responses that were streamed to a file; values are read, and spikes unpacked, when they are used.

    Parameters
    ----------
    path : netCDF file that ``record_responses(..., out=path)`` wrote.

    Returns
    -------
    responses (stimulus, [time,] unit).

    Raises
    ------
    StorageError : no such file, or not one of streamed responses.

    Examples
    --------
    >>> import tempfile
    >>> from torch import nn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     network, stimuli = nn.Sequential(nn.Linear(4, 3)), ns.as_stimuli(np.ones((5, 4)))
    ...     _ = ns.record_responses(network, stimuli, out=f"{folder}/responses.nc", progress=False)
    ...     ns.networks.open_streamed(f"{folder}/responses.nc").sizes["unit"]
    3
    """
    found = storage.open_dataset(storage.as_path(path, "open_streamed"))
    if PLAIN in found:
        return found[PLAIN].assign_attrs(found.attrs)
    if PACKED not in found or "unit" not in found.sizes:
        raise storage.StorageError(f"open_streamed: {path} holds no streamed responses.")
    packed = found[PACKED]
    lazy = indexing.LazilyIndexedArray(_Unpacked(packed, found.sizes["unit"]))
    return xr.DataArray(
        xr.Variable((*packed.dims[:-1], "unit"), lazy), coords=found.coords, attrs=found.attrs, name=PLAIN
    )


class _Unpacked(BackendArray):
    """Bits on disk as an array of spikes; only the stimuli and steps asked for are read."""

    def __init__(self, packed: xr.DataArray, n_units: int) -> None:
        self.packed = packed
        self.shape, self.dtype = (*packed.shape[:-1], n_units), np.dtype(np.float32)

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        rows = self.packed[(*key[:-1],)].values
        spikes = np.unpackbits(rows, axis=-1, count=self.shape[-1]).astype(np.float32)
        return spikes[..., key[-1]]
