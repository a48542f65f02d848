"""NIR graphs, ours and others': reference traces, convolutions, integrate-and-fire, recurrence, subgraphs, refusals."""

from itertools import pairwise

import nir
import numpy as np
import pytest
import torch

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.ladder import climb
from neurosim.biophysics.nir_circuits import circuit_from_nir, circuit_to_nir, load_nir
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.simulation import Monitors, simulate
from neurosim.parameters import DiscreteLIFParameters
from neurosim.schema import InputError, as_stimuli


def lif(n, tau=5e-3, **changes):
    numbers = {"tau": tau, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0} | changes
    return nir.LIF(**{k: np.full(n, v) if np.ndim(v) == 0 else v for k, v in numbers.items()})


def graph(nodes, edges, size=4):
    ports = {"input": nir.Input({"input": np.atleast_1d(size)}), "output": nir.Output({"output": np.array([1])})}
    return nir.NIRGraph(ports | nodes, edges, type_check=False)


def chain(*nodes, size=4):
    names = [f"n{i}" for i in range(len(nodes))]
    order = ["input", *names, "output"]
    return graph(dict(zip(names, nodes, strict=True)), list(pairwise(order)), size)


@pytest.mark.data
@pytest.mark.parametrize(("integration", "trace", "error"), [("euler", "norse", 2.5e-8), ("exact", "exact", 3.5e-9)])
@pytest.mark.parametrize("engine", ["brian2", "torch"])
def test_the_reference_traces_of_the_nir_paper(integration, trace, error, engine, data_folder):
    """https://doi.org/10.1038/s41467-024-52259-9: forward Euler as norse, exact steps as the analytic solution."""
    reference = np.loadtxt(data_folder / "nir_lif" / f"lif_{trace}.csv", delimiter=",")
    shown = as_stimuli(reference[None, :, :1], dims=("stimulus", "time", "unit"), time_step=1e-4)
    graphs = [load_nir(data_folder / "nir_lif" / f"lif_{tool}.nir") for tool in ("norse", "rockpool")]
    circuits = [circuit_from_nir(g, integration=integration, inputs="current") for g in graphs]
    found = simulate(circuits[0], shown, engine=engine, monitors=Monitors(membrane=["1"]), progress=False)
    assert np.flatnonzero(found.responses.values[0, :, 0]).tolist() == [460, 510, 710, 760]
    assert np.abs(found.membrane_potential.values[0, :, 0] - reference[:, 1]).max() < error
    # Rockpool's own translation of the same neuron has shapes that do not fit and a resistance 4 % lower.
    assert simulate(circuits[1], shown, engine=engine, progress=False).sum() == 4


def test_convolution_pooling_and_integrate_and_fire_equal_torch():
    """An integrate-and-fire network with sum pooling, as sinabs writes it, against the same sums in torch."""
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=s) * 0.4 for s in ((3, 2, 3, 3), (4, 3, 2, 2), (5, 16))]
    weights = [np.round(w * 64) / 64 for w in weights]

    def fire(n):
        return nir.IF(r=np.ones(n), v_threshold=np.ones(n), v_reset=np.zeros(n))

    nodes = (
        nir.Conv2d((8, 8), weights[0], 1, 1, 1, 1, np.zeros(3)),
        fire((3, 8, 8)),
        nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        nir.Conv2d((4, 4), weights[1], 2, 0, 1, 1, np.zeros(4)),
        fire((4, 2, 2)),
        nir.Flatten({"input": np.array([4, 2, 2])}, 0, -1),
        nir.Linear(weights[2]),
        fire(5),
    )
    circuit = circuit_from_nir(chain(*nodes, size=(2, 8, 8)))
    spikes = (rng.random((3, 20, 2 * 64)) < 0.3) * 1.0
    shown = as_stimuli(spikes, dims=("stimulus", "time", "unit"), time_step=1e-4)
    found = simulate(circuit, shown, engine="torch", progress=False).values
    w = [torch.as_tensor(x) for x in weights]
    states = [torch.zeros(3, *s, dtype=torch.float64) for s in ((3, 8, 8), (4, 2, 2), (5,))]
    for t in range(20):
        x = torch.as_tensor(spikes[:, t]).reshape(3, 2, 8, 8)
        layers = []
        for k, transform in enumerate(
            (
                lambda x: torch.nn.functional.conv2d(x, w[0], padding=1),
                lambda x: torch.nn.functional.conv2d(4 * torch.nn.functional.avg_pool2d(x, 2), w[1], stride=2),
                lambda x: x.flatten(1) @ w[2].T,
            )
        ):
            states[k] = states[k] + transform(x)
            x = (states[k] > 1).double()
            states[k] = states[k] * (1 - x)
            layers.append(x.flatten(1))
        np.testing.assert_array_equal(torch.cat(layers, 1).numpy(), found[:, t])
    assert found[..., -5:].sum() > 10


