"""Contrastive learning: its loss is that of the formula, its views are as the seed says, and it resumes bitwise."""

import numpy as np
import pytest
import torch
from torch import nn

import neurosim as ns
from neurosim.networks import NTXent, TrainingOptions, fit_readout
from neurosim.networks.training import weights_of
from neurosim.runtime import torch_seeded
from neurosim.schema import InputError
from neurosim.tasks.augmentation import chained, pixel_noise, random_crops

AUGMENT = chained(random_crops(1), pixel_noise(0.1))


def digits():
    return ns.tasks.classification_task(ns.load_digits()[:300], test_fraction=0.3)


def encoder():
    with torch_seeded(0):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 16))


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_the_loss_is_that_of_the_formula(temperature):
    rng = np.random.default_rng(0)
    values, numbers = rng.normal(size=(8, 5)), np.array([0, 1, 2, 3, 1, 0, 3, 2])
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    expected, right = [], 0
    for i in range(8):
        similar = {k: float(unit[i] @ unit[k]) for k in range(8) if k != i}
        other = next(k for k in similar if numbers[k] == numbers[i])
        total = sum(np.exp(s / temperature) for s in similar.values())
        expected.append(-np.log(np.exp(similar[other] / temperature) / total))
        right += max(similar, key=similar.get) == other
    found = NTXent(temperature).losses(torch.from_numpy(values), (torch.from_numpy(numbers),))
    assert np.allclose(found.numpy(), expected, atol=1e-5)
    assert NTXent(temperature).n_right(torch.from_numpy(values), (torch.from_numpy(numbers),)) == right


def test_views_are_two_of_each_stimulus_drawn_by_the_seed():
    task = ns.tasks.two_views(digits(), AUGMENT)
    first, again, other = (next(task.batches(0, 64, seed)) for seed in (0, 0, 1))
    assert np.array_equal(first[0], again[0]) and not np.array_equal(first[0], other[0])
    assert not np.array_equal(first[0][:32], first[0][32:]) and first[1].tolist() == [*range(32)] * 2
    later = list(task.batches(0, 64, 0))
    assert len(later) == task.n_batches(64) and np.array_equal(later[2][0], next(task.batches(0, 64, 0, 2))[0])
    plain = ns.tasks.two_views(digits(), lambda x, _rng: x)
    shown = next(plain.test_batches(16, 0))[0]
    assert np.array_equal(shown[:8], shown[8:]) and not list(plain.validation_batches(16, 0))


def test_it_learns_resumes_bitwise_and_its_features_are_read_out(tmp_path):
    task, whole, parted = ns.tasks.two_views(digits(), AUGMENT), encoder(), encoder()
    untrained = encoder()
    options = TrainingOptions(epochs=6, batch_size=64)
    history = ns.train(whole, task, options, objective=NTXent(), rng=3, progress=False)
    assert history.loss[-1] < history.loss[0] and history.test_accuracy > 0.05  # of 90 views, one is right

    def stop(moment):
        if moment.epoch == 3:
            raise KeyboardInterrupt

    kept = tmp_path / "run.safetensors"
    with pytest.raises(KeyboardInterrupt):
        ns.train(
            parted, task, options, objective=NTXent(), rng=3, checkpoint=kept, progress=False,
            watch=ns.networks.Watch(callbacks=(stop,)),
        )  # fmt: skip
    again = encoder()
    ns.train(again, task, options, objective=NTXent(), rng=3, checkpoint=kept, progress=False)
    assert all(np.array_equal(v, weights_of(whole)[k]) for k, v in weights_of(again).items())
    for network in (whole, untrained):
        ns.networks.replace_head(network, 10)
    assert ns.record_responses(whole, digits().test, layers=["2"], progress=False).sizes["unit"] == 48
    assert fit_readout(whole, digits()).test_accuracy > 0.75


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="temperature = 0"):
        NTXent(0)
    with pytest.raises(InputError, match="two views of each stimulus"):
        ns.train(encoder(), digits(), TrainingOptions(1), objective=NTXent(), progress=False)
    with pytest.raises(InputError, match=r"takes outputs \(batch, unit\)"):
        NTXent().check(torch.ones(2, 3, 4), (torch.zeros(2),))
    with pytest.raises(InputError, match="still stimuli is asked, found int"):
        ns.tasks.two_views(3, AUGMENT)
    with pytest.raises(InputError, match="augment is a function"):
        ns.tasks.two_views(digits(), 3)


def test_an_augmentation_takes_inputs_and_a_generator_and_keeps_the_shape():
    task = ns.tasks.classification_task(ns.load_digits()[:40])
    with pytest.raises(InputError, match=r"two_views: augment is a function of \(inputs, generator\)"):
        ns.tasks.two_views(task, lambda x: x)
    with pytest.raises(InputError, match=r"augment changes inputs and keeps their shape \(4, 8, 8\), found \(\)"):
        next(ns.tasks.two_views(task, lambda x, rng: None).batches(0, 8, 0))
    with pytest.raises(InputError, match="temperature = 'a'"):
        NTXent("a")
