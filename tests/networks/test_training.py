"""Training that is killed and resumed ends with the same bits; checkpoints of other trainings are refused."""

import subprocess
import time

import numpy as np
import pytest
import torch

from neurosim.networks import (
    ConvNetSpecification,
    LeakyRNNSpecification,
    MLPSpecification,
    SpikingRNNSpecification,
    training,
)
from neurosim.networks.architecture import build_network
from neurosim.networks.evaluation import evaluate
from neurosim.networks.objectives import balanced_weights
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.training import Checkpoint, train, weights_of
from neurosim.networks.transfer import replace_head
from neurosim.runtime import torch_seeded
from neurosim.schema import InputError
from neurosim.stimuli.images import load_digits
from neurosim.storage import StorageError
from neurosim.tasks.augmentation import chained, pixel_noise, random_crops, random_flips
from neurosim.tasks.classification import classification_task
from tests import forks

CHILD = """
import sys
from tests.networks.test_training import trained
from tests import forks
trained(sys.argv[1])
"""


def trained(checkpoint, epochs=10, seed=2):
    """A small CNN with dropout, so that the random state counts."""
    task = classification_task(load_digits(), rng=1)
    with torch_seeded(seed):
        network = build_network(ConvNetSpecification((4, 8)), task.image_shape, 10)
        network = torch.nn.Sequential(torch.nn.Dropout(0.1), network)
    options = TrainingOptions(epochs=epochs, batch_size=128)
    return network, train(network, task, options, rng=seed, device="cpu", checkpoint=checkpoint, progress=False)


def test_a_killed_training_goes_on_to_the_same_bits(tmp_path):
    torch.set_num_threads(1)
    whole, history = trained(None)
    path = tmp_path / "run.safetensors"
    child = subprocess.Popen(forks.command("-c", CHILD, str(path)))
    while child.poll() is None and not path.exists():
        time.sleep(0.01)
    child.kill()
    child.wait()
    resumed, again = trained(path)
    for name, value in weights_of(whole).items():
        np.testing.assert_array_equal(value, weights_of(resumed)[name])
    np.testing.assert_array_equal(history.loss.values, again.loss.values)
    assert float(history.test_accuracy) == float(again.test_accuracy)


def small_task(**options):
    return classification_task(load_digits()[:400], rng=1, **options)


def small_network(task, seed=0):
    with torch_seeded(seed):
        return build_network(MLPSpecification((32,), dropout=0.1), task.image_shape, 10)


class KilledError(Exception):
    """Stands for the power that goes out."""


@pytest.mark.parametrize("n_written", [1, 4, 5, 9])
def test_a_training_cut_off_inside_an_epoch_goes_on_to_the_same_bits(tmp_path, monkeypatch, n_written):
    task = small_task(validation_fraction=0.2)
    options = TrainingOptions(4, 32, 5e-3, patience=2, schedule="cosine", optimizer="sgd")
    whole = small_network(task)
    history = train(whole, task, options, device="cpu", progress=False)
    path, saved = tmp_path / "run.safetensors", []
    plain = training.save_checkpoint

    def save(*arguments):
        plain(*arguments)
        saved.append(1)
        if len(saved) == n_written:
            raise KilledError

    monkeypatch.setattr(training, "save_checkpoint", save)
    with pytest.raises(KilledError):
        train(small_network(task), task, options, device="cpu", checkpoint=Checkpoint(path, every=3), progress=False)
    monkeypatch.setattr(training, "save_checkpoint", plain)
    resumed = small_network(task, seed=7)
    again = train(resumed, task, options, device="cpu", checkpoint=Checkpoint(path, every=3), progress=False)
    for name, value in weights_of(whole).items():
        np.testing.assert_array_equal(value, weights_of(resumed)[name])
    assert history.identical(again)


