"""Step: train a network, or take its weights as they come."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import xarray as xr
from pydantic import TypeAdapter

from neurosim import storage
from neurosim.lessons import build_task
from neurosim.networks.architectures import Network, build_network
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.specifications import ARCHITECTURES, NetworkSpecification, SpikingMLPSpecification
from neurosim.networks.training import load_weights, train, weights_of
from neurosim.runtime import seed_of, torch_seeded
from neurosim.schema import InputError
from neurosim.stimuli.encoders import bernoulli_spikes
from neurosim.stimuli.images import resize_images
from neurosim.study.engine.step import Job
from neurosim.tasks.classification import ClassificationTask

OPTIONS = ("epochs", "batch_size", "learning_rate")


def run(job: Job) -> None:
    """Write ``weights.safetensors``, ``training.nc`` and ``network.json``."""
    config, training = job.config, job.config["training"]
    seed = seed_of(config["seed"], "train", config["name"])
    specification = specification_of(config)
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


def specification_of(config: dict[str, Any]) -> NetworkSpecification:
    """Return the record of a network from the plain values of a step."""
    return TypeAdapter(ARCHITECTURES[config["architecture"]]).validate_python(config["parameters"])


def task_of(training: dict[str, Any], specification: NetworkSpecification, seed: int) -> ClassificationTask:
    """Return what a network learns; images become spikes for networks that take spikes."""
    task = build_task(training["task"], rng=seed, n_train=training["n_images"])
    assert isinstance(task, ClassificationTask)
    if isinstance(specification, SpikingMLPSpecification):
        task = task.with_encoder(partial(bernoulli_spikes, n_steps=specification.n_steps))
    return task


def trained_network(config: dict[str, Any], folder: Path) -> Network:
    """Return the network that a ``train`` step left in `folder`."""
    about = storage.read_json(folder / "network.json")
    network = build_network(specification_of(config), tuple(about["image_shape"]), len(about["categories"]))
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
