"""Current steps that test BluePyEfe."""

from __future__ import annotations

import importlib.util

import numpy as np

from neurosim import storage
from neurosim.recordings.published import Content, DataFile, DataSet, fetch
from neurosim.recordings.sweeps import load_sweeps
from neurosim.schema import as_sweeps


def read(data_set: DataSet) -> Content:
    """Read current steps into three cells, and an NWB file of a fourth where pynwb is installed."""
    arrays = storage.read_npz(fetch(data_set, "bbp_idrest_B6_B8_B95.npz"))
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
        found["99111002"] = load_sweeps(fetch(data_set, "99111002.nwb"))["sweeps"]
    return Content(sweeps=found)


BBP_STEPS = DataSet(
    name="bbp_steps",
    caption="current steps into cortical and hippocampal neurons",
    read=read,
    recordings=("B6", "B8", "B95", "99111002"),
    folder="bbp_steps",
    home="https://github.com/BlueBrain/BluePyEfe (tests/exp_data)",
    files=(
        DataFile(
            name="bbp_idrest_B6_B8_B95.npz",
            sha256="95c1735ce6fb4c77b1bc2e34cd9d49b749feb588ab331f29bd9bf4c56e47c4fc",
        ),
        DataFile(
            name="99111002.nwb",
            sha256="f4f6b76d251f39f8a716e75a61dc731f406f30c15ff315f2e6b4bf13c71515e5",
        ),
    ),
    citation="Test recordings of BluePyEfe (Blue Brain Project), https://github.com/BlueBrain/BluePyEfe; 99111002:"
    " Hippocampus Hub",
    licence="test data of BluePyEfe (BSD); Hippocampus Hub",
)