def test_patience_takes_the_best_weights_back():
    task = small_task(validation_fraction=0.3, n_per_category=3)
    network = small_network(task)
    history = train(network, task, TrainingOptions(60, 16, 3e-2, patience=3, schedule="constant"), progress=False)
    best = int(history.best_epoch)
    assert history.sizes["epoch"] == best + 4 < 60
    assert best == int(history.validation_loss.argmin())
    network.eval()
    images, labels = next(task.validation_batches(256, 0))
    loss = torch.nn.functional.cross_entropy(network(torch.from_numpy(images)), torch.from_numpy(labels))
    assert float(loss) == pytest.approx(float(history.validation_loss.min()), rel=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"precision": "bfloat16"},
        {"optimizer": "adamw", "weight_decay": 1e-2},
        {"schedule": "constant"},
        {"label_smoothing": 0.1},
        {"class_weights": "balanced"},
    ],
)
def test_every_option_learns(change):
    task = small_task()
    network = small_network(task)
    history = train(network, task, TrainingOptions(15, 32, 5e-3, **change), progress=False)
    assert float(history.test_accuracy) > 0.7
    assert {p.dtype for p in network.parameters()} == {torch.float32}


@pytest.mark.parametrize("specification", [SpikingRNNSpecification((12,)), LeakyRNNSpecification(12)])
def test_recurrent_networks_train_in_mixed_precision(specification):
    sequence = 2 * torch.rand(9, 4, 5)
    network = build_network(specification, (9, 5), 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = network(sequence)
    outputs.float().square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_frozen_layers_stay_and_slow_ones_lag():
    task = small_task()
    network = small_network(task)
    name = replace_head(network, 10)
    before = weights_of(network)
    rates = ((f"{name}.*", 1.0), ("*", 0.0))
    train(network, task, TrainingOptions(2, 32, layer_rates=rates), progress=False)
    after = weights_of(network)
    moved = {k: not np.array_equal(before[k], after[k]) for k in before}
    assert moved == {k: k.startswith(name) for k in before}
    with pytest.raises(InputError, match="nothing to train"):
        train(network, task, TrainingOptions(1, layer_rates=(("*", 0.0),)), progress=False)
    with pytest.raises(InputError, match="is named like 'head"):
        train(network, task, TrainingOptions(1, layer_rates=(("head*", 0.1),)), progress=False)


def test_balanced_weights_make_every_category_count_the_same():
    labels = torch.tensor([0, 0, 0, 1])
    weights = torch.tensor(balanced_weights(labels, 2))
    sums = torch.zeros(2).index_add_(0, labels, weights[labels].float())
    torch.testing.assert_close(sums, torch.full((2,), 2.0))


def test_mixup_and_augmentation_train():
    task = small_task().with_augmentation(chained(random_crops(1), random_flips(0.0), pixel_noise(0.1)), mixup=0.2)
    _, labels = next(task.batches(0, 32, 0))
    assert labels.shape == (32, 10)
    np.testing.assert_allclose(labels.sum(1), 1, rtol=1e-6)
    assert float(train(small_network(task), task, TrainingOptions(20, 32, 5e-3), progress=False).test_accuracy) > 0.6


def test_events_are_written_for_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    task = small_task()
    train(small_network(task), task, TrainingOptions(2, 64), log=tmp_path, progress=False)
    assert list(tmp_path.glob("events.out.tfevents*"))


class Broken:
    """A task that holds what a user may hand over by mistake."""

    categories, is_sequence = ("a", "b", "c"), False

    def __init__(self, inputs, labels):
        self.batch = (np.asarray(inputs, dtype=np.float32), np.asarray(labels))

    def n_batches(self, batch_size):
        return 1

    def batches(self, *_):
        yield self.batch

    test_batches = validation_batches = batches


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        (np.zeros((4, 6)), [0, 1, 2, 3], r"labels lie in 0\.\.2 for 3 categories, found 0\.\.3"),
        (np.zeros((4, 6)), [0, 1, -1, 2], r"found -1\.\.2"),
        (np.full((4, 6), np.nan), [0, 1, 2, 0], "not all finite"),
        (np.zeros((4, 5)), [0, 1, 2, 0], r"does not take batches of shape \(4, 5\)"),
        (np.zeros((0, 6)), np.zeros(0, dtype=int), "no training stimuli"),
        (np.zeros((4, 6)), np.array([0.0, 1.0, 2.0, 0.0]), "whole numbers"),
        (np.zeros((4, 6)), np.eye(3, dtype=int)[[0, 1, 2, 0]], r"found \(4, 3\); pass rows of categories as"),
        (np.zeros((4, 6)), np.array([[0], [1], [2], [0]]), r"labels of shape \(4,\) asked, found \(4, 1\)"),
    ],
)
def test_bad_batches_are_refused_before_training(inputs, labels, message):
    network = torch.nn.Linear(6, 3)
    before = weights_of(network)
    with pytest.raises(InputError, match=message):
        train(network, Broken(inputs, labels), progress=False)
    assert all(np.array_equal(before[k], v) for k, v in weights_of(network).items())


