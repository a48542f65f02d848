"""A network whose layers drive each other in both directions until they rest: a Hopfield network in layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from neurosim.networks.architectures.equilibrium_mlp import EquilibriumMLPSpecification

States = list[Tensor]


class EquilibriumMLP(nn.Module):
    """Layers of units s in 0..1 that go down their energy, ``E = sum s^2 / 2 - sum s_l (W_l s_(l-1) + b_l)``.

    The same weights carry what goes up and, transposed, what comes down; the input stays. The last layer is read out.
    ``rested`` are the layers at rest, as they are recorded; who changes ``units`` changes them on their way there.
    """

    def __init__(
        self, specification: EquilibriumMLPSpecification, image_shape: tuple[int, ...], n_categories: int
    ) -> None:
        super().__init__()
        self.n_steps, self.step = specification.n_steps, specification.step
        sizes = (math.prod(image_shape), *specification.hidden)
        self.linears, self.units, self.rested = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        for i, (before, after) in enumerate(pairwise(sizes), start=1):
            self.linears[f"hidden{i}"] = nn.Linear(before, after)
            self.units[f"hidden{i}"] = nn.Hardtanh(0.0, 1.0)
            self.rested[f"hidden{i}"] = nn.Identity()
        self.readout = nn.Linear(sizes[-1], n_categories)
        self.recorded = (*(f"rested.{name}" for name in self.rested), "readout")

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, category) of inputs (batch, ...) from where the units are after all steps."""
        states = [at_rest(s) for at_rest, s in zip(self.rested.values(), self.rest(images), strict=True)]
        answer: Tensor = self.readout(states[-1])
        return answer

    def rest(
        self,
        images: Tensor,
        states: States | None = None,
        *,
        n_steps: int | None = None,
        push: Callable[[Tensor], Tensor] | None = None,
    ) -> States:
        """Return the states (batch, unit) of all layers after `n_steps` from `states`, or from zero.

        `push` is a further force on the last layer, given its state.
        """
        below = images.flatten(1)
        linears, units = list(self.linears.values()), list(self.units.values())
        if states is None:
            states = [below.new_zeros((len(below), m.out_features)) for m in linears]  # type: ignore[arg-type]
        for _ in range(self.n_steps if n_steps is None else n_steps):
            forces = [linear(s) - now for linear, s, now in zip(linears, [below, *states], states, strict=False)]
            for k in range(1, len(linears)):
                forces[k - 1] = forces[k - 1] + states[k] @ linears[k].weight  # type: ignore[operator]
            if push is not None:
                forces[-1] = forces[-1] + push(states[-1])
            states = [unit(s + self.step * f) for unit, s, f in zip(units, states, forces, strict=True)]
        return states

    def energy(self, images: Tensor, states: States) -> Tensor:
        """Return the energy (batch,) of states."""
        total = torch.zeros(len(images), dtype=states[0].dtype, device=states[0].device)
        for linear, below, now in zip(self.linears.values(), [images.flatten(1), *states], states, strict=False):
            total = total + (now.square() / 2 - now * linear(below)).sum(1)
        return total
