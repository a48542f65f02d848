"""Files of events as cameras write them: AEDAT 2 and 3.1, five bytes an event, lists in HDF5, tables."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neurosim import storage
from neurosim.arrays import is_missing
from neurosim.event_arrays import EventSet, gathered
from neurosim.schema import InputError

Events = tuple[np.ndarray, dict[str, np.ndarray]]  # times in us, places by dim, one entry an event
POLARITY, PACKET = 1, struct.Struct("<hhiiiiii")
OVERFLOW_ROW, OVERFLOW_TIME = 240, 2**13  # N-MNIST: rows that are no row, and the us that each of them stands for
TABLE = ("x", "y", "p", "unit")


def read_aedat3(path: Path) -> Events:
    """Return the polarity events of an AEDAT 3.1 file, those that are marked as invalid left out.

    https://docs.inivation.com/software/software-advanced-usage/file-formats/aedat-3.1.html

    Raises
    ------
    StorageError : no such file, another version, a packet that says more than the file holds.
    """
    with storage.readable(path, "AEDAT 3.1"):
        content = _content(path)
        lines, place = _header(path, content)
        if not lines or not lines[0].startswith(b"#!AER-DAT3.1"):
            raise storage.StorageError(f"{path}: begins with {content[:14]!r}; an AEDAT 3.1 file is asked.")
        found = [np.zeros((0, 2), dtype=np.int64)]
        while place < len(content):
            if len(content) - place < PACKET.size:
                raise storage.StorageError(f"{path}: ends inside the header of a packet; it is truncated.")
            kind, _, size, offset, overflow, capacity, number, _ = PACKET.unpack_from(content, place)
            place += PACKET.size
            if size < 0 or capacity < 0 or not 0 <= number <= capacity or place + size * capacity > len(content):
                raise storage.StorageError(
                    f"{path}: a packet claims {number} of {capacity} events of {size} bytes and has "
                    f"{len(content) - place} bytes; it is truncated or damaged."
                )
            if kind == POLARITY:
                if (size, offset) != (8, 4) or overflow < 0:
                    raise storage.StorageError(f"{path}: polarity events of {size} bytes, 8 are asked; it is damaged.")
                words = np.frombuffer(content, "<u4", 2 * number, place).reshape(-1, 2).astype(np.int64)
                words[:, 1] += overflow << 31
                found.append(words[(words[:, 0] & 1) == 1])
            place += size * capacity
    data, times = np.concatenate(found).T
    return times, {"channel": data >> 1 & 1, "y": data >> 2 & 0x7FFF, "x": data >> 17 & 0x7FFF}


def read_aedat2(path: Path, side: int) -> Events:
    """Return the polarity events of an AEDAT 2 file of a DVS128 camera, x from the left as jAER shows it.

    https://docs.inivation.com/software/software-advanced-usage/file-formats/aedat-2.0.html

    Raises
    ------
    StorageError : no such file, another version, half an event at the end.
    """
    with storage.readable(path, "AEDAT 2"):
        content = _content(path)
        lines, place = _header(path, content)
        if not lines or not lines[0].startswith(b"#!AER-DAT2"):
            raise storage.StorageError(f"{path}: begins with {content[:14]!r}; an AEDAT 2 file is asked.")
        if (len(content) - place) % 8:
            raise storage.StorageError(f"{path}: ends inside an event; it is truncated.")
        data, times = np.frombuffer(content, ">u4", offset=place).reshape(-1, 2).astype(np.int64).T
    kept = data >> 31 == 0  # others are no events of pixels
    data = data[kept]
    return times[kept], {"channel": 1 - (data & 1), "y": data >> 8 & 0x7F, "x": side - 1 - (data >> 1 & 0x7F)}


def read_five_bytes(path: Path) -> Events:
    """Return the events of a file of N-MNIST: x, y, and 24 bits of which the first is the polarity, the others us.

    Raises
    ------
    StorageError : no such file, or half an event at the end.
    """
    with storage.readable(path, "events of five bytes"):
        content = _content(path)
        if len(content) % 5:
            raise storage.StorageError(f"{path}: {len(content)} bytes are no events of five bytes; it is truncated.")
        x, y, first, second, third = np.frombuffer(content, np.uint8).reshape(-1, 5).astype(np.int64).T
    is_overflow = y == OVERFLOW_ROW
    times = ((first & 127) << 16 | second << 8 | third) + OVERFLOW_TIME * np.cumsum(is_overflow)
    pixels = ~is_overflow
    return times[pixels], {"channel": (first >> 7)[pixels], "y": y[pixels], "x": x[pixels]}


def check_stream(times: np.ndarray, path: Path) -> None:
    """Refuse a stream without events, or whose clock goes back."""
    if not len(times):
        raise storage.StorageError(f"{path}: holds no events; it is empty or truncated.")
    if (np.diff(times) < 0).any():
        at = int(np.flatnonzero(np.diff(times) < 0)[0]) + 1
        raise storage.StorageError(f"{path}: times go back at event {at}; it is damaged.")


def read_spike_lists(path: Path, n_units: int, who: str) -> EventSet:
    """Return the recordings of a file of the Heidelberg sets: lists of times (s) and units, labels, speakers, keys.

    Lists need no order; they are sorted by time.

    Raises
    ------
    StorageError : no such file, lists that are missing, of other lengths or longer than the file, labels without a key.
    """
    import h5py

    path = storage.check_hdf5(path)
    with storage.readable(path, "HDF5"), h5py.File(path, "r") as file:
        given = np.asarray(file["labels"][()])
        labels = given.astype(np.int64)
        keys = [k.decode() if isinstance(k, bytes) else str(k) for k in file["extra/keys"][()]]
        speakers = np.asarray(file["extra/speaker"][()]).astype(str) if "extra/speaker" in file else None
        lists = [_lists(path, file[f"spikes/{name}"], len(labels)) for name in ("times", "units")]
    if labels.ndim != 1 or not len(labels) or labels.min() < 0 or labels.max() >= len(keys):
        raise storage.StorageError(f"{path}: labels {labels.shape} outside its {len(keys)} keys; it is damaged.")
    if given.dtype.kind not in "iuf" or (labels != given).any():
        raise storage.StorageError(f"{path}: labels that are no whole numbers; it is damaged.")
    sizes = [len(t) for t in lists[0]]
    if sizes != [len(u) for u in lists[1]]:
        raise storage.StorageError(f"{path}: spikes/times and spikes/units differ in length; it is damaged.")
    orders = [np.argsort(t, kind="stable") for t in lists[0]]
    times, units = (np.concatenate([v[o] for v, o in zip(found, orders, strict=True)]) for found in lists)
    about = {"category": np.asarray(keys)[labels]} | ({} if speakers is None else {"speaker": speakers})
    ids = [f"{path.stem}_{k:05d}" for k in range(len(labels))]
    return gathered(times, {"unit": units}, sizes, {"unit": n_units}, ids, about, 1.0, who)


def read_table(path: Path, sensor: Mapping[str, int] | None, time_unit: float | None, who: str) -> EventSet:
    """Return the recordings of a table of one's own, ``.npz`` or ``.h5``, as :func:`load_events` says.

    Raises
    ------
    StorageError : missing or damaged file. InputError : arrays or names that are missing, or a sensor that nothing
    tells.
    """
    arrays = storage.read_npz(path) if path.suffix.lower() == ".npz" else _plain_hdf5(path)
    missing = [k for k in ("t", "n_events") if k not in arrays]
    found = {"channel" if k == "p" else k: arrays[k] for k in TABLE if k in arrays}
    if missing or not found:
        raise InputError(
            f"{who}: {path.name} holds {', '.join(arrays) or 'nothing'}; asked are t, n_events, and unit or x, y and p."
        )
    if sensor is None:
        if "sensor" not in arrays:
            raise InputError(f"{who}: {path.name} does not say how large its sensor is; pass sensor=, by dim.")
        dims = [d for d in ("channel", "unit", "y", "x") if d in found]
        sizes = np.atleast_1d(arrays["sensor"])
        if sizes.shape != (len(dims),) or sizes.dtype.kind not in "iu":
            raise InputError(f"{who}: sensor of {path.name} is {sizes.tolist()}; the sizes of {', '.join(dims)} asked.")
        sensor = dict(zip(dims, map(int, sizes), strict=True))
    if time_unit is None and "time_unit" in arrays:
        time_unit = float(np.asarray(arrays["time_unit"]).ravel()[0])
    names: dict[str, Any] = {
        k: [_text(v) for v in arrays[k].ravel()] for k in ("stimulus", "category", "speaker") if k in arrays
    }
    for key in names:
        if any(is_missing(v) for v in arrays[key].ravel()):
            raise InputError(f"{who}: a recording of {path.name} has no {key} (NaN); name it, or leave it out.")
    ids = names.pop("stimulus", None)
    return gathered(arrays["t"], found, arrays["n_events"], sensor, ids, names, time_unit, f"{who}: {path.name}")


def _content(path: Path) -> bytes:
    return b"".join(storage.pieces(storage.existing(path), "events"))


def _header(path: Path, content: bytes) -> tuple[list[bytes], int]:
    """Return the lines that begin with #, and where those end."""
    lines, place = [], 0
    while content[place : place + 1] == b"#":
        end = content.find(b"\n", place, place + 4096)
        if end < 0:
            raise storage.StorageError(f"{path}: a line of its header has no end; it is damaged.")
        lines.append(content[place:end])
        place = end + 1
        if lines[-1].startswith(b"#!END-HEADER"):
            break
    return lines, place


def _lists(path: Path, dataset: Any, n: int) -> list[np.ndarray]:
    """Return the lists of a dataset, which together hold no more than its file."""
    if dataset.shape != (n,):
        raise storage.StorageError(f"{path}: {dataset.name} has the shape {dataset.shape}, {n} labels; it is damaged.")
    found, left = [], path.stat().st_size
    for k in range(n):
        values = np.asarray(dataset[k])
        left -= values.nbytes
        if left < 0 or values.ndim != 1 or values.dtype.kind not in "iuf":
            raise storage.StorageError(
                f"{path}: the lists of {dataset.name} are no numbers, or more than the file holds."
            )
        found.append(values)
    return found


def _plain_hdf5(path: Path) -> dict[str, np.ndarray]:
    import h5py

    path = storage.check_hdf5(path)
    with storage.readable(path, "HDF5"), h5py.File(path, "r") as file:
        return {str(k): np.asarray(v[()]) for k, v in file.items() if isinstance(v, h5py.Dataset)}


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
