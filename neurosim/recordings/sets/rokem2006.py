"""The auditory receptor of Rokem et al. 2006."""

from __future__ import annotations

import numpy as np

from neurosim import storage
from neurosim.clock import bin_index
from neurosim.recordings.published import Content, DataFile, DataSet, data_file, fetch
from neurosim.schema import as_responses, as_stimuli


def read(data_set: DataSet) -> Content:
    """Read two sound envelopes and the spikes of an auditory receptor neuron, at the published steps of 50 us."""
    step, ids = 50e-6, ["cutoff_200Hz", "cutoff_800Hz"]
    packed = data_file(data_set, "grasshopper.npz")
    if packed is not None:
        arrays = storage.read_npz(packed)
        envelopes = [arrays["stimulus1"], arrays["stimulus2"]]
    else:
        texts = [storage.read_text(fetch(data_set, f"grasshopper_stimulus{k}.txt")) for k in (1, 2)]
        envelopes = [np.array(t.split(), dtype=float).reshape(-1, 2)[:, 1] for t in texts]
    lines = [storage.read_text(fetch(data_set, f"grasshopper_spike_times{k}.txt")).splitlines() for k in (1, 2)]
    times = [
        np.array([line for line in t if line.strip() and not line.startswith("#")], dtype=float) * 1e-6 for t in lines
    ]
    counts = np.zeros((2, len(envelopes[0]), 1), dtype=np.uint8)
    for row, spikes in zip(counts, times, strict=True):
        np.add.at(row[:, 0], np.minimum(bin_index(spikes, step), len(row) - 1), 1)
    stimuli = as_stimuli(np.stack(envelopes), dims=("stimulus", "time"), ids=ids, time_step=step)
    responses = as_responses(counts, stimuli=ids, coords={"unit": ["receptor"]}, quantity="spike_count", time_step=step)
    return Content(stimuli=stimuli, responses={"receptor": responses})


ROKEM2006 = DataSet(
    name="rokem2006",
    caption="sound envelopes and spikes of a grasshopper's auditory receptor",
    read=read,
    recordings=("receptor",),
    folder="rokem2006_grasshopper",
    home="https://github.com/nipy/nitime (nitime/data)",
    files=(
        DataFile(
            name="grasshopper_stimulus1.txt",
            sha256="4b47a4cbca8c5f694f87dd510db608a868dffbaba96845199c8afa545a4c37fa",
            url="https://raw.githubusercontent.com/nipy/nitime/master/nitime/data/grasshopper_stimulus1.txt",
            package="nitime/data/grasshopper_stimulus1.txt",
            optional=True,
        ),
        DataFile(
            name="grasshopper_stimulus2.txt",
            sha256="69f257a8e7a5019897111b07f9cd317b136357d256e99682d40c09d5add18e6a",
            url="https://raw.githubusercontent.com/nipy/nitime/master/nitime/data/grasshopper_stimulus2.txt",
            package="nitime/data/grasshopper_stimulus2.txt",
            optional=True,
        ),
        DataFile(
            name="grasshopper_spike_times1.txt",
            sha256="840014ad9a8f591d02ab108bcbd46715badb3459e0ef7eac95fdd661ff134e3d",
            url="https://raw.githubusercontent.com/nipy/nitime/master/nitime/data/grasshopper_spike_times1.txt",
            package="nitime/data/grasshopper_spike_times1.txt",
        ),
        DataFile(
            name="grasshopper_spike_times2.txt",
            sha256="389e5dccb709fbe0552589ff2e0b64e15d46665e4d2d4172071f2175c8641541",
            url="https://raw.githubusercontent.com/nipy/nitime/master/nitime/data/grasshopper_spike_times2.txt",
            package="nitime/data/grasshopper_spike_times2.txt",
        ),
        DataFile(
            name="grasshopper.npz",
            sha256="5a5b02b110af243a0b7b97ecde862bef773fc00270acc18c9e4316a52c2e0e77",
            optional=True,
        ),  # both envelopes packed; the two texts above hold the same
    ),
    citation="Rokem A, Watzl S, Gollisch T, Stemmler M, Herz AVM, Samengo I (2006) J Neurophysiology 95:2541-2552,"
    " https://doi.org/10.1152/jn.00891.2005",
    licence="distributed with nitime (BSD-3)",
)
