"""Feedback alignment at work: layers answer as ever, and pass errors back through weights of their own.

The answer of a layer f(x, W) is written as f(x', W) + f(x, B) - f(x, B)', where ' cuts the gradient: its value is the
same to the bit, its weights get their own gradient, and what goes on to x comes through B. This holds for whatever
layer is linear in x: nn.Linear and every convolution. Direct feedback adds, to the output, values of zero whose
gradient brings the error of the output through fixed weights to the input of each layer.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from torch import Tensor, nn

from neurosim.networks.feeding import Portion
from neurosim.networks.learning.at_work import descend, drawn, instead
from neurosim.networks.learning_rules.feedback_alignment import Feedback, FeedbackAlignment
from neurosim.networks.objectives import Objective
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.runtime import seed_of
from neurosim.schema import InputError

LINEAR = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
FORWARDS = tuple(kind.forward for kind in LINEAR)  # a subclass with code of its own is none of them
NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)


def bind(network: nn.Module, options: FeedbackAlignment, seed: int) -> FeedbackAtWork:
    """Return feedback alignment on a network.

    Raises
    ------
    InputError : weights of other layers, or that two layers share; fewer than two layers.
    """
    layers = checked_layers(network)
    if len(layers) < 2:
        raise InputError(f"{type(network).__name__} has {len(layers)} such layer, whose errors go nowhere.")
    return FeedbackAtWork(network, layers, options, seed)


def checked_layers(network: nn.Module) -> dict[str, Any]:
    """Return the linear layers and convolutions of a network by name.

    Raises
    ------
    InputError : weights of other layers, or that two layers share.
    """
    layers = linear_layers(network)
    able = [*layers.values(), *(m for m in network.modules() if isinstance(m, NORMS))]
    known = {id(p) for m in able for p in m.parameters(recurse=False)}
    for name, parameter in network.named_parameters():
        if id(parameter) not in known:
            raise InputError(f"{name!r} of {type(network).__name__} is a weight of another kind.")
    weights = [id(m.weight) for m in layers.values()]
    if len(set(weights)) < len(weights):
        raise InputError("two layers share their weights.")
    return layers


def linear_layers(network: nn.Module) -> dict[str, Any]:
    """Return the linear layers and convolutions of a network by name, those that connect spiking neurons left out."""
    within = [m.recurrent for m in network.modules() if isinstance(m, SpikingLayer)]
    return {name: m for name, m in network.named_modules() if type(m).forward in FORWARDS and m not in within}


class Backward(nn.Module):
    """The weights by which one linear layer passes errors back, of the shape of its own; biases pass none.

    Parameters
    ----------
    layer : nn.Linear or a convolution. feedback : as :class:`FeedbackAlignment` says. scale : of random weights.
    """

    def __init__(self, layer: Any, feedback: Feedback, scale: float, seed: int) -> None:
        super().__init__()
        weight = layer.weight
        sizes = drawn(tuple(weight.shape), scale / math.sqrt(weight[0].numel()), seed).to(weight)
        self.feedback = feedback
        self.weight = nn.Parameter(sizes, requires_grad=feedback == "adaptive")

    def now(self, layer: Any) -> Tensor:
        """Return the weights that errors go back through."""
        sizes = self.weight.detach()
        return layer.weight.detach().sign() * sizes.abs() if self.feedback == "sign" else sizes

    def before(self, layer: Any) -> Tensor | None:
        """Return a copy of the gradient that waits for the step already, where :meth:`follow` asks for it."""
        waits = self.feedback == "adaptive" and layer.weight.grad is not None
        return layer.weight.grad.clone() if waits else None

    def follow(self, layer: Any, before: Tensor | None, decay: float) -> None:
        """Change adaptive weights as those forward; `before` is the gradient that was there; both decay."""
        gradient = layer.weight.grad
        if self.feedback != "adaptive" or gradient is None:
            return
        change = gradient if before is None else gradient - before
        own = change + decay * self.weight.detach()
        self.weight.grad = own.clone() if self.weight.grad is None else self.weight.grad + own
        layer.weight.grad = gradient + decay * layer.weight.detach()


def through(layer: Any, weight: Tensor, forward: Any, inputs: Tensor) -> Tensor:
    """Return what a linear layer answers, whose errors go back through `weight`."""
    answer: Tensor = forward(inputs.detach())
    if not inputs.requires_grad:
        return answer
    if isinstance(layer, nn.Linear):
        back = nn.functional.linear(inputs, weight)
    else:
        back = layer._conv_forward(inputs, weight, None)
    return answer + (back - back.detach())


class FeedbackAtWork:
    """Feedback alignment on the layers of a network."""

    def __init__(self, network: nn.Module, layers: dict[str, Any], options: FeedbackAlignment, seed: int) -> None:
        self.network, self.layers, self.options, self.seed = network, layers, options, seed
        self.state = nn.Module()
        self.backward = nn.ModuleList()
        if not options.direct:
            seeds = [seed_of(seed, "feedback", name) for name in layers]
            scale, kind = options.scale, options.feedback
            self.backward.extend(Backward(m, kind, scale, s) for m, s in zip(layers.values(), seeds, strict=True))
        if options.feedback == "adaptive":
            self.state.add_module("backward", self.backward)

    def learn(self, portion: Portion, objective: Objective, place: str, weight: float) -> tuple[Any, Tensor]:
        """Add the gradients of a batch."""
        met: dict[str, Tensor] = {}
        pairs = list(zip(self.layers.values(), self.backward, strict=False))
        before = [back.before(layer) for layer, back in pairs]  # type: ignore[operator]
        changes: dict[nn.Module, Any] = {
            m: partial(self._answer, name, m, m.forward, met) for name, m in self.layers.items()
        }
        if self.options.direct:
            changes[self.network] = partial(self._with_errors, self.network.forward, met)
        with instead(changes):
            found = descend(self.network, portion, objective, place, weight)
        if missed := [name for name in self.layers if name not in met]:
            raise InputError(f"train: rule 'feedback_alignment': forward does not call layer {missed[0]!r}.")
        for (layer, back), waited in zip(pairs, before, strict=True):
            back.follow(layer, waited, self.options.decay)  # type: ignore[operator]
        return found

    def _answer(self, name: str, layer: Any, forward: Any, met: dict[str, Tensor], inputs: Tensor) -> Tensor:
        if name in met:
            raise InputError(f"train: rule 'feedback_alignment': forward calls layer {name!r} more than once.")
        met[name] = inputs
        if self.options.direct:
            answer: Tensor = forward(inputs.detach())
            return answer
        place = list(self.layers).index(name)
        return through(layer, self.backward[place].now(layer), forward, inputs)  # type: ignore[operator]

    def _with_errors(self, forward: Any, met: dict[str, Tensor], inputs: Tensor) -> Any:
        """Return the answer, whose error goes straight to the input of every layer."""
        outputs = forward(inputs)
        if not isinstance(outputs, Tensor) or outputs.ndim != 2:
            raise InputError("train: rule 'feedback_alignment': direct feedback takes outputs (batch, unit).")
        for name, reached in met.items():
            if not reached.requires_grad:
                continue
            if len(reached) != len(outputs):
                raise InputError(
                    f"train: rule 'feedback_alignment': direct feedback takes layers over (batch, ...), and {name!r} "
                    f"is given {tuple(reached.shape)} in a batch of {len(outputs)}."
                )
            flat = reached.flatten(1)
            bound = self.options.scale / math.sqrt(outputs.shape[1])
            straight = drawn((flat.shape[1], outputs.shape[1]), bound, seed_of(self.seed, "feedback", name)).to(flat)
            brought = flat @ straight
            outputs = outputs + (brought - brought.detach())
        return outputs
