"""Spike times are those of the equations, and EventProp is their gradient: by differences, and as in the paper."""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import neurosim as ns
from neurosim.networks import EventNeuron, SpikeTimeLayer
from neurosim.networks.feeding import Portion
from neurosim.networks.learning import eventprop
from neurosim.networks.objectives import CrossEntropy
from neurosim.networks.spiking.spike_times import _SpikeTimes
from neurosim.schema import InputError

NEURON = EventNeuron(window=50e-3)


def on_a_grid(times, weights, neuron, dt=1e-6):
    """Spike times of one neuron, step by step with the exact decay of each step."""
    v = i = 0.0
    keep_v, keep_i, gain = math.exp(-dt / neuron.tau_mem), math.exp(-dt / neuron.tau_syn), neuron.gain
    arriving = {}
    for t, w in zip(times, weights, strict=True):
        arriving[round(t / dt)] = arriving.get(round(t / dt), 0.0) + w
    found = []
    for k in range(round(neuron.window / dt)):
        if v > neuron.threshold:
            found.append(k * dt)
            v = 0.0
        i += arriving.get(k, 0.0)
        v, i = v * keep_v + gain * i * (keep_v - keep_i), i * keep_i
    return found


def found_times(times, weight, n_spikes, neuron=NEURON):
    return _SpikeTimes.apply(times, weight, neuron, n_spikes)


def test_spikes_are_those_of_the_equations_step_by_step():
    rng = np.random.default_rng(3)
    times = np.round(rng.uniform(0, 30e-3, (1, 8)), 6)
    weight = rng.normal(4.0, 5.0, (4, 8))
    found = found_times(torch.tensor(times), torch.tensor(weight), 12)[0]
    n_spikes = 0
    for mine, w in zip(found.tolist(), weight, strict=True):
        expected = on_a_grid(times[0], w, NEURON)
        assert [t for t in mine if t < NEURON.window] == pytest.approx(expected, abs=1e-4)
        n_spikes += len(expected)
    assert n_spikes > 8


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_gradients_are_differences_of_spike_times(seed):
    rng = np.random.default_rng(seed)
    times = torch.tensor(rng.uniform(0, 30e-3, (2, 5)), requires_grad=True)
    weight = torch.tensor(rng.normal(3.0, 3.0, (3, 5)), requires_grad=True)
    spikes = found_times(times, weight, 3)
    signal = torch.tensor(rng.normal(size=(2, 3, 3)))
    (spikes * signal).sum().backward()
    there = spikes.detach() < NEURON.window
    for values, grad, size in ((times, times.grad, 1e-8), (weight, weight.grad, 1e-6)):
        k = int(rng.integers(values.numel()))
        moved = []
        for sign in (1, -1):
            other = values.detach().clone()
            other.view(-1)[k] += sign * size
            pair = (other, weight.detach()) if values is times else (times.detach(), other)
            again = found_times(*pair, 3)
            near = torch.equal(again < NEURON.window, there) and (again - spikes).abs().max() < 1e-5
            assume(near)  # where a spike comes or goes, there is no derivative
            moved.append((again * signal).sum().item())
        assert (moved[0] - moved[1]) / (2 * size) == pytest.approx(grad.view(-1)[k].item(), rel=1e-4, abs=1e-8)


def by_the_paper(times, weight, spikes, grad, neuron):
    """Gradient of the weights (input,) of one neuron: adjoint equations and jumps of the paper, backwards in time."""
    tau_m, tau_s = neuron.tau_mem, neuron.tau_syn

    def current(t):
        return sum(w * math.exp(-(t - s) / tau_s) for s, w in zip(times, weight, strict=True) if s < t)

    lv = li = 0.0
    events = sorted([(t, "in", k) for k, t in enumerate(times)] + [(t, "out", k) for k, t in enumerate(spikes)])
    found, now = [0.0] * len(times), neuron.window
    for t, kind, k in reversed(events):
        past = now - t  # tau_m dlv = -lv, tau_s dli = -li + lv, backwards
        slow, fast = math.exp(-past / tau_m), math.exp(-past / tau_s)
        lv, li = lv * slow, li * fast + lv * tau_m / (tau_m - tau_s) * (slow - fast)
        if kind == "in":
            found[k] = -tau_s * li
        else:
            before = -neuron.threshold + current(t)  # tau_m times the slope of V before the spike; after it, V is 0
            lv = (current(t) * lv + grad[k]) / before
        now = t
    return found


