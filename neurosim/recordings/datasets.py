"""Published recordings by name: taken from the data folder, or fetched from where they were published."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.schema import InputError, as_rdm, as_responses, as_stimuli, suggest

REGISTRY = Path(__file__).with_name("datasets.toml")


@dataclass(frozen=True)
class PublishedSet:
    """Stimuli and recordings of a publication.

    Parameters
    ----------
    name : name in the registry.
    stimuli : what was shown; None where it is not published.
    rdms : one RDM array ([subject,] stimulus, stimulus_other) a recording.
    responses : one array (stimulus, [trial,] [time,] unit) a recording.
    citation, licence : how to cite, and under which terms the files are distributed.
    """

    name: str
    stimuli: xr.DataArray | None
    rdms: dict[str, xr.DataArray]
    responses: dict[str, xr.DataArray]
    citation: str
    licence: str


_Content = tuple[xr.DataArray | None, dict[str, xr.DataArray], dict[str, xr.DataArray]]


def list_datasets() -> tuple[str, ...]:
    """Return the names that :func:`load_dataset` knows.

    >>> list_datasets()
    ('kriegeskorte2008', 'cichy2014_92', 'zhang2011_it')
    """
    return tuple(_registry())


def list_recordings(name: str) -> tuple[str, ...]:
    """Return the names of the recordings of a published set, without reading it."""
    return tuple(_entry(name)["recordings"])


def load_citation(name: str) -> str:
    """Return how to cite a published set."""
    return str(_entry(name)["citation"])


def load_dataset(name: str) -> PublishedSet:
    """Load a published set by name.

    Files are taken from the data folder that ``NEUROSIM_DATA`` names, else fetched from their public place into the
    cache of pooch; either way their checksum is verified.

    Parameters
    ----------
    name : one of :func:`list_datasets`.

    Raises
    ------
    InputError : unknown name.
    StorageError : a file is absent and cannot be fetched (the message says which file goes where), or is damaged.
    """
    entry = _entry(name)
    readers: dict[str, Callable[[str, dict[str, Any]], _Content]] = {
        "kriegeskorte2008": _read_kriegeskorte2008,
        "cichy2014_92": _read_cichy2014_92,
        "zhang2011_it": _read_zhang2011_it,
    }
    content = readers[name](name, entry)
    return PublishedSet(name, *content, entry["citation"], entry["licence"])


def dataset_files(name: str) -> dict[str, str]:
    """Return the checksum of every file of a published set, by file name."""
    return {f["name"]: f["sha256"] for f in _entry(name)["files"]}


def check_dataset(name: str) -> None:
    """Fetch and verify every file of a published set, or say which one is missing and where it goes."""
    for file_name in dataset_files(name):
        fetch(name, file_name)
    entry = _entry(name)
    if "n_images" in entry:
        _image_files(name, entry)


def fetch(name: str, file_name: str) -> Path:
    """Return the path of one file of a published set, verified; see :func:`load_dataset`."""
    entry = _entry(name)
    file = next(f for f in entry["files"] if f["name"] == file_name)
    folder = storage.data_folder()
    local = folder / entry["folder"] / file_name if folder else None
    if local is not None and local.is_file():
        storage.check_sha256(local, file["sha256"])
        return local
    where = (
        f"{storage.DATA_FOLDER_VARIABLE} ({folder})"
        if folder
        else f"the folder that {storage.DATA_FOLDER_VARIABLE} names"
    )
    advice = f"put it into {entry['folder']}/ of {where}; it comes from {entry['home']}"
    known_hash = f"sha256:{file['sha256']}"
    return storage.fetch(file.get("url", ""), known_hash, entry["folder"], f"{name}: {file_name}", advice)


def _registry() -> dict[str, Any]:
    return tomllib.loads(storage.read_text(REGISTRY))


def _entry(name: str) -> dict[str, Any]:
    registry = _registry()
    if name not in registry:
        raise InputError(f"load_dataset: no data set {name!r}. Known: {', '.join(registry)}.{suggest(name, registry)}")
    return registry[name]


def _read_kriegeskorte2008(name: str, _entry: dict[str, Any]) -> _Content:
    supplement = storage.read_mat(fetch(name, "Kriegeskorte_Neuron2008_supplementalData.mat"))
    shown = supplement["stimuli_92objs"]
    images = np.stack([s["image"] for s in shown]).astype(np.float32) / 255
    stimuli = as_stimuli(
        np.moveaxis(images, -1, 1),
        dims=("stimulus", "channel", "y", "x"),
        ids=object_ids(len(images)),
        coords={"category": [str(s["category"]) for s in shown]},
    )
    groups = {str(r["name"])[:3]: _square(r["RDM"]) for r in supplement["RDMs_mIT_hIT_fig1"]}
    sessions = storage.read_mat(fetch(name, "92_brainRDMs.mat"))["RDMs"]
    subjects = np.stack([np.mean([s["RDM"] for s in row], axis=0) for row in sessions])
    judged = np.stack([s["RDM"] for s in storage.read_mat(fetch(name, "92_behavRDMs.mat"))["rdms_behav_92"]])
    names = [str(row[0]["name"]).split("|")[1].strip() for row in sessions]
    rdms = {
        "human_IT": as_rdm(subjects, stimuli=stimuli, dims=("subject",), coords={"subject": names}),
        "human_IT_group": as_rdm(groups["hIT"], stimuli=stimuli, metric="correlation"),
        "monkey_IT": as_rdm(groups["mIT"], stimuli=stimuli, metric="correlation"),
        "behaviour": as_rdm(judged, stimuli=stimuli, dims=("subject",)),
    }
    return stimuli, rdms, {}


def _read_cichy2014_92(name: str, entry: dict[str, Any]) -> _Content:
    arrays = {area: storage.read_npz(fetch(name, f"fmri_{area}_RDMs.npz"))["Net_RDM"] for area in ("EVC", "IT")}
    pixels = np.stack([storage.read_image(p) for p in _image_files(name, entry)]).astype(np.float32) / 255
    stimuli = as_stimuli(
        np.moveaxis(pixels, -1, 1), dims=("stimulus", "channel", "y", "x"), ids=object_ids(len(pixels))
    )
    names = [f"subject_{s + 1}" for s in range(len(arrays["IT"]))]
    rdms = {
        area: as_rdm(values, stimuli=stimuli, dims=("subject",), coords={"subject": names}, metric="correlation")
        for area, values in arrays.items()
    }
    return stimuli, rdms, {}


def _read_zhang2011_it(name: str, _entry: dict[str, Any]) -> _Content:
    """Spikes of neurons recorded one after the other, in 1 ms bins; trials beyond what all have stay out."""
    content = storage.read_npz(fetch(name, "zd7objects_rasters.npz"))
    names = [content[k].astype(str) for k in ("stim_names", "position_names", "neuron_names")]
    cell = (content["stim"].astype(int) * len(names[1]) + content["position"]) * len(names[2]) + content["neuron"]
    order = np.argsort(cell, kind="stable")
    starts = np.searchsorted(cell[order], np.arange(len(names[0]) * len(names[1]) * len(names[2])))
    n_trials = int(np.diff(np.append(starts, len(cell))).min())
    spikes = np.unpackbits(content["packed"], axis=1)[:, : int(content["n_time"])]
    kept = spikes[order[starts[:, None] + np.arange(n_trials)]]
    kept = kept.reshape(len(names[0]) * len(names[1]), len(names[2]), n_trials, -1).transpose(0, 2, 3, 1)
    step = 1e-3
    responses = as_responses(
        kept,
        dims=("stimulus", "trial", "time", "unit"),
        stimuli=[f"{o}_{p}" for o in names[0] for p in names[1]],
        coords={
            "object": ("stimulus", np.repeat(names[0], len(names[1]))),
            "position": ("stimulus", np.tile(names[1], len(names[0]))),
            "unit": names[2],
        },
        quantity="spike_count",
        time_step=step,
    )
    onset = float(content["t0_ms"]) * step
    return None, {}, {"IT": responses.assign_coords(time=responses["time"].values + onset)}


def object_ids(n: int) -> list[str]:
    """Return the ids of the 92 objects, the same in every set that shows them."""
    return [f"object_{i + 1:02d}" for i in range(n)]


def _image_files(name: str, entry: dict[str, Any]) -> list[Path]:
    folder = storage.data_folder()
    paths = sorted((folder / entry["folder"] / "images").glob("image_*.jpg")) if folder else []
    if len(paths) != entry["n_images"]:
        raise storage.StorageError(
            f"{name}: found {len(paths)} of {entry['n_images']} pictures; put image_01.jpg ... image_92.jpg into "
            f"{entry['folder']}/images/ of the folder that {storage.DATA_FOLDER_VARIABLE} names; they come from "
            f"{entry['home']}."
        )
    together = hashlib.sha256("".join(storage.sha256(p) for p in paths).encode()).hexdigest()
    if together != entry["images_sha256"]:
        raise storage.StorageError(
            f"{name}: the pictures in {paths[0].parent} are not the published ones (wrong checksum)."
        )
    return paths


def _square(vector: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import squareform

    return squareform(np.asarray(vector, dtype=float))