def test_recurrent_subgraphs_cubalif_delays_and_scale_equal_their_equations():
    """A subgraph as snnTorch exports it, dissolved; every number of the neurons differs."""
    rng = np.random.default_rng(1)
    n, dt = 6, 1e-4
    numbers = {
        "tau_syn": rng.uniform(1e-3, 3e-3, n), "tau_mem": rng.uniform(2e-3, 6e-3, n), "r": rng.uniform(20, 60, n),
        "v_leak": np.zeros(n), "v_threshold": rng.uniform(0.5, 1.5, n), "v_reset": np.zeros(n),
        "w_in": rng.uniform(8, 12, n),
    }  # fmt: skip
    w_rec, b_rec, w_in, scale = rng.normal(size=(n, n)), rng.normal(size=n) * 0.1, rng.normal(size=(n, 3)) + 0.5, 0.7
    inner = nir.NIRGraph(
        {
            "input": nir.Input({"input": np.array([n])}),
            "lif": nir.CubaLIF(**numbers),
            "w_rec": nir.Affine(weight=w_rec, bias=b_rec),
            "output": nir.Output({"output": np.array([n])}),
        },
        [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")],
        type_check=False,
    )
    outer = graph(
        {
            "fc": nir.Linear(w_in),
            "slow": nir.Delay(np.full(n, 3 * dt)),
            "half": nir.Scale(np.full(n, scale)),
            "rnn": inner,
            "readout": nir.Affine(weight=np.ones((2, n)), bias=np.zeros(2)),
        },
        [("input", "fc"), ("fc", "slow"), ("slow", "half"), ("half", "rnn"), ("rnn", "readout"), ("readout", "output")],
        size=3,
    )
    circuit = circuit_from_nir(outer)
    assert circuit.readout is not None and circuit.sizes == {"input": 3, "rnn.lif": n}
    spikes = (rng.random((1, 80, 3)) < 0.5) * 1.0
    shown = as_stimuli(spikes, dims=("stimulus", "time", "unit"), time_step=dt)
    for engine in ("brian2", "torch"):
        found = simulate(circuit, shown, engine=engine, progress=False).values[0]
        i, v, s = np.zeros(n), np.zeros(n), np.zeros(n)
        for t in range(80):
            arrived = w_in @ spikes[0, t - 3] * scale if t >= 3 else np.zeros(n)
            arrived = arrived + w_rec @ s + b_rec
            i = i + dt / numbers["tau_syn"] * (-i + numbers["w_in"] * arrived)
            v = v + dt / numbers["tau_mem"] * (-v + numbers["r"] * i)
            s = (v > numbers["v_threshold"]) * 1.0
            v = v * (1 - s)
            np.testing.assert_array_equal(found[t], s)
        assert found.sum() > 20


def test_leak_and_reset_potentials_of_lif_nodes():
    node = lif(1, v_leak=0.6, v_reset=-0.5, r=2.0)
    circuit = circuit_from_nir(chain(nir.Affine(weight=np.zeros((1, 4)), bias=np.array([0.3])), node), dt=5e-4)
    found = simulate(circuit, as_stimuli(np.zeros((1, 60, 4)), dims=("stimulus", "time", "unit"), time_step=5e-4),
                     monitors=Monitors(membrane=["n1"]), progress=False)  # fmt: skip
    v, trace = 0.0, []
    for _ in range(60):
        v = v + 5e-4 / 5e-3 * (0.6 - v + 2.0 * 0.3)
        v = -0.5 if v > 1 else v
        trace.append(v)
    np.testing.assert_allclose(found.membrane_potential.values[0, :, 0], trace, atol=1e-12)
    assert found.responses.sum() >= 2


def test_exact_steps_do_not_depend_on_the_step():
    """With constant input, spike times of exact integration at any step are those of the closed form."""
    period = 5e-3 * np.log(2.0 / (2.0 - 1.0))
    for dt in (1e-4, 2.5e-4, 5e-4):
        circuit = circuit_from_nir(
            chain(nir.Affine(weight=np.zeros((1, 4)), bias=np.array([2.0])), lif(1)), dt=dt, integration="exact"
        )
        shown = as_stimuli(np.zeros((1, round(0.1 / dt), 4)), dims=("stimulus", "time", "unit"), time_step=dt)
        found = simulate(circuit, shown, monitors=Monitors(spike_times=True), progress=False).spike_time.values
        wanted = np.floor(period * np.arange(1, len(found) + 1) / dt) * dt
        np.testing.assert_allclose(found, wanted, atol=1e-9)
        assert len(found) > 25


fc = nir.Linear(np.ones((4, 4)))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: chain(fc, nir.LI(*(np.ones(4) for _ in range(3))), lif(4)), r"'n1' \(LI\) sends graded"),
        (lambda: chain(fc), "holds no neurons"),
        (lambda: chain(nir.Linear(np.full((4, 4), np.nan)), lif(4)), "weight of node 'n0' holds NaN"),
        (lambda: chain(fc, lif(4, tau=-1.0)), "tau = -1 s, which is not above 0"),
        (lambda: chain(fc, lif(4, tau=5e-5)), "pass a shorter dt"),
        (lambda: chain(fc, lif(4, tau=50.0)), "20 ms is 20e-3"),
        (lambda: chain(fc, lif(4, v_reset=2.0)), "fire without end"),
        (lambda: chain(fc, lif(4), nir.Linear(np.ones((2, 3))), lif(2)), "takes 3 values, 'n1' gives 4"),
        (lambda: chain(fc, lif(3)), "3 numbers cannot be given to 4 neurons"),
        (lambda: chain(nir.Conv2d((2, 2), np.ones((1, 3, 2, 2)), 1, 0, 1, 1, np.zeros(1)), lif(1), size=(1, 2, 2)),
         "takes 3 channels, 1 arrive"),
        (lambda: chain(nir.Conv2d((2, 2), np.ones((1, 1, 2, 2)), 1, 0, 1, 1, np.zeros(1)), lif(1)), "needs 3 dims"),
        (lambda: graph({"a": fc, "b": nir.Linear(np.ones((4, 4))), "n": lif(4)},
                       [("input", "a"), ("a", "b"), ("b", "a"), ("b", "n"), ("n", "output")]), "cycle without neurons"),
        (lambda: graph({"a": fc, "n": lif(4), "m": lif(4)}, [("input", "a"), ("a", "n"), ("n", "output")]),
         "'m' is never reached"),
        (lambda: chain(fc, nir.Delay(np.array([1e-4, 1e-4, 1e-4, 2.5e-4])), lif(4)), "which is 2.5 steps"),
    ],
)  # fmt: skip
def test_graphs_that_cannot_be_represented_are_refused_by_name(make, words):
    with pytest.raises(InputError, match=words) as error:
        circuit_from_nir(make())
    assert "\n" not in str(error.value)


