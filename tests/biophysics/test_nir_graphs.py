"""Random NIR graphs against a plain interpreter of the paper's equations, round trips, and graphs that are refused."""

from dataclasses import replace
from itertools import pairwise

import h5py
import nir
import numpy as np
import pytest
import torch
from torch.nn import functional

from neurosim.biophysics.circuit import Circuit, Readout
from neurosim.biophysics.dynamics import constants_of
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.nir_circuits import circuit_from_nir, circuit_to_nir, load_nir
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.releases.tsodyks_markram import TsodyksMarkramParameters
from neurosim.biophysics.simulation import simulate
from neurosim.networks.nir_networks import from_nir
from neurosim.parameters import DiscreteAdaptiveLIFParameters, DiscreteLIFParameters, DiscreteSynapticParameters
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


def lif(n, **changes):
    numbers = {"tau": 5e-3, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0} | changes
    return nir.LIF(**{k: np.full(n, v) if np.ndim(v) == 0 else np.asarray(v) for k, v in numbers.items()})


def cuba(n, **changes):
    numbers = {
        "tau_syn": 5e-3,
        "tau_mem": 5e-3,
        "r": 1.0,
        "v_leak": 0.0,
        "v_threshold": 1.0,
        "v_reset": 0.0,
        "w_in": 1.0,
    }
    return nir.CubaLIF(**{k: np.full(n, v) for k, v in (numbers | changes).items()})


def graph(nodes, edges, size=4, out=4):
    ports = {"input": nir.Input({"input": np.atleast_1d(size)}), "output": nir.Output({"output": np.array([out])})}
    return nir.NIRGraph(ports | nodes, edges, type_check=False)


def chain(*nodes, size=4):
    names = [f"n{i}" for i in range(len(nodes))]
    return graph(dict(zip(names, nodes, strict=True)), list(pairwise(["input", *names, "output"])), size)


def wired(neurons, pairs, seed=0, delayed=()):
    """Return LIF neurons joined by weights, with nodes as given and edges in random order."""
    rng = np.random.default_rng(seed)
    nodes, edges = {n: lif(2) for n in neurons}, [(neurons[-1], "output")]
    for i, (x, y) in enumerate(pairs):
        nodes[f"w{i}"] = nir.Linear(np.eye(2))
        edges += [(x, f"w{i}")]
        if (x, y) in delayed:
            nodes[f"d{i}"] = nir.Delay(np.full(2, 2e-4))
            edges += [(f"w{i}", f"d{i}"), (f"d{i}", y)]
        else:
            edges += [(f"w{i}", y)]
    return graph(nodes, [edges[k] for k in rng.permutation(len(edges))], size=2)


ENTRIES = [("input", "a"), ("input", "b")]


