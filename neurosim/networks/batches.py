"""What is refused before a training starts: requests and batches that cannot be learned."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurosim.networks.asked import Request, Task
from neurosim.networks.door import BroughtTask
from neurosim.networks.feeding import Feeder, Portion, first_batch, places_of
from neurosim.networks.flags import kept_flags, training_modes
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.watching import check_metrics
from neurosim.runtime import forked_random
from neurosim.schema import InputError

TOO_FEW = "more than 1 value per channel"


def check_options(options: object) -> None:
    """Refuse options that are none."""
    if not isinstance(options, TrainingOptions):
        raise InputError(f"train: options are TrainingOptions(epochs=...), found {type(options).__name__}.")


def check_request(task: Task, options: TrainingOptions, objective: object) -> None:
    """Refuse options that would be read by nobody."""
    own = objective is not None or getattr(task, "judge", None) is not None
    if own and (options.class_weights != "equal" or options.label_smoothing):
        raise InputError(
            "train: class_weights and label_smoothing belong to the cross-entropy of labels, and another objective is "
            "at work; leave them out."
        )


def check_batch(request: Request) -> None:
    """Show the first batch to the network, untrained, and refuse in one line what does not fit."""
    network, task, options, seed = request.network, request.task, request.options, request.seed
    first = first_batch(task, "train", options.batch_size, seed, request.share.device)
    if first is None or first.n_all == 0:
        raise InputError("train: the task has no training stimuli.")
    if not isinstance(task, BroughtTask) and first_batch(task, "test", 1, seed) is None:
        raise InputError("train: the task has no test stimuli.")
    if options.patience is not None and first_batch(task, "validation", 1, seed) is None:
        raise InputError("train: patience needs a validation set; make the task with validation_fraction=.")
    if not bool(first.inputs.isfinite().all()):
        raise InputError("train: the inputs of the first batch are not all finite numbers.")
    try:
        with kept_flags(network), forked_random(), torch.no_grad():
            outputs = network.eval()(first.inputs)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split())[:200]
        shape = tuple((first.inputs.transpose(0, 1) if task.is_sequence else first.inputs).shape)
        raise InputError(
            f"train: {type(network).__name__} does not take batches of shape {shape} ({reason})."
        ) from error
    request.objective.check(outputs, first.targets)
    with torch.no_grad():
        check_metrics(request.watch, outputs, first.targets)


def check_sizes(request: Request) -> None:
    """Refuse an epoch without any batch, and batches that are too small for batch normalisation."""
    network, options, share = request.network, request.options, request.share
    modes, least = training_modes(network), options.batch_size if options.drop_last else 1
    normalises = any(isinstance(m, nn.modules.batchnorm._BatchNorm) and modes[m] for m in modes)
    if not normalises and not options.drop_last and share.size == 1:
        return
    ends = _ends(request)
    used = [size for size in ends if size >= max(share.size, least)]
    if not used:
        raise InputError(
            f"train: no batch is left: the largest holds {max(ends)} stimuli, batch_size = {options.batch_size}, "
            f"{share.size} process(es), drop_last = {options.drop_last}."
        )
    if normalises and min(used) // share.size == 1 and _is_too_small(request):
        raise InputError(
            f"train: a batch holds {min(used)} stimuli for {share.size} process(es), and batch normalisation needs "
            "two a process; take drop_last=True or another batch_size."
        )


def _ends(request: Request) -> list[int]:
    """Return the sizes of the first and the last batch; of a loader the first alone, as only reading tells the last."""
    task, size, seed = request.task, request.options.batch_size, request.seed
    places = places_of(task, "train", 0, seed)
    if places is not None:
        return [min(size, len(places)), (len(places) - 1) % size + 1]
    if isinstance(task, BroughtTask):
        first = first_batch(task, "train", size, seed)
        return [] if first is None else [first.n_all]
    starts = (0, task.n_batches(size) - 1)
    found = [next(iter(Feeder(task, size, seed).batches("train", 0, start)), None) for start in starts]
    return [portion.n_all for portion in found if portion is not None]


def _is_too_small(request: Request) -> bool:
    """Whether the network, while it learns, cannot normalise a batch of one stimulus; it is left as it was."""
    network, task = request.network, request.task
    first = first_batch(task, "train", 1, request.seed, request.share.device)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    modes = training_modes(network)
    try:
        with kept_flags(network), forked_random(), torch.no_grad():
            for module, is_training in modes.items():
                module.training = is_training
            network(one_of(first, task.is_sequence))
    except ValueError as error:
        return TOO_FEW in str(error)
    finally:
        network.load_state_dict(before)
    return False


def one_of(portion: Portion | None, is_sequence: bool) -> Tensor:
    """Return the inputs of the first stimulus of a batch, as a batch of one."""
    assert portion is not None
    return portion.inputs[:, :1] if is_sequence else portion.inputs[:1]
