"""Losses and membranes in numbers: weights of steps, the price of a code, recurrent input."""

import numpy as np
import torch

from neurosim.networks.objectives import Reconstruction, SquaredError
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.parameters import DiscreteLIFParameters
from neurosim.runtime import torch_seeded


def test_the_error_of_a_trial_is_the_mean_over_the_steps_that_count():
    wanted, weights = torch.zeros(2, 4, 1), torch.tensor([[0.0, 0.0, 1.0, 2.0], [1.0, 1.0, 1.0, 1.0]])
    outputs = torch.tensor([[5.0, 5.0, 1.0, 2.0], [1.0, 2.0, 3.0, 4.0]]).T[..., None]
    found = SquaredError(None).losses(outputs, (wanted, weights))
    torch.testing.assert_close(found, torch.tensor([(1 * 1 + 2 * 4) / 3, (1 + 4 + 9 + 16) / 4]))


def test_a_code_costs_its_divergence_from_a_standard_normal_times_the_price():
    """Half (variance + mean squared - 1 - log variance), summed over the code; and the squared error of the values."""
    truth, found = torch.zeros(1, 3), torch.tensor([[1.0, 2.0, 0.0]])
    mean, log_variance = torch.tensor([[0.5, -1.0]]), torch.tensor([[0.0, 1.0]])
    divergence = 0.5 * (0.25 + (np.e + 1.0 - 1 - 1))
    for price in (0.3, 2.0):
        losses = Reconstruction(price).losses((found, mean, log_variance), (truth,))
        torch.testing.assert_close(losses, torch.tensor([5.0 + price * divergence], dtype=torch.float32))


def test_the_membrane_of_a_recurrent_layer_is_moved_by_its_own_spikes():
    neuron = DiscreteLIFParameters(5e-3)
    with torch_seeded(0):
        layer = SpikingLayer(neuron, n_recurrent=3)
    weight, bias = (p.detach().double().numpy() for p in (layer.recurrent.weight, layer.recurrent.bias))
    currents = np.random.default_rng(0).uniform(0, 1, size=(20, 1, 3))
    v, spikes, expected = np.zeros(3), np.zeros(3), []
    for now in currents[:, 0]:
        v = neuron.beta * v + now + weight @ spikes + bias - spikes * neuron.threshold
        spikes = (v > neuron.threshold).astype(float)
        expected.append(v)
    found = layer.double().membrane(torch.from_numpy(currents))[:, 0]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)
    assert np.stack(expected).max() > neuron.threshold
