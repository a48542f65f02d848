"""Gradients of membranes, coefficients and carried states by every engine, against autograd through the plain step."""

import itertools

import pytest
import torch

from neurosim.networks.spiking.layers import engine_of
from neurosim.networks.spiking.running import Way, run_sequence
from neurosim.networks.spiking.sequence import NUMBERS, RESETS, Coefficients, State, neuron_step
from neurosim.networks.spiking.surrogates import Surrogate

ENGINES = ("torch", "compiled")
MEMORIES = list(itertools.product((False, True), (False, True)))
SURROGATE = Surrogate("atan", 1.7)


def random(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def learned(reset, current, adapts):
    """Coefficients that are one a unit and ask for gradients; those that are not at work are numbers."""
    numbers = {name: (0.6 + 0.3 * random(5, seed=k)).requires_grad_() for k, name in enumerate(NUMBERS)}
    numbers |= {} if current else {"alpha": 0.0}
    numbers |= {} if adapts else {"rho": 0.0, "rise": 0.0}
    return Coefficients(reset=reset, **numbers)


def by_autograd(x, c, weight, state):
    spikes, membranes = [], []
    for now in x.unbind(0):
        drive = now if weight is None else now + state.spikes @ weight.T
        state, _ = neuron_step(state, drive, c, SURROGATE)
        spikes.append(state.spikes)
        membranes.append(state.membrane)
    return torch.stack(spikes), state, torch.stack(membranes)


def loss_and_gradients(found, inputs):
    """A price on every spike, membrane and number of the last state."""
    spikes, state, membrane = found
    total = (spikes * random(*spikes.shape, seed=20)).sum() + (membrane * random(*membrane.shape, seed=21)).sum()
    total = total + sum((part * random(*part.shape, seed=22 + k)).sum() for k, part in enumerate(state))
    return spikes, membrane, *torch.autograd.grad(total, inputs, allow_unused=True)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize(("current", "adapts"), MEMORIES)
@pytest.mark.parametrize("reset", RESETS)
def test_all_gradients_are_those_of_autograd(reset, current, adapts, recurrent, engine):
    c = learned(reset, current, adapts)
    x = random(9, 3, 5, seed=7).mul(1.2).requires_grad_()
    weight = random(5, 5, seed=8).sub(0.5).requires_grad_() if recurrent else None
    fired = (random(3, 5, seed=12) > 0.5).double()
    start = State(*(p.requires_grad_() for p in (*(random(3, 5, seed=k) for k in (9, 10, 11)), fired)))
    inputs = [x, *start, *([weight] if recurrent else [])]
    inputs += [v for n in NUMBERS if isinstance(v := getattr(c, n), torch.Tensor)]
    way = Way(SURROGATE, engine_of(engine, "cpu"), membrane=True, carried=True)
    found = loss_and_gradients(run_sequence(x, c, way, weight=weight, state=start), inputs)
    expected = loss_and_gradients(by_autograd(x, c, weight, start), inputs)
    assert torch.equal(found[0], expected[0]) and found[0].sum() > 10
    for mine, other in zip(found[1:], expected[1:], strict=True):
        price = torch.zeros_like(mine) if other is None else other
        torch.testing.assert_close(mine, price, atol=1e-12, rtol=1e-10)
