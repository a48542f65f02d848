"""Unit k of a perturbation is unit k as recorded, whatever the kind of layer: the two count alike."""

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from neurosim.networks import ARCHITECTURES, LeakyRNNSpecification, SpikingLayer, build_network, perturbed
from neurosim.networks.perturbation import changed
from neurosim.networks.recording import record_responses
from neurosim.networks.recurrent import LeakyUnits, RateUnits
from neurosim.parameters import DiscreteAdaptiveLIFParameters, DiscreteLIFParameters, DiscreteSynapticParameters
from neurosim.schema import Perturbation, as_stimuli

RNG = np.random.default_rng(0)
VECTORS = as_stimuli(RNG.random((5, 12)).astype(np.float32) + 0.5)
PICTURES = as_stimuli(RNG.random((5, 3, 8, 8)).astype(np.float32) + 0.5, dims=("stimulus", "channel", "y", "x"))
TRAINS = as_stimuli(RNG.random((5, 6, 12)).astype(np.float32) + 1.0, dims=("stimulus", "time", "unit"), time_step=1e-3)


class Around(nn.Module):
    """A layer, and how it is called."""

    def __init__(self, layer, call=None):
        super().__init__()
        self.layer, self.call = layer, call or (lambda layer, x: layer(x))

    def forward(self, x):
        found = self.call(self.layer, x)
        return found[0] if isinstance(found, tuple) else found


class Cells(nn.Module):
    """A cell called once a step, which keeps its state in the loop."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        state = None
        for now in x:
            state = self.layer(now, state)
        return state[0] if isinstance(state, tuple) else state


class Steps(nn.Module):
    """Neurons of snnTorch called once a step."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return torch.stack([found[0] if isinstance(found := self.layer(now), tuple) else found for now in x])


def tokens(x):
    return x.reshape(len(x), 3, 4)


def attend(layer, x):
    t = tokens(x) if layer.batch_first else tokens(x).transpose(0, 1)
    return layer(t, t, t)


STILL = {
    "Linear": (lambda: nn.Linear(12, 6), VECTORS, None),
    "Linear over tokens": (lambda: nn.Linear(4, 6), VECTORS, lambda layer, x: layer(tokens(x))),
    "Linear over time": (lambda: nn.Linear(12, 6), TRAINS, None),
    "Embedding": (lambda: nn.Embedding(9, 6), VECTORS, lambda layer, x: layer((4 * x).long())),
    "LayerNorm": (lambda: nn.LayerNorm(12), VECTORS, None),
    "LayerNorm over two axes": (lambda: nn.LayerNorm((3, 4)), VECTORS, lambda layer, x: layer(tokens(x))),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(12), VECTORS, None),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(3), PICTURES, None),
    "GroupNorm": (lambda: nn.GroupNorm(1, 3), PICTURES, None),
    "Conv1d": (lambda: nn.Conv1d(3, 4, 2), VECTORS, lambda layer, x: layer(tokens(x))),
    "Conv2d": (lambda: nn.Conv2d(3, 4, 3), PICTURES, None),
    "Conv3d": (lambda: nn.Conv3d(1, 2, 2), PICTURES, lambda layer, x: layer(x.unsqueeze(1))),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(3, 2, 2), PICTURES, None),
    "MaxPool2d": (lambda: nn.MaxPool2d(2), PICTURES, None),
    "AvgPool2d": (lambda: nn.AvgPool2d(2), PICTURES, None),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d(2), PICTURES, None),
    "ReLU of vectors": (nn.ReLU, VECTORS, None),
    "ReLU of pictures": (nn.ReLU, PICTURES, None),
    "Flatten": (nn.Flatten, PICTURES, None),
    "block": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Softplus()), PICTURES, None),
    "attention, batch first": (lambda: nn.MultiheadAttention(4, 2, batch_first=True), VECTORS, attend),
    "attention, batch second": (lambda: nn.MultiheadAttention(4, 2), VECTORS, attend),
}
IN_TIME = {
    "SpikingLayer": lambda: Around(SpikingLayer(DiscreteLIFParameters())),
    "SpikingLayer, recurrent": lambda: Around(SpikingLayer(DiscreteLIFParameters(), n_recurrent=12)),
    "SpikingLayer, synaptic": lambda: Around(SpikingLayer(DiscreteSynapticParameters())),
    "SpikingLayer, adaptive": lambda: Around(SpikingLayer(DiscreteAdaptiveLIFParameters())),
    "Leaky": lambda: Steps(snn.Leaky(0.9, init_hidden=True)),
    "Synaptic": lambda: Steps(snn.Synaptic(0.8, 0.9, init_hidden=True)),
    "Alpha": lambda: Steps(snn.Alpha(0.9, 0.8, init_hidden=True)),
    "RLeaky": lambda: Steps(snn.RLeaky(0.9, linear_features=12, init_hidden=True)),
    "RNN": lambda: Around(nn.RNN(12, 6)),
    "LSTM": lambda: Around(nn.LSTM(12, 6, num_layers=2)),
    "GRU, bidirectional": lambda: Around(nn.GRU(12, 3, bidirectional=True)),
    "GRU, batch first": lambda: Around(nn.GRU(12, 6, batch_first=True), lambda layer, x: layer(x.transpose(0, 1))),
    "RNNCell": lambda: Cells(nn.RNNCell(12, 6)),
    "LSTMCell": lambda: Cells(nn.LSTMCell(12, 6)),
    "GRUCell": lambda: Cells(nn.GRUCell(12, 6)),
    "RateUnits": lambda: Around(RateUnits(12, 6, 0.5)),
    "LeakyUnits": lambda: Around(LeakyUnits(12, LeakyRNNSpecification(6, activation="softplus"))),
}


