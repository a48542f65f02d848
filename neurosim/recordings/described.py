"""Published sets that are described in TOML files of one's own, beside those that come with neurosim."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from neurosim import storage
from neurosim.recordings.files import load_responses
from neurosim.recordings.published import DATASETS, Content, DataFile, DataSet, fetch
from neurosim.schema import InputError, as_rdm, as_responses, suggest

VARIABLE = "NEUROSIM_DATASETS"
KEYS = ("folder", "home", "citation", "licence", "recordings", "files", "stimuli", "n_images", "images_sha256")


def register_datasets(path: str | Path) -> tuple[str, ...]:
    """Add the sets that a TOML file describes to those that :func:`load_dataset` knows, here and in child processes.

    A set is a table with ``folder`` (inside the data folder), ``home``, ``citation``, ``licence``; its ``files``, each
    with ``name``, ``sha256`` and, where it has them, ``url`` or ``package`` (``package/path`` inside an installed
    package); and ``recordings``, each with ``file`` and ``kind`` "responses" or "rdms". Arrays of ``.npz`` and ``.mat``
    files are named by ``variable``, their dims by ``dims``; tables of spikes may give ``time_bin``, every format the
    ``options`` of its reader, see :func:`load_responses`. ``stimuli`` names a ``.nc`` file.

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
    >>> import os
    >>> import tempfile
    >>> from pathlib import Path
    >>> described = '''
    ... [my_v4]
    ... folder = "my_v4"
    ... home = "https://example.org"
    ... citation = "Me (2026)"
    ... licence = "CC BY 4.0"
    ... recordings.V4 = { file = "v4.nc", kind = "responses" }
    ... files = [{ name = "v4.nc", sha256 = "..." }]
    ... '''
    >>> before = os.environ.get("NEUROSIM_DATASETS", "")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "sets.toml")
    ...     _ = path.write_text(described)
    ...     ns.recordings.register_datasets(path)
    ('my_v4',)
    >>> os.environ["NEUROSIM_DATASETS"] = before
    """
    path = storage.as_path(path, "register_datasets").absolute()
    if os.pathsep in str(path):
        raise InputError(f"register_datasets: the path {path} holds {os.pathsep!r}; move the file.")
    added = storage.read_toml(path)
    if not added:
        raise InputError(f"register_datasets: {path.name} describes no set.")
    taken = sorted(set(added) & set(DATASETS))
    if taken:
        raise InputError(
            f"register_datasets: {path.name} names {', '.join(taken)}, which is taken; choose another name."
        )
    for name, entry in added.items():
        _check_entry(name, entry, path.name)
    others = [p for p in os.environ.get(VARIABLE, "").split(os.pathsep) if p and Path(p) != path]
    os.environ[VARIABLE] = os.pathsep.join([*others, str(path)])
    return tuple(added)


def described_sets() -> dict[str, DataSet]:
    """Return the sets that :func:`register_datasets` added, by name."""
    found: dict[str, DataSet] = {}
    for extra in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        path = Path(extra)
        if not path.is_file():
            raise InputError(
                f"register_datasets: {path}, which {VARIABLE} names, is gone; put it back or unset {VARIABLE}."
            )
        for name, entry in storage.read_toml(path).items():
            _check_entry(name, entry, path.name)
            found[name] = _record(name, entry)
    return found


def _record(name: str, entry: Mapping[str, Any]) -> DataSet:
    """Return the record of a set from its table."""
    keys = ("name", "sha256", "url", "package", "optional")
    return DataSet(
        name=name,
        caption=str(entry["citation"]),
        read=partial(_content, entry=entry),
        recordings=tuple(entry["recordings"]),
        folder=entry["folder"],
        home=entry["home"],
        files=tuple(DataFile(**{k: file[k] for k in keys if k in file}) for file in entry["files"]),
        citation=entry["citation"],
        licence=entry["licence"],
        n_images=entry.get("n_images", 0),
        images_sha256=entry.get("images_sha256", ""),
    )


def _content(data_set: DataSet, entry: Mapping[str, Any]) -> Content:
    """Read a set as its table describes it."""
    found = Content(stimuli=storage.read_array(fetch(data_set, entry["stimuli"])) if "stimuli" in entry else None)
    for recording, about in entry["recordings"].items():
        path, kind = fetch(data_set, about["file"]), about["kind"]
        if "variable" not in about and kind == "responses":
            found.responses[recording] = load_responses(
                path, options=about.get("options"), time_bin=about.get("time_bin")
            )
            continue
        values = _array(path, about.get("variable"), f"{data_set.name}: {recording}")
        if kind == "rdms":
            found.rdms[recording] = as_rdm(values, stimuli=found.stimuli, dims=tuple(about.get("dims", ())))
        else:
            found.responses[recording] = as_responses(
                values, dims=about.get("dims"), stimuli=found.stimuli, time_step=about.get("time_step")
            )
    return found


def _array(path: Path, variable: str | None, who: str) -> Any:
    ending = path.suffix.lower()
    if ending == ".nc":
        return storage.read_array(path, variable)
    if ending not in (".npz", ".mat"):
        raise InputError(f"{who}: arrays are read from .nc, .npz and .mat files, found {path.name}.")
    arrays = storage.read_npz(path) if ending == ".npz" else storage.read_mat(path)
    if variable is None or variable not in arrays:
        raise InputError(f"{who}: no variable {variable!r} in {path.name}; it holds {', '.join(arrays)}.")
    return np.asarray(arrays[variable])


def _check_entry(name: str, entry: object, file_name: str) -> None:
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
    files = [f["name"] for f in entry["files"]]
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
