"""A network with a forward of its own becomes the circuit that it is, or is refused by the name of the layer."""

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from neurosim.bridge import to_circuit, verify_translation
from neurosim.networks.chains import spiking_layers
from neurosim.runtime import torch_seeded
from neurosim.schema import InputError, as_stimuli

EXAMPLE = torch.zeros(3, 2, 8)


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


UNFIT = {
    "residual": (lambda net, now, first, two, fed: net.lif2(net.fc2(first) + first, two), "'lif2' does not get"),
    "factor": (lambda net, now, first, two, fed: net.lif2(0.5 * net.fc2(first), two), "'lif2' does not get"),
    "factor in place": (
        lambda net, now, first, two, fed: net.lif2(net.fc2(first).mul_(0.5), two),
        "'lif2' does not get",
    ),
    "skip": (lambda net, now, first, two, fed: net.lif2(net.fc2(now), two), "'fc2' does not get"),
    "twice": (lambda net, now, first, two, fed: net.lif2(net.fc2(net.fc2(first)), two), "'fc2' is called twice"),
    "turned": (lambda net, now, first, two, fed: net.lif2(net.fc2(first.flip(1)), two), "'fc2' does not get"),
    "rectified": (lambda net, now, first, two, fed: net.lif2(torch.relu(net.fc2(first)), two), "'lif2' does not get"),
    "leaking state": (lambda net, now, first, two, fed: net.lif2(net.fc2(first), 0.9 * two), "'lif2' starts a step"),
    "feedback": (
        lambda net, now, first, two, fed: net.lif2(net.fc2(first if fed is None else first + fed), two),
        "'fc2' does not get",
    ),
    "only at first": (
        lambda net, now, first, two, fed: plain(net, now, first, two, fed) if fed is None else (first, two),
        "'fc1' is called again",
    ),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_what_is_no_chain_is_refused_by_the_name_of_the_layer(kind):
    between, message = UNFIT[kind]
    with pytest.raises(InputError, match=message):
        to_circuit(Own(between), example=EXAMPLE)


@pytest.mark.parametrize(
    "ahead", [lambda x: 2 * x, lambda x: x.flip(1), torch.zeros_like], ids=["scaled", "turned", "none"]
)
def test_the_first_layer_gets_the_input_as_it_is(ahead):
    with pytest.raises(InputError, match="'fc1' is the first, and does not get the input"):
        to_circuit(Own(plain, ahead), example=EXAMPLE)


def test_a_chain_is_followed_in_the_order_of_its_calls_and_spikes_identically():
    network = Own(plain)
    rng = np.random.default_rng(0)
    spikes = as_stimuli((rng.random((9, 20, 8)) < 0.5) * 1.0, dims=("stimulus", "time", "unit"), time_step=1e-3)
    assert [n for n, _ in spiking_layers(network, EXAMPLE)] == ["fc1", "lif1", "fc2", "lif2"]
    circuit = to_circuit(network, input_shape=(8,), example=EXAMPLE)
    found = verify_translation(network, circuit, spikes, example=EXAMPLE, progress=False)
    assert int(found.n_differing.sum()) == 0
    assert int(found.n_spikes.min()) > 100


def test_following_leaves_the_network_as_it_was():
    network = Own(plain)
    network.lif1.train(False)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    spiking_layers(network, EXAMPLE)
    assert network.training and not network.lif1.training
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


def test_an_example_is_asked_where_code_may_stand_between_layers():
    class Doubled(nn.Sequential):
        def forward(self, inputs):
            return super().forward(2 * inputs)

    for network in (Own(plain), Doubled(nn.Linear(8, 8), snn.Leaky(beta=0.9, init_hidden=True))):
        with pytest.raises(InputError, match="has a forward of its own"):
            to_circuit(network)


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
