"""Graphs written by snnTorch, SpikingJelly, Norse and Sinabs: circuits answer as these tools and NIR's equations do.

``tests/campaigns/nir_of_others.py`` made the files, and noted what each tool answered itself.
"""

import numpy as np
import pytest

from neurosim.biophysics.nir_circuits import circuit_from_nir, load_nir
from neurosim.biophysics.simulation import Monitors, simulate
from neurosim.schema import as_stimuli
from tests.campaigns.nir_of_others import FILES, against_equations

STEPS = {"norse_integrator": 1e-6, "sinabs_integrator": 1.0}  # s; Norse writes dt / (1 / tau), Sinabs tau in steps
GRAPHS = sorted(p.stem for p in FILES.glob("*.nir"))
ANSWERED = sorted(p.stem for p in FILES.glob("*.npz"))


def test_there_are_files_of_every_tool():
    assert {name.split("_")[0] for name in GRAPHS} == {"snntorch", "spikingjelly", "norse", "sinabs"}
    assert len(GRAPHS) == 8 and len(ANSWERED) == 6


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_of_other_tools_follow_the_equations_of_nir(name):
    wrong, total = against_equations(FILES / f"{name}.nir", STEPS.get(name, 1e-4), n_steps=30)
    assert wrong == 0 and total > 10


@pytest.mark.parametrize("name", ANSWERED)
@pytest.mark.parametrize("engine", ["brian2", "torch"])
def test_graphs_of_other_tools_answer_as_the_tools_themselves(name, engine):
    dt = STEPS.get(name, 1e-4)
    if_input = "current" if name.startswith("spikingjelly") else "charge"  # its r of IF nodes is 1 / dt
    circuit = circuit_from_nir(load_nir(FILES / f"{name}.nir"), dt=dt, if_input=if_input)
    with np.load(FILES / f"{name}.npz") as kept:
        shown, answered = kept["shown"].astype(float), kept["answered"]
    stimuli = as_stimuli(shown.reshape(1, len(shown), -1), dims=("stimulus", "time", "unit"), time_step=dt)
    last = circuit.populations[-1]
    found = simulate(circuit, stimuli, engine=engine, monitors=Monitors(membrane=[last.name]), progress=False)
    assert np.ptp(answered) > 0
    if last.sends_spikes:
        own = found.responses.values[0][:, found.layer.values == last.name]
        np.testing.assert_array_equal(own, answered)
    else:
        np.testing.assert_allclose(found.membrane_potential.values[0], answered, atol=1e-5 * np.abs(answered).max())
