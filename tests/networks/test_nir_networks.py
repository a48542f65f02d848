"""NIR graphs as networks of torch: gains, conventions and random chains against the paper's equations, round trips."""

from itertools import pairwise

import nir
import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from neurosim.biophysics.nir_circuits import circuit_from_nir
from neurosim.biophysics.simulation import simulate
from neurosim.networks.conversion import SpikingSequence
from neurosim.networks.nir_export import to_nir
from neurosim.networks.nir_networks import from_nir
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.parameters import DiscreteLIFParameters, DiscreteSynapticParameters
from neurosim.schema import InputError, as_stimuli
from tests.nir_reference import DT, Drawing, Interpreter


@pytest.fixture(autouse=True)
def double():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def lif(shape, tau=10e-3, **changes):
    numbers = {"tau": tau, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0} | changes
    return nir.LIF(**{k: np.full(shape, v) if np.ndim(v) == 0 else v for k, v in numbers.items()})


def fire(n, **changes):
    numbers = {"r": 1.0, "v_threshold": 1.0, "v_reset": 0.0} | changes
    return nir.IF(**{k: np.full(n, v) for k, v in numbers.items()})


def chain(*nodes, size=4, back=None):
    named = {"input": nir.Input({"input": np.atleast_1d(size)})}
    named |= {f"n{i}": node for i, node in enumerate(nodes)} | {"output": nir.Output({"output": np.array([1])})}
    edges = list(pairwise(named))
    if back is not None:
        neuron = f"n{len(nodes) - 1}"
        named, edges = named | {"back": back}, [*edges, (neuron, "back"), ("back", neuron)]
    return nir.NIRGraph(named, edges, type_check=False)


def conv(weight, sides, bias=None):
    return nir.Conv2d(sides, weight, 1, 0, 1, 1, np.zeros(len(weight)) if bias is None else bias)


def pool(kind):
    return kind(*(np.array([k, k]) for k in (2, 2, 0)))


def spikes_of(network, shown):
    """Return the spikes (time, unit) of every spiking layer, for one stimulus."""
    seen = []
    handles = [
        m.register_forward_hook(lambda _m, _i, out: seen.append(out.detach()[:, 0].flatten(1).numpy()))
        for m in network.network
        if isinstance(m, SpikingLayer)
    ]
    network(torch.as_tensor(shown)[:, None])
    for handle in handles:
        handle.remove()
    return seen


def membrane_of_last(network, shown):
    activity = torch.as_tensor(shown)[:, None]
    for layer in network.network[:-1]:
        is_timed = isinstance(layer, SpikingLayer | nn.Linear)
        activity = layer(activity) if is_timed else layer(activity.flatten(0, 1)).unflatten(0, activity.shape[:2])
    return network.network[-1].membrane(activity).detach()[:, 0].flatten(1).numpy()


@pytest.mark.parametrize("kind", [nir.AvgPool2d, nir.SumPool2d])
def test_a_gain_does_not_pass_the_neurons_before_it(kind):
    """Two layers of LIF with pooling between: the second integrates pooled spikes with a gain of 1 - exp(-dt/tau)."""
    graph = chain(conv(np.full((1, 1, 1, 1), 20.0), (2, 2)), lif((1, 2, 2)), pool(kind), lif((1, 1, 1)), size=(1, 2, 2))
    network = from_nir(graph, dt=1e-3, reset="zero")
    shown = np.ones((1, 1, 2, 2))
    gain = 1 - np.exp(-0.1)
    assert spikes_of(network, shown)[0].tolist() == [[1.0] * 4]
    pooled = 4.0 if kind is nir.SumPool2d else 1.0
    np.testing.assert_allclose(membrane_of_last(network, shown), [[gain * pooled]], rtol=1e-12)
    if kind is nir.AvgPool2d:
        assert round(gain, 4) == 0.0952