def test_gradients_are_those_of_the_adjoint_equations():
    rng = np.random.default_rng(0)
    times, weight = np.sort(rng.uniform(0, 25e-3, 6)), rng.normal(8.0, 3.0, 6)
    asked = torch.tensor(weight[None], requires_grad=True)
    spikes = found_times(torch.tensor(times[None]), asked, 4)
    assert int((spikes < NEURON.window).sum()) == 4
    grad = rng.normal(size=4)
    (spikes[0, 0] * torch.tensor(grad)).sum().backward()
    expected = by_the_paper(times, weight, spikes[0, 0].tolist(), grad, NEURON)
    np.testing.assert_allclose(asked.grad[0].numpy(), expected, rtol=1e-9)


def test_what_comes_too_late_or_not_at_all_has_no_effect_and_no_gradient():
    layer = SpikeTimeLayer(3, 2, NEURON).double()
    torch.nn.init.constant_(layer.weight, 12.0)
    earliness = torch.tensor([[40e-3, 0.0, 1e-4], [0.0, 0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    found = layer(earliness)
    alone = layer(torch.tensor([[40e-3, 0.0, 0.0]], dtype=torch.float64))
    assert torch.equal(found[0], alone[0]) and not found[1].any()
    found.sum().backward()
    assert (earliness.grad[0, 0] - 2.0).abs() < 1e-9  # later input, later spike, by as much
    assert not earliness.grad[0, 1:].any() and not earliness.grad[1].any()
    assert layer.weight.grad[:, 0].min() > 0 and not layer.weight.grad[:, 1:].any()


def test_several_spikes_of_a_sender_share_its_weight():
    torch.manual_seed(0)
    pair = SpikeTimeLayer(2, 3, NEURON, n_input_spikes=2).double()
    apart = SpikeTimeLayer(4, 3, NEURON).double()
    with torch.no_grad():
        pair.weight.fill_(7.0)
        apart.weight.fill_(7.0)
    earliness = torch.tensor([[45e-3, 40e-3, 44e-3, 30e-3]], dtype=torch.float64)
    assert torch.equal(pair(earliness), apart(earliness))
    pair(earliness).sum().backward()
    apart(earliness).sum().backward()
    torch.testing.assert_close(pair.weight.grad, apart.weight.grad.unflatten(1, (2, 2)).sum(2))


def test_silent_neurons_are_woken_and_others_have_the_gradient_of_spike_times():
    torch.manual_seed(0)
    network = ns.build_network(ns.networks.SpikeTimeMLPSpecification((6,)), (5,), 3)
    with torch.no_grad():
        network.layers["hidden1"].weight[2] = -1.0
    batch = Portion(torch.rand(4, 5), (torch.tensor([0, 1, 2, 0]),), 4)
    found = []
    for wake in (0.0, 0.5):
        network.zero_grad()
        rule = eventprop.bind(network, ns.networks.EventProp(wake), 0)
        rule.learn(batch, CrossEntropy(3), "here", 0.25)
        found.append(network.layers["hidden1"].weight.grad.clone())
    change = found[1] - found[0]
    asleep = change.any(1)
    assert bool(asleep[2]) and not found[0][2].any() and not bool(asleep.all())
    assert change[2].tolist() == pytest.approx([-0.5] * 6)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: EventNeuron(tau_mem=5e-3), "tau_mem above tau_syn"),
        (lambda: EventNeuron(window=1.0), "at most 30 tau_syn"),
        (lambda: SpikeTimeLayer(0, 1), "at least one input"),
        (lambda: SpikeTimeLayer(3, 1)(torch.zeros(2, 4)), r"\(batch, 3\) spikes asked, found \(2, 4\)"),
        (lambda: ns.networks.SpikeTimeMLPSpecification(span=1.0), "span inside the window"),
        (lambda: ns.networks.EventProp(-1.0), "wake of at least 0"),
    ],
)
def test_what_cannot_be_is_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()
