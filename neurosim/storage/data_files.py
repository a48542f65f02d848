"""Where real data are: the folder that a variable names, or what was fetched once and checked."""

from __future__ import annotations

import contextlib
import os
import tarfile
from pathlib import Path

from neurosim.storage import bounds
from neurosim.storage.failures import StorageError, readable
from neurosim.storage.paths import as_path, existing, resolved

DATA_FOLDER_VARIABLE = "NEUROSIM_DATA"


def use_data_folder(folder: Path | str) -> None:
    """Look for real data in `folder` from now on, in this process and those it starts.

    Parameters
    ----------
    folder : with one folder a data set in it.

    Raises
    ------
    InputError : not a path.

    Examples
    --------
    >>> ns.use_data_folder(None)
    Traceback (most recent call last):
    neurosim.schema.InputError: use_data_folder: the path of a file asked, as text or pathlib.Path, found NoneType.
    """
    os.environ[DATA_FOLDER_VARIABLE] = str(resolved(as_path(folder, "use_data_folder")))


def data_folder() -> Path | None:
    """Return the folder of real data that the variable ``NEUROSIM_DATA`` names, or None.

    Raises
    ------
    StorageError : the variable holds no path.

    Examples
    --------
    >>> folder = ns.data_folder()
    >>> folder is None or folder.is_absolute()
    True
    """
    name = os.environ.get(DATA_FOLDER_VARIABLE, "").strip()
    path = Path(name)
    with contextlib.suppress(RuntimeError):
        path = path.expanduser()
    return resolved(path) if name else None


def data_file(folder: str, name: str, who: str, holds: str, home: str) -> Path:
    """Return the path of a file of the data folder.

    Parameters
    ----------
    folder : inside the data folder. name : of the file. who : asks, for the message. holds : what is in it.
    home : where it comes from.

    Raises
    ------
    StorageError : it is not there; the message says what goes where, what it `holds` and where it comes from.

    Examples
    --------
    >>> ns.storage.data_file("birds", "songs.npz", "load_songs", "'songs'", "https://example.org")
    Traceback (most recent call last):
    neurosim.storage.StorageError: load_songs: put songs.npz ('songs') into the folder birds of the data folder ...
    """
    root = data_folder()
    path = root / folder / name if root else Path(name)
    if root is None or not path.is_file():
        raise StorageError(
            f"{who}: put {name} ({holds}) into the folder {folder} of the data folder and name the data folder in the "
            f"variable {DATA_FOLDER_VARIABLE} (now: {root or 'not set'}); it comes from {home}"
        )
    return path


def fetch(url: str, known_hash: str, folder: str, who: str, advice: str) -> Path:
    """Return the path of a public file, fetched once into the cache of pooch and checked.

    Parameters
    ----------
    url : where it was published; empty when it has no address of its own.
    known_hash : its checksum, as ``"sha256:..."`` or ``"md5:..."``.
    folder : folder inside the cache.
    who : who asks, for errors.
    advice : what the user can do without a network: which file goes where.

    Raises
    ------
    StorageError : no connection, wrong checksum, or pooch is not installed; the message ends with `advice`.

    Examples
    --------
    >>> ns.storage.fetch("", "sha256:0", "birds", "songs.npz", "put it into the folder birds of the data folder")
    Traceback (most recent call last):
    neurosim.storage.StorageError: songs.npz is not here: put it into the folder birds of the data folder.
    """
    name = url.rsplit("/", 1)[-1]
    if not url:
        raise StorageError(f"{who} is not here: {advice}.")
    try:
        import pooch

        cache = pooch.os_cache("neurosim") / folder
        return Path(pooch.retrieve(url, known_hash=known_hash, path=cache, fname=name, progressbar=False))
    except ImportError as error:
        raise StorageError(f"{who} is not here: {advice}; or pip install 'neurosim[data]' to fetch it.") from error
    except (OSError, ValueError) as error:
        reason = "wrong checksum" if isinstance(error, ValueError) else "no connection"
        raise StorageError(f"{who} cannot be fetched ({reason}): {advice}.") from error


def read_tar_member(path: Path, name: str) -> bytes:
    """Return the content of one plain file inside a tar archive; nothing is extracted to disk.

    Parameters
    ----------
    path : the archive. name : of the file in it.

    Raises
    ------
    StorageError : missing or damaged archive, no such plain file in it, or a file too large.

    Examples
    --------
    >>> import io, tempfile
    >>> import tarfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with tarfile.open(Path(folder) / "a.tar", "w") as archive:
    ...         member = tarfile.TarInfo("batch.bin")
    ...         member.size = 3
    ...         archive.addfile(member, io.BytesIO(b"abc"))
    ...     ns.storage.read_tar_member(Path(folder) / "a.tar", "batch.bin")
    b'abc'
    """
    with readable(path, "tar"), tarfile.open(existing(path)) as archive:
        member = archive.getmember(name)
        content = archive.extractfile(member) if member.isfile() and member.size <= bounds.MAX_BYTES else None
        if content is None:
            raise StorageError(f"{path}: {name!r} is not a plain file of bearable size.")
        return content.read()
