"""Files put together in one archive, the same bytes wherever and whenever it is written."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from neurosim.refusals import InputError
from neurosim.storage.atomic import atomic_file
from neurosim.storage.failures import reachable

EARLIEST = (1980, 1, 1, 0, 0, 0)  # of times in a zip
READABLE = 0o100644 << 16
UNIX = 3


def write_zip(path: Path, files: Mapping[str, Path | bytes]) -> None:
    """Write files as a zip by name, without times, owners and compression, which differ by machine.

    Parameters
    ----------
    path : the archive. files : where each is, or its content, by its name in the archive, "figures/a.svg".

    Raises
    ------
    InputError : a name that leads out of the archive.
    StorageError : a file cannot be read, the disk is full, or nothing can be written there.

    Examples
    --------
    >>> import tempfile, zipfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ns.storage.write_zip(Path(folder) / "a.zip", {"b/c.txt": b"C", "a.txt": b"A"})
    ...     print(zipfile.ZipFile(Path(folder) / "a.zip").namelist())
    ['a.txt', 'b/c.txt']
    """
    for name in files:
        if not name or name.startswith("/") or "\\" in name or ".." in PurePosixPath(name).parts:
            raise InputError(f"write_zip: {name!r} is no name inside an archive; give a path below it, parted by /.")
    with atomic_file(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            given, about = files[name], zipfile.ZipInfo(name, EARLIEST)
            about.external_attr, about.create_system = READABLE, UNIX
            if isinstance(given, bytes):
                archive.writestr(about, given)
                continue
            with reachable(given), given.open("rb") as source:
                about.file_size = given.stat().st_size
                with archive.open(about, "w") as target:
                    shutil.copyfileobj(source, target, 2**20)