def test_files_that_are_no_graphs_are_refused(tmp_path):
    import h5py

    nir.write(tmp_path / "graph.nir", chain(fc, lif(4)))
    whole = (tmp_path / "graph.nir").read_bytes()
    (tmp_path / "short.nir").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="truncated or not such a file"):
        load_nir(tmp_path / "short.nir")
    with h5py.File(tmp_path / "linked.nir", "w") as file:
        file["node"] = h5py.ExternalLink(str(tmp_path / "graph.nir"), "/node")
    with pytest.raises(InputError, match="links to another place"):
        load_nir(tmp_path / "linked.nir")
    with h5py.File(tmp_path / "other.nir", "w") as file:
        file["x"] = 1.0
    with pytest.raises(InputError, match="not a NIR graph"):
        load_nir(tmp_path / "other.nir")
    assert circuit_from_nir(load_nir(tmp_path / "graph.nir")).sizes == {"input": 4, "n1": 4}


def test_what_nir_cannot_hold_is_refused():
    population = Population("a", 2, DiscreteLIFParameters())
    circuit = Circuit("c", Input(1), (population,), (Projection("input", "a", [[1.0, 2.0]]),), 1e-3, 1e-3)
    with pytest.raises(InputError, match="rung 'continuous'"):
        circuit_to_nir(climb(circuit, "continuous"))
    again = circuit_from_nir(circuit_to_nir(circuit))
    assert again.populations[0].parameters == population.parameters


def weights_of(circuit, source, target):
    found = [q.weights for q in circuit.projections if (q.source, q.target) == (source, target)]
    return sum(w if isinstance(w, np.ndarray) else w.toarray() for w in found).T


@pytest.mark.parametrize("seed", range(6))
def test_populations_stand_in_topological_order_whatever_the_order_of_edges(seed):
    """Two paths of different length meet in ``last``: it comes after both."""
    rng = np.random.default_rng(seed)
    names = ["a", "b", "c", "last"]
    nodes = {n: lif(4) for n in rng.permutation(names)}
    pairs = [("input", "a"), ("a", "last"), ("a", "b"), ("b", "c"), ("c", "last"), ("last", "a")]
    edges = []
    for i, (x, y) in enumerate(pairs):
        nodes[f"w{i}"] = nir.Linear(np.eye(4) * (i + 1))
        edges += [(x, f"w{i}"), (f"w{i}", y)]
    edges = [edges[i] for i in rng.permutation(len(edges))] + [("last", "output")]
    circuit = circuit_from_nir(graph(nodes, edges))
    assert [p.name for p in circuit.populations] == names
    for i, (x, y) in enumerate(pairs):
        gain = 1 - (1 - circuit.step / 5e-3)
        np.testing.assert_allclose(weights_of(circuit, x, y), np.eye(4) * (i + 1) * gain, rtol=1e-12)


