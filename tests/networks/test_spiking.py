"""Our spiking layers and snnTorch's are the same neurons, spike for spike and gradient for gradient."""

import pytest
import snntorch as snn
import torch
from hypothesis import given
from hypothesis import strategies as st
from snntorch import surrogate

from neurosim.networks.spiking import LIF, ATanSpike
from neurosim.parameters import DiscreteLIFParameters


def run_snntorch(currents, parameters):
    layer = snn.Leaky(
        beta=parameters.beta,
        threshold=parameters.threshold,
        reset_mechanism=parameters.reset,
        spike_grad=surrogate.atan(alpha=2.0),
    )
    membrane, spikes = torch.zeros_like(currents[0]), []
    for current in currents.unbind(0):
        fired, membrane = layer(current, membrane)
        spikes.append(fired)
    return torch.stack(spikes)


@given(
    seed=st.integers(0, 2**31),
    tau=st.floats(2e-3, 50e-3),
    threshold=st.floats(0.3, 2.0),
    reset=st.sampled_from(["subtract", "zero"]),
    n_time=st.integers(1, 30),
)
def test_spikes_equal_snntorch(seed, tau, threshold, reset, n_time):
    parameters = DiscreteLIFParameters(tau, 1e-3, threshold, reset)
    generator = torch.Generator().manual_seed(seed)
    currents = torch.rand(n_time, 3, 7, generator=generator, dtype=torch.float64)
    assert torch.equal(LIF(parameters)(currents), run_snntorch(currents, parameters))


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_gradients_equal_snntorch(reset):
    parameters = DiscreteLIFParameters(5e-3, 1e-3, 1.0, reset)
    generator = torch.Generator().manual_seed(0)
    start = torch.rand(20, 2, 5, generator=generator, dtype=torch.float64)
    weight = torch.rand(20, 2, 5, generator=generator, dtype=torch.float64)
    grads = []
    for layer in (LIF(parameters), lambda x: run_snntorch(x, parameters)):
        currents = start.clone().requires_grad_()
        (layer(currents) * weight).sum().backward()
        grads.append(currents.grad)
    assert grads[0].abs().max() > 0
    torch.testing.assert_close(*grads, atol=1e-5, rtol=0)


def test_surrogate_is_the_derivative_of_its_primitive():
    x = torch.linspace(-2, 2, 101, dtype=torch.float64)
    primitive = lambda v: torch.atan(torch.pi / 2 * ATanSpike.alpha * v) / torch.pi  # noqa: E731
    numeric = (primitive(x + 1e-5) - primitive(x - 1e-5)) / 2e-5
    y = x.clone().requires_grad_()
    ATanSpike.apply(y).sum().backward()
    torch.testing.assert_close(y.grad, numeric, atol=1e-8, rtol=1e-6)


def test_state_never_leaks_from_one_sequence_to_the_next():
    layer, currents = LIF(DiscreteLIFParameters()), torch.full((9, 1, 4), 0.37)
    assert torch.equal(layer(currents), layer(currents))
