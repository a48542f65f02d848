"""A second opinion: a recurrent network sends, step by step, the spikes that it sends in NEST where it is installed."""

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse

import neurosim as ns
from neurosim import biophysics as bio

N, DT, SECONDS, DELAY = 20, 1e-4, 0.2, 1.5e-3
IN_NEST = """
import json, sys
import nest, numpy as np
asked = json.load(sys.stdin)
nest.set_verbosity("M_ERROR")
nest.resolution = 1e3 * asked["dt"]
cells = nest.Create("iaf_psc_exp", len(asked["drive"]), {
    "C_m": 250.0, "tau_m": 10.0, "E_L": -70.0, "V_th": -55.0, "V_reset": -70.0, "V_m": -70.0, "t_ref": 2.0,
    "tau_syn_ex": 2.0, "tau_syn_in": 2.0,
})
cells.I_e = [1e12 * drive for drive in asked["drive"]]
weights = 1e12 * np.array(asked["weights"])
source, target = np.nonzero(weights)
synapses = {"weight": weights[source, target], "delay": np.full(len(source), 1e3 * asked["delay"])}
nest.Connect(source + 1, target + 1, "one_to_one", synapses)
recorder = nest.Create("spike_recorder")
nest.Connect(cells, recorder)
nest.Simulate(1e3 * asked["seconds"])
found = recorder.events
steps = np.round(found["times"] / (1e3 * asked["dt"])).astype(int)
print("found", json.dumps([sorted(steps[found["senders"] == k + 1].tolist()) for k in range(len(cells))]))
"""


@pytest.mark.skipif(
    importlib.util.find_spec("nest") is None, reason="NEST is not installed: it has files for Linux on x86_64 alone"
)
def test_a_recurrent_network_sends_the_spikes_that_nest_sends():
    """NEST counts delays from the end of a step and stamps spikes with it: both are one step later than ours."""
    rng = np.random.default_rng(3)
    weights = rng.normal(0, 60e-12, (N, N)) * (rng.random((N, N)) < 0.5)  # A
    drive = rng.uniform(380e-12, 600e-12, N)
    asked = {"dt": DT, "delay": DELAY, "seconds": SECONDS, "drive": drive.tolist(), "weights": weights.tolist()}
    command = [sys.executable, "-c", IN_NEST]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=False)
    theirs = json.loads(done.stdout.partition("found")[2] or pytest.fail(done.stderr))
    assert sum(map(len, theirs)) > 5 * N

    cell = bio.LIFParameters(250e-12, 25e-9, -70e-3, -55e-3, -70e-3, refractory=2e-3)
    cells = bio.Population("cells", N, cell, drive, synapses=bio.ExponentialParameters(2e-3))
    wire = bio.Projection("cells", "cells", scipy.sparse.csr_array(weights), delay=DELAY + DT)
    circuit = bio.Circuit("one more opinion", bio.Input(1), (cells,), (wire,), dt=DT, step=DT)
    silence = ns.as_stimuli(np.zeros((1, round(SECONDS / DT), 1)), dims=("stimulus", "time", "unit"), time_step=DT)
    kept = bio.Monitors(spike_times=True)
    found = ns.simulate(circuit, silence, engine="torch", monitors=kept, progress=False)
    steps, unit = np.round(found["spike_time"].values / DT).astype(int), found["spike_unit"].values
    assert [np.sort(steps[unit == k] + 1).tolist() for k in range(N)] == theirs
