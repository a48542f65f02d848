"""Labelled arrays: netCDF-4, with a checksum on every block, and Zarr."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from neurosim.storage.atomic import atomic_file, write_bytes
from neurosim.storage.failures import StorageError, readable
from neurosim.storage.hdf5 import check_hdf5
from neurosim.storage.paths import check_links, is_folder, read_start

SMALL = 4096
COMPRESSED = {"compression": "gzip", "compression_opts": 4}
DECODED = ("scale_factor", "add_offset", "missing_value", "_FillValue", "_Unsigned", "dtype", "coordinates")
CLOCKS = ("days", "hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds")


def write_dataset(path: Path, dataset: xr.Dataset | xr.DataArray) -> None:
    """Write a labelled array as netCDF-4 with a checksum on every block; the same content gives the same bytes.

    The file is made in memory first (peak: twice the array), so that a full disk is met by one plain write.

    Parameters
    ----------
    path : the file. dataset : arrays of any dims; attributes that netCDF does not know are written as JSON.

    Raises
    ------
    StorageError : the disk is full, nothing can be written there, or an attribute of a variable is one of netCDF's own,
        by which a reader would change its values.

    Examples
    --------
    >>> import tempfile
    >>> import xarray as xr
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ns.storage.write_dataset(Path(folder) / "a.nc", xr.DataArray([1.0, 2.0], dims="unit", name="rate"))
    ...     print(ns.storage.read_dataset(Path(folder) / "a.nc").rate.values)
    [1. 2.]
    """
    if isinstance(dataset, xr.DataArray):
        dataset = dataset.to_dataset(name=str(dataset.name or "values"))
    plain = dataset.copy()
    plain.attrs = {k: _plain_attribute(v) for k, v in dataset.attrs.items()}
    encoding: dict[str, dict[str, Any]] = {}
    for name, variable in plain.variables.items():
        _check_attributes(path, str(name), variable)
        variable.attrs = {k: _plain_attribute(v) for k, v in variable.attrs.items()}
        if variable.dtype.kind in "biuf" and variable.ndim:
            small = variable.size <= SMALL
            encoding[str(name)] = {"fletcher32": True, "_FillValue": None} | ({} if small else COMPRESSED)
    write_bytes(path, bytes(plain.to_netcdf(engine="h5netcdf", encoding=encoding)))


@contextlib.contextmanager
def growing_array(
    path: Path,
    labels: xr.Dataset,
    name: str,
    dims: tuple[str, ...],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    rows: int,
) -> Iterator[Callable[[int, np.ndarray], None]]:
    """Give a function (first row, values) that writes rows of an array into a netCDF-4 file.

    The file appears when all is written: for arrays larger than memory.

    Parameters
    ----------
    path : the file. labels : coordinates and attributes that go with the array.
    name, dims, shape, dtype : of the array.
    rows : rows written at once, the chunk of the file.

    Raises
    ------
    StorageError : the disk is full, or nothing can be written there.

    Examples
    --------
    >>> import tempfile
    >>> import xarray as xr
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.nc"
    ...     with ns.storage.growing_array(path, xr.Dataset(), "rate", ("unit",), (4,), np.dtype(float), rows=2) as put:
    ...         put(0, np.ones(2))
    ...         put(2, np.zeros(2))
    ...     print(ns.storage.read_array(path).values)
    [1. 1. 0. 0.]
    """
    import h5netcdf

    plain = labels.copy()
    for label, variable in plain.variables.items():
        _check_attributes(path, str(label), variable)
    plain.attrs = {k: _plain_attribute(v) for k, v in labels.attrs.items()}
    with atomic_file(path) as temporary:
        plain.to_netcdf(temporary, engine="h5netcdf")
        with h5netcdf.File(temporary, "a") as file:
            for dim, size in zip(dims, shape, strict=True):
                if dim not in file.dimensions:
                    file.dimensions[dim] = size
            chunk = (min(rows, shape[0]), *shape[1:])
            variable = file.create_variable(name, dims, dtype, chunks=chunk, fletcher32=True)

            def put(start: int, values: np.ndarray) -> None:
                variable[start : start + len(values)] = values

            yield put


def _check_version(path: Path) -> None:
    """Refuse a file of netCDF-3, which is no HDF5."""
    if read_start(path, 3) == b"CDF":
        raise StorageError(
            f"{path}: netCDF-3, and netCDF-4 is read; write it anew: xr.load_dataset(path, engine='scipy')"
            ".to_netcdf(new, engine='h5netcdf')."
        )


def read_dataset(path: Path) -> xr.Dataset:
    """Read a netCDF-4 file into memory, after its links and sizes were found harmless.

    Parameters
    ----------
    path : the file.

    Raises
    ------
    StorageError : missing, damaged or unsafe file.

    Examples
    --------
    >>> from pathlib import Path
    >>> ns.storage.read_dataset(Path("nothing.nc"))
    Traceback (most recent call last):
    neurosim.storage.StorageError: nothing.nc: no such file.
    """
    _check_version(path)
    check_hdf5(path)
    with readable(path, "netCDF"), xr.open_dataset(path, engine="h5netcdf") as opened:
        return opened.load()


def open_dataset(path: Path) -> xr.Dataset:
    """Open a netCDF-4 file (``.nc``) or a Zarr folder (``.zarr``) lazily: values are read when they are used.

    Parameters
    ----------
    path : the file or folder.

    Raises
    ------
    StorageError : missing, damaged or unsafe file, or one with links to other places.

    Examples
    --------
    >>> import tempfile
    >>> import xarray as xr
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ns.storage.write_dataset(Path(folder) / "a.nc", xr.DataArray([1.0, 2.0], dims="unit", name="rate"))
    ...     with ns.storage.open_dataset(Path(folder) / "a.nc") as opened:
    ...         print(dict(opened.sizes))
    {'unit': 2}
    """
    path = Path(path)
    if path.suffix.lower() == ".zarr":
        if not is_folder(path):
            raise StorageError(f"{path}: no such folder.")
        with readable(path, "Zarr"):
            check_links(path)
            return _in_one_line(xr.open_dataset(path, engine="zarr", chunks=None), path, "Zarr")
    _check_version(path)
    check_hdf5(path, any_size=True)
    with readable(path, "netCDF"):
        return _in_one_line(xr.open_dataset(path, engine="h5netcdf"), path, "netCDF")


def _in_one_line(dataset: xr.Dataset, path: Path, kind: str) -> xr.Dataset:
    """Return an opened dataset that says in one line, when its values are used, that they are damaged."""
    held = {str(n): v.variable for n, v in dataset.data_vars.items() if not v.variable._in_memory}
    lazily: Any = indexing.LazilyIndexedArray
    checked = {n: v.copy(deep=False, data=lazily(_OnDisk(v, path, kind))) for n, v in held.items()}
    opened = dataset.assign(checked)
    opened.set_close(dataset.close)
    return opened


class _OnDisk(BackendArray):
    """Values of a variable that are read when they are used, or refused in one line."""

    def __init__(self, variable: xr.Variable, path: Path, kind: str) -> None:
        self.variable, self.path, self.kind = variable, path, kind
        self.shape, self.dtype = variable.shape, variable.dtype

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        with readable(self.path, self.kind):
            return np.asarray(self.variable[key].values)


def read_array(path: Path, name: str | None = None) -> xr.DataArray:
    """Read one variable of a netCDF-4 file; `name` may be left out when there is only one.

    Parameters
    ----------
    path : the file. name : of the variable.

    Raises
    ------
    StorageError : missing, damaged or unsafe file; no such variable, or several of which none is named.

    Examples
    --------
    >>> import tempfile
    >>> import xarray as xr
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ns.storage.write_dataset(Path(folder) / "a.nc", xr.DataArray([1.0, 2.0], dims="unit", name="rate"))
    ...     print(ns.storage.read_array(Path(folder) / "a.nc").values)
    [1. 2.]
    """
    dataset = read_dataset(path)
    names = [str(v) for v in dataset.data_vars]
    if name is None and len(names) != 1:
        raise StorageError(f"{path}: holds {len(names)} variables ({', '.join(names[:8])}); say which one.")
    if name is not None and name not in names:
        raise StorageError(f"{path}: no variable {name!r}; it holds {', '.join(names[:8])}.")
    return dataset[name or names[0]]


def _check_attributes(path: Path, name: str, variable: xr.Variable) -> None:
    """Refuse attributes that say to readers of netCDF how values are coded, where values are not."""
    own = [k for k in DECODED if k in variable.attrs]
    units = variable.attrs.get("units")
    if variable.dtype.kind in "iuf" and isinstance(units, str) and (units in CLOCKS or " since " in units):
        own.append("units")
    if own:
        raise StorageError(
            f"{path.name}: the attribute {own[0]} = {variable.attrs[own[0]]!r} of {name!r} is netCDF's own and would "
            f"change its values when they are read; {'write s for seconds' if own[0] == 'units' else 'rename it'}."
        )


def _plain_attribute(value: object) -> object:
    if isinstance(value, bool):
        return int(value)
    return json.dumps(value, sort_keys=True) if isinstance(value, dict | list | tuple | type(None)) else value
