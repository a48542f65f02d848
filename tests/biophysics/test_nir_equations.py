"""Each NIR node against its own differential equation, integrated by scipy with an adaptive step; graphs of many ports.

https://doi.org/10.1038/s41467-024-52259-9, table 1.
"""

from itertools import pairwise

import nir
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.circuit_files import load_circuit, save_circuit
from neurosim.biophysics.ladder import climb
from neurosim.biophysics.nir_circuits import circuit_from_nir, circuit_to_nir, load_nir
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.simulation import Monitors, choose_category, simulate
from neurosim.networks.nir_networks import from_nir
from neurosim.schema import InputError, as_stimuli

HELD = 10e-3  # each sample of the input is held still for so long, s
SHOWN = np.array([1.5, 0.0, -0.7, 2.0, 1.0])


def port(kind, *shape):
    return kind({kind.__name__.lower(): np.array(shape)})


def chain(*nodes, n_in=1, n_out=1):
    names = [f"n{i}" for i in range(len(nodes))]
    ports = {"input": port(nir.Input, n_in), "output": port(nir.Output, n_out)}
    edges = list(pairwise(["input", *names, "output"]))
    return nir.NIRGraph(ports | dict(zip(names, nodes, strict=True)), edges, type_check=False)


def answers(circuit, shown, engine="torch"):
    """Spikes and membranes (time, unit) of all populations to input (time, unit)."""
    stimuli = as_stimuli(shown[None], dims=("stimulus", "time", "unit"), time_step=circuit.step)
    names = [p.name for p in circuit.populations]
    found = simulate(circuit, stimuli, engine=engine, monitors=Monitors(membrane=names), progress=False)
    return found.responses.values[0], found.membrane_potential.values[0]


def current_at(t):
    return SHOWN[min(int(t / HELD + 1e-9), len(SHOWN) - 1)]


def membrane_of(change, n_states, threshold=np.inf, reset=0.0):
    """Membrane at the end of every ms, and the times of spikes, of the equations that ``change(input)`` returns."""
    state, spikes, kept, now = np.zeros(n_states), [], [], 0.0

    def crosses(t, y):
        return y[-1] - threshold

    crosses.terminal, crosses.direction = True, 1
    events = crosses if np.isfinite(threshold) else None
    for mark in np.arange(1, round(HELD * len(SHOWN) / 1e-3) + 1) * 1e-3:
        while now < mark:
            held = current_at((now + mark) / 2)
            solved = solve_ivp(change(held), (now, mark), state, rtol=1e-10, atol=1e-12, events=events)
            now, state = solved.t[-1], solved.y[:, -1].copy()
            if solved.status == 1:
                spikes.append(now)
                state[-1] = reset
        kept.append(state[-1])
    return np.array(kept), np.array(spikes)


def cuba(keys):
    return {"tau_syn": 4e-3, "tau_mem": 7e-3, "r": 1.3, "v_leak": 0.15, "w_in": 1.7} | keys


def each(numbers):
    return {k: np.array([v]) for k, v in numbers.items()}


LEAK = {"tau": 6e-3, "r": 1.3, "v_leak": 0.2}
FIRES = {"v_threshold": 0.8, "v_reset": -0.1}


def leaky(held):
    return lambda t, y: [(LEAK["v_leak"] - y[0] + LEAK["r"] * held) / LEAK["tau"]]


def integrated(held):
    return lambda t, y: [60.0 * held]


def integrated_faster(held):
    return lambda t, y: [120.0 * held]


def synaptic(held):
    p = cuba({})
    return lambda t, y: [(-y[0] + p["w_in"] * held) / p["tau_syn"], (p["v_leak"] - y[1] + p["r"] * y[0]) / p["tau_mem"]]


NODES = {
    "LI": (nir.LI(**each(LEAK)), leaky, 1, {}),
    "I": (nir.I(r=np.array([60.0])), integrated, 1, {}),
    "CubaLI": (nir.CubaLI(**each(cuba({}))), synaptic, 2, {}),
    "LIF": (nir.LIF(**each(LEAK | FIRES)), leaky, 1, FIRES),
    "IF": (nir.IF(**each({"r": 120.0} | FIRES)), integrated_faster, 1, FIRES),
    "CubaLIF": (nir.CubaLIF(**each(cuba(FIRES))), synaptic, 2, FIRES),
}


def simulated(node, dt, integration="euler"):
    """Membrane at the end of every ms, and times of spikes, in steps of `dt`."""
    circuit = circuit_from_nir(
        chain(nir.Linear(np.eye(1)), node), dt=dt, inputs="current", if_input="current", integration=integration
    )
    spikes, membrane = answers(circuit, np.repeat(SHOWN, round(HELD / dt))[:, None])
    every = round(1e-3 / dt)
    return membrane[every - 1 :: every, 0], (np.flatnonzero(spikes[:, 0]) + 1) * dt


