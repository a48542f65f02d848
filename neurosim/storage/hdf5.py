"""Whether an HDF5 file is harmless: no links to other places, no data outside it, no absurd sizes."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from neurosim.storage import bounds
from neurosim.storage.failures import StorageError, readable
from neurosim.storage.paths import existing

HEAP = b"GCOL\x01\0\0\0"  # begins a global heap; the size of it and of its objects follows, in 8 bytes
OBJECT = 16  # bytes before an object, and before the first
SEARCHED = 2**28  # bytes of a file that is searched for damaged heaps
UNWRITTEN = 2**28  # bytes that an array may claim without holding any
MOST_PACKED = 2000  # bytes that one byte can unpack to


def check_hdf5(path: Path, *, soft_links: bool = False, any_size: bool = False) -> Path:
    """Return the path of an HDF5 file after its links and sizes were found harmless.

    Parameters
    ----------
    path : the file. soft_links : names for other places of the same file are welcome; they are not followed.
    any_size : the file and its arrays may be large, as far as they hold what they claim; they are not read at once.

    Raises
    ------
    StorageError : no such file, not HDF5 or truncated, data outside the file, absurd sizes.

    Examples
    --------
    >>> import h5py, tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with h5py.File(Path(folder) / "a.h5", "w") as file:
    ...         file["away"] = h5py.ExternalLink("/etc/passwd", "/")
    ...     ns.storage.check_hdf5(Path(folder) / "a.h5")
    Traceback (most recent call last):
    neurosim.storage.StorageError: ...: the entry 'away' links to another place; such files are not opened.
    """
    import h5py

    path = existing(path, any_size=any_size)
    _check_heaps(path)
    with readable(path, "HDF5"), h5py.File(path, "r") as file:
        sizes = {n: (d.nbytes, d.id.get_storage_size()) for n, d in _datasets(path, file, soft_links)}
    total = sum(claimed for claimed, _ in sizes.values())
    if total > bounds.MAX_BYTES and not any_size:
        largest = max(sizes, key=lambda name: sizes[name][0])
        raise StorageError(
            f"{path}: claims {total / 2**30:.0f} GiB, {sizes[largest][0] / 2**30:.0f} of them in {largest!r}."
        )
    for name, (claimed, held) in sizes.items():
        if claimed > max(UNWRITTEN, MOST_PACKED * held):
            raise StorageError(f"{path}: {name!r} claims {claimed} bytes and holds {held}; it is damaged.")
    return path


def _check_heaps(path: Path) -> None:
    """Refuse a file whose heaps of text do not end, in which HDF5 itself would search without end."""
    if not 0 < path.stat().st_size <= SEARCHED:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
        place = held.find(HEAP)
        while place >= 0:
            size = int.from_bytes(held[place + 8 : place + 16], "little")
            if size <= len(held) - place:
                _check_heap(path, held[place : place + size])
            place = held.find(HEAP, place + 1)


def _check_heap(path: Path, heap: bytes) -> None:
    at = OBJECT
    while at + OBJECT <= len(heap):
        number, size = int.from_bytes(heap[at : at + 2], "little"), int.from_bytes(heap[at + 8 : at + OBJECT], "little")
        taken = OBJECT + -(-size // 8) * 8 if number else size
        if not 0 < taken <= len(heap) - at:
            raise StorageError(
                f"{path}: a heap of text holds an object of {size} bytes, which cannot be; it is damaged."
            )
        at += taken


def _datasets(path: Path, file: Any, soft_links: bool) -> Iterator[tuple[str, Any]]:
    """Give every array of an HDF5 file once, with its path inside, and refuse links and data outside."""
    import h5py

    waiting, seen = [file], set()
    while waiting:
        group = waiting.pop()
        for name in group:
            link = group.get(name, getlink=True)
            if soft_links and isinstance(link, h5py.SoftLink):
                continue
            if not isinstance(link, h5py.HardLink):
                raise StorageError(f"{path}: the entry {name!r} links to another place; such files are not opened.")
            item = group[name]
            place = h5py.h5o.get_info(item.id).addr
            if place in seen:
                continue
            seen.add(place)
            if isinstance(item, h5py.Group):
                waiting.append(item)
            if isinstance(item, h5py.Dataset):
                if item.external or item.is_virtual:
                    raise StorageError(f"{path}: {name!r} keeps its data outside the file; such files are not opened.")
                yield str(item.name).removeprefix("/"), item
