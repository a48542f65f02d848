"""The published sets that come with neurosim: each read from its public files."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from neurosim import storage
from neurosim.clock import bin_index
from neurosim.recordings.registry import data_file, fetch
from neurosim.recordings.sweeps import load_sweeps
from neurosim.schema import as_rdm, as_responses, as_stimuli, as_sweeps

Content = dict[str, Any]


def read_kriegeskorte2008(name: str, _entry: dict[str, Any]) -> Content:
    """Read the 92 objects, both IT, the subjects of Mur et al. and their behaviour."""
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
    told = storage.read_mat(fetch(name, "modelRDMs_A2020.mat"))["modelRDMs"]
    labels = {k: [str(m[f]) for m in told] for k, f in (("layer", "reprName"), ("measurement", "measModelName"))}
    alexnet = as_rdm(np.stack([_square(m["RDM"]) for m in told]), stimuli=stimuli, dims=("model",))
    alexnet = alexnet.assign_coords({k: ("model", v) for k, v in labels.items()})
    return {"stimuli": stimuli, "rdms": rdms, "models": {"alexnet": alexnet}}


def read_cichy2014_92(name: str, entry: dict[str, Any]) -> Content:
    """Read the 92 pictures and the fMRI RDMs of 15 subjects."""
    arrays = {area: storage.read_npz(fetch(name, f"fmri_{area}_RDMs.npz"))["Net_RDM"] for area in ("EVC", "IT")}
    pixels = np.stack([storage.read_image(p) for p in image_files(name, entry)]).astype(np.float32) / 255
    stimuli = as_stimuli(
        np.moveaxis(pixels, -1, 1), dims=("stimulus", "channel", "y", "x"), ids=object_ids(len(pixels))
    )
    names = [f"subject_{s + 1}" for s in range(len(arrays["IT"]))]
    rdms = {
        area: as_rdm(values, stimuli=stimuli, dims=("subject",), coords={"subject": names}, metric="correlation")
        for area, values in arrays.items()
    }
    return {"stimuli": stimuli, "rdms": rdms}


def read_zhang2011_it(name: str, _entry: dict[str, Any]) -> Content:
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
    return {"responses": {"IT": responses.assign_coords(time=responses["time"].values + onset)}}


def read_rokem2006(name: str, _entry: dict[str, Any]) -> Content:
    """Read two sound envelopes and the spikes of an auditory receptor neuron, at the published steps of 50 us."""
    step, ids = 50e-6, ["cutoff_200Hz", "cutoff_800Hz"]
    packed = data_file(name, "grasshopper.npz")
    if packed is not None:
        arrays = storage.read_npz(packed)
        envelopes = [arrays["stimulus1"], arrays["stimulus2"]]
    else:
        texts = [storage.read_text(fetch(name, f"grasshopper_stimulus{k}.txt")) for k in (1, 2)]
        envelopes = [np.array(t.split(), dtype=float).reshape(-1, 2)[:, 1] for t in texts]
    lines = [storage.read_text(fetch(name, f"grasshopper_spike_times{k}.txt")).splitlines() for k in (1, 2)]
    times = [
        np.array([line for line in t if line.strip() and not line.startswith("#")], dtype=float) * 1e-6 for t in lines
    ]
    counts = np.zeros((2, len(envelopes[0]), 1), dtype=np.uint8)
    for row, spikes in zip(counts, times, strict=True):
        np.add.at(row[:, 0], np.minimum(bin_index(spikes, step), len(row) - 1), 1)
    stimuli = as_stimuli(np.stack(envelopes), dims=("stimulus", "time"), ids=ids, time_step=step)
    responses = as_responses(counts, stimuli=ids, coords={"unit": ["receptor"]}, quantity="spike_count", time_step=step)
    return {"stimuli": stimuli, "responses": {"receptor": responses}}


def read_drn_patch_clamp(name: str, entry: dict[str, Any]) -> Content:
    """Read current clamp of dorsal raphe neurons, with what the experimenter measured of each in attrs.

    Cells whose files lie in the data folder beside the published ones are read too.
    """
    table = storage.read_table(fetch(name, "Index.csv"), ids=("Cell #",))
    known = {str(row["Cell #"]): row for _, row in table.iterrows()}
    files = {f["name"]: fetch(name, f["name"]) for f in entry["files"] if f["name"].endswith(".npz")}
    beside = next(iter(files.values())).parent.glob("DRN*.npz")
    files |= {p.name: p for p in sorted(beside) if p.name not in files}
    found = {}
    for file_name, path in sorted(files.items()):
        cell = file_name.split("_")[0]
        attrs: dict[str, Any] = {"subject": cell}
        if cell in known:
            row = known[cell]
            attrs |= {"capacitance": row["Cm (pF)"] * 1e-12, "input_resistance": row["Rm (MOhm)"] * 1e6}
            attrs |= {"access_resistance": row["Ra (MOhm)"] * 1e6, "cell_type": str(row["Type"])}
        for protocol, sweeps in load_sweeps(path).items():
            found[f"{cell}_{protocol}"] = sweeps.assign_attrs(attrs)
    return {"sweeps": found}


def read_bbp_steps(name: str, _entry: dict[str, Any]) -> Content:
    """Read current steps into three cells, and an NWB file of a fourth where pynwb is installed."""
    arrays = storage.read_npz(fetch(name, "bbp_idrest_B6_B8_B95.npz"))
    step = float(arrays["dt_s"].ravel()[0])
    found = {}
    for cell in ("B6", "B8", "B95"):
        sweeps = sorted(k.rsplit("_", 1)[1] for k in arrays if k.startswith(f"{cell}_Ch0"))
        current, voltage = (
            np.stack([arrays[f"{cell}_{channel}_IDRest_{s}"].astype(float) for s in sweeps])
            for channel in ("Ch0", "Ch3")
        )
        found[cell] = as_sweeps(current * 1e-12, voltage * 1e-3, time_step=step, sweeps=sweeps, attrs={"subject": cell})
    if importlib.util.find_spec("pynwb") is not None:
        found["99111002"] = load_sweeps(fetch(name, "99111002.nwb"))["sweeps"]
    return {"sweeps": found}


def object_ids(n: int) -> list[str]:
    """Return the ids of the 92 objects, the same in every set that shows them."""
    return [f"object_{i + 1:02d}" for i in range(n)]


def image_files(name: str, entry: dict[str, Any]) -> list[Path]:
    """Return the pictures of a set that keeps them in a folder, verified."""
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

    return np.asarray(squareform(np.asarray(vector, dtype=float)))


READERS: dict[str, Callable[[str, dict[str, Any]], Content]] = {
    "kriegeskorte2008": read_kriegeskorte2008,
    "cichy2014_92": read_cichy2014_92,
    "zhang2011_it": read_zhang2011_it,
    "rokem2006": read_rokem2006,
    "drn_patch_clamp": read_drn_patch_clamp,
    "bbp_steps": read_bbp_steps,
}
