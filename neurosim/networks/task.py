"""What training asks of a task: batches of inputs and of what is right, by epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from torch import nn

from neurosim.networks.distributed import Share
from neurosim.networks.objectives import Objective
from neurosim.networks.optimization import TrainingOptions

Batch = tuple[np.ndarray[Any, Any], Any]


class Task(Protocol):
    """What ``train`` asks of a task; ``neurosim.tasks.classification.ClassificationTask`` is one."""

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
    """One training: which network learns which task by which objective, how, and this process' share."""

    network: nn.Module
    task: Task
    objective: Objective
    options: TrainingOptions
    seed: int
    share: Share