@pytest.mark.parametrize(
    ("neurons", "pairs", "delayed", "order"),
    [
        ("ab", [*ENTRIES, ("a", "b"), ("b", "a")], (), "ab"),
        ("ba", [*ENTRIES, ("a", "b"), ("b", "a")], (), "ba"),
        ("ba", [*ENTRIES, ("a", "b"), ("b", "a")], [("b", "a")], "ab"),
        ("ab", [*ENTRIES, ("a", "b"), ("b", "a")], [("a", "b")], "ba"),
        ("ba", ENTRIES, (), "ba"),
        ("ab", ENTRIES, (), "ab"),
        ("cab", [*ENTRIES, ("a", "b"), ("b", "a"), ("b", "c"), ("input", "c")], (), "abc"),
        ("cba", [("input", "a"), ("a", "b"), ("b", "c"), ("c", "a")], (), "abc"),
        ("cba", [("input", "a"), ("a", "b"), ("b", "c"), ("c", "a")], [("a", "b")], "bca"),
        ("cdab", [("input", "a"), ("a", "b"), ("b", "a"), ("b", "c"), ("input", "c"), ("c", "d"), ("d", "c")],
         [("b", "c")], "abcd"),
        ("dcba", [("input", "a"), ("a", "b"), ("b", "a"), ("b", "c"), ("c", "d"), ("d", "c")], (), "abcd"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("seed", range(3))
def test_order_is_topological_and_cycles_open_at_delays_then_by_the_order_of_nodes(
    neurons, pairs, delayed, order, seed
):
    circuit = circuit_from_nir(wired(neurons, pairs, seed, delayed))
    assert "".join(p.name for p in circuit.populations) == order


def test_the_output_names_its_population_wherever_that_stands():
    circuit = circuit_from_nir(wired("ba", [("input", "b"), ("b", "a"), ("a", "b")], 0))
    assert [p.name for p in circuit.populations] == ["b", "a"] and circuit.readout is None
    turned = wired("ab", [("input", "b"), ("b", "a"), ("a", "b")], 0)
    assert circuit_from_nir(turned).readout.source == "b"


@pytest.mark.parametrize(("delay", "steps"), [(2e-3, 2), (2e-3 * (1 + 1e-7), 2), (0.0, 0), (0.3, 300)])
def test_whole_delays_are_kept(delay, steps):
    circuit = circuit_from_nir(chain(nir.Linear(np.eye(4)), nir.Delay(np.full(4, delay)), lif(4)), dt=1e-3)
    assert circuit.projections[0].delay == pytest.approx(steps * 1e-3, abs=1e-15)


@pytest.mark.parametrize("steps", [2.51, 0.4, 1.9999, 1e-5])
def test_delays_that_are_no_whole_steps_are_refused(steps):
    made = chain(nir.Linear(np.eye(4)), nir.Delay(np.full(4, steps * 1e-3)), lif(4))
    with pytest.raises(InputError, match=f"node 'n1' has a delay of .* {steps:.6g} steps of 0.001 s"):
        circuit_from_nir(made, dt=1e-3)


def test_many_ways_through_linear_nodes_are_summed_not_walked():
    """Forty diamonds are 2**40 paths; each doubles the value."""
    nodes, edges, here = {}, [], "input"
    for k in range(40):
        nodes |= {f"a{k}": nir.Scale(np.ones(4)), f"b{k}": nir.Scale(np.ones(4)), f"c{k}": nir.Scale(np.full(4, 0.5))}
        edges += [(here, f"a{k}"), (here, f"b{k}"), (f"a{k}", f"c{k}"), (f"b{k}", f"c{k}")]
        here = f"c{k}"
    circuit = circuit_from_nir(graph(nodes | {"n": lif(4)}, [*edges, (here, "n"), ("n", "output")]))
    np.testing.assert_allclose(circuit.projections[0].weights.toarray(), np.eye(4) * 1e-4 / 5e-3)


def test_a_subgraph_that_passes_its_input_on_counts_beside_a_direct_edge():
    inner = graph({}, [("input", "output")])
    nodes = {"through": inner, "n": lif(4)}
    circuit = circuit_from_nir(graph(nodes, [("input", "through"), ("through", "n"), ("input", "n"), ("n", "output")]))
    np.testing.assert_allclose(circuit.projections[0].weights.toarray(), 2 * np.eye(4) * 1e-4 / 5e-3)


def nested(depth):
    made = graph({"n": lif(4)}, [("input", "n"), ("n", "output")])
    for _ in range(depth):
        made = graph({"sub": made}, [("input", "sub"), ("sub", "output")])
    return made


def two_outputs(first, second):
    """Return neurons that two outputs read, each with its own weights."""
    nodes = {"w": unit, "n": lif(4), "x": nir.Linear(first), "y": nir.Linear(second)}
    ports = {name: nir.Output({"output": np.array([4])}) for name in "ab"} | {
        "input": nir.Input({"input": np.array([4])})
    }
    edges = [("input", "w"), ("w", "n"), ("n", "x"), ("n", "y"), ("x", "a"), ("y", "b")]
    return nir.NIRGraph(ports | nodes, edges, type_check=False)


def changed(node, **values):
    for key, value in values.items():
        setattr(node, key, value)
    return node


def conv(**values):
    node = nir.Conv2d((4, 4), np.ones((2, 1, 3, 3)), 1, 0, 1, 1, np.zeros(2))
    return chain(changed(node, **values), lif((2, 2, 2)), size=(1, 4, 4))


one, unit = np.ones(4), nir.Linear(np.eye(4))
joined = [("input", "w"), ("w", "n"), ("n", "output")]
plain = {"w": unit, "n": lif(4)}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: "graph.nir", "a NIR graph is asked, found str"),
        (lambda: nir.NIRGraph({}, [], type_check=False), "a graph with an Input node is represented, found 0"),
        (lambda: graph({}, []), "node 'input' sends to no neurons"),
        (lambda: graph({}, [("input", "output")]), "holds no neurons"),
        (lambda: graph(plain, [*joined, ("n", "gone")]), r"edge \('n', 'gone'\) does not name two nodes"),
        (lambda: graph(plain, [*joined, ("n",)]), "does not name two nodes"),
        (lambda: graph(plain, [*joined, ("w", "n")]), "from 'w' to 'n' is there twice"),
        (lambda: graph(plain, [*joined, ("n", "input")]), "enters an input"),
        (lambda: graph(plain | {"x": unit}, joined), "'x' is never reached"),
        (lambda: graph(plain | {"x": unit}, [*joined, ("x", "n")]), "'x' is never reached"),
        (lambda: graph(plain | {"x": unit}, [*joined, ("n", "x")]), "'x' sends to no neurons"),
        (lambda: graph(plain, [*joined, ("w", "w")]), "'w' lies on a cycle without neurons"),
        (lambda: graph(plain | {"m": lif(4)}, [*joined, ("n", "m"), ("m", "output")]), "reads more than one layer"),
        (lambda: graph(plain | {"second": nir.Input({"input": np.array([4])})}, joined), "'second' sends to no"),
        (lambda: graph(plain, joined[:2]), "'output' is never reached"),
        (lambda: graph({"a.b": lif(4), "a": nir.NIRGraph({"input": nir.Input({"input": np.array([4])}), "b": lif(4),
                        "output": nir.Output({"output": np.array([4])})}, [("input", "b"), ("b", "output")],
                        type_check=False)}, [("input", "a"), ("a", "a.b"), ("a.b", "output")]), "two nodes are called"),
        (lambda: graph(plain | {"v": nir.Linear(np.ones((3, 4)))}, [*joined, ("input", "v"), ("v", "n")]),
         r"'n' gets values of shape \(3,\) from 'v'"),
        (lambda: nested(40), "more than 32 deep"),
        (lambda: chain(unit, nir.CubaLI(one, one, one, one), lif(4)), r"CubaLI\) sends graded values to 'n2' \(LIF"),
        (lambda: chain(unit, nir.I(one), unit, nir.Threshold(one)), r"I\) sends graded values to 'n3' \(Threshold"),
        (lambda: chain(unit, nir.Threshold(0 * one)), "node 'n1': DiscreteLIFParameters: threshold = 0.0"),
        (lambda: two_outputs(2 * unit.weight, 3 * unit.weight), "the outputs 'a', 'b' weigh what they read"),
        (lambda: chain(nir.Linear(np.ones((2, 4, 4))), lif(4)), "weights of shape"),
        (lambda: chain(nir.Affine(np.eye(4), np.zeros(3)), lif(4)), "3 biases for 4 outputs"),
        (lambda: chain(nir.Affine(np.eye(4), one * np.nan), lif(4)), "bias of node 'n0' holds NaN"),
        (lambda: chain(nir.Linear(np.eye(4) * 1j), lif(4)), "weight of node 'n0' holds no real numbers"),
        (lambda: chain(nir.Linear(np.eye(4).astype(str)), lif(4)), "holds no real numbers"),
        (lambda: chain(nir.Scale(np.ones(3)), lif(4)), "3 numbers cannot be given to 4"),
        (lambda: chain(unit, lif(4, tau=0.0)), "tau = 0 s, which is not above 0"),
        (lambda: chain(unit, lif(4, tau=np.inf)), "tau of node 'n1' holds NaN or infinity"),
        (lambda: chain(unit, lif(4, r=0.0)), "has r = 0"),
        (lambda: chain(unit, lif(4, v_leak=np.nan)), "v_leak of node 'n1' holds NaN"),
        (lambda: chain(unit, lif(4, v_reset=[0, 0, 0, np.inf])), "v_reset of node 'n1' holds NaN or infinity"),
        (lambda: chain(unit, lif(4, v_threshold=[1.0, 1, 1, 0])), "threshold that is not above v_reset"),
        (lambda: chain(unit, lif(4, v_threshold=2e6)), "node 'n1': DiscreteLIFParameters: threshold"),
        (lambda: chain(unit, lif(4), nir.Delay(one * 1e-4)), "'n1' after a delay"),
        (lambda: chain(unit, cuba(4, tau_syn=-1.0)), "tau_syn = -1 s, which is not above 0"),
        (lambda: chain(unit, cuba(4, w_in=np.nan)), "w_in of node 'n1' holds NaN"),
        (lambda: chain(unit, cuba(4, v_leak=np.inf)), "v_leak of node 'n1' holds NaN or infinity"),
        (lambda: chain(nir.Delay(one * -1e-3), lif(4)), "a delay of -0.001 s, which is below 0"),
        (lambda: chain(nir.Delay(np.ones(0)), lif(4)), "delay of node 'n0' holds no real numbers"),
        (lambda: chain(nir.Affine(np.eye(4), one), nir.Delay(one * 1e-3), lif(4)), "a bias passes the delay 'n1'"),
        (lambda: conv(stride=(0, 1)), "has stride ="),
        (lambda: conv(dilation=(1, 0)), "has dilation ="),
        (lambda: conv(padding=(-1, 0)), "has padding ="),
        (lambda: conv(padding=(1, 1, 1)), "has padding ="),
        (lambda: conv(groups=0), "has groups ="),
        (lambda: conv(groups=3), "in 3 groups"),
        (lambda: conv(bias=np.zeros(3)), "3 biases for 2 outputs"),
        (lambda: conv(weight=np.ones((2, 1, 5, 5))), "too large for values of"),
        (lambda: conv(weight=np.ones((2, 1, 3))), "weights of shape"),
        (lambda: conv(input_shape=(6, 6)), r"input_shape = \(6, 6\)"),
        (lambda: chain(changed(nir.Flatten(None, 1, 5)), lif(4), size=(2, 2)), "flattens dims 1 to 5"),
        (lambda: chain(unit, lif(4), size=(0,)), r"'input' has the shape"),
        (lambda: chain(unit, lif(4), size=(2**40,)), r"'input' has the shape"),
        (lambda: graph(plain | {"input": nir.Input(None)}, joined), "'input' has the shape None"),
    ],
)  # fmt: skip
def test_malformed_graphs_are_refused_in_one_line(make, words):
    with pytest.raises(InputError, match=words) as error:
        circuit_from_nir(make())
    assert "\n" not in str(error.value) and len(str(error.value)) < 250


