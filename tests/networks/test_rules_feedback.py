"""Feedback alignment and e-prop against the equations of their papers, written out."""

import math

import pytest
import torch
from torch import nn

import neurosim as ns
from neurosim.networks.feeding import Portion
from neurosim.networks.learning import eprop, feedback
from neurosim.networks.learning.feedback import through
from neurosim.networks.objectives import CrossEntropy, Loss
from neurosim.networks.spiking.eprop import eprop_gradients
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.spiking.sequence import neuron_step, silence
from neurosim.parameters import DiscreteAdaptiveLIFParameters, DiscreteLIFParameters
from neurosim.schema import InputError


def portion(inputs, labels):
    return Portion(inputs, (labels,), len(labels))


def grads(network):
    return {n: p.grad.clone() for n, p in network.named_parameters()}


def layers(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 6), nn.Tanh(), nn.Linear(6, 3)).double()


def activities(network, inputs):
    """Inputs of the three layers, and the error of the output."""
    first = torch.tanh(network[0](inputs))
    second = torch.tanh(network[2](first))
    return inputs, first, second, torch.softmax(network[4](second), 1)


@pytest.mark.parametrize("kind", ["random", "sign", "adaptive", "direct"])
def test_errors_go_back_as_the_papers_write_it(kind):
    network, inputs, labels = layers(), torch.rand(4, 5, dtype=torch.float64), torch.tensor([0, 2, 1, 1])
    direct = kind == "direct"
    options = ns.networks.FeedbackAlignment("random" if direct else kind, direct=direct)
    rule = feedback.bind(network, options, 3)
    outputs, losses = rule.learn(portion(inputs, labels), CrossEntropy(3), "here", 0.25)
    torch.testing.assert_close(outputs, network(inputs), atol=0, rtol=0)
    x, first, second, share = (a.detach() for a in activities(network, inputs))
    error = (share - nn.functional.one_hot(labels, 3)) / 4
    if direct:
        back = [
            feedback.drawn((n, 3), 1 / math.sqrt(3), feedback.seed_of(3, "feedback", name)).double()
            for name, n in (("2", 7), ("4", 6))
        ]
        at_second = error @ back[1].T * (1 - second**2)
        at_first = error @ back[0].T * (1 - first**2)
    else:
        now = [b.now(m) for b, m in zip(rule.backward, rule.layers.values(), strict=True)]
        at_second = error @ now[2] * (1 - second**2)
        at_first = at_second @ now[1] * (1 - first**2)
    found = grads(network)
    for name, delta, sent in (("0", at_first, x), ("2", at_second, first), ("4", error, second)):
        torch.testing.assert_close(found[f"{name}.weight"], delta.T @ sent, atol=1e-12, rtol=1e-9)
        torch.testing.assert_close(found[f"{name}.bias"], delta.sum(0), atol=1e-12, rtol=1e-9)
    torch.testing.assert_close(losses, nn.functional.cross_entropy(network(inputs), labels, reduction="none").detach())


def test_signs_are_those_of_the_weights_and_adaptive_feedback_meets_them():
    network, inputs, labels = layers(), torch.rand(8, 5, dtype=torch.float64), torch.arange(8) % 3
    rule = feedback.bind(network, ns.networks.FeedbackAlignment("sign"), 0)
    assert torch.equal(rule.backward[1].now(network[2]).sign(), network[2].weight.detach().sign())
    rule = feedback.bind(network, ns.networks.FeedbackAlignment("adaptive", decay=0.5), 0)
    parameters = [*network.parameters(), *rule.state.parameters()]
    step = torch.optim.SGD(parameters, 0.1)
    apart = (rule.backward[1].weight - network[2].weight).norm().item()
    for _ in range(3):
        step.zero_grad()
        rule.learn(portion(inputs, labels), CrossEntropy(3), "here", 1 / 8)
        step.step()
    after = (rule.backward[1].weight - network[2].weight).norm().item()
    assert after == pytest.approx(apart * (1 - 0.1 * 0.5) ** 3)  # both change alike, and what tells them apart decays


