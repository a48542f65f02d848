"""Predictive coding at work: the input of every weighted layer but the first is a value that moves by itself.

The energy of a stimulus is its loss plus half the squared distance of each value v from what the layer before makes of
its own value. At the start values are those of the pass forward, and all energy is the loss; inference moves them down
the energy, and the gradient of the energy by the weights, local to each layer, is what weights go down by.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from neurosim.networks.chains import is_neuron
from neurosim.networks.feeding import Portion
from neurosim.networks.learning.at_work import instead
from neurosim.networks.learning.feedback import checked_layers
from neurosim.networks.learning_rules.predictive_coding import PredictiveCoding
from neurosim.networks.objectives import Objective
from neurosim.networks.unfit import answered
from neurosim.schema import InputError

WHO = "train: rule 'predictive_coding'"


def bind(network: nn.Module, options: PredictiveCoding, seed: int) -> PredictionAtWork:
    """Return predictive coding on a network; `seed` is not used, as nothing is drawn.

    Raises
    ------
    InputError : weights of other layers, batch normalisation, dropout, spiking neurons.
    """
    del seed
    layers = checked_layers(network)
    for name, module in network.named_modules():
        is_random = isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0
        if is_random or isinstance(module, nn.modules.batchnorm._NormBase) or is_neuron(module):
            raise InputError(f"{name!r} of {type(network).__name__} is a {type(module).__name__}.")
    return PredictionAtWork(network, layers, options)


class Pass(NamedTuple):
    """One pass: what is predicted of each value, what the network answers, and the loss of every stimulus."""

    predicted: list[Tensor]
    outputs: Any
    losses: Tensor


class PredictionAtWork:
    """Predictive coding on the layers of a network."""

    def __init__(self, network: nn.Module, layers: dict[str, Any], options: PredictiveCoding) -> None:
        self.network, self.layers, self.options = network, layers, options
        self.state = nn.Module()
        self.is_chain = False

    def learn(self, portion: Portion, objective: Objective, place: str, weight: float) -> tuple[Any, Tensor]:
        """Add the gradients of the energy after inference."""
        show = partial(self._shown, portion, objective, place)
        with torch.no_grad():
            first = show(None)
        values = [p.clone().requires_grad_() for p in first.predicted]
        if not values:
            raise InputError("train: rule 'predictive_coding' takes chains of two layers or more; found one.")
        if not self.is_chain:
            self._check_chain(portion, objective, place, values)
        if self.options.prediction == "fixed":
            now = show(values)
            errors = self._fixed_errors(now, values)
            tops, signals = [now.losses.sum(), *now.predicted], [now.losses.new_tensor(weight)]
            signals += [-weight * error for error in errors]
        else:
            for _ in range(self.options.n_steps):
                moves = torch.autograd.grad(self._energy(show(values), values), values)
                with torch.no_grad():
                    torch._foreach_sub_(values, moves, alpha=self.options.step)
            tops, signals = [self._energy(show(values), values)], [first.losses.new_tensor(weight)]
        learned = [p for p in self.network.parameters() if p.requires_grad]
        torch.autograd.backward(tops, signals, inputs=learned)
        return first.outputs, first.losses

    def _fixed_errors(self, now: Pass, values: list[Tensor]) -> list[Tensor]:
        """Return errors after inference whose predictions stay those of the pass forward."""
        errors = [torch.zeros_like(v) for v in values]
        tops = [now.losses.sum(), *now.predicted]
        for _ in range(self.options.n_steps):
            signals = [torch.ones_like(tops[0]), *(-e for e in errors)]
            brought = torch.autograd.grad(tops, values, signals, retain_graph=True)
            errors = [e - self.options.step * (e + b) for e, b in zip(errors, brought, strict=True)]
        return errors

    @staticmethod
    def _energy(now: Pass, values: list[Tensor]) -> Tensor:
        apart = [(v - p).square().sum() / 2 for v, p in zip(values, now.predicted, strict=True)]
        total: Tensor = now.losses.sum() + sum(apart)
        return total

    def _shown(self, portion: Portion, objective: Objective, place: str, values: list[Tensor] | None) -> Pass:
        """Show a batch to the network, whose layers are given `values` in the place of what reaches them."""
        met: list[tuple[str, Tensor]] = []
        changes: dict[nn.Module, Any] = {}
        for name, layer in self.layers.items():
            changes[layer] = partial(self._answer, name, layer.forward, met, values)
        with instead(changes):
            outputs, losses = answered(self.network, self.network, objective, portion, place)
        if len(met) < len(self.layers):
            raise InputError(f"{WHO}: forward calls {len(met)} of {len(self.layers)} layers.")
        return Pass([reached for _, reached in met[1:]], outputs, losses)

    @staticmethod
    def _answer(
        name: str, forward: Any, met: list[tuple[str, Tensor]], values: list[Tensor] | None, inputs: Tensor
    ) -> Tensor:
        if name in [n for n, _ in met]:
            raise InputError(f"{WHO}: forward calls layer {name!r} more than once.")
        given = values[len(met) - 1] if met and values is not None else inputs
        met.append((name, inputs))
        answer: Tensor = forward(given)
        return answer

    def _check_chain(self, portion: Portion, objective: Objective, place: str, values: list[Tensor]) -> None:
        """Refuse a network in which something else than the value before reaches a layer."""
        first = portion.inputs.detach().clone().requires_grad_(portion.inputs.is_floating_point())
        now = self._shown(replace(portion, inputs=first), objective, place, values)
        sources = [first, *values]  # the top of number k is made from the source of number k
        for k, top in enumerate([*now.predicted, now.losses]):
            others = [s for i, s in enumerate(sources) if i != k and s.requires_grad]
            found = torch.autograd.grad(top.sum(), others, retain_graph=True, allow_unused=True)
            if any(f is not None for f in found):
                raise InputError(f"{WHO}: layers of {type(self.network).__name__} are no chain; one is skipped.")
        self.is_chain = True