def test_gains_that_differ_go_into_weights_or_a_layer_of_their_own():
    """A gain a unit behind a flatten, and a gain a channel behind pooling; both by hand."""
    tau = np.array([5e-3, 10e-3])
    gain = 1 - np.exp(-1e-3 / tau)
    shown = np.random.default_rng(0).random((1, 2, 2, 2))
    flat = chain(pool(nir.AvgPool2d), nir.Flatten(None, 0, -1), lif(2, tau=tau), size=(2, 2, 2))
    channel = chain(pool(nir.AvgPool2d), lif((2, 1, 1), tau=tau[:, None, None]), size=(2, 2, 2))
    weighted = chain(conv(np.eye(2)[..., None, None], (2, 2), np.ones(2)), lif((2, 2, 2)), size=(2, 2, 2))
    weighted.nodes["n1"].tau = tau
    pooled = shown.mean((2, 3))
    for graph, expected in ((flat, gain * pooled), (channel, gain * pooled)):
        np.testing.assert_allclose(membrane_of_last(from_nir(graph, dt=1e-3, reset="zero"), shown), expected)
    expected = (gain[:, None, None] * (shown[0] + 1)).reshape(1, -1)
    np.testing.assert_allclose(membrane_of_last(from_nir(weighted, dt=1e-3, reset="zero"), shown), expected)
    odd = chain(conv(np.eye(2)[..., None, None], (2, 2)), lif((2, 2, 2)), size=(2, 2, 2))
    odd.nodes["n1"].tau = np.linspace(5e-3, 9e-3, 8).reshape(2, 2, 2)
    with pytest.raises(InputError, match="'n1' counts differently at places of one channel"):
        from_nir(odd, dt=1e-3, reset="zero")


def test_recurrent_input_counts_as_input_from_outside_does():
    """One step after a spike the membrane holds gain x (weight + bias) of the loop."""
    back = nir.Affine(np.array([[0.5]]), np.array([0.25]))
    graph = chain(nir.Linear(np.array([[30.0]])), lif(1, r=2.0), size=1, back=back)
    gain = 2 * (1 - np.exp(-0.1))
    shown = np.array([[1.0], [0.0]])
    network = from_nir(graph, dt=1e-3, reset="zero")
    np.testing.assert_allclose(membrane_of_last(network, shown)[:, 0], [gain * (30 + 0.25), gain * (0.5 + 0.25)])


