"""Batches as tensors, and what is refused before a training starts: requests and batches that cannot be learned."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from neurosim.networks.asked import Request, Task
from neurosim.networks.distributed import is_used
from neurosim.networks.flags import check_module, kept_flags, training_modes
from neurosim.networks.objectives import Objective
from neurosim.networks.optimization import TrainingOptions
from neurosim.schema import InputError

ASKED = ("categories", "is_sequence", "n_batches", "batches", "test_batches", "validation_batches")
TOO_FEW = "more than 1 value per channel"


def native(values: np.ndarray) -> np.ndarray:
    """Return an array as torch takes it: in one piece, writable, in this machine's byte order, in 64 bits at most."""
    dtype = np.dtype(np.float64) if values.dtype.kind == "f" and values.dtype.itemsize > 8 else values.dtype
    return np.require(values, dtype.newbyteorder("="), ["C", "W"])


def as_input(inputs: np.ndarray, task: Task, device: str) -> Tensor:
    """Return a copy of a batch on the device, sequences with time first, as spiking networks take them."""
    tensor = torch.from_numpy(native(inputs)).to(device, copy=True)
    return tensor.transpose(0, 1) if task.is_sequence else tensor


def as_targets(targets: Any, device: str) -> tuple[Tensor, ...]:
    """Return the arrays of a batch that say what is right, on the device."""
    arrays = targets if isinstance(targets, tuple) else (targets,)
    return tuple(torch.from_numpy(native(a)).to(device) for a in arrays)


def check_subject(asker: str, network: object, task: object) -> None:
    """Refuse what is no module, and what is no task."""
    check_module(asker, network)
    check_task(asker, task)


def check_task(asker: str, task: object) -> None:
    """Refuse what is no task, such as an array or a loader of data."""
    if isinstance(task, type) or not all(hasattr(task, name) for name in ASKED):
        found = task.__name__ if isinstance(task, type) else type(task).__name__
        raise InputError(
            f"{asker}: a task is asked, as classification_task(as_stimuli(values, coords={{'category': labels}})) is, "
            f"found {found}."
        )


def check_request(network: nn.Module, task: Task, options: object, objective: Objective | None) -> None:
    """Refuse requests of which a part is no such thing, or would be read by nobody."""
    check_subject("train", network, task)
    if not isinstance(options, TrainingOptions):
        raise InputError(f"train: options are TrainingOptions(epochs=...), found {type(options).__name__}.")
    _check_objective(objective)
    own = objective is not None or getattr(task, "judge", None) is not None
    if own and (options.class_weights != "equal" or options.label_smoothing):
        raise InputError(
            "train: class_weights and label_smoothing belong to the cross-entropy of labels, and another objective is "
            "at work; leave them out."
        )


def _check_objective(objective: object) -> None:
    """Refuse what is no objective, such as a loss of torch, or the class of one."""
    missing = [name for name in ("check", "losses", "n_right") if not callable(getattr(objective, name, None))]
    if objective is not None and (missing or isinstance(objective, type)):
        found = objective.__name__ if isinstance(objective, type) else type(objective).__name__
        lacks = f" without {', '.join(missing)}" if missing else ", a class"
        raise InputError(
            f"train: an objective has methods check, losses and n_right, each of (outputs, targets), as CrossEntropy "
            f"has; found {found}{lacks}."
        )


def check_batch(request: Request) -> None:
    """Show the first batch to the network, untrained, and refuse in one line what does not fit."""
    network, task, options, seed = request.network, request.task, request.options, request.seed
    where = request.share.device
    inputs, targets = next(iter(task.batches(0, options.batch_size, seed)), (np.zeros(0), np.zeros(0)))
    if len(inputs) == 0:
        raise InputError("train: the task has no training stimuli.")
    if next(iter(task.test_batches(1, seed)), None) is None:
        raise InputError("train: the task has no test stimuli.")
    if options.patience is not None and next(iter(task.validation_batches(1, seed)), None) is None:
        raise InputError("train: patience needs a validation set; make the task with validation_fraction=.")
    if not np.isfinite(inputs).all():
        raise InputError("train: the inputs of the first batch are not all finite numbers.")
    try:
        with kept_flags(network), torch.random.fork_rng(), torch.no_grad():
            outputs = network.eval()(as_input(inputs, task, where))
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"train: {type(network).__name__} does not take batches of shape {inputs.shape} ({reason})."
        ) from error
    request.objective.check(outputs, as_targets(targets, where))


def check_sizes(request: Request) -> None:
    """Refuse an epoch without any batch, and batches that are too small for batch normalisation."""
    network, task, options, share = request.network, request.task, request.options, request.share
    modes, least = training_modes(network), options.batch_size if options.drop_last else 1
    normalises = any(isinstance(m, nn.modules.batchnorm._BatchNorm) and modes[m] for m in modes)
    if not normalises and not options.drop_last and share.size == 1:
        return
    n_batches = task.n_batches(options.batch_size)
    first = [next(iter(task.batches(0, options.batch_size, request.seed, k)), None) for k in (0, n_batches - 1)]
    ends = [batch[0] for batch in first if batch is not None]
    used = [inputs for inputs in ends if is_used(inputs, share, least)]
    if not used:
        raise InputError(
            f"train: no batch is left: the largest holds {max(map(len, ends))} stimuli, batch_size = "
            f"{options.batch_size}, {share.size} process(es), drop_last = {options.drop_last}."
        )
    smallest = min(used, key=len)
    if normalises and len(smallest) // share.size == 1 and _is_too_small(network, task, smallest[:1], share.device):
        raise InputError(
            f"train: a batch holds {len(smallest)} stimuli for {share.size} process(es), and batch normalisation needs "
            "two a process; take drop_last=True or another batch_size."
        )


def _is_too_small(network: nn.Module, task: Task, inputs: np.ndarray, where: str) -> bool:
    """Whether the network, while it learns, cannot normalise this batch; it is left as it was."""
    before = {name: value.clone() for name, value in network.state_dict().items()}
    modes = training_modes(network)
    try:
        with kept_flags(network), torch.random.fork_rng(), torch.no_grad():
            for module, is_training in modes.items():
                module.training = is_training
            network(as_input(inputs, task, where))
    except ValueError as error:
        return TOO_FEW in str(error)
    finally:
        network.load_state_dict(before)
    return False