@pytest.mark.parametrize("dtype", ["bool", "int32", "uint8"])
def test_labels_of_any_whole_dtype_are_learned_alike(dtype):
    def learned(labels):
        network = torch.nn.Linear(6, 2)
        torch.nn.init.ones_(network.weight)
        torch.nn.init.zeros_(network.bias)
        task = Broken(np.eye(4, 6), labels)
        task.categories = ("no", "yes")
        options = TrainingOptions(1, class_weights="balanced")
        history = train(network, task, options, device="cpu", progress=False)
        return history, evaluate(network, task, device="cpu")

    labels = np.array([0, 1, 1, 0])
    for one, other in zip(learned(labels), learned(labels.astype(dtype)), strict=True):
        assert one.identical(other)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: train(torch.nn.Linear(6, 4), Broken(np.zeros((4, 6)), [0, 1, 2, 0])), r"logits of shape \(4, 3\)"),
        (lambda: TrainingOptions(optimizer="adma"), "Did you mean 'adam'"),
        (lambda: TrainingOptions(epochs=0), "epochs, batch_size >= 1"),
        (lambda: TrainingOptions(patience=0), "patience >= 1"),
        (
            lambda: train(small_network(small_task()), small_task(), TrainingOptions(1, patience=1)),
            "validation_fraction",
        ),
        (lambda: train(small_network(small_task()), small_task(), device="gpu"), "device = 'gpu' is not known"),
        (lambda: replace_head(torch.nn.ReLU(), 3), "found 0 such layers"),
    ],
)
def test_bad_requests_are_one_line(make, message):
    with pytest.raises(InputError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("precision", ["float16"])
def test_what_only_a_gpu_does_is_refused_without_one(precision):
    if torch.cuda.is_available():
        device, message = "cpu", "needs a GPU"
    else:
        device, message = "cuda", "sees no GPU"
        with pytest.raises(InputError, match="needs a GPU"):
            train(small_network(small_task()), small_task(), TrainingOptions(precision=precision), progress=False)
    with pytest.raises(InputError, match=message):
        train(
            small_network(small_task()),
            small_task(),
            TrainingOptions(precision=precision),
            device=device,
            progress=False,
        )


def test_other_or_damaged_checkpoints_are_refused_before_training(tmp_path):
    path = tmp_path / "run.safetensors"
    trained(path, epochs=1)
    with pytest.raises(InputError, match=r"another training \(it differs in options\)"):
        trained(path, epochs=2)
    with pytest.raises(InputError, match="it differs in seed"):
        trained(path, epochs=1, seed=5)
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    with pytest.raises(StorageError, match="safetensors"):
        trained(path, epochs=1)
    changed = bytearray(content)
    changed[len(content) // 2] ^= 1
    path.write_bytes(bytes(changed))
    with pytest.raises(StorageError, match="changed after it was written"):
        trained(path, epochs=1)


def test_a_generator_draws_the_seed_and_what_is_no_seed_is_refused():
    task = small_task()

    def weights(rng):
        network = small_network(task)
        train(network, task, TrainingOptions(1), rng=rng, device="cpu", progress=False)
        return weights_of(network)

    drawn = int(np.random.default_rng(5).integers(2**63 - 1))
    for one, other in zip(weights(np.random.default_rng(5)).values(), weights(drawn).values(), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(InputError, match="train: rng is a seed"):
        weights("now")
