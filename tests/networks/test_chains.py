"""A network with a forward of its own becomes the circuit that it is, or is refused by the name of the layer."""

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from neurosim.bridge import to_circuit, verify_translation
from neurosim.networks.chains import structure_of
from neurosim.runtime import torch_seeded
from neurosim.schema import InputError, as_stimuli

EXAMPLE = torch.zeros(3, 2, 8)
SPIKES = as_stimuli(
    (np.random.default_rng(0).random((9, 20, 8)) < 0.5) * 1.0, dims=("stimulus", "time", "unit"), time_step=1e-3
)


class Own(nn.Module):
    """Two layers of eight neurons; `between` is what forward does around the second."""

    def __init__(self, between, ahead=lambda x: x):
        super().__init__()
        with torch_seeded(3):
            self.fc2, self.fc1 = nn.Linear(8, 8), nn.Linear(8, 8)
        self.lif1, self.lif2 = snn.Leaky(beta=0.9, threshold=0.3), snn.Leaky(beta=0.8, threshold=0.2)
        self.between, self.ahead = between, ahead

    def forward(self, inputs):
        one, two = self.lif1.reset_mem(), self.lif2.reset_mem()
        fed, outputs = None, []
        for now in inputs.unbind(0):
            first, one = self.lif1(self.fc1(self.ahead(now)), one)
            fed, two = self.between(self, now, first, two, fed)
            outputs.append(fed)
        return torch.stack(outputs)


def plain(net, now, first, two, fed):
    return net.lif2(net.fc2(first), two)


CHANGED = {
    "rectified": (
        lambda net, now, first, two, fed: net.lif2(torch.relu(net.fc2(first)), two),
        "'lif2' gets in step 0 something other than a fixed weighted sum",
    ),
    "leaking state": (
        lambda net, now, first, two, fed: net.lif2(net.fc2(first), 0.9 * two),
        "'lif2' does not spike in step 1 as its equation says",
    ),
    "only at first": (
        lambda net, now, first, two, fed: plain(net, now, first, two, fed) if fed is None else (first, two),
        "'lif2' makes 1 steps where 'lif1' makes 3",
    ),
}


@pytest.mark.parametrize("kind", CHANGED)
def test_what_no_circuit_can_hold_is_refused_by_the_name_of_the_layer(kind):
    between, message = CHANGED[kind]
    with pytest.raises(InputError, match=message):
        to_circuit(Own(between), example=EXAMPLE)


# what stands between two layers -> (code, weights (to, from) by (source, target, steps ago))
HELD = {
    "residual": (
        lambda net, now, first, two, fed: net.lif2(net.fc2(first) + first, two),
        {("lif1", "lif2", 0): lambda one, two: two + torch.eye(8)},
    ),
    "factor": (
        lambda net, now, first, two, fed: net.lif2(0.5 * net.fc2(first), two),
        {("lif1", "lif2", 0): lambda one, two: 0.5 * two},
    ),
    "factor in place": (
        lambda net, now, first, two, fed: net.lif2(net.fc2(first).mul_(0.5), two),
        {("lif1", "lif2", 0): lambda one, two: 0.5 * two},
    ),
    "skip": (
        lambda net, now, first, two, fed: net.lif2(net.fc2(now), two),
        {("input", "lif2", 0): lambda one, two: two},
    ),
    "twice": (
        lambda net, now, first, two, fed: net.lif2(net.fc2(net.fc2(first)), two),
        {("lif1", "lif2", 0): lambda one, two: two @ two},
    ),
    "turned": (
        lambda net, now, first, two, fed: net.lif2(net.fc2(first.flip(1)), two),
        {("lif1", "lif2", 0): lambda one, two: two.flip(1)},
    ),
    "feedback": (
        lambda net, now, first, two, fed: net.lif2(net.fc2(first if fed is None else first + fed), two),
        {("lif1", "lif2", 0): lambda one, two: two, ("lif2", "lif2", 1): lambda one, two: two},
    ),
    "scaled functionally": (
        lambda net, now, first, two, fed: net.lif2(nn.functional.linear(first, net.fc2.weight * 1.5), two),
        {("lif1", "lif2", 0): lambda one, two: 1.5 * two},
    ),
}


@pytest.mark.parametrize("kind", HELD)
def test_sums_factors_and_feedback_become_projections_with_the_weights_that_the_code_says(kind):
    between, weights = HELD[kind]
    network = Own(between)
    one, two = network.fc1.weight.detach().double(), network.fc2.weight.detach().double()
    circuit = to_circuit(network, example=EXAMPLE)
    expected = {("input", "lif1", 0): one, **{k: made(one, two) for k, made in weights.items()}}
    found = {(q.source, q.target, round(q.delay / circuit.dt)): q.weights.T for q in circuit.projections}
    assert found.keys() == expected.keys()
    for key, matrix in expected.items():
        np.testing.assert_allclose(found[key], matrix, rtol=0, atol=1e-12)
    result = verify_translation(network, circuit, SPIKES, example=EXAMPLE, engine="torch", progress=False)
    assert int(result.n_differing.sum()) == 0 and int(result.n_spikes.min()) > 10


