"""Random NIR graphs against a plain interpreter of the paper's equations, round trips, and graphs that are refused."""

import nir
import numpy as np
import pytest

from neurosim.biophysics.exchange import circuit_from_nir, load_nir
from neurosim.biophysics.simulation import simulate
from neurosim.schema import InputError, as_stimuli
from tests.nir_reference import DT, Interpreter, draw_branching

N_STEPS = 24


def spikes_of(circuit, shown, engine="torch"):
    stimuli = as_stimuli(shown.reshape(1, len(shown), -1), dims=("stimulus", "time", "unit"), time_step=DT)
    found = simulate(circuit, stimuli, engine=engine, progress=False)
    layer = found.layer.values
    return {p.name: found.values[0][:, layer == p.name] for p in circuit.populations}


@pytest.mark.parametrize("seed", range(80))
def test_random_graphs_send_the_spikes_of_the_equations_or_are_refused(seed, tmp_path):
    drawing, refused = draw_branching(seed, for_files=seed % 4 == 1)
    graph, shown = drawing.graph(), drawing.spikes(N_STEPS)
    if refused:
        with pytest.raises(InputError, match=refused):
            circuit_from_nir(graph, dt=DT, if_input="charge")
        return
    expected = Interpreter(graph.nodes, graph.edges, drawing.order, shown).run()
    for node in graph.nodes.values():
        node.metadata = {}
    circuit = circuit_from_nir(graph, dt=DT, if_input="charge")
    assert sum(z.sum() for z in expected.values()) > 0
    found = spikes_of(circuit, shown, "brian2" if seed % 10 == 0 else "torch")
    assert found.keys() == expected.keys()
    for label, spikes in expected.items():
        np.testing.assert_array_equal(found[label], spikes, err_msg=f"{label} of seed {seed}")
    if seed % 4 == 1:
        nir.write(tmp_path / "graph.nir", graph)
        again = spikes_of(circuit_from_nir(load_nir(tmp_path / "graph.nir"), dt=DT, if_input="charge"), shown)
        assert all((again[label] == spikes).all() for label, spikes in expected.items())
