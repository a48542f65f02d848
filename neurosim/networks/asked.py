"""What training asks of a task, and what is asked of a training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from torch import nn

from neurosim.networks.computing import Runtime
from neurosim.networks.distributed import Share
from neurosim.networks.learning_rule import Asked
from neurosim.networks.objectives import Objective
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.watching import Watch

Batch = tuple[np.ndarray, Any]


class Task(Protocol):
    """What ``train`` asks of a task; ``neurosim.tasks.classification.ClassificationTask`` is one.

    Inputs of a batch are (batch, ...), with time second where they are sequences; what is right is an array, or a tuple
    of arrays, (batch, ...).

    Examples
    --------
    >>> from torch import nn
    >>> class Ones:
    ...     categories, is_sequence = ("one", "two"), False
    ...
    ...     def n_batches(self, batch_size):
    ...         return 1
    ...
    ...     def batches(self, epoch, batch_size, seed, start=0):
    ...         yield np.eye(2, dtype=np.float32), np.array([0, 1])
    ...
    ...     def test_batches(self, batch_size, seed):
    ...         return self.batches(0, batch_size, seed)
    ...
    ...     def validation_batches(self, batch_size, seed):
    ...         return iter(())
    >>> ns.train(nn.Linear(2, 2), Ones(), ns.networks.TrainingOptions(epochs=2), progress=False).sizes["epoch"]
    2
    """

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the categories, or of the outputs."""

    @property
    def is_sequence(self) -> bool:
        """Whether inputs are sequences (batch, time, ...)."""

    def n_batches(self, batch_size: int, /) -> int:
        """Return the number of training batches an epoch."""

    def batches(self, epoch: int, batch_size: int, seed: int, start: int = 0, /) -> Iterator[Batch]:
        """Yield the training batches of one epoch from batch `start` on."""

    def test_batches(self, batch_size: int, seed: int, /) -> Iterator[Batch]:
        """Yield the test batches."""

    def validation_batches(self, batch_size: int, seed: int, /) -> Iterator[Batch]:
        """Yield the validation batches, if there are any."""


@dataclass(frozen=True)
class Request:
    """One training: which network learns which task by which objective and rule, how, and this process' share."""

    network: nn.Module
    task: Task
    objective: Objective
    options: TrainingOptions
    seed: int
    share: Share
    runtime: Runtime
    watch: Watch
    rule: Asked