@pytest.mark.parametrize(
    ("ahead", "made"), [(lambda x: 2 * x, lambda w: 2 * w), (lambda x: x.flip(1), lambda w: w.flip(1))]
)
def test_what_is_done_to_the_input_first_stands_in_the_weights(ahead, made):
    network = Own(plain, ahead)
    circuit = to_circuit(network, example=EXAMPLE)
    weights = made(network.fc1.weight.detach().double()).T
    np.testing.assert_allclose(circuit.into("lif1")[0].weights, weights, rtol=0, atol=1e-12)
    with pytest.raises(InputError, match="no neurons of Own get its input"):
        to_circuit(Own(plain, torch.zeros_like), example=EXAMPLE)


def test_a_chain_is_followed_in_the_order_of_its_calls_and_spikes_identically():
    network = Own(plain)
    assert [n for n, _ in structure_of(network, EXAMPLE).layers] == ["fc1", "lif1", "fc2", "lif2"]
    circuit = to_circuit(network, input_shape=(8,), example=EXAMPLE)
    found = verify_translation(network, circuit, SPIKES, example=EXAMPLE, progress=False)
    assert int(found.n_differing.sum()) == 0
    assert int(found.n_spikes.min()) > 100


def test_following_leaves_the_network_as_it_was():
    network = Own(plain)
    network.lif1.train(False)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    structure_of(network, EXAMPLE)
    assert network.training and not network.lif1.training
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


class Fed(nn.Module):
    """Five neurons that hear six inputs and each other; the input comes time first, batch first, or stays."""

    def __init__(self, order="time", entry=None):
        super().__init__()
        with torch_seeded(5):
            self.entry, self.back = entry or nn.Linear(6, 5), nn.Linear(5, 5)
        self.lif, self.order = snn.Leaky(beta=0.9, threshold=0.3), order

    def forward(self, inputs):
        state, spikes, found = self.lif.reset_mem(), 0.0, []
        steps = {"time": lambda: inputs, "batch": lambda: inputs.transpose(0, 1), "stays": lambda: [inputs] * 4}
        for now in steps[self.order]():
            current = self.entry(now)
            spikes, state = self.lif(current + self.back(spikes + torch.zeros_like(current)), state)
            found.append(spikes)
        return torch.stack(found)


@pytest.mark.parametrize("order", ["time", "batch"])
def test_no_example_is_asked_where_the_layers_tell_the_width_of_the_input(order):
    """The circuit is that of an example that was given, and the network's, spike for spike."""
    network, shape = Fed(order), (3, 2, 6) if order == "time" else (2, 3, 6)
    found, given = to_circuit(network), to_circuit(network, example=torch.rand(shape))
    assert found.only_input("here").size == 6 and len(found.projections) == len(given.projections) == 2
    for one, other in zip(found.projections, given.projections, strict=True):
        np.testing.assert_allclose(one.values, other.values, rtol=1e-12)
    rng = np.random.default_rng(0)
    spikes = as_stimuli((rng.random((30, 40, 6)) < 0.5) * 1.0, dims=("stimulus", "time", "unit"), time_step=1e-3)
    report = verify_translation(network, found, spikes, engine="torch", progress=False)
    assert int(report.n_spikes.sum()) > 20 and int(report.n_differing.sum()) == 0


def test_an_example_is_asked_where_the_network_does_not_tell_what_it_takes():
    class Doubled(nn.Sequential):
        def forward(self, inputs):
            return super().forward(2 * inputs)

    any_width = nn.Sequential(nn.Unflatten(-1, (-1, 1)), nn.Linear(1, 5), nn.AdaptiveAvgPool2d((1, 5)), nn.Flatten(1))
    for network, words in (
        (Fed("stays"), "is shown its input all the time, whose shape it does not say; pass example="),
        (Fed("time", nn.Conv1d(1, 5, 2)), "has a forward of its own.*does not say what it takes; pass example="),
        (Fed("time", any_width), "has a forward of its own.*takes inputs of 1 and of 5 units; pass example="),
        (Doubled(nn.Linear(8, 8), snn.Leaky(beta=0.9, init_hidden=True)), r"1 step on the example.*shape \(5, 2, 8\)"),
    ):
        with pytest.raises(InputError, match=words) as error:
            to_circuit(network)
        assert "\n" not in str(error.value)


def test_neurons_that_stand_twice_in_a_sequence_are_refused_and_weights_are_not():
    neurons, weights = snn.Leaky(beta=0.9, init_hidden=True), nn.Linear(8, 8)
    with pytest.raises(InputError, match="'1' and '3' are one module"):
        to_circuit(nn.Sequential(nn.Linear(8, 8), neurons, nn.Linear(8, 8), neurons))
    shared = nn.Sequential(weights, snn.Leaky(beta=0.9), weights, snn.Leaky(beta=0.9)).double()
    circuit = to_circuit(shared)
    assert [p.name for p in circuit.populations] == ["1", "3"]
    rng = np.random.default_rng(0)
    spikes = as_stimuli((rng.random((4, 20, 8)) < 0.5) * 3.0 > 0, dims=("stimulus", "time", "unit"), time_step=1e-3)
    assert int(verify_translation(shared, circuit, spikes.astype(float), progress=False).n_differing.sum()) == 0


@pytest.mark.parametrize("thing", [np.zeros((3, 3)), "network", None, torch.zeros(3)], ids=repr)
def test_what_is_no_network_is_refused_in_one_line(thing):
    with pytest.raises(InputError, match="to_circuit: a spiking network"):
        to_circuit(thing)
