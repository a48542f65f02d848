"""What a network reaches on a validation or test set, by the objective that it learns and by metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

from neurosim.networks.asked import Task
from neurosim.networks.distributed import Share
from neurosim.networks.door import Data, as_task
from neurosim.networks.feeding import Feeder, Part
from neurosim.networks.flags import check_module, kept_flags
from neurosim.networks.objectives import CrossEntropy, Objective, SquaredError, balanced_weights, indices
from neurosim.networks.optimization import Precision, TrainingOptions, autocast_of
from neurosim.networks.stepwise import reset_neurons
from neurosim.networks.unfit import answered, first_unfit
from neurosim.networks.watching import Measured, Watch
from neurosim.runtime import as_seed, pick_device
from neurosim.schema import InputError

AT_ONCE = 256  # stimuli


def test_accuracy(
    network: nn.Module,
    task: Task | Data | Iterable[Any],
    *,
    objective: Objective | None = None,
    rng: np.random.Generator | int = 0,
    device: str = "auto",
    precision: Precision = "float32",
) -> float:
    """Return the share of test stimuli that `network` answers rightly; of a loader or dataset, all are the test set."""
    check_module("test_accuracy", network)
    task = as_task(task, network, AT_ONCE, "test_accuracy")
    where = pick_device(device) if device == "auto" else device
    network.to(where)
    objective = objective or default_objective(task, TrainingOptions())
    feeder = Feeder(task, AT_ONCE, as_seed(rng, "test_accuracy"), Share(device=where))
    measured = measure(network, feeder, "test", objective, precision, Watch())
    if measured is None:
        raise InputError("test_accuracy: the task has no test stimuli.")
    return measured["accuracy"]


def measure(
    network: nn.Module, feeder: Feeder, part: Part, objective: Objective, precision: Precision, watch: Watch
) -> dict[str, float] | None:
    """Return the mean loss, the share right and the metrics over a part; None where there is none.

    Sums stay on the device until all batches were shown.
    """
    where = feeder.share.device
    sums, seen, watched = torch.zeros(3, dtype=exact(where), device=where), 0, Measured(watch, where)
    sums[2] = math.inf
    with kept_flags(network), torch.no_grad():
        network.eval()
        for portion in feeder.batches(part, size=AT_ONCE):
            reset_neurons(network)
            with autocast_of(precision, where):
                place = f"stimuli of the {part} set from {seen} on"
                outputs, losses = answered(network, network, objective, portion, place)
            sums[:2] += summed_up(losses, objective.n_right(outputs, portion.targets), sums)
            sums[2] = torch.minimum(sums[2], first_unfit(portion.inputs, feeder.task.is_sequence, seen))
            watched.add(outputs, portion.targets, portion.n_all)
            seen += portion.n_all
    if not seen:
        return None
    total, right, unfit = sums.tolist()
    if math.isfinite(unfit):
        raise InputError(f"train: stimulus {unfit:.0f} of the {part} set holds values that are NaN or infinite.")
    return {"loss": total / seen, "accuracy": right / seen} | watched.found()


def summed_up(losses: torch.Tensor, right: float | torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return the sum of losses and the number right as a tensor of the kind of `like`, on its device, unseen here."""
    known = right.to(like) if isinstance(right, torch.Tensor) else like.new_full((), right)  # no copy, so no waiting
    return torch.stack((losses.detach().sum().to(like.dtype), known))


def named(measured: dict[str, float], part: str) -> dict[str, float]:
    """Return what was measured with the name of the part before it; what nobody can say is left out."""
    return {f"{part}_{name}": value for name, value in measured.items() if name != "accuracy" or not math.isnan(value)}


def exact(device: str) -> torch.dtype:
    """Return the dtype of sums on a device."""
    return torch.float32 if device.startswith("mps") else torch.float64


def default_objective(task: Task, options: TrainingOptions) -> Objective:
    """Return the squared error of a task with a ``judge`` of its answers, else the cross-entropy of labels."""
    judge = getattr(task, "judge", None)
    if judge is not None:
        return SquaredError(judge)
    n = len(task.categories)
    weights = None
    if options.class_weights == "balanced":
        labels = [torch.from_numpy(np.asarray(y)) for y in _labels(task)]
        together = torch.cat([y.argmax(1) if y.is_floating_point() else indices(y) for y in labels])
        weights = balanced_weights(together, n)
    return CrossEntropy(n, weights, options.label_smoothing)


def _labels(task: Task) -> list[Any]:
    """Return the labels of training; of a task that keeps them apart, without reading its stimuli."""
    labels, parts = getattr(task, "labels", None), getattr(task, "parts", None)
    if isinstance(labels, np.ndarray) and isinstance(parts, dict):
        return [labels[parts["train"]]]
    return [y for _, y in task.batches(0, 4096, 0)]
