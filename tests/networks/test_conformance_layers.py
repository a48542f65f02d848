"""Every neuron, reset, surrogate and engine of spiking layers against a loop written anew from the equations.

The loop keeps its own state, its own surrogate derivatives and autograd; nothing of the package but the parameter
records is read. Sequences start from silence and from a state in which some neurons have just fired.
"""

import dataclasses
import itertools
import math
from typing import get_args

import pytest
import torch

from neurosim.networks.spiking.layers import AUTOGRAD, EngineName, SpikingLayer, engine_of
from neurosim.networks.spiking.sequence import RESETS, State
from neurosim.networks.spiking.surrogates import Surrogate, SurrogateName
from neurosim.parameters import DiscreteAdaptiveLIFParameters, DiscreteLIFParameters, DiscreteParameters
from neurosim.parameters import DiscreteSynapticParameters as Synaptic

RECORDS = {
    DiscreteLIFParameters: DiscreteLIFParameters(5e-3, threshold=0.9),
    Synaptic: Synaptic(3e-3, 6e-3, threshold=2.0),
    DiscreteAdaptiveLIFParameters: DiscreteAdaptiveLIFParameters(8e-3, 30e-3, rise=0.2),
}
ENGINES = [name for name in get_args(EngineName) if name not in ("auto", "triton")]
SLOPE = 1.7


def derivative(name, x):
    """Written from the papers: the derivative of a spike by the distance from threshold."""
    return {
        "atan": lambda: SLOPE / 2 / (1 + (math.pi / 2 * SLOPE * x) ** 2),
        "fast_sigmoid": lambda: 1 / (1 + SLOPE * abs(x)) ** 2,
        "sigmoid": lambda: SLOPE * torch.exp(-SLOPE * x) / (1 + torch.exp(-SLOPE * x)) ** 2,
        "triangular": lambda: SLOPE * torch.relu(1 - SLOPE * abs(x)),
        "straight_through": lambda: SLOPE * torch.ones_like(x),
    }[name]()


def fire(name, x):
    """A spike where x is above 0; the term of value 0 carries the gradient."""
    fired = (x > 0).to(x.dtype)
    slope = derivative(name, x.detach())
    return fired + slope * (x - x.detach())


def naive(p, surrogate, currents, weight, start):
    """One neuron model after the other, from their equations, step by step."""
    beta, theta = math.exp(-p.dt / p.tau_mem), p.threshold
    alpha = math.exp(-p.dt / p.tau_syn) if isinstance(p, Synaptic) else 0.0
    adapts = isinstance(p, DiscreteAdaptiveLIFParameters)
    rho, rise = (math.exp(-p.dt / p.tau_threshold), p.rise) if adapts else (0.0, 0.0)
    v, i, a, s = start
    spikes = []
    for x in currents:
        i = alpha * i + x + s @ weight.T
        fired = s.detach()
        if p.reset == "subtract":
            v = beta * v + i - theta * fired
        elif p.reset == "zero":
            v = beta * (1 - fired) * v + i
        elif p.reset == "clear":
            v = (1 - fired) * (beta * v + i)
        else:
            v = beta * v + i
        a = rho * a + s
        s = fire(surrogate, v - (theta + rise * a))
        spikes.append(s)
    return torch.stack(spikes)


def state(fired):
    generator = torch.Generator().manual_seed(5)
    v, i, a = (0.8 * torch.rand(3, 4, generator=generator, dtype=torch.float64) for _ in range(3))
    return State(v, i, a, (torch.arange(12).reshape(3, 4) % 2).double() * fired)


def test_every_record_is_here():
    assert set(RECORDS) == set(get_args(DiscreteParameters))


CASES = list(itertools.product(RECORDS, RESETS, get_args(SurrogateName), ENGINES))


@pytest.mark.parametrize(("record", "reset", "surrogate", "engine"), CASES)
def test_spikes_and_gradients_are_those_of_the_equations(record, reset, surrogate, engine):
    p = dataclasses.replace(RECORDS[record], reset=reset)
    generator = torch.Generator().manual_seed(3)
    n_fired = 0
    for recurrent, start in itertools.product((False, True), (None, state(0.0), state(1.0))):
        layer = SpikingLayer(
            p, n_recurrent=4 if recurrent else None, surrogate=Surrogate(surrogate, SLOPE), engine=engine
        ).double()
        own = torch.rand(9, 3, 4, generator=generator, dtype=torch.float64)
        price = torch.randn(9, 3, 4, generator=generator, dtype=torch.float64)
        weight = torch.zeros(4, 4, dtype=torch.float64)
        if recurrent:
            torch.nn.init.zeros_(layer.recurrent.bias)
            weight = layer.recurrent.weight.detach().clone()
        x, y, weight = own.clone().requires_grad_(), own.clone().requires_grad_(), weight.requires_grad_(recurrent)
        found = layer.advance(x, start)[0]
        rest = tuple(torch.zeros(3, 4, dtype=torch.float64) for _ in range(4))
        expected = naive(p, surrogate, y, weight, rest if start is None else start)
        (found * price).sum().backward()
        (expected * price).sum().backward()
        assert torch.equal(found, expected.round().detach())
        torch.testing.assert_close(x.grad, y.grad, atol=1e-12, rtol=1e-10)
        if recurrent:
            torch.testing.assert_close(layer.recurrent.weight.grad, weight.grad, atol=1e-12, rtol=1e-10)
        n_fired += int(found.sum())
    assert n_fired > 20


@pytest.mark.parametrize("engine", ENGINES)
def test_a_neuron_that_has_just_fired_drops_the_input_of_the_first_step(engine):
    layer = SpikingLayer(DiscreteLIFParameters(reset="clear"), engine=engine)
    zero, one = torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])
    x = torch.full((1, 1, 2), 1.5, requires_grad=True)
    spikes, after = layer.advance(x, State(zero, zero, zero, one))
    spikes.sum().backward()
    assert spikes.tolist() == [[[0.0, 1.0]]] and after.membrane.tolist() == [[0.0, 1.5]]
    assert x.grad[0, 0, 0] == 0.0
    assert x.grad[0, 0, 1] == pytest.approx(1 / (1 + (math.pi * 0.5) ** 2), rel=1e-6)


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_membrane_at_its_threshold_sends_no_spike(engine, reset):
    layer = SpikingLayer(DiscreteLIFParameters(threshold=1.0, reset=reset), engine=engine)
    x = torch.tensor([[[1.0, float(torch.nextafter(torch.tensor(1.0), torch.tensor(2.0)))]]], requires_grad=True)
    spikes = layer(x)
    assert spikes.tolist() == [[[0.0, 1.0]]]
    spikes.sum().backward()
    torch.testing.assert_close(x.grad, torch.ones(1, 1, 2))


def test_engines_that_are_asked_for_are_those_that_run():
    assert {name: type(engine_of(name, "cpu")).__name__ for name in ENGINES if name != AUTOGRAD} == {
        "torch": "TorchEngine",
        "compiled": "CompiledEngine",
    }
