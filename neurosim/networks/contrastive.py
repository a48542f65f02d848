"""Contrastive learning without labels: two views of a stimulus are to be alike, and unlike all others."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from neurosim.schema import InputError


@dataclass(frozen=True)
class NTXent:
    """Normalised, temperature-scaled cross-entropy of SimCLR (https://arxiv.org/abs/2002.05709), for ``train``.

    Of a view i and the other view j of the same stimulus the loss is ``-log(exp(s_ij / t) / sum_k exp(s_ik / t))``, the
    sum over all other views k of the batch, with the cosine similarity s. Right is a view whose other one is the
    nearest.

    Parameters
    ----------
    temperature : t.

    Raises
    ------
    InputError : a temperature that is not positive.

    Examples
    --------
    >>> from torch import nn
    >>> from neurosim.tasks.augmentation import random_crops
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 16))
    >>> task = ns.tasks.two_views(ns.tasks.classification_task(ns.load_digits()), random_crops(1))
    >>> options = ns.networks.TrainingOptions(epochs=2)
    >>> history = ns.train(network, task, options, objective=ns.networks.NTXent(), progress=False)
    >>> bool(history.loss[1] < history.loss[0])
    True
    """

    temperature: float = 0.5

    def __post_init__(self) -> None:
        if not isinstance(self.temperature, int | float) or not 0 < self.temperature < math.inf:
            raise InputError(f"NTXent: temperature = {self.temperature!r}; a positive number is asked.")

    def check(self, outputs: object, targets: tuple[Tensor, ...]) -> None:
        """Refuse outputs that are no (batch, unit), and views without exactly one other view of their stimulus."""
        found = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        if not isinstance(outputs, Tensor) or outputs.ndim != 2 or len(outputs) != len(targets[0]):
            raise InputError(f"train: NTXent takes outputs (batch, unit), found {found}.")
        if targets[0].ndim != 1 or not bool((_same(targets[0]).sum(1) == 1).all()):
            raise InputError(
                "train: NTXent takes two views of each stimulus in a batch; make the task with two_views, and with a "
                "batch that all processes share evenly."
            )

    def losses(self, outputs: Tensor, targets: tuple[Tensor, ...]) -> Tensor:
        """Return the loss of every view."""
        self.check(outputs, targets)
        scores = self._similarity(outputs) / self.temperature
        of_the_other = (scores.masked_fill(~_same(targets[0]), 0.0)).sum(1)
        return torch.logsumexp(scores, 1) - of_the_other

    def n_right(self, outputs: Tensor, targets: tuple[Tensor, ...]) -> Tensor:
        """Return how many views have the other one of their stimulus as the nearest."""
        nearest = self._similarity(outputs.detach()).argmax(1)
        return (targets[0][nearest] == targets[0]).sum()

    def _similarity(self, outputs: Tensor) -> Tensor:
        """Return the cosine similarity of every pair of views; minus infinity of a view with itself."""
        unit = torch.nn.functional.normalize(outputs.float(), dim=1)
        return (unit @ unit.T).masked_fill(torch.eye(len(unit), dtype=torch.bool, device=unit.device), -math.inf)


def _same(numbers: Tensor) -> Tensor:
    """Return which other view is of the same stimulus (batch, batch)."""
    own = torch.eye(len(numbers), dtype=torch.bool, device=numbers.device)
    return (numbers[:, None] == numbers[None]) & ~own
