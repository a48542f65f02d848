"""Signals of NIR graphs: from every form to stimuli, on a clock; what circuits answered, through files and back."""

import nir
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurosim.biophysics.nir_circuits import circuit_from_nir, circuit_to_nir
from neurosim.biophysics.nir_data import load_nir_data, responses_to_nir, stimuli_from_nir
from neurosim.biophysics.simulation import Monitors, simulate
from neurosim.schema import InputError
from neurosim.storage import StorageError


def grid(values, dt=1e-3):
    return nir.TimeGriddedData(np.asarray(values), dt)


def node(**signals):
    return nir.NIRNodeData(signals)


@given(st.data())
def test_events_fall_into_the_steps_in_which_they_were_on_the_grid(data):
    dt = data.draw(st.sampled_from([1e-4, 1e-3, 0.1, 1 / 3, 7e-3]))
    shape = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(1, 4)))
    shown = np.random.default_rng(data.draw(st.integers(0, 99))).random(shape) < 0.3
    events = grid(shown, dt).to_event(n_events=int(shown.sum((1, 2)).max()) + 1)
    np.testing.assert_array_equal(stimuli_from_nir(events, time_step=dt).values, shown)
    size = np.where(events.idx < 0, 9, 2.5)
    valued = nir.ValuedEventData(events.idx, events.time, events.n_neurons, events.t_max, size)
    np.testing.assert_array_equal(stimuli_from_nir(valued, time_step=dt).values, shown * 2.5)


def test_two_events_in_a_step_count_twice():
    events = nir.EventData(np.array([[0, 0, 0]]), np.array([[1e-4, 2e-4, 2e-3]]), 1, 3e-3)
    assert stimuli_from_nir(events, time_step=1e-3).values.ravel().tolist() == [2, 0, 1]


def test_inputs_are_joined_in_the_order_of_their_names_as_circuits_take_them(tmp_path):
    rng = np.random.default_rng(0)
    left, right = rng.random((2, 30, 2)) < 0.5, rng.random((2, 30, 3)) < 0.5
    data = nir.NIRGraphData({"right": node(spikes=grid(right)), "left": node(spikes=grid(left), v=grid(left * 0.5))})
    nir.write_data(tmp_path / "shown.nir", data)
    names = {"left": 2, "right": 3}
    nodes = {n: nir.Input({"input": np.array([k])}) for n, k in names.items()}
    nodes |= {f"w_{n}": nir.Linear(rng.normal(size=(4, k)) * 2) for n, k in names.items()}
    nodes |= {
        "n": nir.LIF(*(np.full(4, v) for v in (5e-3, 1.0, 0.0, 0.2))),
        "out": nir.Output({"output": np.array([4])}),
    }
    edges = [*((n, f"w_{n}") for n in names), *((f"w_{n}", "n") for n in names), ("n", "out")]
    circuit = circuit_from_nir(nir.NIRGraph(nodes, edges, type_check=False), dt=1e-3)
    for given_data in (data, load_nir_data(tmp_path / "shown.nir")):
        shown = stimuli_from_nir(given_data, nodes=["right", "left"], observable="spikes")
        np.testing.assert_array_equal(shown.values, np.concatenate([left, right], axis=2))
    found = simulate(circuit, shown, engine="torch", monitors=Monitors(membrane=["n"]), progress=False)
    assert found.responses.sum() > 20
    answered = responses_to_nir(circuit, found)
    answered.check_nodes(circuit_to_nir(circuit))
    nir.write_data(tmp_path / "answered.nir", answered)
    again = load_nir_data(tmp_path / "answered.nir").nodes["n"].observables
    np.testing.assert_array_equal(again["spikes"].data, found.responses.values > 0)
    np.testing.assert_array_equal(again["v"].data, found.membrane_potential.values)
    assert again["spikes"].dt == again["v"].dt == 1e-3