def with_types(nodes, edges):
    """A graph as it is made in Python: NIR adds an input or output to each node that lacks edges."""
    two = np.ones(2)
    neurons = nir.LIF(tau=two / 100, r=two, v_leak=0 * two, v_threshold=two, v_reset=0 * two)
    made = {"input": nir.Input(np.array([2])), "w": nir.Linear(np.eye(2)), "n": neurons, "output": nir.Output([2])}
    return nir.NIRGraph(made | {k: v or neurons for k, v in nodes.items()}, [("input", "w"), ("w", "n"), *edges])


@pytest.mark.parametrize(
    ("nodes", "edges", "words"),
    [
        (
            {"x": nir.Linear(np.eye(2))},
            [("n", "output")],
            "'output_x' reads the input .'input_x'.* no edge leads from 'x'",
        ),
        ({}, [], "'output' reads the input .'input_output'.* no edge leads to 'output': add the edge"),
        ({"other": nir.Input(np.array([2]))}, [("n", "output")], "'output_other' .* no edge leads from 'other'"),
        (
            {"m": None},
            [("w", "m"), ("m", "output"), ("n", "output")],
            "reads more than one layer .'n', 'm'.*sented.$",
        ),
    ],
)
def test_ports_that_nir_adds_to_dangling_nodes_are_told_by_the_node_that_lacks_an_edge(nodes, edges, words):
    with pytest.raises(InputError, match=words) as error:
        circuit_from_nir(with_types(nodes, edges), dt=1e-3)
    assert "\n" not in str(error.value)


