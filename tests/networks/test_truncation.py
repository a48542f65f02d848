"""Truncated backpropagation: values stay, gradients are those of chunks that start from a state without a past."""

import pytest
import snntorch as snn
import torch
from torch import nn

from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.recurrent import RateUnits
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.stepwise import OverTime, reset_neurons
from neurosim.networks.training import train, weights_of
from neurosim.networks.truncation import truncated
from neurosim.parameters import DiscreteLIFParameters
from neurosim.runtime import torch_seeded
from neurosim.schema import InputError, as_stimuli
from neurosim.tasks.classification import classification_task


class Reads(nn.Module):
    """A recurrent layer of torch and a readout of its last step."""

    def __init__(self, kind, **options):
        super().__init__()
        with torch_seeded(0):
            self.core, self.readout = kind(3, 5, **options), nn.Linear(5, 2)

    def forward(self, sequence):
        return self.readout(self.core(sequence)[0][-1])


class Spikes(nn.Module):
    """Recurrent spiking neurons and a readout of their last step."""

    def __init__(self):
        super().__init__()
        with torch_seeded(0):
            self.weights, self.readout = nn.Linear(3, 5), nn.Linear(5, 2)
            self.core = SpikingLayer(DiscreteLIFParameters(), n_recurrent=5)
            with torch.no_grad():
                self.weights.weight.mul_(4)

    def forward(self, sequence):
        return self.readout(self.core(self.weights(sequence))[-1])


def snntorch_network():
    with torch_seeded(0):
        layers = nn.Sequential(nn.Linear(3, 5), snn.Leaky(beta=0.9, init_hidden=True), nn.Linear(5, 2))
        with torch.no_grad():
            layers[0].weight.mul_(4)
    return OverTime(layers)


NETWORKS = {
    "RNN": lambda: Reads(nn.RNN),
    "LSTM": lambda: Reads(nn.LSTM, num_layers=2),
    "GRU": lambda: Reads(nn.GRU),
    "spiking": Spikes,
    "snnTorch": snntorch_network,
}
SEQUENCE = torch.rand(7, 4, 3, generator=torch.Generator().manual_seed(1))


def gradients(network, n_steps, sequence=SEQUENCE):
    network.zero_grad()
    with truncated(network, n_steps):
        reset_neurons(network)
        answer = network(sequence)
        last = answer[-1] if answer.ndim == 3 else answer
        last.square().sum().backward()
    return answer.detach(), [p.grad.clone() for p in network.parameters() if p.grad is not None]


@pytest.mark.parametrize("name", list(NETWORKS))
def test_values_stay_and_a_chunk_as_long_as_the_sequence_cuts_nothing(name):
    network = NETWORKS[name]()
    answer, whole = gradients(network, None)
    for n_steps in (2, 7, 50):
        found, cut = gradients(network, n_steps)
        torch.testing.assert_close(found, answer)
        equal = all(torch.allclose(a, b, atol=1e-6) for a, b in zip(whole, cut, strict=True))
        assert equal == (n_steps >= 7)
    assert "forward" not in vars(network.core if name != "snnTorch" else network)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_gradients_are_those_of_the_last_chunk_from_a_state_without_a_past(kind):
    network = Reads(kind)
    _, cut = gradients(network, 4)
    with torch.no_grad():
        _, state = network.core(SEQUENCE[:4])
    network.zero_grad()
    network.readout(network.core(SEQUENCE[4:], state)[0][-1]).square().sum().backward()
    for found, parameter in zip(cut, network.parameters(), strict=True):
        torch.testing.assert_close(found, parameter.grad)


def test_gradients_of_spikes_are_those_of_the_last_chunk():
    network = Spikes()
    _, cut = gradients(network, 4)
    with torch.no_grad():
        _, state = network.core.advance(network.weights(SEQUENCE[:4]))
    network.zero_grad()
    network.readout(network.core.advance(network.weights(SEQUENCE[4:]), state)[0][-1]).square().sum().backward()
    for found, parameter in zip(cut, network.parameters(), strict=True):
        torch.testing.assert_close(found, parameter.grad)


def test_training_takes_it_as_an_option():
    values = torch.rand(24, 7, 3, generator=torch.Generator().manual_seed(2)).numpy()
    stimuli = as_stimuli(values, dims=("stimulus", "time", "unit"), coords={"category": ["a", "b"] * 12})
    found = []
    for truncate in (None, 2, 7):
        network = Reads(nn.GRU)
        options = TrainingOptions(2, 8, truncate=truncate)
        train(network, classification_task(stimuli), options, device="cpu", progress=False)
        found.append(weights_of(network))
    assert all((found[0][k] != found[1][k]).any() for k in ("core.weight_hh_l0", "readout.weight"))
    assert all(abs(found[0][k] - found[2][k]).max() < 1e-6 for k in found[0])


class Decodes(Reads):
    """A recurrent layer that starts anew for the second half, from a state that another layer makes."""

    def forward(self, sequence):
        begin = torch.tanh(self.readout.weight.new_ones(1, 4, 5) * self.readout.bias.sum())
        return self.readout(torch.stack([self.core(part, begin)[0][-1] for part in sequence.split(4)]).sum(0))


class StepByStep(Reads):
    """A recurrent layer that is called once a step, with the state that it gave."""

    def forward(self, sequence):
        state = None
        for step in sequence:
            answer, state = self.core(step[None], state)
            state = tuple(1.0 * s for s in state) if isinstance(state, tuple) else state * 1.0
        return self.readout(answer[-1])


class ChunkByChunk(Spikes):
    """Spiking neurons whose state is carried from chunk to chunk."""

    def forward(self, sequence):
        state = None
        for chunk in self.weights(sequence).split(2):
            spikes, state = self.core.advance(chunk, state, carried=True)
        return self.readout(spikes[-1])


@pytest.mark.parametrize("make", [lambda: StepByStep(nn.GRU), lambda: StepByStep(nn.LSTM), ChunkByChunk])
def test_a_state_that_is_handed_on_outside_is_not_cut_and_refused(make):
    network = make()
    for _ in range(2):
        with pytest.raises(InputError, match=r"is called step by step and given its own state .* leave truncate out"):
            gradients(network, 3)
    with torch.no_grad(), truncated(network, 3):
        network(SEQUENCE)


def test_a_state_that_another_layer_makes_is_taken_and_keeps_its_gradient():
    network = Decodes(nn.GRU)
    _, whole = gradients(network, None)
    for _ in range(2):
        _, found = gradients(network, 4)
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(whole, found, strict=True))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Linear(3, 2), "Linear has none"),
        (lambda: RateUnits(3, 4, 0.1), "cannot cut 'the network', a RateUnits"),
        (lambda: nn.Sequential(nn.LSTMCell(3, 2)), "cannot cut '0', a LSTMCell"),
        (lambda: OverTime(nn.Sequential(snn.Leaky(beta=0.9))), "a Leaky, whose state is in other hands"),
        (lambda: Reads(nn.GRU, bidirectional=True), "also runs backwards"),
    ],
)
def test_what_cannot_be_cut_is_refused_in_one_line(make, message):
    with pytest.raises(InputError, match=message) as caught, truncated(make(), 3):
        pass
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="truncate = 0; asked: whole steps"):
        TrainingOptions(truncate=0)
