"""Macaque inferior temporal cortex of Zhang et al. 2011."""

from __future__ import annotations

import numpy as np

from neurosim import storage
from neurosim.recordings.published import Content, DataFile, DataSet, fetch
from neurosim.schema import as_responses


def read(data_set: DataSet) -> Content:
    """Spikes of neurons recorded one after the other, in 1 ms bins; trials beyond what all have stay out."""
    content = storage.read_npz(fetch(data_set, "zd7objects_rasters.npz"))
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
    return Content(responses={"IT": responses.assign_coords(time=responses["time"].values + onset)})


ZHANG2011_IT = DataSet(
    name="zhang2011_it",
    caption="seven objects at three places: spikes of macaque inferior temporal cortex",
    read=read,
    recordings=("IT",),
    folder="zhang2011_it",
    home="https://github.com/emeyers/NeuroDecodeR (data set of seven objects)",
    files=(
        DataFile(
            name="zd7objects_rasters.npz",
            sha256="f9638c49c6534ba1bc98d68fd3e08fed3d74826bcde0981d3e9e1ba4b8186d88",
        ),
    ),
    citation="Zhang Y, Meyers EM, Bichot NP, Serre T, Poggio TA, Desimone R (2011) PNAS 108:8850-8855, "
    "https://doi.org/10.1073/pnas.1100999108",
    licence="shipped with NeuroDecodeR (GPL-3)",
)