def test_a_neuron_that_no_edge_leads_to_is_told_where_its_input_comes_from(caplog):
    """NIR gives it an input of its own, whose units are shown beside those of the graph."""
    circuit = circuit_from_nir(with_types({"x": None}, [("n", "output")]), dt=1e-3)
    assert circuit.only_input("here").size == 4
    [record] = caplog.records
    assert "no edge leads to node 'x'" in record.message and "units 2 to 3" in record.message
    caplog.clear()
    circuit_from_nir(with_types({}, [("n", "output")]), dt=1e-3)
    assert not caplog.records


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dt": 0}, "a dt of 0 to 1 s asked, found 0"),
        ({"dt": "1 ms"}, "a dt of 0 to 1 s asked"),
        ({"inputs": "current", "duration": 0.0}, "duration in 0..1e4"),
        ({"integration": "heun"}, "integration is 'euler' or 'exact', found 'heun'"),
        ({"inputs": "pictures"}, "kind = 'pictures'"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        circuit_from_nir(chain(unit, lif(4)), **options)


def test_synaptic_neurons_have_no_exact_step():
    with pytest.raises(InputError, match=r"'n1' \(CubaLIF\) has no exact step here; integration='euler'"):
        circuit_from_nir(chain(unit, cuba(4)), integration="exact")


def test_a_loop_of_one_neuron_population_with_itself_arrives_a_step_later():
    circuit = circuit_from_nir(graph(plain, [*joined, ("n", "n")]))
    assert [(q.source, q.target) for q in circuit.projections] == [("input", "n"), ("n", "n")]


@pytest.mark.parametrize("start", [0, 1])
def test_flatten_keeps_the_dims_it_is_told_to(start):
    """Numbers a row after a flatten of (2, 3, 4) from its second dim: they belong to its two rows."""
    neurons = changed(lif(1), tau=np.array([5e-3, 1e-2]))
    made = chain(nir.Flatten(None, start, -1), neurons, size=(2, 3, 4))
    if start == 0:
        with pytest.raises(InputError, match="2 numbers cannot be given to 24 neurons"):
            circuit_from_nir(made)
    else:
        found = circuit_from_nir(made).populations[0].varying["beta"]
        np.testing.assert_allclose(found, np.repeat([1 - 1e-4 / 5e-3, 1 - 1e-4 / 1e-2], 12))


LIFS = [
    DiscreteLIFParameters(tau, DT, 0.9, reset, v_reset)
    for tau in (6e-3, np.inf)
    for reset, v_reset in (("subtract", 0), ("zero", 0), ("clear", 0), ("none", 0), ("immediate", -0.2))
] + [DiscreteLIFParameters(6e-3, DT, 0.9, "interpolated", -0.2)]
SYNAPTICS = [
    DiscreteSynapticParameters(3e-3, 6e-3, DT, 0.9, reset, v_reset)
    for reset, v_reset in (("subtract", 0), ("zero", 0), ("clear", 0), ("none", 0), ("immediate", -0.2))
]


def circuit_of(record, varies):
    rng = np.random.default_rng(0)
    varying = {"threshold": rng.uniform(0.7, 1.1, 3)} if varies else {}
    if varies and np.isfinite(record.tau_mem) and record.reset != "interpolated":
        varying |= {"tau_mem": rng.uniform(4e-3, 8e-3, 3), "v_reset": rng.uniform(-0.3, 0, 3)}
        varying = {k: v for k, v in varying.items() if k != "v_reset" or record.reset == "immediate"}
    if varies and isinstance(record, DiscreteSynapticParameters):
        varying |= {"input_scale": rng.uniform(0.5, 1, 3), "alpha": rng.uniform(0.5, 0.8, 3)}
    populations = (
        Population("z", 3, record, drive=rng.uniform(0, 0.1, 3), varying=varying),
        Population("input_to_a", 2, record, drive=0.3),
        Population("a", 2, record, drive=0.05),
    )
    projections = (
        Projection("input", "z", rng.normal(size=(4, 3)) * 0.5, 2 * DT),
        Projection("input", "z", rng.normal(size=(4, 3)) * 0.5, DT),
        Projection("z", "a", rng.normal(size=(3, 2))),
        Projection("a", "z", rng.normal(size=(2, 3)) * 0.3),
        Projection("input", "a", np.abs(rng.normal(size=(4, 2))) * 0.3),
        Projection("input_to_a", "a", rng.normal(size=(2, 2)) * 0.3, 3 * DT),
        Projection("a", "a", rng.normal(size=(2, 2)) * 0.3),
    )
    readout = Readout("z", rng.normal(size=(3, 5)), rng.normal(size=5))
    return Circuit("c", Input(4, "poisson", 0.05, 300.0), populations, projections, DT, DT, readout)


@pytest.mark.parametrize("record", LIFS + SYNAPTICS, ids=str)
@pytest.mark.parametrize("varies", [False, True])
def test_every_circuit_that_nir_holds_survives_files(record, varies, tmp_path):
    """Order, input, readout, numbers and spikes; names that the graph needs itself are no obstacle."""
    circuit = circuit_of(record, varies)
    nir.write(tmp_path / "graph.nir", circuit_to_nir(circuit))
    again = circuit_from_nir(load_nir(tmp_path / "graph.nir"), name="c")
    assert [p.name for p in again.populations] == ["z", "input_to_a", "a"]
    assert again.inputs == circuit.inputs and again.step == circuit.step
    for old, new in zip(circuit.populations, again.populations, strict=True):
        assert old.parameters == new.parameters and old.varying.keys() == new.varying.keys()
        np.testing.assert_array_equal(old.drive, new.drive)
        for key, values in old.varying.items():
            np.testing.assert_array_equal(values, new.varying[key])
    np.testing.assert_array_equal(again.readout.weights.toarray(), circuit.readout.weights)
    shown = as_stimuli(np.full((2, 4), 0.8), dims=("stimulus", "unit"))
    first, second = (simulate(c, shown, engine="torch", rng=1, progress=False) for c in (circuit, again))
    assert first.sum() > 10
    np.testing.assert_array_equal(first.values, second.values)


@pytest.mark.parametrize("record", [r for r in LIFS + SYNAPTICS if r.reset == "immediate"], ids=str)
@pytest.mark.parametrize("varies", [False, True])
def test_written_graphs_mean_the_same_without_our_metadata(record, varies):
    """The numbers of the nodes are those of the equations: forward Euler is left out, NIR's are continuous."""
    written = circuit_to_nir(circuit_of(record, varies))
    for population in circuit_of(record, varies).populations:
        node = written.nodes[population.name]
        numbers = constants_of(population, DT)
        if isinstance(node, nir.IF):
            assert (node.r == 1).all()
            continue
        is_synaptic = isinstance(node, nir.CubaLIF)
        beta = np.exp(-DT / (node.tau_mem if is_synaptic else node.tau))
        np.testing.assert_allclose(beta, np.broadcast_to(numbers["beta"], beta.shape), rtol=1e-12)
        np.testing.assert_allclose(node.r * (1 - beta), np.broadcast_to(numbers.get("input_scale", 1.0), beta.shape))
        if is_synaptic:
            alpha = np.exp(-DT / node.tau_syn)
            np.testing.assert_allclose(node.w_in * (1 - alpha), 1)
            np.testing.assert_allclose(alpha, np.broadcast_to(numbers["alpha"], alpha.shape))
        np.testing.assert_allclose(node.v_reset, np.broadcast_to(numbers["v_reset"], beta.shape))


def plastic(circuit):
    """Return the circuit with synapses whose resources are used up."""
    (wire,) = circuit.projections
    return replace(circuit, projections=(replace(wire, release=TsodyksMarkramParameters()),))


def one_population(record, name="a", **options):
    population = Population(name, 2, record, **options)
    return Circuit("c", Input(1), (population,), (Projection("input", name, [[1.0, 2.0]]),), DT, DT)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: one_population(DiscreteAdaptiveLIFParameters(dt=DT)), "DiscreteAdaptiveLIFParameters"),
        (
            lambda: plastic(one_population(DiscreteLIFParameters(dt=DT))),
            "has release or plasticity, which NIR does not",
        ),
        (lambda: one_population(LIFS[0], noise=0.1), "noise = 0.1"),
        (lambda: one_population(LIFS[0], name="a/b"), "without '/'"),
        (lambda: one_population(LIFS[0], varying={"beta": [0.9, 1.0]}), "leak and others that do not"),
        (lambda: one_population(DiscreteSynapticParameters(np.inf, dt=DT)), "never decay"),
        (lambda: one_population(DiscreteSynapticParameters(tau_mem=np.inf, dt=DT)), "never decay"),
    ],
)
def test_circuits_that_nir_does_not_hold_are_refused(make, words):
    with pytest.raises(InputError, match=words) as error:
        circuit_to_nir(make())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        ("no json", "not JSON"),
        ("[1]", "not a table"),
        ('{"model": "adex", "dt": 0.001}', "which NIR does not hold"),
        ('{"model": "discrete_adaptive_lif", "dt": 0.001}', "which NIR does not hold"),
        ('{"dt": "soon"}', "a dt of 0 to 1 s asked"),
        ('{"dt": 0.001, "varying": 3}', "not as neurosim writes them"),
        ('{"dt": 0.001, "exact": [1]}', "not as neurosim writes them"),
        ('{"dt": 0.001, "varying": [["beta"]]}', "not as neurosim writes them"),
        ('{"dt": 0.001, "exact": {"beta": ["x", 1]}}', "not as neurosim writes them"),
        ('{"dt": 0.001, "exact": {"beta": [[1], [1, 2]]}}', "not as neurosim writes them"),
        ('{"dt": 0.001, "varying": ["beta"]}', "says that 'beta' varies, but does not hold it"),
        ('{"dt": 0.001, "reset": "sometimes"}', "reset = 'sometimes'"),
        ('{"dt": 0.001, "threshold": 3.0}', "v_threshold = 0.9, its metadata say 3"),
        ('{"dt": 0.001, "tau_mem": 0.5}', r"has tau = 0.006, its metadata say 0.5"),
        ('{"dt": 0.001, "tau_mem": 1' + 400 * "0" + "}", "has tau = 0.006"),
        ('{"dt": 1' + 400 * "0" + "}", "a dt of 0 to 1 s asked"),
        ('{"dt": -1000.0, "tau_mem": 1e-5}', "a dt of 0 to 1 s asked"),
        ('{"dt": 0.001, "input_kind": 5}', "kind = 5"),
        ('{"dt": 0.001, "input_kind": "poisson", "max_rate": "all"}', "are numbers"),
    ],
)
def test_metadata_that_do_not_fit_are_refused_by_name(kept, words):
    written = circuit_to_nir(one_population(LIFS[0]))
    written.nodes["a"].metadata = {"neurosim": kept}
    with pytest.raises(InputError, match=words) as error:
        circuit_from_nir(written)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("record", "key", "value"),
    [
        (LIFS[0], "r", 2.0),
        (LIFS[0], "v_leak", 0.1),
        (LIFS[0], "tau", 7e-3),
        (LIFS[5], "r", 2.0),
        (LIFS[4], "v_reset", -0.1),
        (SYNAPTICS[0], "tau_syn", 1e-3),
        (SYNAPTICS[0], "tau_mem", 1e-3),
        (SYNAPTICS[0], "v_threshold", 0.8),
    ],
)
def test_numbers_changed_by_another_tool_are_not_passed_over(record, key, value):
    written = circuit_to_nir(one_population(record))
    assert circuit_from_nir(written).populations[0].parameters == record
    setattr(written.nodes["a"], key, np.full(2, value))
    with pytest.raises(InputError, match=f"node 'a' has {key} = {value:g}, its metadata say"):
        circuit_from_nir(written)


