"""What is refused while a network is trained or tested: a batch that does not fit when its turn comes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from neurosim.networks.feeding import Portion
from neurosim.networks.objectives import Objective
from neurosim.schema import InputError

KINDS = (RuntimeError, ValueError, IndexError, TypeError)
SAID = (InputError, torch.OutOfMemoryError, getattr(torch, "AcceleratorError", torch.OutOfMemoryError))


def answered(
    run: Callable[[Tensor], Any], network: nn.Module, objective: Objective, portion: Portion, place: str
) -> tuple[Any, Tensor]:
    """Return what a network answers to a batch, and the loss of every stimulus.

    Parameters
    ----------
    run : `network`, or what runs it. place : which batch it is, as "batch 3 of epoch 0".

    Raises
    ------
    InputError : inputs that the network, or labels that the objective does not take.
    """
    outputs = outputs_of(run, network, portion, f"train: {place}")
    try:
        return outputs, objective.losses(outputs, portion.targets)
    except SAID:
        raise
    except KINDS as error:
        try:
            objective.check(outputs, portion.targets)
        except InputError as known:
            raise InputError(f"train: {place}: {str(known).removeprefix('train: ')}") from error
        raise InputError(f"train: {place}: the loss does not take its labels ({_line(error)}).") from error


def outputs_of(run: Callable[[Tensor], Any], network: nn.Module, portion: Portion, place: str) -> Any:
    """Return what a network answers to a batch.

    Raises
    ------
    InputError : inputs that the network does not take; `place` says who asked, and for which.
    """
    try:
        return run(portion.inputs)
    except SAID:
        raise
    except KINDS as error:
        name, shape = type(network).__name__, tuple(portion.inputs.shape)
        raise InputError(f"{place}: {name} does not take inputs of shape {shape} ({_line(error)}).") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def first_unfit(inputs: Tensor, is_sequence: bool, before: int = 0) -> Tensor:
    """Return the number of the first stimulus with NaN or infinite values, `before` those of the batch; else infinity.

    It stays on the device, so that the processor does not wait.
    """
    if not inputs.is_floating_point():
        return torch.full((), math.inf, device=inputs.device)
    each = inputs.transpose(0, 1) if is_sequence else inputs
    bad = ~each.reshape(len(each), -1).isfinite().all(1)
    return torch.where(bad.any(), bad.int().argmax() + float(before), math.inf)