def compared(network, stimuli, layer, unit):
    """Return responses before and with a unit silenced, and which of the recorded units are that unit."""
    options = {"layers": [layer], "device": "cpu", "progress": False, "double": True}
    before = record_responses(network, stimuli, **options).values
    with changed(network, Perturbation("silence", layer, [unit])) as change:
        after = record_responses(network, stimuli, **options).values
    with perturbed(network, Perturbation("silence", layer, [unit])):
        np.testing.assert_array_equal(record_responses(network, stimuli, **options).values, after)
    assert before.shape[-1] % change.n_units == 0
    return before, after, np.arange(before.shape[-1]) % change.n_units == unit


@pytest.mark.parametrize("unit", [0, 1, 5])
@pytest.mark.parametrize("kind", STILL)
def test_the_unit_that_is_silenced_is_the_unit_that_is_recorded_silent(kind, unit):
    make, stimuli, call = STILL[kind]
    torch.manual_seed(0)
    network = Around(make(), call).eval()
    unit = min(unit, 3) if "attention" in kind else unit
    before, after, chosen = compared(network, stimuli, "layer", unit)
    assert chosen.any() and np.abs(before[..., chosen]).max() > 0
    np.testing.assert_array_equal(after[..., chosen], 0.0)
    np.testing.assert_allclose(after[..., ~chosen], before[..., ~chosen], rtol=1e-12, atol=1e-14)
    if kind.startswith(("Conv", "Batch", "Max", "Avg", "Adaptive", "block", "Flatten", "Linear", "ReLU")):
        assert chosen.sum() == {"Linear over tokens": 3, "Linear over time": 6}.get(kind, 1)


@pytest.mark.parametrize("unit", [0, 5])
@pytest.mark.parametrize("kind", IN_TIME)
def test_in_time_too_and_the_others_go_on_until_they_hear_of_it(kind, unit):
    torch.manual_seed(0)
    network = IN_TIME[kind]().eval()
    before, after, chosen = compared(network, TRAINS, "layer", unit)
    assert before.ndim == 3 and chosen.sum() == 1 and np.abs(before[..., chosen]).max() > 0
    np.testing.assert_array_equal(after[..., chosen], 0.0)
    forward = slice(0, 3) if "bidirectional" in kind else slice(None)  # the others begin at the end
    others = np.flatnonzero(~chosen)
    first = [u for u in others if u in range(before.shape[-1])[forward]]
    np.testing.assert_allclose(after[:, 0, first], before[:, 0, first], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("name", [n for n, a in ARCHITECTURES.items() if a.requires is None])
def test_units_of_every_recorded_layer_of_every_architecture(name):
    architecture = ARCHITECTURES[name]
    torch.manual_seed(0)
    stimuli = TRAINS if "sequence" in architecture.takes and "gray" not in architecture.takes else PICTURES[:, 0]
    if architecture.encoding is not None:
        stimuli = TRAINS
    shape = (12,) if architecture.encoding is not None else tuple(stimuli.shape[1:])
    network = build_network(architecture.examples[0], shape, 3).eval()
    for layer in network.recorded:
        _, after, chosen = compared(network, stimuli, layer, 1)
        assert chosen.any() and not after[..., chosen].any()