def test_paths_that_are_no_graphs_are_refused(tmp_path):
    for path, words in (
        (tmp_path / "none.nir", "no such file"),
        (3, "the path of a file asked"),
        (tmp_path, "a folder, where one file"),
    ):
        with pytest.raises(InputError, match=words) as error:
            load_nir(path)
        assert "\n" not in str(error.value)
    nir.write(tmp_path / "graph.nir", chain(unit, lif(4)))
    with h5py.File(tmp_path / "graph.nir", "a") as file:
        del file["node/nodes/n1/type"]
        file["node/nodes/n1/type"] = "Izhikevich"
    with pytest.raises(InputError, match="node 'n1' is of the type 'Izhikevich', which NIR does not have"):
        load_nir(tmp_path / "graph.nir")


@pytest.mark.parametrize(
    "numbers", [np.arange(1, 5)[None, None], np.arange(1, 5)[None, :, None], np.arange(1.0, 17).reshape(1, 4, 4)]
)
def test_numbers_of_as_many_dims_broadcast_as_in_numpy(numbers):
    """As many channels as rows and columns: the dims say which is meant."""
    found = circuit_from_nir(chain(changed(lif(1), v_threshold=numbers * 1.0), size=(4, 4, 4)))
    expected = np.broadcast_to(numbers, (4, 4, 4)).ravel()
    np.testing.assert_array_equal(found.populations[0].varying["threshold"], expected)


