"""How a network is optimised: the options of a training, and the optimizer, schedule and precision that they mean."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import nn

from neurosim.networks.fingerprints import fingerprint_of
from neurosim.schema import InputError, suggest

Precision = Literal["float32", "bfloat16", "float16"]
Schedule = Literal["one_cycle", "cosine", "constant"]
Optimizer = Literal["adam", "adamw", "sgd"]
MakeOptimizer = Callable[[list[dict[str, Any]]], torch.optim.Optimizer]
MakeSchedule = Callable[[torch.optim.Optimizer, int], Any]


@dataclass(frozen=True)
class TrainingOptions:
    """How a network is trained: by default Adam with a one-cycle learning rate (https://arxiv.org/abs/1708.07120).

    Parameters
    ----------
    epochs : passes over the training set.
    batch_size : stimuli a step.
    learning_rate : highest learning rate.
    clip : gradients are scaled down to this norm.
    optimizer : "adam", "adamw" or "sgd" (with momentum 0.9); or a function of groups of parameters, each with its "lr",
        such as ``torch.optim.RMSprop`` or a ``partial`` of one. weight_decay : of the three that have a name.
    schedule : "one_cycle", "cosine" (down to 0) or "constant"; or a function of (optimizer, number of steps) -> a
        schedule of torch that is advanced after every step.
    precision : "float32", or mixed precision in "bfloat16" or "float16" (GPU only), weights kept in float32.
    patience : stop after that many epochs without a better validation loss and take the best weights back; never when
        absent.
    class_weights : "equal", or "balanced": categories count the same however many stimuli they have.
    label_smoothing : share of each label that goes to all categories.
    layer_rates : (pattern of parameter names, factor of the learning rate); the first that fits counts, 0 freezes for
        this training. Parameters that do not ask for gradients stay as they are whatever their factor.
    drop_last : leave out batches that are smaller than `batch_size`, the last of an epoch.
    accumulate : batches whose gradients are averaged for one step; the last of an epoch may be of fewer.
    ema : share of the running average of the weights that each step keeps, such as 0.999: the average is what is
        validated, tested and left in the network; none by default.
    truncate : steps after which gradients no longer reach back through the state of spiking layers, nn.RNN, nn.LSTM and
        nn.GRU: truncated backpropagation through time. Values and memory are those of the whole sequence.
    recompute : steps of a chunk whose past is computed anew in the backward pass instead of kept, see
        :func:`recomputed`: the whole gradient in less memory and one more forward pass; not with `truncate`.

    Raises
    ------
    InputError : a value that is unknown or out of its range.

    Examples
    --------
    >>> ns.networks.TrainingOptions(epochs=5, schedule="cosine").batch_size
    64
    >>> ns.networks.TrainingOptions(optimizer="adamm")
    Traceback (most recent call last):
    neurosim.schema.InputError: TrainingOptions: optimizer = 'adamm'; known: adam, adamw, sgd. Did you mean 'adam'?
    """

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 3e-3
    clip: float = 1.0
    optimizer: Optimizer | MakeOptimizer = "adam"
    weight_decay: float = 0.0
    schedule: Schedule | MakeSchedule = "one_cycle"
    precision: Precision = "float32"
    patience: int | None = None
    class_weights: Literal["equal", "balanced"] = "equal"
    label_smoothing: float = 0.0
    layer_rates: tuple[tuple[str, float], ...] = ()
    drop_last: bool = False
    accumulate: int = 1
    ema: float | None = None
    truncate: int | None = None
    recompute: int | None = None

    def __post_init__(self) -> None:
        for name, asked in ASKED.items():
            object.__setattr__(self, name, _number(name, getattr(self, name), *asked))
        if self.ema is not None:
            object.__setattr__(self, "ema", _number("ema", self.ema, *AVERAGED))
        for name in ("truncate", "recompute"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _number(name, getattr(self, name), *STEPS))
        if self.truncate is not None and self.recompute is not None:
            raise InputError(
                "TrainingOptions: truncate cuts what recompute carries from chunk to chunk; give one of them."
            )
        if callable(self.optimizer) and self.weight_decay:
            raise InputError("TrainingOptions: weight_decay belongs to the optimizers by name; give it to your own.")
        if self.patience is not None:
            object.__setattr__(self, "patience", _number("patience", self.patience, *WAITED))
        for name, known in (
            ("optimizer", get_args(Optimizer)),
            ("schedule", get_args(Schedule)),
            ("precision", get_args(Precision)),
            ("class_weights", ("equal", "balanced")),
        ):
            value = getattr(self, name)
            if name in ("optimizer", "schedule") and callable(value):
                continue
            if value not in known:
                raise InputError(
                    f"TrainingOptions: {name} = {value!r}; known: {', '.join(known)}.{suggest(str(value), known)}"
                )
        object.__setattr__(self, "layer_rates", _rates(self.layer_rates))


Asked = tuple[type, Callable[[Any], bool], str]
WAITED: Asked = (int, lambda n: n >= 1, "whole epochs, patience >= 1, or None")
AVERAGED: Asked = (float, lambda x: 0 < x < 1, "a share between 0 and 1, or None")
STEPS: Asked = (int, lambda n: n >= 1, "whole steps, at least 1, or None")
ASKED: dict[str, Asked] = {
    "epochs": (int, lambda n: n >= 1, "whole epochs, batch_size >= 1"),
    "batch_size": (int, lambda n: n >= 1, "whole epochs, batch_size >= 1"),
    "learning_rate": (float, lambda x: 0 < x < 10, "a number, learning_rate in 0..10"),
    "clip": (float, lambda x: x > 0, "a number, clip > 0"),
    "weight_decay": (float, lambda x: 0 <= x < math.inf, "a number, weight_decay >= 0"),
    "accumulate": (int, lambda n: n >= 1, "a whole number, accumulate >= 1"),
    "label_smoothing": (float, lambda x: 0 <= x < 1, "a number in 0..1, below 1"),
}


def _number(name: str, value: object, kind: type, fits: Callable[[Any], bool], asked: str) -> Any:
    """Return a number of Python's own kind, whatever library it came from."""
    kinds = (int, np.integer) if kind is int else (int, float, np.integer, np.floating)
    if isinstance(value, bool) or not isinstance(value, kinds) or not fits(value):
        raise InputError(f"TrainingOptions: {name} = {value!r}; asked: {asked}.")
    return kind(value)


def _rates(rates: Any) -> tuple[tuple[str, float], ...]:
    """Return patterns of parameter names, each with its factor."""
    pairs = list(rates) if isinstance(rates, list | tuple) else [rates]
    if not all(isinstance(p, list | tuple) and len(p) == 2 and isinstance(p[0], str) for p in pairs):
        raise InputError(f"TrainingOptions: layer_rates are pairs (pattern, factor of at least 0), found {rates!r}.")
    asked = (float, lambda x: 0 <= x < math.inf, "a pair (pattern, factor of at least 0)")
    return tuple((pattern, _number("layer_rates", factor, *asked)) for pattern, factor in pairs)


def optimizer_of(network: nn.Module, options: TrainingOptions) -> torch.optim.Optimizer:
    """Return the optimizer of the parameters that ask for gradients; those of factor 0 stop asking for them."""
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        factor = next((f for pattern, f in options.layer_rates if fnmatch.fnmatchcase(name, pattern)), 1.0)
        if factor == 0:
            parameter.requires_grad_(False)
        if parameter.requires_grad:
            groups.setdefault(factor, []).append(parameter)
    for pattern, _ in options.layer_rates:
        if not any(fnmatch.fnmatchcase(name, pattern) for name, _ in network.named_parameters()):
            raise InputError(f"train: layer_rates: no parameter is named like {pattern!r}.")
    if not groups:
        raise InputError(
            "train: every parameter is frozen, by requires_grad or by layer_rates; there is nothing to train."
        )
    own = [{"params": group, "lr": options.learning_rate * factor} for factor, group in groups.items()]
    if callable(options.optimizer):
        return _own_optimizer(options.optimizer, own)
    if options.optimizer == "sgd":
        return torch.optim.SGD(own, options.learning_rate, momentum=0.9, weight_decay=options.weight_decay)
    kind = torch.optim.Adam if options.optimizer == "adam" else torch.optim.AdamW
    return kind(own, lr=options.learning_rate, weight_decay=options.weight_decay)


def _own_optimizer(make: MakeOptimizer, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """Return what somebody's function makes of groups of parameters."""
    found = make(groups)
    if not isinstance(found, torch.optim.Optimizer) or isinstance(found, torch.optim.LBFGS):
        raise InputError(
            "train: optimizer= returns a torch.optim.Optimizer that steps without a closure, found "
            f"{type(found).__name__}."
        )
    return found


def schedule_of(
    optimizer: torch.optim.Optimizer, options: TrainingOptions, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """Return the schedule of the learning rate over so many steps."""
    schedules = torch.optim.lr_scheduler
    if callable(options.schedule):
        found = options.schedule(optimizer, steps)
        if not isinstance(found, schedules.LRScheduler) or isinstance(found, schedules.ReduceLROnPlateau):
            raise InputError(
                "train: schedule= returns a schedule of torch.optim.lr_scheduler that is advanced without a loss, "
                f"found {type(found).__name__}."
            )
        return found
    if options.schedule == "one_cycle":
        highest = [group["lr"] for group in optimizer.param_groups]
        has_momentum = all("momentum" in group or "betas" in group for group in optimizer.param_groups)
        return schedules.OneCycleLR(optimizer, highest, total_steps=steps, cycle_momentum=has_momentum)
    if options.schedule == "cosine":
        return schedules.CosineAnnealingLR(optimizer, steps)
    return schedules.ConstantLR(optimizer, 1.0)


def key_of(options: TrainingOptions) -> dict[str, Any]:
    """Return the options as a checkpoint knows them; functions by their code."""
    named = {f.name: getattr(options, f.name) for f in fields(options)}
    return {name: fingerprint_of(value) if callable(value) else value for name, value in named.items()}


def autocast_of(precision: Precision, where: str) -> torch.autocast:
    """Return the context in which a forward pass is computed in mixed precision, if at all."""
    dtype = torch.float16 if precision == "float16" else torch.bfloat16
    return torch.autocast(where.split(":", maxsplit=1)[0], dtype=dtype, enabled=precision != "float32")