def test_accumulated_gradients_are_passed_to_adaptive_feedback_once():
    network, inputs, labels = layers(), torch.rand(8, 5, dtype=torch.float64), torch.arange(8) % 3
    rule = feedback.bind(network, ns.networks.FeedbackAlignment("adaptive"), 0)
    for k in (0, 4):
        rule.learn(portion(inputs[k : k + 4], labels[k : k + 4]), CrossEntropy(3), "here", 1 / 8)
    for back, layer in zip(rule.backward, rule.layers.values(), strict=True):
        torch.testing.assert_close(back.weight.grad, layer.weight.grad)


@pytest.mark.parametrize("make", [nn.Conv1d, nn.Conv2d])
def test_convolutions_pass_errors_back_through_other_weights(make):
    torch.manual_seed(0)
    layer, other = make(2, 3, 3, padding=1, stride=2).double(), make(2, 3, 3, padding=1, stride=2).double()
    inputs = torch.rand(2, 2, *[6] * (layer.weight.ndim - 2), dtype=torch.float64, requires_grad=True)
    answer = through(layer, other.weight, layer.forward, inputs)
    assert torch.equal(answer, layer(inputs))
    error = torch.rand_like(answer)
    answer.backward(error)
    expected = torch.autograd.grad(other(inputs), inputs, error)[0]
    torch.testing.assert_close(inputs.grad, expected)
    torch.testing.assert_close(layer.weight.grad, torch.autograd.grad(layer(inputs), layer.weight, error)[0])


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.a(self.a(x))


class Lonely(Tied):
    def forward(self, x):
        return self.a(x)


def test_layers_that_are_called_twice_or_never_or_share_weights_are_refused():
    data = portion(torch.rand(2, 4), torch.tensor([0, 1]))
    with pytest.raises(InputError, match="calls layer 'a' more than once"):
        feedback.bind(Tied(), ns.networks.FeedbackAlignment(), 0).learn(data, CrossEntropy(4), "here", 1.0)
    network = Lonely()
    with pytest.raises(InputError, match="does not call layer 'b'"):
        feedback.bind(network, ns.networks.FeedbackAlignment(), 0).learn(data, CrossEntropy(4), "here", 1.0)
    network.b.weight = network.a.weight
    with pytest.raises(InputError, match="share"):
        feedback.bind(network, ns.networks.FeedbackAlignment(), 0)
    for odd, words in ((nn.GRU(3, 3), "weight of another kind"), (nn.Sequential(nn.Linear(2, 2)), "1 such layer")):
        with pytest.raises(InputError, match=words):
            feedback.bind(odd, ns.networks.FeedbackAlignment(), 0)


class Reader(nn.Module):
    """A recurrent spiking layer whose readout answers in every step."""

    def __init__(self, neuron, n=6):
        super().__init__()
        torch.manual_seed(0)
        self.inputs, self.layer = nn.Linear(4, n), SpikingLayer(neuron, n_recurrent=n)
        self.readout = nn.Linear(n, 3)
        self.double()

    def forward(self, sequence):
        return self.readout(self.layer(self.inputs(sequence)))


def in_every_step(outputs, labels):
    return nn.functional.cross_entropy(outputs.flatten(0, 1), labels.repeat(len(outputs)))


NEURONS = [DiscreteLIFParameters(8e-3), DiscreteAdaptiveLIFParameters(8e-3, 30e-3, 0.3)]


