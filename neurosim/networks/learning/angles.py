"""How far what a learning rule goes down by is from the gradient of the loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from neurosim.networks.asked import Task
from neurosim.networks.feeding import Portion, first_batch
from neurosim.networks.flags import check_module, kept_flags
from neurosim.networks.learning.at_work import bound, descend
from neurosim.networks.learning_rule import asked_rule
from neurosim.networks.measuring import default_objective
from neurosim.networks.objectives import Objective, as_objective
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.stepwise import reset_neurons
from neurosim.runtime import as_seed, torch_seeded
from neurosim.schema import InputError


def gradient_angles(
    network: nn.Module,
    task: Task,
    rule: object,
    *,
    batch_size: int = 64,
    objective: Objective | Callable[..., Tensor] | None = None,
    rng: np.random.Generator | int = 0,
) -> xr.DataArray:
    """Return the angle between what a rule goes down by and the gradient of the loss, on the first batch of a task.

    Parameters
    ----------
    network : a module that the rule takes; nothing of it is changed. task : batches, see ``neurosim.tasks``.
    rule : name of a learning rule, or the record of its options.
    batch_size : stimuli of the batch. objective : the loss, as ``train`` takes it. rng : seed, as that of ``train``.

    Returns
    -------
    angles (parameter), degrees, by name of the parameter, and of all together as ``attrs["all"]``; below 90 degrees, a
    small step lowers the loss. NaN where one of the two is zero.

    Raises
    ------
    InputError : a network that the rule does not take, a task without batches.

    References
    ----------
    Lillicrap TP, Cownden D, Tweed DB, Akerman CJ (2016) Nat Commun 7:13276, https://doi.org/10.1038/ncomms13276

    Examples
    --------
    >>> network = ns.build_network(ns.networks.MLPSpecification((20,)), (8, 8), 10)
    >>> task = ns.tasks.classification_task(ns.load_digits())
    >>> angles = ns.networks.gradient_angles(network, task, "feedback_alignment")
    >>> float(angles.sel(parameter="readout.weight"))
    0.0
    """
    check_module("gradient_angles", network)
    asked, seed = asked_rule(rule, asked_by="gradient_angles"), as_seed(rng, "gradient_angles")
    if not all(hasattr(task, name) for name in ("batches", "is_sequence")):
        raise InputError(f"gradient_angles: a task asked, found {type(task).__name__}.")
    portion = first_batch(task, "train", batch_size, seed)
    if portion is None:
        raise InputError("gradient_angles: the task has no training stimuli.")
    goal = default_objective(task, TrainingOptions()) if objective is None else as_objective(objective)
    at_work = bound(asked, network, seed, "gradient_angles")
    how: Callable[..., Any] = at_work.learn if at_work is not None else _descend_with(network)
    with kept_flags(network):
        network.eval()
        true = gradients(network, _descend_with(network), portion, goal)
        found = gradients(network, how, portion, goal)
    names = [name for name, p in network.named_parameters() if p.requires_grad]
    angles = [angle(found[name], true[name]) for name in names]
    everything = angle(*(torch.cat([g[n].flatten() for n in names]) for g in (found, true)))
    return xr.DataArray(
        angles,
        dims="parameter",
        coords={"parameter": names},
        attrs={"units": "degrees", "quantity": "angle", "all": everything, "rule": asked.rule.name},
    )


def gradients(
    network: nn.Module, learn: Callable[..., Any], portion: Portion, objective: Objective
) -> dict[str, Tensor]:
    """Return what `learn` adds to the gradients of a mean loss, by parameter; those that were there stay."""
    kept = {name: p.grad for name, p in network.named_parameters()}
    try:
        network.zero_grad(set_to_none=True)
        reset_neurons(network)
        with torch_seeded(0):
            learn(portion, objective, "the first batch", 1 / portion.n_all)
        named = network.named_parameters()
        return {name: torch.zeros_like(p) if p.grad is None else p.grad.clone() for name, p in named}
    finally:
        for name, parameter in network.named_parameters():
            parameter.grad = kept[name]


def angle(first: Tensor, other: Tensor) -> float:
    """Return the angle between two tensors, degrees; NaN where one is zero.

    Examples
    --------
    >>> angle(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.0]))
    90.0
    """
    a, b = first.double().flatten(), other.double().flatten()
    a, b = a / a.norm(), b / b.norm()
    return math.degrees(2 * math.atan2(float((a - b).norm()), float((a + b).norm())))


def _descend_with(network: nn.Module) -> Callable[..., Any]:
    def learn(portion: Portion, objective: Objective, place: str, weight: float) -> Any:
        return descend(network, portion, objective, place, weight)

    return learn
