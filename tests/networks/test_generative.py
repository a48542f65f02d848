"""Networks that make images, and maps that organise themselves."""

import numpy as np
import pytest
import torch

from neurosim.networks import AutoencoderSpecification, VAESpecification
from neurosim.networks.architecture import build_network
from neurosim.networks.generative import GAN, train_gan
from neurosim.networks.objectives import Reconstruction
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.recording import record_responses
from neurosim.networks.som import SelfOrganisingMap, map_errors, train_som
from neurosim.networks.training import train
from neurosim.runtime import torch_seeded
from neurosim.schema import InputError, as_stimuli
from neurosim.stimuli.images import load_digits
from neurosim.tasks.classification import classification_task

OPTIONS = TrainingOptions(40, 64, 1e-2)


def reconstructions():
    digits = load_digits()[:600]
    task = classification_task(digits)
    return task.reconstruction()


@pytest.mark.parametrize("specification", [AutoencoderSpecification((8, 16)), VAESpecification((8, 16))])
def test_autoencoders_explain_most_of_the_variance(specification):
    task = reconstructions()
    with torch_seeded(0):
        network = build_network(specification, task.image_shape, 0)
    history = train(network, task, OPTIONS, objective=Reconstruction(price=0.05), progress=False)
    assert float(history.test_accuracy) > 0.4
    assert float(history.loss[-1]) < float(history.loss[0])
    codes = record_responses(network, load_digits()[:5], progress=False)
    assert codes.sizes["unit"] == 16
    if hasattr(network, "sample"):
        assert network.sample(3).shape == (3, 8, 8) and np.array_equal(network.sample(3), network.sample(3))


def test_a_variational_code_of_no_use_costs_nothing():
    network = build_network(VAESpecification((4,), n_code=3), (8, 8), 0).eval()
    torch.nn.init.zeros_(network.encoder[-1].weight)
    torch.nn.init.zeros_(network.encoder[-1].bias)
    images = torch.rand(4, 8, 8)
    outputs = network(images)
    objective = Reconstruction()
    plain = objective.losses(outputs[0], (images,))
    torch.testing.assert_close(objective.losses(outputs, (images,)), plain)


def test_a_generator_and_its_teacher_learn_against_each_other():
    task = classification_task(load_digits()[:500])
    with torch_seeded(0):
        network = GAN((8, 8), channels=(8, 16), n_code=8)
    history = train_gan(network, task, epochs=3, progress=False)
    assert set(history) == {"generator_loss", "discriminator_loss", "fooled"} and history.sizes["epoch"] == 3
    made = network.sample(20)
    assert made.shape == (20, 8, 8) and made.min() >= 0 and made.max() <= 1 and made.std(0).max() > 0


def test_a_map_of_a_square_lies_flat():
    rng = np.random.default_rng(0)
    values = rng.random((600, 2)).astype(np.float32)
    stimuli = as_stimuli(values, coords={"category": ["a", "b"] * 300})
    network = SelfOrganisingMap(2, 6, 6)
    found = train_som(network, classification_task(stimuli), epochs=25, widths=(3.0, 0.5), progress=False)
    assert float(found.test_topographic_error) < 0.05
    assert float(found.quantization_error[-1]) < 0.5 * float(found.quantization_error[0])
    apart = torch.cdist(network.place, network.place)
    shuffled = network.weights[torch.from_numpy(rng.permutation(36))]
    assert map_errors(torch.from_numpy(values), shuffled, apart)[1] > 0.5
    activity = record_responses(network, stimuli[:4], progress=False)
    assert activity.shape == (4, 36) and (activity <= 0).all()


def test_bad_requests_are_one_line():
    task = classification_task(load_digits()[:200])
    with pytest.raises(InputError, match="the map takes 3 values, stimuli have 64"):
        train_som(SelfOrganisingMap(3), task)
    with pytest.raises(InputError, match="at least 2 x 2"):
        SelfOrganisingMap(3, 1, 5)
    with pytest.raises(InputError, match="cannot be halved"):
        build_network(AutoencoderSpecification((4, 8, 16, 32)), (8, 8), 0)