def test_subgraphs_are_dissolved():
    """Recurrent neurons as a subgraph, as snnTorch exports them, are those of the flat graph."""
    rng = np.random.default_rng(0)
    weight, loop = nir.Linear(rng.uniform(0, 6, (4, 3))), nir.Affine(rng.normal(size=(4, 4)), np.full(4, 0.5))
    ports = {"input": nir.Input({"input": np.array([4])}), "output": nir.Output({"output": np.array([4])})}
    pairs = [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")]
    inner = nir.NIRGraph(ports | {"lif": lif(4), "w_rec": loop}, pairs, type_check=False)
    shown = (rng.random((40, 3)) < 0.5) * 1.0
    graphs = chain(weight, inner, size=3), chain(weight, lif(4), size=3, back=loop)
    (nested,), (flat,) = (spikes_of(from_nir(g, dt=1e-3, reset="zero"), shown) for g in graphs)
    assert flat.sum() > 10
    np.testing.assert_array_equal(nested, flat)


def draw_chain(seed, euler):
    """Return a random chain; its last neurons may send back to themselves."""
    drawing = Drawing(seed, plain=True)
    rng, here = drawing.rng, "in"
    for _ in range(int(rng.integers(1, 4))):
        for _ in range(int(rng.integers(1, 4))):
            here = drawing.transform(here)
        here = drawing.neurons([here])
    n = drawing.shapes[here]
    if len(n) == 1 and rng.random() < 0.6:
        drawing.edges.append((drawing.add(nir.Affine(rng.normal(size=n * 2) * 0.3, np.full(n, 0.1)), [here], n), here))
    if not euler:
        lifs = {k: lif(drawing.shapes[k], tau=4e-3, r=2.0, v_threshold=0.5) for k in drawing.order}
        for k, node in lifs.items():
            node.metadata = {"shape": drawing.shapes[k]}
        drawing.nodes |= lifs
    return drawing


@pytest.mark.parametrize("euler", [True, False])
@pytest.mark.parametrize("seed", range(30))
def test_random_chains_send_the_spikes_of_the_equations_or_are_refused(seed, euler):
    drawing = draw_chain(seed, euler)
    graph, shown = drawing.graph(), drawing.spikes(30)
    expected = Interpreter(graph.nodes, graph.edges, drawing.order, shown, exact=not euler).run()
    for node in graph.nodes.values():
        node.metadata = {}
    options = {"dt": DT, "reset": "zero", "if_input": "charge", "integration": "euler" if euler else "exact"}
    try:
        network = from_nir(graph, **options)
    except InputError as error:
        assert "counts differently at places of one channel" in str(error)
        return
    found = spikes_of(network, shown)
    for label, spikes in zip(drawing.order, found, strict=True):
        np.testing.assert_array_equal(spikes, expected[label], err_msg=label)


def test_few_random_chains_are_refused_or_silent():
    refused = silent = 0
    for seed in range(30):
        drawing = draw_chain(seed, True)
        graph, shown = drawing.graph(), drawing.spikes(30)
        try:
            network = from_nir(graph, dt=DT, reset="zero", if_input="charge", integration="euler")
        except InputError:
            refused += 1
        else:
            silent += not sum(z.sum() for z in spikes_of(network, shown))
    assert refused <= 8 and silent <= 3


def test_integrate_and_fire_takes_charge_or_current_and_asks():
    graph = chain(nir.Linear(np.eye(4)), fire(4, r=2.0))
    shown = np.full((1, 4), 0.1)
    with pytest.warns(UserWarning, match="from_nir: node 'n1' does not leak, nor says"):
        asked = from_nir(graph, dt=1e-3, reset="zero")
    several = chain(nir.Linear(np.eye(4)), fire(4), fire(4), fire(4), fire(4))
    with pytest.warns(UserWarning, match=r"nodes 'n1', 'n2', 'n3', \.\.\. do not leak") as heard:
        from_nir(several, dt=1e-3, reset="zero")
    assert len(heard) == 1
    charge, current = (from_nir(graph, dt=1e-3, reset="zero", if_input=kind) for kind in ("charge", "current"))
    for network, gain in ((asked, 2.0), (charge, 2.0), (current, 2e-3)):
        np.testing.assert_allclose(membrane_of_last(network, shown), np.full((1, 4), 0.1 * gain))
    with pytest.raises(InputError, match="if_input is 'charge' or 'current'"):
        from_nir(graph, dt=1e-3, reset="zero", if_input="both")


RECORDS = [
    *(DiscreteLIFParameters(tau, 1e-3, 0.9, reset) for tau in (8e-3, np.inf) for reset in ("subtract", "zero", "none")),
    DiscreteLIFParameters(8e-3, 1e-3, 0.9, "clear"),
    *(DiscreteSynapticParameters(3e-3, 8e-3, 1e-3, 0.9, reset) for reset in ("subtract", "zero", "clear", "none")),
]


@pytest.mark.parametrize("record", RECORDS, ids=str)
@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("varies", [False, True])
def test_every_neuron_that_nir_holds_survives_files(record, recurrent, varies, tmp_path):
    torch.manual_seed(0)
    rng, n = np.random.default_rng(1), 5
    exact = {"threshold": rng.uniform(0.8, 1.2, n)} if varies else {}
    if varies and np.isfinite(record.tau_mem):
        exact["beta"] = rng.uniform(0.7, 0.95, n)
    tensors = {k: torch.from_numpy(v) for k, v in exact.items()}
    layer = SpikingLayer(record, n_recurrent=n if recurrent else None, exact=tensors)
    network = SpikingSequence([nn.Linear(3, n), layer])
    nn.init.uniform_(network.network[0].weight, 0, 0.5)
    nir.write(tmp_path / "graph.nir", to_nir(network))
    again = from_nir(nir.read(tmp_path / "graph.nir"))
    assert again.network[-1].neuron == record
    shown = 6 * rng.random((30, 3))
    first, second = spikes_of(network, shown), spikes_of(again, shown)
    assert first[0].sum() > 3
    np.testing.assert_array_equal(first, second)


def test_convolutions_on_events_are_the_circuit_of_their_graph():
    """Events (time, channel, y, x) of a convolutional network, and the same events unit by unit to its circuit."""
    torch.manual_seed(0)
    neurons = [SpikingLayer(DiscreteLIFParameters(5e-3, 1e-3, 0.5)) for _ in range(2)]
    layers = [nn.Conv2d(2, 3, 3, padding=1), neurons[0], nn.AvgPool2d(2), nn.Flatten(), nn.Linear(12, 4), neurons[1]]
    network = SpikingSequence(layers)
    graph = to_nir(network, input_shape=(2, 4, 4))
    events = (np.random.default_rng(0).random((3, 40, 2, 4, 4)) < 0.3) * 1.0
    shown = as_stimuli(events.reshape(3, 40, -1), dims=("stimulus", "time", "unit"), time_step=1e-3)
    found = simulate(circuit_from_nir(graph), shown, engine="torch", progress=False).values
    for stimulus in range(3):
        expected = np.concatenate(spikes_of(network, events[stimulus]), axis=1)
        assert expected.sum() > 50
        np.testing.assert_array_equal(found[stimulus], expected)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: chain(nir.Linear(np.eye(4)), nir.LI(*(np.ones(4) for _ in range(3)))), r"'n1' \(LI\) sends its mem"),
        (lambda: chain(nir.Delay(np.full(4, 1e-3)), lif(4)), r"\(Delay\) does not follow weights"),
        (lambda: chain(nir.Linear(np.ones((4, 3))), lif(4)), "'n0' takes 3 values"),
        (lambda: chain(nir.Linear(np.full((4, 4), np.inf)), lif(4)), "weight of node 'n0' holds NaN or infinity"),
        (lambda: chain(nir.Affine(np.eye(4), np.zeros(3)), lif(4)), "3 biases"),
        (lambda: chain(nir.Linear(np.eye(4)), lif(4, tau=0.0)), "tau = 0 s, which is not above 0"),
        (lambda: chain(nir.Linear(np.eye(4)), lif(4, r=0.0)), "r = 0"),
        (lambda: chain(nir.Linear(np.eye(4)), lif(4, v_reset=-0.5)), "another value than 0"),
        (lambda: chain(nir.Linear(np.eye(4)), lif(4, tau=5e-4)), "pass a shorter dt"),
        (lambda: chain(nir.Linear(np.eye(4)), lif(3)), "3 numbers cannot be given to 4 neurons"),
        (lambda: chain(nir.Linear(np.eye(4)), lif(4, v_threshold=np.array([1.0, 1, 0, 1]))), "not above v_reset"),
        (lambda: chain(conv(np.ones((1, 2, 3, 3)), (2, 2)), lif(1), size=(2, 2, 2)), "'n0' does not take values"),
        (lambda: chain(conv(np.ones((1, 2, 1, 1)), (3, 3)), lif(1), size=(2, 2, 2)), r"input_shape = \(3, 3\)"),
        (lambda: chain(nir.Linear(np.eye(4)), lif(4), back=nir.Linear(np.ones((3, 4)))), "weights of shape"),
        (lambda: chain(nir.Linear(np.eye(4)), lif(4), back=nir.Scale(np.ones(4))), "back through Scale"),
        (lambda: nir.NIRGraph({}, [], type_check=False), "a graph with an Input node is represented, found 0"),
        (lambda: "graph.nir", "read files with load_nir"),
    ],
)  # fmt: skip
def test_graphs_that_layers_do_not_have_are_refused_by_name(make, words):
    with pytest.raises(InputError, match=words) as error:
        from_nir(make(), dt=1e-3, reset="zero")
    assert "\n" not in str(error.value)


