"""Whether a MATLAB file of version 5 to 7.2 is whole: scipy trusts the numbers in it and ends the process otherwise."""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path
from typing import IO

from neurosim.storage.failures import StorageError

MATRIX, COMPRESSED = 14, 15
KINDS = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 12, 13, MATRIX, COMPRESSED, 16, 17, 18})
HEAD, DEEPEST = 128, 64
DIMS, MOST_DIMS = 5, 32
UNBOUND = (5, 16, 17)  # classes whose dims say nothing of their bytes: sparse, functions, opaque


class _Inflated:
    """The content of a compressed element, unpacked as far as it is read."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.file, self.left, self.held = file, size, b""
        self.inflate = zlib.decompressobj()

    def read(self, n: int) -> bytes:
        parts = []
        while n > 0:
            if not self.held:
                self.held = self._more(min(n, 2**20))
                if not self.held:
                    break
            parts.append(self.held[:n])
            n, self.held = n - len(parts[-1]), self.held[n:]
        return b"".join(parts)

    def _more(self, n: int) -> bytes:
        while not self.inflate.eof:
            packed = self.inflate.unconsumed_tail or self.file.read(min(self.left, 2**16))
            if not self.inflate.unconsumed_tail:
                self.left -= len(packed)
            if not packed:
                return b""
            if found := self.inflate.decompress(packed, n):
                return found
        return b""

    def skip(self, n: int) -> None:
        while n > 0 and (piece := self.read(min(n, 2**20))):
            n -= len(piece)


class _Plain:
    """The content of a file, of which what is skipped is not read."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def read(self, n: int) -> bytes:
        return self.file.read(n)

    def skip(self, n: int) -> None:
        self.file.seek(n, 1)


def check_elements(path: Path) -> None:
    """Refuse a MATLAB file whose elements are of kinds that there are not, or reach over their end.

    Parameters
    ----------
    path : the file; other versions than 5 to 7.2 are left to who reads them.

    Raises
    ------
    StorageError : it is damaged.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
        order = {b"IM": "<", b"MI": ">"}.get(head[126:128])
        if order is None or head[:4] == b"\x89HDF" or not head[4:].strip(b"\0"):
            return
        size = path.stat().st_size
        while len(tag := file.read(8)) == 8:
            kind, n = struct.unpack(f"{order}II", tag)
            begin = file.tell()
            if kind not in (MATRIX, COMPRESSED) or begin + n > size:
                raise _damaged(path, kind, n)
            if kind == COMPRESSED:
                inner = _Inflated(file, n)
                inner_kind, m = struct.unpack(f"{order}II", inner.read(8).ljust(8, b"\0"))
                if inner_kind != MATRIX:
                    raise _damaged(path, inner_kind, m)
                _check_inside(path, inner, m, order, 0)
            else:
                _check_inside(path, _Plain(file), n, order, 0)
            file.seek(begin + n)


def _check_inside(path: Path, content: _Plain | _Inflated, left: int, order: str, depth: int) -> None:
    """Walk through the elements of a matrix, and of the matrices in it."""
    whole, parts, sparse = left, 0, True
    while left >= 8:
        kind, size = struct.unpack(f"{order}II", content.read(8).ljust(8, b"\0"))
        left -= 8
        if kind >> 16:
            if kind & 0xFFFF not in KINDS or kind >> 16 > 4:
                raise _damaged(path, kind & 0xFFFF, kind >> 16)
            continue
        padded = size if kind == MATRIX else -(-size // 8) * 8
        if kind not in KINDS or size > left or depth > DEEPEST:
            raise _damaged(path, kind, size)
        if kind == MATRIX:
            _check_inside(path, content, size, order, depth + 1)
        elif parts == 1 and kind == DIMS and size <= 4 * MOST_DIMS:
            held = content.read(padded)[:size]
            if math.prod(struct.unpack(f"{order}{size // 4}i", held[: size // 4 * 4])) > whole and not sparse:
                raise _damaged(path, MATRIX, whole)
        elif parts == 0 and size == 8:
            sparse = struct.unpack(f"{order}I", content.read(padded)[:4].ljust(4, b"\0"))[0] & 0xFF in UNBOUND
        else:
            content.skip(padded)
        left, parts = left - padded, parts + 1


def _damaged(path: Path, kind: int, size: int) -> StorageError:
    return StorageError(f"{path}: an element of kind {kind} claims {size} bytes, which cannot be; it is damaged.")
