"""MATLAB files of version 7.3: HDF5 whose dims run backwards, with text as numbers and cells as references."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from neurosim.storage.failures import StorageError
from neurosim.storage.hdf5 import check_hdf5

SIGNATURE, OFFSETS = b"\x89HDF\r\n\x1a\n", (0, 512)
NUMBERS = frozenset({"double", "single", "logical", *(f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64))})


def is_hdf5_mat(path: Path) -> bool:
    """Whether a file is HDF5, as MATLAB writes it behind a header of its own."""
    with path.open("rb") as file:
        start = file.read(max(OFFSETS) + len(SIGNATURE))
    return any(start[at : at + len(SIGNATURE)] == SIGNATURE for at in OFFSETS)


def read_hdf5_mat(path: Path) -> dict[str, Any]:
    """Return numbers, text and cells of these by name; structures and objects are left out."""
    import h5py

    with h5py.File(check_hdf5(path), "r") as file:
        return {
            str(name): _value(path, file, item)
            for name, item in file.items()
            if isinstance(item, h5py.Dataset) and _kind(item) in NUMBERS | {"char", "cell"}
        }


def _kind(item: Any) -> str:
    """Return the class that MATLAB gives a variable; numbers without one are those of other writers."""
    said = item.attrs.get("MATLAB_class", item.dtype.name if item.dtype.kind in "iuf" else "")
    return said.decode("ascii", "replace") if isinstance(said, bytes) else str(said).replace("float64", "double")


def _value(path: Path, file: Any, item: Any, depth: int = 0) -> Any:
    import h5py

    if item.attrs.get("MATLAB_empty", 0):
        return "" if _kind(item) == "char" else np.empty(0)
    values, kind = item[()], _kind(item)
    if kind == "char":
        rows = ["".join(map(chr, row)) for row in np.atleast_2d(values.T)]
        return rows[0] if len(rows) == 1 else np.array(rows)
    if kind == "cell":
        if depth or not isinstance(values, np.ndarray) or values.dtype != h5py.ref_dtype:
            raise StorageError(f"{path}: the cells of {item.name!r} hold cells; give a plain list of text or numbers.")
        found = [file[ref] for ref in values.T.ravel(order="F")]
        if any(not isinstance(f, h5py.Dataset) or _kind(f) not in NUMBERS | {"char", "cell"} for f in found):
            raise StorageError(f"{path}: the cells of {item.name!r} hold more than text and numbers.")
        cells = np.empty(len(found), dtype=object)
        cells[:] = [_value(path, file, f, depth + 1) for f in found]
        return cells.reshape(values.T.shape, order="F").squeeze()
    array = np.asarray(values).T.squeeze()
    return array.astype(bool) if kind == "logical" else array
