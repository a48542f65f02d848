"""The 92 objects of Kriegeskorte et al. 2008."""

from __future__ import annotations

import numpy as np

from neurosim import storage
from neurosim.recordings.published import Content, DataFile, DataSet, fetch, object_ids
from neurosim.schema import as_rdm, as_stimuli


def read(data_set: DataSet) -> Content:
    """Read the 92 objects, both IT, the subjects of Mur et al. and their behaviour."""
    supplement = storage.read_mat(fetch(data_set, "Kriegeskorte_Neuron2008_supplementalData.mat"))
    shown = supplement["stimuli_92objs"]
    images = np.stack([s["image"] for s in shown]).astype(np.float32) / 255
    stimuli = as_stimuli(
        np.moveaxis(images, -1, 1),
        dims=("stimulus", "channel", "y", "x"),
        ids=object_ids(len(images)),
        coords={"category": [str(s["category"]) for s in shown]},
    )
    groups = {str(r["name"])[:3]: _square(r["RDM"]) for r in supplement["RDMs_mIT_hIT_fig1"]}
    sessions = storage.read_mat(fetch(data_set, "92_brainRDMs.mat"))["RDMs"]
    subjects = np.stack([np.mean([s["RDM"] for s in row], axis=0) for row in sessions])
    judged = np.stack([s["RDM"] for s in storage.read_mat(fetch(data_set, "92_behavRDMs.mat"))["rdms_behav_92"]])
    names = [str(row[0]["name"]).split("|")[1].strip() for row in sessions]
    rdms = {
        "human_IT": as_rdm(subjects, stimuli=stimuli, dims=("subject",), coords={"subject": names}),
        "human_IT_group": as_rdm(groups["hIT"], stimuli=stimuli, metric="correlation"),
        "monkey_IT": as_rdm(groups["mIT"], stimuli=stimuli, metric="correlation"),
        "behaviour": as_rdm(judged, stimuli=stimuli, dims=("subject",)),
    }
    told = storage.read_mat(fetch(data_set, "modelRDMs_A2020.mat"))["modelRDMs"]
    labels = {k: [str(m[f]) for m in told] for k, f in (("layer", "reprName"), ("measurement", "measModelName"))}
    alexnet = as_rdm(np.stack([_square(m["RDM"]) for m in told]), stimuli=stimuli, dims=("model",))
    alexnet = alexnet.assign_coords({k: ("model", v) for k, v in labels.items()})
    return Content(stimuli=stimuli, rdms=rdms, models={"alexnet": alexnet})


def _square(vector: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import squareform

    return np.asarray(squareform(np.asarray(vector, dtype=float)))


KRIEGESKORTE2008 = DataSet(
    name="kriegeskorte2008",
    caption="92 objects: inferior temporal cortex of humans and monkeys, judgements, models",
    read=read,
    recordings=("human_IT", "human_IT_group", "monkey_IT", "behaviour"),
    folder="kriegeskorte2008",
    home="https://github.com/rsagroup/rsatoolbox (demos/92imageData)",
    files=(
        DataFile(
            name="Kriegeskorte_Neuron2008_supplementalData.mat",
            sha256="06f21214399a5d43dc264eed19a7f4b8daf11c8622a59eec3e106064ce5e3504",
            url="https://raw.githubusercontent.com/rsagroup/rsatoolbox/main/demos/92imageData/Kriegeskorte_Neuron2008_supplementalData.mat",
        ),
        DataFile(
            name="92_brainRDMs.mat",
            sha256="1743f90a15e895798a94318649e80e1123a7e5943a1703fa1dd7c31ea5780b7c",
            url="https://raw.githubusercontent.com/rsagroup/rsatoolbox/main/demos/92imageData/92_brainRDMs.mat",
        ),
        DataFile(
            name="92_behavRDMs.mat",
            sha256="7a8e118c144c3840adeeeef6ea0706a0be2b3e80df719af15fbb56fc62562f5f",
            url="https://raw.githubusercontent.com/rsagroup/rsatoolbox/main/demos/92imageData/92_behavRDMs.mat",
        ),
        DataFile(
            name="modelRDMs_A2020.mat",
            sha256="3a4f6fbc577f6d48eb30987c85f6d4f0b2e44fb0598fa97ea9e48270f70d0fe1",
            url="https://raw.githubusercontent.com/rsagroup/rsatoolbox/main/demos/92imageData/modelRDMs_A2020.mat",
        ),
    ),
    citation="Kriegeskorte N, Mur M, Ruff DA, et al. (2008) Neuron 60:1126-1141, "
    "https://doi.org/10.1016/j.neuron.2008.10.043",
    licence="distributed with rsatoolbox (MIT)",
)
