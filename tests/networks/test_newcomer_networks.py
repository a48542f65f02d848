"""What a newcomer does with networks: layers before time, other networks at a checkpoint, other kinds of numbers."""

import numpy as np
import pytest
import torch
from torch import nn

from neurosim.experiments import perturbation_effect
from neurosim.networks.perturbation import perturbed
from neurosim.schema import InputError, Perturbation, as_stimuli


class Recurrent(nn.Module):
    """A plain layer before one over time: (time, batch, unit)."""

    def __init__(self):
        super().__init__()
        self.encoder, self.relu, self.gru, self.readout = nn.Linear(6, 4), nn.ReLU(), nn.GRU(4, 4), nn.Linear(4, 3)

    def forward(self, x):
        return self.readout(self.gru(self.relu(self.encoder(x)))[0][-1])


@pytest.fixture
def recurrent():
    torch.manual_seed(0)
    return Recurrent().eval(), torch.randn(7, 5, 6)


def test_units_of_a_linear_layer_before_time_are_cut_for_every_stimulus(recurrent):
    network, shown = recurrent
    network.encoder.bias.data += 3.0
    with torch.no_grad(), perturbed(network, Perturbation("silence", "encoder", [1])):
        found = network(shown)
    cut = Recurrent()
    cut.load_state_dict(network.state_dict())
    cut.encoder.weight.data[1] = cut.encoder.bias.data[1] = 0.0
    with torch.no_grad():
        torch.testing.assert_close(found, cut(shown))
        assert (found != network(shown)).any(1).all()


def test_units_of_a_linear_layer_before_time_are_counted_without_the_batch(recurrent):
    network, shown = recurrent
    with (
        pytest.raises(InputError, match="'encoder' has units 0 to 3"),
        perturbed(network, Perturbation("silence", "encoder", [17])),
    ):
        network(shown)
    stimuli = as_stimuli(shown.transpose(0, 1).numpy(), dims=("stimulus", "time", "unit"))
    effect = perturbation_effect(
        network, {"cut": Perturbation("silence", "encoder", [1])}, stimuli, layers=["readout"], progress=False
    )
    assert float(effect.similarity.sel(perturbation="cut", layer="readout")) < 1


def test_a_layer_of_which_the_stimuli_are_not_known_is_refused_by_name(recurrent):
    network, shown = recurrent
    with (
        pytest.raises(InputError, match=r"layer 'relu' \(ReLU\) answers, of shape \(7, 5, 4\)") as caught,
        perturbed(network, Perturbation("silence", "relu", [1])),
    ):
        network(shown)
    assert "\n" not in str(caught.value)


def test_places_of_convolutions_and_what_follows_them_are_counted_as_recorded():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    for layer in ("0", "1"):
        with perturbed(network, Perturbation("clamp", layer, [9], amount=7.0)), torch.no_grad():
            found = network(torch.zeros(3, 1, 5, 5)).flatten(1)
        assert (found == 7).nonzero().tolist() == [[0, 9], [1, 9], [2, 9]]
    with perturbed(network, Perturbation("clamp", "0", [9], amount=7.0)), torch.no_grad():
        assert (network(torch.zeros(1, 5, 5)).flatten() == 7).nonzero().tolist() == [[9]]
