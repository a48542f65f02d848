"""A rule at work on a network: what training asks of it, and how it is bound."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from neurosim.networks.asked import Request
from neurosim.networks.feeding import Portion
from neurosim.networks.learning_rule import Asked
from neurosim.networks.objectives import Objective
from neurosim.networks.unfit import answered
from neurosim.registry import called
from neurosim.schema import InputError


class AtWork(Protocol):
    """A learning rule on a network.

    The parameters of `state` are learned by the optimizer beside those of the network, its buffers are kept with them
    in checkpoints; what is drawn once is drawn from the seed and not kept.
    """

    state: nn.Module

    def learn(self, portion: Portion, objective: Objective, place: str, weight: float) -> tuple[Any, Tensor]:
        """Add to ``grad`` what a step goes down by, for the sum of losses times `weight`.

        Returns
        -------
        what the network answers, and the loss of every stimulus (batch,).
        """


def bound(asked: Asked, network: nn.Module, seed: int, asker: str = "train") -> AtWork | None:
    """Return a rule at work on a network; None for backpropagation.

    Raises
    ------
    InputError : a network that the rule does not take.
    """
    if asked.rule.bind is None:
        return None
    try:
        rule: AtWork = called(asked.rule.bind)(network, asked.options, seed)
    except InputError as error:
        raise InputError(f"{asker}: rule {asked.rule.name!r} takes {asked.rule.takes}; {error}") from None
    return rule


def check_rule(request: Request) -> None:
    """Refuse what belongs to backpropagation alone."""
    asked = request.rule
    if asked.rule.bind is None:
        return
    options, runtime = request.options, request.runtime
    found = {
        f"precision {options.precision!r}": options.precision != "float32",
        f"truncate = {options.truncate}": options.truncate is not None,
        "compile": bool(runtime.compile),
        f"{request.share.size} processes": request.share.size > 1,
    }
    for name, is_there in found.items():
        if is_there:
            raise InputError(f"train: rule {asked.rule.name!r} works in one process in float32, not with {name}.")


def descend(
    network: nn.Module,
    portion: Portion,
    objective: Objective,
    place: str,
    weight: float,
    more: Callable[[], Tensor] | None = None,
) -> tuple[Any, Tensor]:
    """Add the gradient that torch finds through `network` as it is now; `more` is a further loss, taken as it is.

    Returns
    -------
    outputs and losses, as :meth:`AtWork.learn`.
    """
    outputs, losses = answered(network, network, objective, portion, place)
    total = losses.sum() * weight
    if more is not None:
        total = total + more()
    if not total.requires_grad:
        raise InputError("train: the loss has no gradient; compute it from what the network answers.")
    torch.autograd.backward(total)
    return outputs, losses.detach()


@contextlib.contextmanager
def instead(changes: dict[nn.Module, Callable[..., Any]]) -> Iterator[None]:
    """Let modules run another forward inside the block."""
    for module, forward in changes.items():
        module.forward = forward
    try:
        yield
    finally:
        for module in changes:
            del module.forward


def drawn(shape: tuple[int, ...], bound_: float, seed: int) -> Tensor:
    """Return uniform numbers in -`bound_`..`bound_` that belong to `seed`."""
    generator = torch.Generator().manual_seed(seed)
    return torch.empty(shape).uniform_(-bound_, bound_, generator=generator)