@pytest.mark.parametrize("name", NODES)
def test_every_node_converges_to_its_differential_equation(name):
    node, change, n_states, fires = NODES[name]
    exact, times = membrane_of(change, n_states, *fires.values())
    errors = []
    for dt in (1e-4, 5e-5):
        membrane, spikes = simulated(node, dt)
        assert len(spikes) == len(times) and (len(times) > 2) == bool(fires)
        np.testing.assert_allclose(spikes, times, atol=8 * dt)
        errors.append(np.abs(membrane - exact).max() if not fires else np.abs(spikes - times).mean())
    if name == "I":  # forward Euler is exact where nothing leaks and the input stands still
        assert max(errors) < 1e-9
    else:
        assert 0 < errors[1] < 0.8 * errors[0] < 0.03


def test_leaky_integrators_of_exact_steps_equal_the_equation_at_any_step():
    exact, _ = membrane_of(leaky, 1)
    for dt in (1e-3, 2e-4):
        membrane, _ = simulated(NODES["LI"][0], dt, integration="exact")
        np.testing.assert_allclose(membrane, exact, atol=1e-8)


@pytest.mark.parametrize("engine", ["brian2", "torch"])
def test_a_threshold_sends_a_spike_in_every_step_above_it(engine):
    rng = np.random.default_rng(0)
    shown, level = rng.normal(size=(40, 3)), np.array([0.2, 0.5, 1.0])
    graph = chain(nir.Affine(np.eye(3) * 2, np.array([0.0, 0.1, 0.0])), nir.Threshold(level), n_in=3, n_out=3)
    circuit = circuit_from_nir(graph, dt=1e-3, inputs="current")
    spikes, _ = answers(circuit, shown, engine)
    np.testing.assert_array_equal(spikes, 2 * shown + [0.0, 0.1, 0.0] > level)
    assert 10 < spikes.sum() < 110
    again = circuit_from_nir(circuit_to_nir(circuit))
    np.testing.assert_array_equal(answers(again, shown)[0], spikes)


@pytest.mark.parametrize("name", ["LI", "I", "CubaLI"])
def test_an_integrator_before_a_threshold_of_its_own_is_a_neuron_without_reset(name):
    node, change, n_states, _ = NODES[name]
    exact, _ = membrane_of(change, n_states)
    graph = chain(nir.Linear(np.eye(1)), node, nir.Threshold(np.array([0.4])))
    circuit = circuit_from_nir(graph, dt=1e-4, inputs="current", if_input="current")
    assert [p.name for p in circuit.populations] == ["n2"] and circuit.populations[0].parameters.reset == "none"
    spikes, membrane = answers(circuit, np.repeat(SHOWN, 100)[:, None])
    np.testing.assert_array_equal(spikes, membrane > 0.4)
    clear = np.abs(exact - 0.4) > 0.03
    np.testing.assert_array_equal(spikes[9::10, 0][clear], exact[clear] > 0.4)
    assert clear.sum() > 30 and 0 < spikes.mean() < 1


@pytest.mark.parametrize("engine", ["brian2", "torch"])
@pytest.mark.parametrize("name", ["LI", "I", "CubaLI"])
def test_integrators_answer_by_membrane_on_every_engine_and_survive_files(name, engine, tmp_path):
    rng = np.random.default_rng(1)
    neuron = nir.LIF(*(np.full(4, v) for v in (5e-3, 1.0, 0.0, 0.3)))
    node = type(NODES[name][0])(**{k: np.repeat(v, 3) for k, v in numbers_of(NODES[name][0]).items()})
    graph = chain(
        nir.Linear(rng.normal(size=(4, 2))), neuron, nir.Linear(rng.normal(size=(3, 4))), node, n_in=2, n_out=3
    )
    circuit = circuit_from_nir(graph, dt=1e-3, if_input="charge")
    shown = (rng.random((60, 2)) < 0.5) * 1.0
    spikes, membrane = answers(circuit, shown, engine)
    assert spikes[:, :4].sum() > 5 and not spikes[:, 4:].any() and membrane[:, 4:].std() > 0.01
    nir.write(tmp_path / "graph.nir", circuit_to_nir(circuit))
    save_circuit(tmp_path / "circuit.nc", circuit)
    for again in (circuit_from_nir(load_nir(tmp_path / "graph.nir")), load_circuit(tmp_path / "circuit.nc")):
        np.testing.assert_allclose(answers(again, shown, engine)[1], membrane, rtol=1e-9, atol=1e-12)
        assert again.readout.reads == "last_membrane"
    stripped = circuit_to_nir(circuit)
    for kept in stripped.nodes.values():
        kept.metadata = {}
    plain = circuit_from_nir(stripped, dt=1e-3, if_input="charge", integration="euler" if name == "CubaLI" else "exact")
    assert plain.population("n3").parameters.tau_mem == pytest.approx(
        circuit.population("n3").parameters.tau_mem, rel=0.2
    )


def numbers_of(node):
    return {k: v for k, v in vars(node).items() if k in ("tau", "tau_mem", "tau_syn", "r", "v_leak", "w_in")}


