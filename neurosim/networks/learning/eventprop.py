"""EventProp at work: the gradient of spike times, which the layers carry, and a push for neurons that never spike."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from neurosim.networks.feeding import Portion
from neurosim.networks.learning.at_work import descend, instead
from neurosim.networks.learning_rules.eventprop import EventProp
from neurosim.networks.objectives import Objective
from neurosim.networks.spiking.spike_times import SpikeTimeLayer
from neurosim.schema import InputError


def bind(network: nn.Module, options: EventProp, seed: int) -> EventPropAtWork:
    """Return EventProp on a network; `seed` is not used, as nothing is drawn.

    Raises
    ------
    InputError : weights of other layers.
    """
    del seed
    layers = [m for m in network.modules() if isinstance(m, SpikeTimeLayer)]
    known = {id(m.weight) for m in layers}
    odd = [name for name, p in network.named_parameters() if id(p) not in known]
    if odd or not layers:
        found = f"{odd[0]!r} of {type(network).__name__} is another" if odd else f"{type(network).__name__} has none"
        raise InputError(f"{found}.")
    return EventPropAtWork(network, layers, options)


class EventPropAtWork:
    """EventProp on the layers of a network."""

    def __init__(self, network: nn.Module, layers: list[SpikeTimeLayer], options: EventProp) -> None:
        self.network, self.layers, self.options = network, layers, options
        self.state = nn.Module()

    def learn(self, portion: Portion, objective: Objective, place: str, weight: float) -> tuple[Any, Tensor]:
        """Add the gradients of a batch."""
        silent: dict[nn.Module, Tensor] = {}
        changes: dict[nn.Module, Any] = {m: partial(self._heard, m, m.forward, silent) for m in self.layers}
        more = partial(self._wake, silent, weight * len(portion.inputs))
        with instead(changes):
            return descend(self.network, portion, objective, place, weight, more)

    @staticmethod
    def _heard(layer: SpikeTimeLayer, forward: Any, silent: dict[nn.Module, Tensor], earliness: Tensor) -> Tensor:
        answer: Tensor = forward(earliness)
        spikes = answer.detach().reshape(len(answer), -1, layer.n_spikes)
        silent[layer] = (spikes == 0).all(2).to(answer.dtype).mean(0)
        return answer

    def _wake(self, silent: dict[nn.Module, Tensor], share: float) -> Tensor:
        """Return what is linear in the weights: those of an output by how often it is silent, of others if always."""
        often = [silent[m] if m is self.layers[-1] else (silent[m] == 1).to(m.weight) for m in self.layers]
        pushed = [(m.weight.sum(1) * o).sum() for m, o in zip(self.layers, often, strict=True)]
        return -self.options.wake * share * torch.stack(pushed).sum()
