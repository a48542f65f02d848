"""Every architecture learns, repeats by seed, and hands over the activity of its layers."""

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from neurosim.networks import ConvNetSpecification, RateRNNSpecification, SpikingConvNetSpecification
from neurosim.networks.architecture import build_network
from neurosim.networks.nir_export import to_nir
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.recording import iterate_layers, predict, record_responses
from neurosim.networks.training import load_weights, train, weights_of
from neurosim.parameters import from_metadata
from neurosim.runtime import torch_seeded
from neurosim.schema import InputError, as_stimuli
from neurosim.stimuli.images import load_digits
from neurosim.tasks.classification import classification_task

SPECIFICATIONS = [
    ConvNetSpecification((8, 16)),
    RateRNNSpecification(64),
    SpikingConvNetSpecification((8, 16), n_steps=6),
]


@pytest.fixture(scope="module")
def task():
    return classification_task(load_digits(), rng=1)


def trained(specification, task, epochs=6):
    with torch_seeded(1):
        network = build_network(specification, task.image_shape, 10)
    return network, train(network, task, TrainingOptions(epochs, learning_rate=1e-2), rng=1, progress=False)


@pytest.mark.parametrize("specification", SPECIFICATIONS, ids=lambda s: type(s).__name__)
def test_learns_and_repeats_bit_for_bit(specification, task):
    first, history = trained(specification, task)
    assert float(history.test_accuracy) > 0.85
    second, _ = trained(specification, task)
    for a, b in zip(weights_of(first).values(), weights_of(second).values(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("specification", SPECIFICATIONS, ids=lambda s: type(s).__name__)
def test_every_recorded_layer_answers(specification, task):
    network = build_network(specification, task.image_shape, 10)
    responses = record_responses(network, task.test[:5], progress=False)
    assert len(set(responses.layer.values)) == len(network.recorded)
    assert responses.sizes["stimulus"] == 5


def test_weights_return_as_they_were(task):
    network, _ = trained(SPECIFICATIONS[0], task, 1)
    other = build_network(SPECIFICATIONS[0], task.image_shape, 10)
    load_weights(other, weights_of(network))
    np.testing.assert_array_equal(predict(network, task.test), predict(other, task.test))
    with pytest.raises(InputError, match="do not fit"):
        load_weights(other, {"x": np.zeros(2)})


def test_memory_limit_and_batches_change_nothing(task):
    network = build_network(SPECIFICATIONS[0], task.image_shape, 10)
    whole = dict(iterate_layers(network, task.test[:20], progress=False))
    pieces = dict(iterate_layers(network, task.test[:20], batch_size=7, memory=1, progress=False))
    for name, values in whole.items():
        np.testing.assert_allclose(values, pieces[name], atol=1e-5)


def test_a_foreign_module_called_once_a_step_has_time():
    class Stepped(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.leaky = nn.Linear(4, 3), snn.Leaky(beta=0.9)

        def forward(self, images):
            membrane = self.leaky.init_leaky()
            for _ in range(5):
                spikes, membrane = self.leaky(self.linear(images.flatten(1)), membrane)
            return spikes

    stimuli = as_stimuli(np.random.default_rng(0).random((6, 2, 2)))
    responses = record_responses(Stepped(), stimuli, layers=["leaky"], progress=False)
    assert responses.dims == ("stimulus", "time", "unit")
    assert responses.shape == (6, 5, 3)


def test_unknown_unreached_and_mixed_layers_are_named(task):
    network = build_network(SPECIFICATIONS[0], task.image_shape, 10)
    with pytest.raises(InputError, match=r"no layer 'conv4' in ConvNet\. Layers: conv1, conv2.*Did you mean 'conv"):
        record_responses(network, task.test[:2], layers=["conv4"])
    lonely = nn.ModuleDict({"used": nn.Linear(64, 2), "unused": nn.Linear(2, 2)})
    lonely.forward = lambda x: lonely["used"](x.flatten(1))
    with pytest.raises(InputError, match="'unused' is never reached"):
        record_responses(lonely, task.test[:2], layers=["used", "unused"], progress=False)
    assert set(record_responses(lonely, task.test[:2], progress=False).layer.values) == {"used"}
    mixed = build_network(SPECIFICATIONS[1], task.image_shape, 10)
    with pytest.raises(InputError, match="answer over time"):
        record_responses(mixed, task.test[:2], layers=["recurrent", "readout"], progress=False)
    with pytest.raises(InputError, match="no layer with parameters"):
        record_responses(nn.Flatten(), task.test[:2])


def test_training_that_explodes_is_stopped(task):
    network = build_network(SPECIFICATIONS[0], task.image_shape, 10)
    with torch.no_grad():
        network.readout.bias.fill_(float("nan"))
    with pytest.raises(InputError, match="the loss is nan in epoch 0"):
        train(network, task, TrainingOptions(1), progress=False)
    with pytest.raises(InputError, match="epochs"):
        TrainingOptions(epochs=0)


def test_small_images_are_refused():
    with pytest.raises(InputError, match="too small"):
        build_network(ConvNetSpecification((4, 4, 4, 4)), (8, 8), 10)


def test_only_spiking_networks_become_graphs(spiking_mlp):
    with pytest.raises(InputError, match="no neurons that spike"):
        to_nir(nn.Linear(2, 2))
    graph = to_nir(spiking_mlp[0])
    assert from_metadata(graph.nodes["hidden1"].metadata)["reset"] == "subtract"