def test_nodes_changed_by_another_tool_and_other_steps_are_refused():
    def graph():
        return to_nir(SpikingSequence([nn.Linear(3, 4), SpikingLayer(DiscreteLIFParameters())]))

    changed = graph()
    neurons = next(n for n in changed.nodes.values() if isinstance(n, nir.LIF))
    neurons.v_threshold = np.full(4, 2.0)
    with pytest.raises(InputError, match="has v_threshold = 2, its metadata say 1"):
        from_nir(changed)
    with pytest.raises(InputError, match=r"advance in steps of 0\.001 s"):
        from_nir(graph(), dt=1e-4)
    with pytest.raises(InputError, match="a dt of 0 to 1 s asked, found 0"):
        from_nir(chain(nir.Linear(np.eye(4)), lif(4)), dt=0, reset="zero")
    with pytest.raises(InputError, match="integration is 'euler' or 'exact'"):
        from_nir(chain(nir.Linear(np.eye(4)), lif(4)), dt=1e-3, reset="zero", integration="heun")


def test_branches_are_refused():
    edges = [("input", "a"), ("input", "n"), ("a", "n"), ("n", "output")]
    ports = {"input": nir.Input({"input": np.array([4])}), "output": nir.Output({"output": np.array([4])})}
    with pytest.raises(InputError, match="node 'input' sends to"):
        from_nir(nir.NIRGraph(ports | {"a": nir.Linear(np.eye(4)), "n": lif(4)}, edges, type_check=False), dt=1e-3)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_a_network_of_sixteen_bits_is_written_as_its_numbers(kind):
    network = nn.Sequential(nn.Linear(8, 4), snn.Leaky(0.9)).to(kind)
    graph = to_nir(network)
    written = next(node for node in graph.nodes.values() if hasattr(node, "bias"))
    np.testing.assert_array_equal(written.weight, network[0].weight.detach().double().numpy())
    np.testing.assert_array_equal(written.bias, network[0].bias.detach().double().numpy())