def window_of(seed):
    """Return a window node, the same in torch, and a picture or a line."""
    rng = np.random.default_rng(seed)
    n_dims, groups = int(rng.integers(1, 3)), int(rng.integers(1, 3))
    sides = tuple(int(n) for n in rng.integers(5, 8, n_dims))
    x = rng.normal(size=(2, *sides))
    stride, padding, dilation, kernel = (
        tuple(int(n) for n in rng.integers(low, high, n_dims)) for low, high in ((1, 3), (0, 2), (1, 3), (2, 4))
    )
    if n_dims == 2 and seed % 3 == 0:
        kind, divisor = (nir.SumPool2d, 1) if rng.random() < 0.5 else (nir.AvgPool2d, None)
        node = kind(*(np.array(v) for v in (kernel, stride, padding)))
        expected = functional.avg_pool2d(torch.from_numpy(x), kernel, stride, padding, divisor_override=divisor)
        return node, x, expected.numpy()
    weight, bias = rng.normal(size=(4, 2 // groups, *kernel)), rng.normal(size=4)
    options = (stride, padding, dilation, groups)
    tensors = (torch.from_numpy(v) for v in (x[None], weight, bias))
    if n_dims == 1:
        return (
            nir.Conv1d(sides[0], weight, stride[0], padding[0], dilation[0], groups, bias),
            x,
            functional.conv1d(*tensors, *options)[0].numpy(),
        )
    return nir.Conv2d(sides, weight, *options, bias), x, functional.conv2d(*tensors, *options)[0].numpy()


@pytest.mark.parametrize("seed", range(24))
def test_windows_of_any_stride_padding_dilation_and_groups_equal_torch(seed):
    node, x, expected = window_of(seed)
    circuit = circuit_from_nir(chain(node, lif(expected.shape), size=x.shape))
    weights = circuit.projections[0].weights
    found = (weights.T @ x.ravel() + circuit.populations[0].drive) / (1e-4 / 5e-3)
    np.testing.assert_allclose(found, expected.ravel(), atol=1e-11)


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
def test_networks_circuits_and_graphs_are_one_thing(reset):
    """Graph of a circuit without delays, as a network again: its spikes are those of the circuit."""
    record = DiscreteLIFParameters(6e-3, DT, 0.9, reset)
    rng = np.random.default_rng(2)
    populations = (Population("a", 4, record, drive=0.05), Population("b", 3, record, drive=0.02))
    pairs = (("input", "a", (5, 4)), ("a", "b", (4, 3)), ("b", "b", (3, 3)))
    projections = tuple(Projection(x, y, np.round(np.abs(rng.normal(size=shape)) * 25) / 64) for x, y, shape in pairs)
    circuit = Circuit("c", Input(5), populations, projections, DT, DT)
    shown = (rng.random((40, 5)) < 0.3) * 1.0
    expected = spikes_of(circuit, shown)
    network = from_nir(circuit_to_nir(circuit)).double()
    found = network(torch.from_numpy(shown)[:, None])[:, 0].detach().numpy()
    assert 5 < expected["b"].sum() < 115
    np.testing.assert_array_equal(found, expected["b"])