@pytest.mark.parametrize("neuron", NEURONS, ids=lambda p: type(p).__name__)
def test_eprop_in_training_is_eprop_forward_in_time(neuron):
    network = Reader(neuron)
    sequence, labels = 2 * torch.rand(25, 3, 4, dtype=torch.float64), torch.tensor([0, 2, 1])
    expected = network(sequence)
    rule = eprop.bind(network, ns.networks.EProp(), 0)
    outputs, _ = rule.learn(portion(sequence, labels), Loss(in_every_step), "here", 1 / 3)
    torch.testing.assert_close(outputs, expected)
    found = grads(network)
    network.zero_grad()
    eprop_gradients(network.inputs, network.layer, network.readout, sequence, labels)
    for name, p in network.named_parameters():
        torch.testing.assert_close(found[name], p.grad, atol=1e-12, rtol=1e-9)
    assert found["layer.recurrent.weight"].abs().max() > 0


@pytest.mark.parametrize("kind", ["random", "adaptive"])
def test_random_feedback_replaces_the_readout_on_the_way_back_alone(kind):
    """Learning signals through weights B are those of symmetric e-prop in a network whose readout is B, same errors."""
    network = Reader(NEURONS[0])
    sequence, labels = 2 * torch.rand(20, 3, 4, dtype=torch.float64), torch.tensor([0, 2, 1])
    options = ns.networks.EProp(kind)
    rule = eprop.bind(network, options, 5)
    outputs, _ = rule.learn(portion(sequence, labels), Loss(in_every_step), "here", 1 / 3)
    found = grads(network)
    errors = torch.autograd.grad(in_every_step(x := outputs.detach().requires_grad_(), labels), x)[0]
    twin = Reader(NEURONS[0])
    with torch.no_grad():
        twin.readout.weight.copy_(rule.backward.weight)
    c, state, total = twin.layer.coefficients, silence(torch.zeros(3, 6, dtype=torch.float64)), 0.0
    for now, error in zip(twin.inputs(sequence), errors, strict=True):
        state, _ = neuron_step(state, now + twin.layer.recurrent(state.spikes.detach()), c, twin.layer.surrogate)
        total = total + (twin.readout(state.spikes) * error).sum()
    total.backward()
    for name in ("inputs.weight", "inputs.bias", "layer.recurrent.weight", "readout.weight"):
        torch.testing.assert_close(found[name], grads(twin)[name], atol=1e-12, rtol=1e-9)
    if kind == "adaptive":
        torch.testing.assert_close(rule.backward.weight.grad, found["readout.weight"])


def test_rates_are_pulled_to_the_one_asked_for():
    network = Reader(NEURONS[0])
    sequence, labels = 2 * torch.rand(20, 3, 4, dtype=torch.float64), torch.tensor([0, 2, 1])
    found = []
    for weight in (0.0, 2.0):
        network.zero_grad()
        rule = eprop.bind(network, ns.networks.EProp(rate=100.0, rate_weight=weight), 0)
        rule.learn(portion(sequence, labels), Loss(in_every_step), "here", 1 / 3)
        found.append(network.inputs.weight.grad.clone())
    network.zero_grad()
    spikes = eprop.without_recurrent_paths(network.layer, network.inputs(sequence))
    (2.0 * (spikes.mean((0, 1)) - 100.0 * network.layer.neuron.dt).square().sum() / 2).backward()
    torch.testing.assert_close(found[1] - found[0], network.inputs.weight.grad, atol=1e-12, rtol=1e-9)
    assert network.inputs.weight.grad.abs().max() > 0


class Backwards(Reader):
    def forward(self, sequence):
        return self.inputs(self.layer(self.readout(sequence)))


def test_networks_of_another_order_are_refused_by_eprop():
    network = Backwards(NEURONS[0], 6)
    network.readout, network.inputs = nn.Linear(4, 6).double(), nn.Linear(6, 3).double()
    data = portion(torch.rand(5, 2, 4, dtype=torch.float64), torch.tensor([0, 1]))
    with pytest.raises(InputError, match="that reads it are called in this order"):
        eprop.bind(network, ns.networks.EProp(), 0).learn(data, Loss(in_every_step), "here", 1.0)
