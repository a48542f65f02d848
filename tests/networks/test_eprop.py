"""E-prop is backpropagation through time without the path through recurrent spikes, exactly; memory does not grow."""

import pytest
import snntorch as snn
import torch
from torch import nn

from neurosim.networks.conversion import from_snntorch
from neurosim.networks.spiking.eprop import eprop_gradients
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.spiking.sequence import neuron_step, silence
from neurosim.parameters import DiscreteAdaptiveLIFParameters, DiscreteLIFParameters, DiscreteSynapticParameters
from neurosim.schema import InputError

NEURONS = [
    DiscreteLIFParameters(8e-3),
    DiscreteLIFParameters(8e-3, reset="none"),
    DiscreteAdaptiveLIFParameters(8e-3, 30e-3, 0.3),
]


def parts(neuron, recurrent, n=6):
    torch.manual_seed(0)
    made = nn.Linear(4, n), SpikingLayer(neuron, n_recurrent=n if recurrent else None), nn.Linear(n, 3)
    return [part.double() for part in made]


def by_autograd(inputs, layer, readout, sequence, labels):
    """Backpropagation through time, recurrent spikes cut off from the past."""
    c, state, loss = layer.coefficients, silence(inputs(sequence[0]).detach()), 0.0
    for now in sequence:
        drive = inputs(now)
        if layer.recurrent is not None:
            drive = drive + layer.recurrent(state.spikes.detach())
        state, _ = neuron_step(state, drive, c, layer.surrogate)
        loss = loss + nn.functional.cross_entropy(readout(state.spikes), labels) / len(sequence)
    loss.backward()
    return loss


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("neuron", NEURONS, ids=lambda p: f"{type(p).__name__} {p.reset}")
def test_eprop_is_the_gradient_without_recurrent_spikes(neuron, recurrent):
    made = parts(neuron, recurrent)
    sequence = 2 * torch.rand(25, 3, 4, dtype=torch.float64)
    labels = torch.tensor([0, 2, 1])
    loss = by_autograd(*made, sequence, labels)
    expected = [p.grad.clone() for part in made for p in part.parameters()]
    for part in made:
        part.zero_grad()
    found = eprop_gradients(*made, sequence, labels)
    assert expected[0].abs().max() > 0
    torch.testing.assert_close(found, loss.detach())
    for mine, other in zip([p.grad for part in made for p in part.parameters()], expected, strict=True):
        torch.testing.assert_close(mine, other, atol=1e-12, rtol=1e-9)


def test_nothing_is_kept_of_past_steps():
    kept = []
    made = parts(NEURONS[2], True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        eprop_gradients(*made, torch.rand(200, 2, 4, dtype=torch.float64), torch.tensor([0, 1]))
    assert not kept


def test_eprop_learns():
    made = parts(NEURONS[0], True, n=30)
    optimizer = torch.optim.Adam([p for part in made for p in part.parameters()], lr=5e-3)
    torch.manual_seed(1)
    labels = torch.arange(30) % 3
    sequence = torch.rand(20, 30, 4, dtype=torch.float64)
    sequence[:, :, :3] += 1.5 * nn.functional.one_hot(labels, 3)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        losses.append(float(eprop_gradients(*made, sequence, labels)))
        optimizer.step()
    assert losses[-1] < 0.5 * losses[0]


def test_other_neurons_are_refused():
    for neuron in (DiscreteSynapticParameters(), DiscreteLIFParameters(reset="zero")):
        with pytest.raises(InputError, match="leaky or adaptive neurons"):
            eprop_gradients(*parts(neuron, False), torch.rand(5, 2, 4, dtype=torch.float64), torch.tensor([0, 1]))


def test_recurrence_one_to_one_is_refused():
    network = from_snntorch(nn.Sequential(nn.Linear(4, 6), snn.RLeaky(0.9, V=torch.rand(6), all_to_all=False)))
    layer = next(m for m in network.modules() if isinstance(m, SpikingLayer))
    with pytest.raises(InputError, match="all to all"):
        eprop_gradients(nn.Linear(4, 6), layer, nn.Linear(6, 3), torch.rand(5, 2, 4), torch.tensor([0, 1]))
