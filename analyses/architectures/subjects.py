"""The networks of the architectures study: what they are, how digits reach them, how they are trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np
import xarray as xr

from neurosim import networks as sp
from neurosim.networks.architecture import Specification
from neurosim.networks.optimization import TrainingOptions
from neurosim.schema import as_stimuli, stimulus_labels
from neurosim.stimuli.encoders import bernoulli_spikes, encode_rate
from neurosim.stimuli.images import load_digits, resize_images
from neurosim.tasks.classification import ClassificationTask, classification_task

Shown = Literal["image", "rows", "spikes", "colour"]
N_STEPS = 25


@dataclass(frozen=True)
class Subject:
    """A network, how it is shown digits, and how it is trained."""

    specification: Specification
    shown: Shown = "image"
    options: TrainingOptions = field(default_factory=lambda: TrainingOptions(30, 64, 4e-3))
    group: str = "feedforward"


SPIKING = TrainingOptions(20, 64, 5e-3)


def steep(kind: str) -> sp.NeuronSpecification:
    """Return neurons whose surrogate gradient is steep, as recurrent ones need it."""
    return sp.NeuronSpecification(kind, surrogate="fast_sigmoid", slope=10.0)


SUBJECTS: dict[str, Subject] = {
    "MLP": Subject(sp.MLPSpecification((128, 64))),
    "CNN": Subject(sp.ConvNetSpecification((16, 32))),
    "deeper CNN": Subject(sp.ConvNetSpecification((16, 32, 64), 64, convolutions=2)),
    "ResNet-18": Subject(sp.VisionSpecification("resnet18"), "colour", TrainingOptions(5, 64, 2e-3)),
    "MobileNetV2": Subject(sp.VisionSpecification("mobilenet_v2"), "colour", TrainingOptions(8, 64, 3e-3)),
    "rate RNN": Subject(sp.RateRNNSpecification(96), group="recurrent"),
    "GRU": Subject(sp.GRUSpecification(96), group="recurrent"),
    "LSTM": Subject(sp.LSTMSpecification(96), group="recurrent"),
    "transformer": Subject(
        sp.TransformerSpecification(64, 4, 2, 128), "rows", TrainingOptions(40, 64, 2e-3), "attention"
    ),
    "autoencoder": Subject(sp.AutoencoderSpecification((16, 32), 16), group="unsupervised"),
    "VAE": Subject(sp.VAESpecification((16, 32), 16), group="unsupervised"),
    "spiking MLP": Subject(sp.SpikingMLPSpecification((64, 32), n_steps=N_STEPS), "spikes", SPIKING, "spiking"),
    "spiking CNN": Subject(sp.SpikingConvNetSpecification((16, 32)), "image", SPIKING, "spiking"),
    "spiking CNN, synaptic": Subject(
        sp.SpikingConvNetSpecification((16, 32), neuron=sp.NeuronSpecification("synaptic", tau_syn=3e-3)),
        "image", SPIKING, "spiking",
    ),
    "spiking CNN, adaptive": Subject(
        sp.SpikingConvNetSpecification((16, 32), neuron=sp.NeuronSpecification("adaptive")), "image", SPIKING, "spiking"
    ),
    "spiking RNN": Subject(
        sp.SpikingRNNSpecification((96,), neuron=steep("lif")), "rows", TrainingOptions(30, 64, 4e-3), "spiking"
    ),
    "spiking RNN, adaptive": Subject(
        sp.SpikingRNNSpecification((96,), neuron=steep("adaptive")), "rows", TrainingOptions(30, 64, 4e-3),
        "spiking",
    ),
}  # fmt: skip


def task_of(subject: Subject, seed: int) -> ClassificationTask:
    """Return the digits as `subject` is shown them; the split is the same for all."""
    task = classification_task(load_digits(), rng=seed)
    if subject.shown == "spikes":
        return task.with_encoder(partial(bernoulli_spikes, n_steps=N_STEPS))
    return ClassificationTask(as_shown(task.train, subject), as_shown(task.test, subject), task.categories)


def as_shown(images: xr.DataArray, subject: Subject) -> xr.DataArray:
    """Return images (stimulus, y, x) as they reach a subject in a recording."""
    if subject.shown == "colour":
        large = resize_images(images, 32)
        return large.expand_dims(channel=3, axis=1)
    if subject.shown == "rows":
        rows = np.repeat(images.values, 4, axis=1)
        return as_stimuli(rows, dims=("stimulus", "time", "unit"), ids=images.stimulus.values.tolist(),
                          coords=stimulus_labels(images), time_step=1e-3)  # fmt: skip
    return images


def as_recorded(images: xr.DataArray, subject: Subject) -> xr.DataArray:
    """Return images as they reach a subject in a recording: spikes are drawn once."""
    return encode_rate(images, n_steps=N_STEPS) if subject.shown == "spikes" else as_shown(images, subject)
