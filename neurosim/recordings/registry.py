"""Which published sets are known, and where each of their files is: data folder, Python package or public address."""

from __future__ import annotations

import importlib.util
import os
import tomllib
from pathlib import Path
from typing import Any

from neurosim import storage
from neurosim.schema import InputError, suggest

BUILT_IN = Path(__file__).with_name("datasets.toml")
VARIABLE = "NEUROSIM_DATASETS"
KEYS = ("folder", "home", "citation", "licence", "recordings", "files", "stimuli", "n_images", "images_sha256")


def register_datasets(path: str | Path) -> tuple[str, ...]:
    """Add the sets that a TOML file describes to those that :func:`load_dataset` knows, here and in child processes.

    A set is a table with ``folder`` (inside the data folder), ``home``, ``citation``, ``licence``; its ``files``, each
    with ``name``, ``sha256`` and, where it has them, ``url`` or ``package`` (``package/path`` inside an installed
    package); and ``recordings``, each with ``file`` and ``kind`` "responses" or "rdms". Arrays of ``.npz`` and ``.mat``
    files are named by ``variable``, their dims by ``dims``; tables of spikes may give ``time_bin``. ``stimuli`` names a
    ``.nc`` file.

    Parameters
    ----------
    path : TOML file.

    Returns
    -------
    The names of the sets it adds.

    Raises
    ------
    StorageError : no such file. InputError : not TOML, missing or unknown keys, a name that is taken, a path that
        leaves its folder.

    Examples
    --------
    A file with one set::

        [my_v4]
        folder = "my_v4"
        home = "https://example.org"
        citation = "Me (2026)"
        licence = "CC BY 4.0"
        recordings.V4 = { file = "v4.nc", kind = "responses" }
        files = [{ name = "v4.nc", sha256 = "..." }]
    """
    path = storage.as_path(path, "register_datasets").absolute()
    if os.pathsep in str(path):
        raise InputError(f"register_datasets: the path {path} holds {os.pathsep!r}; move the file.")
    added = _read(path)
    if not added:
        raise InputError(f"register_datasets: {path.name} describes no set.")
    taken = sorted(set(added) & set(_read(BUILT_IN)))
    if taken:
        raise InputError(
            f"register_datasets: {path.name} names {', '.join(taken)}, which is taken; choose another name."
        )
    for name, entry in added.items():
        _check_entry(name, entry, path.name)
    others = [p for p in os.environ.get(VARIABLE, "").split(os.pathsep) if p and Path(p) != path]
    os.environ[VARIABLE] = os.pathsep.join([*others, str(path)])
    return tuple(added)


def registry() -> dict[str, Any]:
    """Return the description of every known set, by name."""
    found = _read(BUILT_IN)
    for extra in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        found |= _read(Path(extra))
    return found


def entry_of(name: str) -> dict[str, Any]:
    """Return the description of one set, or raise :class:`InputError` with the names there are."""
    known = registry()
    if not isinstance(name, str) or name not in known:
        raise InputError(
            f"load_dataset: no data set {str(name)[:60]!r}. Known: {', '.join(known)}.{suggest(str(name), known)}"
        )
    return known[name]


def data_file(name: str, file_name: str) -> Path | None:
    """Return a file of the data folder, verified; None where it is not there."""
    entry = entry_of(name)
    folder = storage.data_folder()
    if folder is None:
        return None
    local = storage.inside(folder / entry["folder"], file_name)
    if not local.is_file():
        return None
    storage.check_sha256(local, _file(entry, file_name)["sha256"])
    return local


def fetch(name: str, file_name: str) -> Path:
    """Return the path of one file of a set, verified: from the data folder, a Python package, or its public address.

    Raises
    ------
    StorageError : the file is absent and cannot be fetched (the message says which file goes where), or is damaged.
    """
    local = data_file(name, file_name)
    if local is not None:
        return local
    entry, folder = entry_of(name), storage.data_folder()
    file = _file(entry, file_name)
    packaged = _in_package(file.get("package", ""))
    if packaged is not None:
        storage.check_sha256(packaged, file["sha256"])
        return packaged
    where = (
        f"{storage.DATA_FOLDER_VARIABLE} ({folder})"
        if folder
        else f"the folder that {storage.DATA_FOLDER_VARIABLE} names"
    )
    advice = f"put it into {entry['folder']}/ of {where}; it comes from {entry['home']}"
    if "package" in file:
        advice += f", and with pip install {file['package'].split('/')[0]}"
    return storage.fetch(
        file.get("url", ""), f"sha256:{file['sha256']}", entry["folder"], f"{name}: {file_name}", advice
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(storage.read_text(path))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{path.name}: not valid TOML ({error}).") from error


def _file(entry: dict[str, Any], file_name: str) -> dict[str, Any]:
    return next(f for f in entry["files"] if f["name"] == file_name)


def _in_package(place: str) -> Path | None:
    """Return a file inside an installed package, which is not imported."""
    package, _, inner = place.partition("/")
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or spec.origin is None:
        return None
    path = storage.inside(Path(spec.origin).parent, inner)
    return path if path.is_file() else None


def _check_entry(name: str, entry: Any, file_name: str) -> None:
    if not isinstance(entry, dict):
        raise InputError(f"{file_name}: {name} is no table; a set is [{name}] with folder, citation, ...")
    for key in entry:
        if key not in KEYS:
            raise InputError(
                f"{file_name}: {name} has an unknown key {key!r}. Keys: {', '.join(KEYS)}.{suggest(key, KEYS)}"
            )
    missing = [k for k in ("folder", "home", "citation", "licence", "recordings", "files") if k not in entry]
    if missing:
        raise InputError(f"{file_name}: {name} lacks {', '.join(missing)}.")
    if not isinstance(entry["folder"], str) or not isinstance(entry["recordings"], dict):
        raise InputError(f"{file_name}: {name} needs a folder in quotes, and recordings as a table by name.")
    if not isinstance(entry["files"], list) or not all(
        isinstance(f, dict) and all(isinstance(f.get(k), str) for k in ("name", "sha256")) for f in entry["files"]
    ):
        raise InputError(f"{file_name}: every file of {name} is a table with a name and a sha256, both in quotes.")
    files = {f["name"] for f in entry["files"]}
    if "stimuli" in entry and entry["stimuli"] not in files:
        raise InputError(f"{file_name}: the stimuli of {name}, {entry['stimuli']!r}, are not among its files.")
    for recording, about in entry["recordings"].items():
        if (
            not isinstance(about, dict)
            or about.get("file") not in files
            or about.get("kind") not in ("responses", "rdms")
        ):
            raise InputError(
                f'{file_name}: recording {recording!r} of {name} needs a file that is listed and kind = "responses" or '
                f'"rdms", found {about}.'
            )
    for path in (entry["folder"], *files):
        storage.inside(Path("data"), str(path))
