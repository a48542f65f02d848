"""Predictive coding and equilibrium propagation meet the gradient where their theorems say so."""

import pytest
import torch
from torch import nn

import neurosim as ns
from neurosim.networks.feeding import Portion
from neurosim.networks.learning import equilibrium, prediction
from neurosim.networks.learning.at_work import descend
from neurosim.networks.objectives import CrossEntropy, Loss
from neurosim.networks.training import weights_of
from neurosim.schema import InputError

GOAL = CrossEntropy(3)


def data(n=4):
    torch.manual_seed(1)
    return Portion(torch.rand(n, 5, dtype=torch.float64), (torch.arange(n) % 3,), n)


def chain():
    torch.manual_seed(0)
    layers = [nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 6), nn.Tanh(), nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 3)]
    return nn.Sequential(*layers).double()


def gradients(network, learn, goal=GOAL, scale=1.0):
    network.zero_grad()
    learn(data(), goal, "here", scale / 4)
    return [p.grad.clone() / scale for p in network.parameters()]


def truth(network, goal=GOAL):
    return gradients(network, lambda *found: descend(network, *found), goal)


def apart(found, expected):
    a, b = (torch.cat([g.flatten() for g in several]) for several in (found, expected))
    return float((a - b).norm() / b.norm())


def test_fixed_predictions_give_backpropagation_after_as_many_steps_as_layers():
    network = chain()
    expected = truth(network)
    for n_steps in (1, 2, 3, 4):
        options = ns.networks.PredictiveCoding("fixed", n_steps, 1.0)
        found = gradients(network, prediction.bind(network, options, 0).learn)
        reached = [torch.allclose(f, e, atol=1e-12, rtol=1e-9) for f, e in zip(found, expected, strict=True)]
        assert all(reached[2 * (3 - n_steps) :]) if n_steps < 3 else all(reached)
        assert not any(f.any() for f in found[: max(0, 2 * (3 - n_steps))])  # errors have not come so far yet
    options = ns.networks.PredictiveCoding("fixed", 300, 0.1)
    assert apart(gradients(network, prediction.bind(network, options, 0).learn), expected) < 1e-9


def test_free_predictions_give_backpropagation_as_errors_become_small():
    network = chain()
    expected, far = truth(network), []
    for size in (1.0, 0.1, 0.01):
        goal = Loss(lambda outputs, labels, size=size: size * nn.functional.cross_entropy(outputs, labels))
        rule = prediction.bind(network, ns.networks.PredictiveCoding(n_steps=120), 0)
        far.append(apart([g / size for g in gradients(network, rule.learn, goal)], expected))
    assert far[0] > 3 * far[1] > 9 * far[2] and far[2] < 0.02


def test_inference_goes_down_the_energy_written_out():
    """The rule of Whittington and Bogacz for two layers, by hand: v goes down by e = v - W f(x) and what comes down."""
    network = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).double()
    batch, rate = data(), 0.1
    goal = Loss(lambda outputs, labels: (outputs - nn.functional.one_hot(labels, 3)).square().sum(1) / 2)
    rule = prediction.bind(network, ns.networks.PredictiveCoding(n_steps=7, step=rate), 0)
    found = gradients(network, rule.learn, goal)
    first, last = network[0], network[2]
    with torch.no_grad():
        predicted = torch.tanh(first(batch.inputs))
        value, wanted = predicted.clone(), nn.functional.one_hot(batch.targets[0], 3)
        for _ in range(7):
            top = wanted - last(value)
            value -= rate * ((value - predicted) - top @ last.weight)
        top, error = wanted - last(value), value - predicted
        below = error * (1 - predicted.square())
        expected = [-below.T @ batch.inputs, -below.sum(0), -top.T @ value, -top.sum(0)]
    for mine, other in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, other / 4, atol=1e-12, rtol=1e-9)


class Skipping(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(5, 4), nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x):
        first = torch.tanh(self.a(x))
        return self.c(first + torch.tanh(self.b(first)))


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (Skipping(), "are no chain; one is skipped"),
        (nn.Sequential(nn.Linear(5, 4), nn.Dropout(0.1), nn.Linear(4, 3)), "'1' of Sequential is a Dropout"),
        (nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Linear(4, 3)), "is a BatchNorm1d"),
    ],
)
def test_what_is_no_chain_or_not_the_same_each_time_is_refused(network, words):
    with pytest.raises(InputError, match=words):
        rule = prediction.bind(network.double(), ns.networks.PredictiveCoding(), 0)
        rule.learn(data(), GOAL, "here", 0.25)


def resting(step=0.5, n_steps=80):
    torch.manual_seed(0)
    specification = ns.networks.EquilibriumMLPSpecification((7, 6, 5), n_steps, step)
    network = ns.build_network(specification, (5,), 3).double()
    with torch.no_grad():
        for linear in network.linears.values():
            linear.weight.mul_(0.4)  # so that units rest inside their range
            linear.bias.fill_(0.4)
    return network


def test_units_rest_where_the_energy_has_no_slope():
    network = resting()
    states = [s.detach().requires_grad_() for s in network.rest(data().inputs)]
    assert all(bool(((s >= 0) & (s <= 1)).all()) for s in states)
    slopes = torch.autograd.grad(network.energy(data().inputs, states).sum(), states)
    inside = [(s > 1e-9) & (s < 1 - 1e-9) for s in states]
    assert sum(int(i.sum()) for i in inside) > 60
    for slope, within in zip(slopes, inside, strict=True):
        assert slope[within].abs().max() < 1e-9
    step = resting(0.1, 2)
    before = step.energy(data().inputs, step.rest(data().inputs, n_steps=1))
    assert (step.energy(data().inputs, step.rest(data().inputs)) < before).all()


def test_the_difference_of_two_rests_is_the_gradient_through_time_as_the_nudge_goes_to_zero():
    network = resting()
    expected = truth(network)
    one, two = {}, {}
    for nudge in (0.02, 0.002):
        for kept, two_sided in ((one, False), (two, True)):
            options = ns.networks.EquilibriumPropagation(nudge, 80, two_sided)
            kept[nudge] = apart(gradients(network, equilibrium.bind(network, options, 0).learn), expected)
    assert one[0.002] < 2e-3 and two[0.02] < 1e-4
    assert one[0.02] / one[0.002] == pytest.approx(10, rel=0.3)  # first order in the nudge
    assert two[0.02] / two[0.002] == pytest.approx(100, rel=0.3)  # second order


def test_what_a_rule_reports_is_what_the_network_answers():
    network = resting(n_steps=40)
    before = weights_of(network)
    rule = equilibrium.bind(network, ns.networks.EquilibriumPropagation(), 0)
    outputs, losses = rule.learn(data(), GOAL, "here", 0.25)
    assert torch.equal(outputs, network(data().inputs).detach())
    assert torch.equal(losses, GOAL.losses(outputs, data().targets))
    assert all((value == before[name]).all() for name, value in weights_of(network).items())


def test_a_single_layer_is_no_chain_of_predictions():
    data = torch.utils.data.TensorDataset(torch.rand(8, 4), torch.arange(8) % 2)
    with pytest.raises(InputError, match="chains of two layers or more; found one"):
        ns.train(nn.Linear(4, 2), data, ns.networks.TrainingOptions(1, 4), rule="predictive_coding", progress=False)