def test_the_category_is_read_from_membranes_and_nothing_else():
    node = nir.LI(tau=np.full(2, 5e-3), r=np.ones(2), v_leak=np.zeros(2))
    circuit = circuit_from_nir(chain(nir.Linear(np.eye(2)), node, n_in=2, n_out=2), dt=1e-3)
    shown = np.zeros((3, 20, 2))
    shown[0, :, 0] = shown[1, :, 1] = shown[2, :10, 0] = shown[2, 10:, 1] = 1
    stimuli = as_stimuli(shown, dims=("stimulus", "time", "unit"), time_step=1e-3)
    found = simulate(circuit, stimuli, engine="torch", monitors=Monitors(membrane=["n1"]), progress=False)
    assert choose_category(circuit, found).tolist() == [0, 1, 1]
    with pytest.raises(InputError, match=r"the membrane of 'n1' is read; pass the Dataset"):
        choose_category(circuit, found.responses)
    bare = Circuit("bare", circuit.inputs, circuit.populations, circuit.projections, 1e-3, 1e-3)
    with pytest.raises(InputError, match="sends no spikes; give the circuit a Readout"):
        choose_category(bare, found)
    with pytest.raises(InputError, match="starts at units that send no spikes"):
        Circuit("on", circuit.inputs, circuit.populations, (Projection("n1", "n1", np.eye(2)),), 1e-3, 1e-3)
    with pytest.raises(InputError, match="climb: 'n1'"):
        climb(circuit, "continuous")


def test_several_inputs_are_shown_in_the_order_of_their_names_and_outputs_read_populations(tmp_path):
    rng = np.random.default_rng(2)
    left, right = rng.normal(size=(3, 2)), rng.normal(size=(3, 4))
    nodes = {
        "right": port(nir.Input, 4), "left": port(nir.Input, 2), "wl": nir.Linear(left), "wr": nir.Linear(right),
        "a": nir.LIF(*(np.full(3, v) for v in (5e-3, 1.0, 0.0, 0.2))), "wb": nir.Linear(rng.normal(size=(2, 3)) * 3),
        "b": nir.LIF(*(np.full(2, v) for v in (5e-3, 1.0, 0.0, 0.2))), "seen": port(nir.Output, 3),
        "read": port(nir.Output, 2),
    }  # fmt: skip
    edges = [
        ("right", "wr"),
        ("left", "wl"),
        ("wl", "a"),
        ("wr", "a"),
        ("a", "wb"),
        ("wb", "b"),
        ("b", "read"),
        ("a", "seen"),
    ]
    graph = nir.NIRGraph(nodes, edges, type_check=False)
    nir.write(tmp_path / "ports.nir", graph)
    shown = (rng.random((50, 6)) < 0.5) * 1.0
    whole = {k: v for k, v in nodes.items() if k not in ("left", "right", "wl", "wr", "seen")}
    whole |= {"in": port(nir.Input, 6), "w": nir.Linear(np.hstack([left, right]))}
    one = nir.NIRGraph(whole, [("in", "w"), ("w", "a"), *edges[4:7]], type_check=False)
    expected = answers(circuit_from_nir(one, dt=1e-3), shown)[0]
    for given in (graph, load_nir(tmp_path / "ports.nir")):
        circuit = circuit_from_nir(given, dt=1e-3)
        assert circuit.inputs.size == 6 and circuit.readout is None
        np.testing.assert_array_equal(answers(circuit, shown)[0], expected)
    assert expected.sum() > 10
    with pytest.raises(InputError, match=r"from_nir: a graph with one Input node is represented, found 2"):
        from_nir(graph, dt=1e-3)


@pytest.mark.parametrize("engine", ["brian2", "torch"])
def test_delays_of_each_unit_are_kept_and_written(engine):
    rng = np.random.default_rng(3)
    weight, steps = rng.normal(size=(4, 3)) * 2, np.array([0, 1, 3, 3])
    neuron = nir.LIF(*(np.full(4, v) for v in (2e-3, 1.0, 0.0, 0.3)))
    graph = chain(nir.Linear(weight), nir.Delay(steps * 1e-3), neuron, n_in=3, n_out=4)
    shown = (rng.random((40, 3)) < 0.4) * 1.0
    circuit = circuit_from_nir(graph, dt=1e-3)
    at_once = circuit_from_nir(chain(nir.Linear(weight), neuron, n_in=3, n_out=4), dt=1e-3)
    expected, found = answers(at_once, shown)[0], answers(circuit, shown, engine)[0]
    for unit, late in enumerate(steps):
        np.testing.assert_array_equal(found[late:, unit], expected[: len(shown) - late, unit])
    assert expected.sum() > 20
    per_synapse = Projection("input", "n2", weight.T * (1 - np.exp(-0.5)), delay=np.tile(steps * 1e-3, (3, 1)))
    one = Circuit("one", circuit.inputs, circuit.populations, (per_synapse,), 1e-3, 1e-3)
    again = circuit_from_nir(circuit_to_nir(one))
    np.testing.assert_array_equal(answers(again, shown)[0], answers(one, shown)[0])
    assert sorted(float(q.delay) for q in again.projections) == pytest.approx([0.0, 1e-3, 3e-3])
