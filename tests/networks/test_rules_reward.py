"""Reward-modulated STDP against pairs of spikes counted one by one."""

import math

import pytest
import torch
from torch import nn

import neurosim as ns
from neurosim.networks.feeding import Portion
from neurosim.networks.learning import reward
from neurosim.networks.objectives import CrossEntropy
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.parameters import DiscreteLIFParameters
from neurosim.schema import InputError

OPTIONS = ns.networks.RewardSTDP("spikes", tau_plus=8e-3, tau_minus=12e-3, a_plus=0.7, a_minus=1.1, tau_mark=9e-3)


def pair_by_pair(sent, spikes, rewards, o, dt):
    """The mark of every synapse from all pairs of its spikes, its decay, and the reward of each step."""
    n_time, n_batch, n_from = sent.shape
    gained = torch.zeros(spikes.shape[2], n_from, dtype=torch.float64)
    for b in range(n_batch):
        for i in range(n_from):
            for j in range(spikes.shape[2]):
                first, then = sent[:, b, i].nonzero().flatten(), spikes[:, b, j].nonzero().flatten()
                marks = [
                    (int(t), o.a_plus * math.exp(-dt * int(t - s) / o.tau_plus)) for s in first for t in then if s <= t
                ]
                marks += [
                    (int(s), -o.a_minus * math.exp(-dt * int(s - t) / o.tau_minus))
                    for s in first
                    for t in then
                    if s > t
                ]
                for when, mark in marks:
                    for t in range(when, n_time):
                        gained[j, i] += float(rewards[t, b]) * mark * math.exp(-dt * (t - when) / o.tau_mark)
    return gained


def test_what_weights_gain_is_the_sum_over_pairs_times_the_reward_that_comes_while_their_mark_lasts():
    torch.manual_seed(0)
    sent, spikes = (torch.rand(15, 2, 3) < 0.3).double(), (torch.rand(15, 2, 2) < 0.3).double()
    rewards = torch.randn(15, 2, dtype=torch.float64)
    expected = pair_by_pair(sent, spikes, rewards, OPTIONS, 1e-3)
    torch.testing.assert_close(reward.gain(sent, spikes, rewards, OPTIONS, 1e-3), expected)


def network():
    torch.manual_seed(0)
    parts = [
        nn.Linear(4, 6),
        SpikingLayer(DiscreteLIFParameters()),
        nn.Linear(6, 2),
        SpikingLayer(DiscreteLIFParameters()),
    ]
    with torch.no_grad():
        for part in parts[::2]:
            part.weight.mul_(3).add_(0.3)
    return Counts(*parts).double()


class Counts(nn.Sequential):
    def forward(self, sequence):
        return super().forward(sequence).sum(0)


def learned(kind, **options):
    net, o = network(), ns.networks.RewardSTDP(kind, **options)
    sequence, labels = (torch.rand(20, 3, 4) < 0.4).double(), torch.tensor([0, 1, 1])
    rule = reward.bind(net, o, 0)
    outputs, losses = rule.learn(Portion(sequence, (labels,), 3), CrossEntropy(2), "here", 1 / 3)
    hidden = net[1](net[0](sequence)).detach()
    last = net[3](net[2](hidden)).detach()
    assert torch.equal(outputs, last.sum(0))
    return net, rule, (sequence, hidden, last), labels, outputs, losses, o


@pytest.mark.parametrize("kind", ["outcome", "loss", "spikes"])
def test_weights_go_up_by_what_they_gain_and_biases_stay(kind):
    net, _, (sequence, hidden, last), labels, outputs, losses, o = learned(kind)
    rewards = torch.zeros(20, 3, dtype=torch.float64)
    if kind == "spikes":
        right = last[:, torch.arange(3), labels]
        rewards = right - (last.sum(2) - right)
    else:
        rewards[-1] = -losses if kind == "loss" else 2.0 * (outputs.argmax(1) == labels) - 1
    for layer, sent, spikes in ((net[0], sequence, hidden), (net[2], hidden, last)):
        expected = -reward.gain(sent, spikes, rewards, o, 1e-3) / 3
        assert expected.any()
        torch.testing.assert_close(layer.weight.grad, expected)
        assert layer.bias.grad is None


def test_a_single_output_is_that_of_category_1():
    rule = reward.bind(network(), ns.networks.RewardSTDP("spikes"), 0)
    spikes = torch.ones(4, 2, 1)
    found = rule._rewards(None, torch.zeros(2), torch.tensor([0, 1]), spikes)
    assert found.tolist() == [[-1.0, 1.0]] * 4


def test_rewards_count_from_their_running_mean():
    _, rule, _, labels, outputs, _, _ = learned("outcome", baseline=0.75)
    paid = 2.0 * (outputs.argmax(1) == labels) - 1
    assert float(rule.state.mean_reward) == pytest.approx(0.25 * float(paid.mean()))
    found = rule._rewards(outputs, torch.zeros(3), labels, torch.zeros(5, 3, 2, dtype=torch.float64))
    torch.testing.assert_close(found[-1], paid.double() - 0.25 * paid.double().mean())
    assert not found[:-1].any()


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (nn.Sequential(nn.Linear(4, 6)), "has 1 nn.Linear and 0 SpikingLayer"),
        (nn.Sequential(nn.Linear(4, 6), SpikingLayer(DiscreteLIFParameters(), n_recurrent=6)), "recurrent weights"),
        (nn.Sequential(nn.Conv1d(4, 6, 1), SpikingLayer(DiscreteLIFParameters())), "weight of another kind"),
    ],
)
def test_other_networks_are_refused(net, words):
    with pytest.raises(InputError, match=words):
        reward.bind(net, OPTIONS, 0)


def test_rewards_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="leave it out"):
        ns.networks.RewardSTDP("spikes", baseline=0.5)
    rule = reward.bind(network(), ns.networks.RewardSTDP(), 0)
    with pytest.raises(InputError, match="whole labels of 2 outputs"):
        rule.learn(Portion(torch.ones(5, 2, 4).double(), (torch.rand(2, 2).double(),), 2), CrossEntropy(2), "here", 1.0)
    turned = Counts(*[network()[k] for k in (0, 2)])
    with pytest.raises(InputError, match="SpikingLayer"):
        reward.bind(turned, OPTIONS, 0)
