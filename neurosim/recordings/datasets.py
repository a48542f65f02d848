"""Published recordings by name, in the words of the schema, with how to cite them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.recordings.files import load_responses
from neurosim.recordings.published import READERS, Content, image_files
from neurosim.recordings.registry import entry_of, fetch, registry
from neurosim.schema import InputError, as_rdm, as_responses


@dataclass(frozen=True)
class PublishedSet:
    """Stimuli and recordings of a publication.

    Parameters
    ----------
    name : name in the registry.
    citation, licence : how to cite, and under which terms the files are distributed.
    stimuli : what was shown; None where it is not published.
    rdms : one RDM array ([subject,] stimulus, stimulus_other) a recording.
    responses : one array (stimulus, [trial,] [time,] unit) a recording, with ``subject`` along ``unit`` where known.
    models : RDMs of models that come with the set (model, stimulus, stimulus_other), with labels along ``model``.
    sweeps : one Dataset of current and voltage (sweep, time) a recording from inside neurons.
    """

    name: str
    citation: str
    licence: str
    stimuli: xr.DataArray | None = None
    rdms: dict[str, xr.DataArray] = field(default_factory=dict)
    responses: dict[str, xr.DataArray] = field(default_factory=dict)
    models: dict[str, xr.DataArray] = field(default_factory=dict)
    sweeps: dict[str, xr.Dataset] = field(default_factory=dict)


def list_datasets() -> tuple[str, ...]:
    """Return the names that :func:`load_dataset` knows.

    >>> list_datasets()
    ('kriegeskorte2008', 'cichy2014_92', 'zhang2011_it', 'rokem2006', 'drn_patch_clamp', 'bbp_steps')
    """
    return tuple(registry())


def list_recordings(name: str) -> tuple[str, ...]:
    """Return the names of the recordings of a published set, without reading it."""
    return tuple(entry_of(name)["recordings"])


def load_citation(name: str) -> str:
    """Return how to cite a published set."""
    return str(entry_of(name)["citation"])


def load_dataset(name: str) -> PublishedSet:
    """Load a published set by name.

    Files are taken from the data folder that ``NEUROSIM_DATA`` names, else from a Python package that carries them,
    else fetched from their public place into the cache of pooch; either way their checksum is verified.

    Parameters
    ----------
    name : one of :func:`list_datasets`; :func:`register_datasets` adds sets of your own.

    Raises
    ------
    InputError : unknown name.
    StorageError : a file is absent and cannot be fetched (the message says which file goes where), or is damaged.
    """
    entry = entry_of(name)
    content = READERS[name](name, entry) if name in READERS else _read_described(name, entry)
    return PublishedSet(name, entry["citation"], entry["licence"], **content)


def dataset_files(name: str) -> dict[str, str]:
    """Return the checksum of every file of a published set, by file name."""
    return {f["name"]: f["sha256"] for f in entry_of(name)["files"]}


def check_dataset(name: str) -> None:
    """Fetch and verify every file of a published set, or say which one is missing and where it goes."""
    entry = entry_of(name)
    for file in entry["files"]:
        if not file.get("optional", False):
            fetch(name, file["name"])
    if "n_images" in entry:
        image_files(name, entry)


def _read_described(name: str, entry: dict[str, Any]) -> Content:
    """Read a set as its entry in the registry describes it."""
    content: Content = {"rdms": {}, "responses": {}}
    if "stimuli" in entry:
        content["stimuli"] = storage.read_array(fetch(name, entry["stimuli"]))
    for recording, about in entry["recordings"].items():
        path, kind = fetch(name, about["file"]), about["kind"]
        if "variable" not in about and kind == "responses":
            content[kind][recording] = load_responses(path, time_bin=about.get("time_bin"))
            continue
        values = _array(path, about.get("variable"), f"{name}: {recording}")
        ids = None if content.get("stimuli") is None else content["stimuli"]
        if kind == "rdms":
            content[kind][recording] = as_rdm(values, stimuli=ids, dims=tuple(about.get("dims", ())))
        else:
            content[kind][recording] = as_responses(
                values, dims=about.get("dims"), stimuli=ids, time_step=about.get("time_step")
            )
    return content


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