@pytest.mark.parametrize("turned", [False, True])
def test_the_bias_of_a_node_counts_once_however_many_paths_reach_it(turned):
    """``sum`` adds three paths and its own bias; its value is evaluated by hand for every input."""
    rng = np.random.default_rng(0)
    w = {k: rng.normal(size=(4, 4)) for k in ("one", "two", "three", "sum")}
    b = {k: rng.normal(size=4) for k in w}
    nodes = {k: nir.Affine(w[k], b[k]) for k in w} | {"n": lif(4)}
    edges = [("input", "one"), ("one", "two"), ("one", "three"), ("one", "sum"), ("two", "sum"), ("three", "sum")]
    edges = (edges[::-1] if turned else edges) + [("sum", "n"), ("n", "output")]
    circuit = circuit_from_nir(graph(nodes, edges))
    x = rng.normal(size=4)
    one = w["one"] @ x + b["one"]
    into = one + w["two"] @ one + b["two"] + w["three"] @ one + b["three"]
    gain = circuit.step / 5e-3
    found = weights_of(circuit, "input", "n") @ x + circuit.populations[0].drive
    np.testing.assert_allclose(found, gain * (w["sum"] @ into + b["sum"]), rtol=1e-10)


@pytest.mark.parametrize("kernel", [(2, 2), (4, 3), (3, 5)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_padding_same_equals_torch_for_even_kernels_too(kernel, dilation):
    rng = np.random.default_rng(1)
    weight, x = rng.normal(size=(3, 2, *kernel)), rng.normal(size=(1, 2, 7, 6))
    node = nir.Conv2d((7, 6), weight, 1, "same", dilation, 1, np.zeros(3))
    circuit = circuit_from_nir(chain(node, lif((3, 7, 6)), size=(2, 7, 6)))
    expected = torch.nn.functional.conv2d(
        torch.from_numpy(x), torch.from_numpy(weight), padding="same", dilation=dilation
    ).numpy()
    found = weights_of(circuit, "input", "n1") @ x.ravel() / (circuit.step / 5e-3)
    np.testing.assert_allclose(found, expected.ravel(), atol=1e-12)


def test_a_strided_padding_same_is_refused():
    node = nir.Conv2d((4, 4), np.ones((1, 1, 2, 2)), 1, "same", 1, 1, np.zeros(1))
    node.stride = (2, 2)
    with pytest.raises(InputError, match="padding 'same' with stride"):
        circuit_from_nir(chain(node, lif((1, 2, 2)), size=(1, 4, 4)))


def test_numbers_a_channel_are_spread_over_its_places_and_others_refused():
    conv = nir.Conv2d((4, 4), np.ones((3, 1, 1, 1)), 1, 0, 1, 1, np.zeros(3))
    tau = np.array([5e-3, 1e-2, 2e-2])

    def circuit(numbers):
        neurons = nir.LIF(*(np.ones(1) for _ in range(4)), v_reset=np.zeros(1))
        neurons.tau = numbers
        return circuit_from_nir(chain(conv, neurons, size=(1, 4, 4)))

    for numbers in (tau, tau[:, None, None]):
        found = circuit(numbers).populations[0].varying["beta"]
        np.testing.assert_allclose(found, np.repeat(1 - 1e-4 / tau, 16))
    with pytest.raises(InputError, match=r"'n1': 4 numbers cannot be given to 48 neurons of shape \(3, 4, 4\)"):
        circuit(np.full(4, 5e-3))


def test_integrate_and_fire_takes_charge_or_current_and_asks():
    fire = nir.IF(r=np.full(4, 2.0), v_threshold=np.ones(4), v_reset=np.zeros(4))
    made = chain(nir.Linear(np.eye(4)), fire)
    with pytest.warns(UserWarning, match="'n1' does not leak, nor say"):
        asked = circuit_from_nir(made)
    charge, current = (circuit_from_nir(made, if_input=kind, dt=1e-3) for kind in ("charge", "current"))
    for found, gain in ((asked, 2.0), (charge, 2.0), (current, 2e-3)):
        np.testing.assert_allclose(weights_of(found, "input", "n1"), np.eye(4) * gain)
    with pytest.raises(InputError, match="if_input is 'charge' or 'current'"):
        circuit_from_nir(made, if_input="both")