def test_what_sends_no_spikes_has_a_membrane_alone():
    read = nir.LI(*(np.full(2, v) for v in (5e-3, 1.0, 0.0)))
    ports = {"in": nir.Input({"input": np.array([2])}), "out": nir.Output({"output": np.array([2])})}
    graph = nir.NIRGraph(ports | {"w": nir.Linear(np.eye(2)), "li": read}, [("in", "w"), ("w", "li"), ("li", "out")],
                         type_check=False)  # fmt: skip
    circuit, shown = circuit_from_nir(graph, dt=1e-3), stimuli_from_nir(grid(np.ones((1, 9, 2), dtype=bool)))
    assert responses_to_nir(circuit, simulate(circuit, shown, engine="torch", progress=False)).nodes == {}
    found = simulate(circuit, shown, engine="torch", monitors=Monitors(membrane=["li"]), progress=False)
    assert list(responses_to_nir(circuit, found).nodes["li"].observables) == ["v"]
    repeated = simulate(circuit, shown, engine="torch", trials=2, progress=False)
    for wrong, words in ((repeated, "no trials"), (found.responses + 2, "at most one spike a bin")):
        with pytest.raises(InputError, match=words):
            responses_to_nir(circuit, wrong)


EVENT = {"idx": np.array([[0, -1]]), "time": np.array([[1e-3, np.inf]]), "n_neurons": 2, "t_max": 3e-3}


unequal = nir.NIRGraphData({"a": node(s=grid(np.ones((1, 3, 2)))), "b": node(s=grid(np.ones((1, 4, 2))))})


def events(**changes):
    return nir.EventData(**EVENT | changes)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: stimuli_from_nir(events()), "time_step= says"),
        (lambda: stimuli_from_nir(events(), time_step=2e-3), "no whole number of steps"),
        (lambda: stimuli_from_nir(events(idx=np.array([[2, -1]])), time_step=1e-3), "lie outside"),
        (lambda: stimuli_from_nir(events(idx=np.array([[-2, -1]])), time_step=1e-3), "lie outside"),
        (lambda: stimuli_from_nir(events(time=np.array([[3e-3, np.inf]])), time_step=1e-3), "lie outside"),
        (lambda: stimuli_from_nir(events(time=np.array([[-1e-3, np.inf]])), time_step=1e-3), "lie outside"),
        (lambda: stimuli_from_nir(events(time=np.array([[np.nan, np.inf]])), time_step=1e-3), "lie outside"),
        (lambda: stimuli_from_nir(events(time=np.array([[1e-3, 1e-3]])), time_step=1e-3), "index -1 at an infinite"),
        (lambda: stimuli_from_nir(grid(np.ones((1, 3, 2))), time_step=1e-4), "on steps of 0.001 s"),
        (lambda: stimuli_from_nir(grid(np.ones((1, 3, 2))), nodes=["a"]), "of one node"),
        (lambda: stimuli_from_nir(nir.NIRGraphData({"a": node(), "b": node()})), "nodes= names some of a, b"),
        (lambda: stimuli_from_nir(nir.NIRGraphData({"a": node()}), nodes=["c"]), "no node 'c'"),
        (lambda: stimuli_from_nir(nir.NIRGraphData({"a": node()})), "'a' has nothing"),
        (lambda: stimuli_from_nir(node(s=grid(np.ones((1, 3, 2))), v=grid(np.ones((1, 3, 2))))), "observable= names"),
        (lambda: stimuli_from_nir(np.ones((1, 3, 2))), "signals of NIR asked"),
        (lambda: stimuli_from_nir(unequal, nodes=["a", "b"]), "shown together"),
    ],
)  # fmt: skip
def test_signals_that_make_no_stimuli_are_refused_in_one_line(make, words):
    with pytest.raises(InputError, match=words) as error:
        make()
    assert "\n" not in str(error.value)


def test_files_without_signals_are_refused(tmp_path):
    (tmp_path / "text.nir").write_text("no signals")
    with pytest.raises(StorageError, match="cannot be read as HDF5"):
        load_nir_data(tmp_path / "text.nir")
    nir.write(tmp_path / "graph.nir", nir.NIRGraph.from_list(nir.Linear(np.eye(2))))
    with pytest.raises(InputError, match="holds no signals of a NIR graph"):
        load_nir_data(tmp_path / "graph.nir")
