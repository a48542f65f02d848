"""Train a network on a task, seeded and deterministic, and report honest test accuracy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from neurosim.networks.checkpoint import load_checkpoint, save_checkpoint
from neurosim.runtime import pick_device, torch_seeded, track
from neurosim.schema import InputError


class Task(Protocol):
    """What ``train`` asks of a task; ``neurosim.tasks.images.ImageTask`` is one."""

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the categories."""

    @property
    def encode(self) -> object:
        """Not None when inputs are sequences (batch, time, unit)."""

    def n_batches(self, batch_size: int) -> int:
        """Return the number of training batches an epoch."""

    def batches(self, epoch: int, batch_size: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the training batches of one epoch."""

    def test_batches(self, batch_size: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the test batches."""


@dataclass(frozen=True)
class TrainingOptions:
    """How a network is trained: Adam with a one-cycle learning rate (https://arxiv.org/abs/1708.07120).

    Parameters
    ----------
    epochs : passes over the training set.
    batch_size : stimuli a step.
    learning_rate : highest learning rate.
    clip : gradients are scaled down to this norm.
    """

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 3e-3
    clip: float = 1.0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1 or not 0 < self.learning_rate < 10:
            raise InputError(
                f"TrainingOptions: epochs, batch_size >= 1 and learning_rate in 0..10 asked, found {self}."
            )


def train(
    network: nn.Module,
    task: Task,
    options: TrainingOptions | None = None,
    *,
    seed: int = 0,
    device: str = "auto",
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> xr.Dataset:
    """Train `network` in place on `task` by gradient descent on the cross-entropy.

    With a `checkpoint`, a run that was killed at any moment goes on from its last whole epoch and ends with the same
    bits as one that was not (on the same machine and device).

    Parameters
    ----------
    network : module from inputs to logits (batch, category).
    task : labelled batches, see ``neurosim.tasks``.
    options : epochs, batch size, learning rate.
    seed : seed of shuffling and of every random layer.
    device : "auto" (a GPU when there is one), "cpu", "cuda".
    checkpoint : ``.safetensors`` file that is written after every epoch, and from which training goes on if it is
        there.

    Returns
    -------
    Dataset with ``loss`` and ``accuracy`` (training) along ``epoch``, and ``test_accuracy``.

    Raises
    ------
    InputError : the loss is no longer finite, or `checkpoint` is that of another training.
    StorageError : a truncated or changed checkpoint.
    """
    options = options or TrainingOptions()
    where = pick_device(device)
    network.to(where).train()
    path = None if checkpoint is None else Path(checkpoint)
    key = {"network": _shape_of(network), "categories": list(task.categories), "options": asdict(options), "seed": seed}
    losses: list[float] = []
    accuracies: list[float] = []
    with torch_seeded(seed):
        optimizer = torch.optim.Adam(network.parameters(), lr=options.learning_rate)
        steps = options.epochs * task.n_batches(options.batch_size)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.learning_rate, total_steps=steps)
        if path is not None and path.exists():
            about = load_checkpoint(path, network, optimizer, schedule, key)
            losses, accuracies = about["losses"], about["accuracies"]
        for epoch in track(range(len(losses), options.epochs), f"training {type(network).__name__}", progress=progress):
            total_loss, n_right, n_seen = 0.0, 0, 0
            for inputs, labels in task.batches(epoch, options.batch_size, seed):
                logits, truth = network(as_input(inputs, task, where)), torch.from_numpy(labels).to(where)
                loss = nn.functional.cross_entropy(logits, truth)
                if not torch.isfinite(loss):
                    raise InputError(f"train: the loss is {loss.item()} in epoch {epoch}; lower the learning_rate.")
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), options.clip)
                optimizer.step()
                schedule.step()
                total_loss += loss.item() * len(labels)
                n_right += int((logits.argmax(1) == truth).sum())
                n_seen += len(labels)
            losses.append(total_loss / n_seen)
            accuracies.append(n_right / n_seen)
            if path is not None:
                so_far = {"key": key, "losses": losses, "accuracies": accuracies}
                save_checkpoint(path, network, optimizer, schedule, so_far)
    return xr.Dataset(
        {
            "loss": ("epoch", losses),
            "accuracy": ("epoch", accuracies),
            "test_accuracy": test_accuracy(network, task, seed=seed, device=where),
        },
        coords={"epoch": np.arange(options.epochs)},
    )


def test_accuracy(network: nn.Module, task: Task, *, seed: int = 0, device: str = "auto") -> float:
    """Return the share of test stimuli that `network` names rightly."""
    where = pick_device(device)
    network.to(where).eval()
    n_right, n_seen = 0, 0
    with torch.no_grad():
        for inputs, labels in task.test_batches(256, seed):
            n_right += int((network(as_input(inputs, task, where)).argmax(1).cpu().numpy() == labels).sum())
            n_seen += len(labels)
    return n_right / n_seen


def weights_of(network: nn.Module) -> dict[str, np.ndarray]:
    """Return the weights and buffers of `network` as named arrays."""
    return {k: v.detach().cpu().numpy() for k, v in network.state_dict().items()}


def load_weights(network: nn.Module, tensors: dict[str, np.ndarray]) -> None:
    """Put named arrays into `network`; names and shapes must fit."""
    try:
        network.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in tensors.items()})
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"load_weights: the weights do not fit {type(network).__name__}: {reason}") from error


def _shape_of(network: nn.Module) -> dict[str, list[int]]:
    return {name: list(value.shape) for name, value in network.state_dict().items()}


def as_input(inputs: np.ndarray, task: Task, device: str) -> Tensor:
    """Return a batch on the device, sequences with time first, as spiking networks take them."""
    tensor = torch.from_numpy(np.ascontiguousarray(inputs)).to(device)
    return tensor.transpose(0, 1) if task.encode is not None else tensor
