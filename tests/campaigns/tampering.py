"""Ways to damage a file and to make it hostile, whatever its format; each gives back what was done in a word."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

SECRET = 424242.0
HUGE = (b"\xff" * 4, b"\xff\xff\xff\x7f", b"\xff" * 8, b"\xff" * 7 + b"\x7f", b"\x00" * 8, b"\x00\x00\x00\x80")
WORDS = (
    b"../../secret.npy",
    b"/etc/passwd",
    b"=cmd",
    b"nan",
    b"1e309",
    b"-1",
    b"[" * 300,
    b'"' * 99,
    b"\0",
    b"\x1b[31m",
)
BOMB = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "%s">%s]><a>&z9;</a>' % (
    b"x" * 99,
    b"".join(b'<!ENTITY z%d "%s">' % (k, (b"&z%d;" % (k - 1) if k else b"&b;") * 10) for k in range(10)),
)


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.sprung),)


def cut(content: bytes, rng: random.Random) -> bytes:
    """Leave out the end."""
    return content[: rng.randrange(len(content))]


def flipped(content: bytes, rng: random.Random) -> bytes:
    """Turn some bits over."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 12)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def zeroed(content: bytes, rng: random.Random) -> bytes:
    """Write zeros over a part."""
    begin, n = rng.randrange(len(content)), rng.randint(1, max(len(content) // 3, 1))
    return content[:begin] + bytes(len(content[begin : begin + n])) + content[begin + n :]


def shifted(content: bytes, rng: random.Random) -> bytes:
    """Take a part out, or put one in twice."""
    begin, n = rng.randrange(len(content)), rng.randint(1, 512)
    part = content[begin : begin + n]
    return content[:begin] + (part * 2 if rng.random() < 0.5 else b"") + content[begin + n :]


def absurd(content: bytes, rng: random.Random) -> bytes:
    """Write the largest, the smallest or no number where a size may stand."""
    changed, number = bytearray(content), rng.choice(HUGE)
    for _ in range(rng.randint(1, 4)):
        begin = rng.randrange(0, max(len(content) - 8, 1), rng.choice((1, 2, 4)))
        changed[begin : begin + len(number)] = number
    return bytes(changed[: max(len(content), 1)])


def worded(content: bytes, rng: random.Random) -> bytes:
    """Put words of somebody hostile in, in place of others."""
    begin = rng.randrange(len(content))
    return content[:begin] + rng.choice(WORDS) + content[begin + rng.randint(0, 20) :]


def unpacked(change: Callable[[bytes, random.Random], bytes]) -> Callable[[bytes, random.Random], bytes]:
    """Change what a file packed by gzip holds; others as they are."""

    def changed(content: bytes, rng: random.Random) -> bytes:
        packed = content[:2] == b"\x1f\x8b"
        inner = change(gzip.decompress(content) if packed else content, rng)
        return gzip.compress(inner, 1) if packed else inner

    return changed


DAMAGE: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "cut": cut,
    "flipped": flipped,
    "zeroed": zeroed,
    "shifted": shifted,
    "absurd sizes": absurd,
    "words": worded,
    "flipped inside": unpacked(flipped),
    "absurd sizes inside": unpacked(absurd),
}


def a_pickle(path: Path, sprung: Path, rng: random.Random) -> None:
    """Put a pickle in place of the file."""
    path.write_bytes(pickle.dumps(Trap(sprung), protocol=rng.randint(0, 4)))


def an_archive(path: Path, sprung: Path, rng: random.Random) -> None:
    """Put pickled objects, names that lead out or claims without end into an archive of arrays."""
    held, trapped = io.BytesIO(), np.array([Trap(sprung)], dtype=object)
    np.lib.format.write_array_header_1_0(held, {"descr": "<f8", "fortran_order": False, "shape": (10**14,)})
    with zipfile.ZipFile(path, "a" if zipfile.is_zipfile(path) else "w") as archive:
        for name in rng.sample(
            ["responses.npy", "../../slipped.npy", "/tmp/slipped.npy", "stimulus.npy", "unit.npy"], 3
        ):
            content = io.BytesIO()
            np.save(content, trapped if rng.random() < 0.5 else np.arange(3.0), allow_pickle=True)
            archive.writestr(name, held.getvalue() if rng.random() < 0.3 else content.getvalue())


def objects(path: Path, sprung: Path, rng: random.Random) -> None:
    """Put an array of pickled objects in place of the file."""
    content = io.BytesIO()
    np.save(content, np.array([Trap(sprung)] * rng.randint(1, 3), dtype=object), allow_pickle=True)
    path.write_bytes(content.getvalue())


def hdf5_leading_out(path: Path, sprung: Path, rng: random.Random) -> None:
    """Let an array of an HDF5 file, or of a new one, lie in a secret file elsewhere."""
    import h5py

    secret = str(sprung.parent / "secret.h5")
    with h5py.File(path, "a" if h5py.is_hdf5(path) else "w") as file:
        names: list[str] = []
        file.visit(lambda n: names.append(n) if isinstance(file[n], h5py.Dataset) else None)
        name = rng.choice([*names, "responses"])
        file.pop(name, None)
        kind = rng.randrange(3)
        if kind == 0:
            file[name] = h5py.ExternalLink(secret, "values")
        elif kind == 1:
            layout = h5py.VirtualLayout((3, 2), float)
            layout[:] = h5py.VirtualSource(secret, "values", (3, 2))
            file.create_virtual_dataset(name, layout)
        else:
            file.create_dataset(name, (3, 2), float, external=[(secret, 0, 48)])


def xml(path: Path, sprung: Path, rng: random.Random) -> None:
    """Put XML that unpacks without end, or that reads a file, in place of the file."""
    reads = b'<!DOCTYPE a [<!ENTITY z9 SYSTEM "file://%s">]><a>&z9;</a>' % str(sprung.parent / "secret.npy").encode()
    path.write_bytes(rng.choice((BOMB, reads)))


def a_link(path: Path, sprung: Path, rng: random.Random) -> None:
    """Put a link to a secret file elsewhere, to itself or to a device in place of the file."""
    path.unlink()
    path.symlink_to(rng.choice((sprung.parent / "secret.npy", path, Path("/dev/zero"), path.parent)))


def a_bomb(path: Path, sprung: Path, rng: random.Random) -> None:
    """Put a hundred megabytes of zeros, packed, in place of the file."""
    zeros = bytes(10**6)
    if rng.random() < 0.5:
        path.write_bytes(gzip.compress(zeros, 1) * 100)
        return
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("responses.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (125 * 10**5,)})
        for _ in range(100):
            file.write(zeros)


HOSTILE: dict[str, Callable[[Path, Path, random.Random], None]] = {
    "a pickle": a_pickle,
    "pickles in an archive": an_archive,
    "pickles in an array": objects,
    "HDF5 that leads out": hdf5_leading_out,
    "XML": xml,
    "a link": a_link,
    "a bomb": a_bomb,
}
