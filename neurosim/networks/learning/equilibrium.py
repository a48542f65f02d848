"""Equilibrium propagation at work: the gradient of the loss at rest from two states of rest and local differences."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from neurosim.networks.equilibrium import EquilibriumMLP, States
from neurosim.networks.feeding import Portion
from neurosim.networks.learning_rules.equilibrium_propagation import EquilibriumPropagation
from neurosim.networks.objectives import Objective
from neurosim.networks.unfit import answered
from neurosim.schema import InputError


def bind(network: nn.Module, options: EquilibriumPropagation, seed: int) -> EquilibriumAtWork:
    """Return equilibrium propagation on a network; `seed` is not used, as nothing is drawn.

    Raises
    ------
    InputError : a network without an energy.
    """
    del seed
    if not isinstance(network, EquilibriumMLP):
        raise InputError(f"{type(network).__name__} is none.")
    return EquilibriumAtWork(network, options)


class EquilibriumAtWork:
    """Equilibrium propagation on a network."""

    def __init__(self, network: EquilibriumMLP, options: EquilibriumPropagation) -> None:
        self.network, self.options = network, options
        self.state = nn.Module()

    def learn(self, portion: Portion, objective: Objective, place: str, weight: float) -> tuple[Any, Tensor]:
        """Add the difference of the nudged energies by the size of the nudge: the gradient, as that goes to zero."""
        show = partial(self._loss, portion, objective, place)
        with torch.no_grad():
            free = self.network.rest(portion.inputs)
            outputs, losses = show(free[-1])
        nudge = self.options.nudge
        other = -nudge if self.options.two_sided else 0.0
        states = {b: self._nudged(portion, free, b, show) if b else free for b in (nudge, other)}
        totals = {b: self._total(portion, s, b, show) for b, s in states.items()}
        torch.autograd.backward((totals[nudge] - totals[other]) * (weight / (nudge - other)))
        return outputs, losses

    def _loss(self, portion: Portion, objective: Objective, place: str, last: Tensor) -> tuple[Any, Tensor]:
        return answered(lambda _inputs: self.network.readout(last), self.network, objective, portion, place)

    def _nudged(self, portion: Portion, free: States, nudge: float, show: Any) -> States:
        """Return where the network rests when the loss pulls at its last layer."""

        def push(last: Tensor) -> Tensor:
            with torch.enable_grad():
                leaf = last.detach().requires_grad_()
                (slope,) = torch.autograd.grad(show(leaf)[1].sum(), leaf)
            return -nudge * slope

        with torch.no_grad():
            return self.network.rest(portion.inputs, free, n_steps=self.options.n_steps, push=push)

    def _total(self, portion: Portion, states: States, nudge: float, show: Any) -> Tensor:
        """Return the energy of all stimuli, with the loss times the nudge."""
        total: Tensor = self.network.energy(portion.inputs, states).sum()
        return total + nudge * show(states[-1])[1].sum() if nudge else total
