"""E-prop at work: the recurrent spikes of a layer pass no gradient, and errors reach it through weights of their own.

What is left of backpropagation through time then is the sum over steps of eligibility times learning signal, exactly:
:func:`neurosim.networks.spiking.eprop.eprop_gradients` computes the same forward in time, for a loss of every step.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from neurosim.networks.feeding import Portion
from neurosim.networks.learning.at_work import descend, instead
from neurosim.networks.learning.feedback import Backward, linear_layers, through
from neurosim.networks.learning_rules.eprop import EProp
from neurosim.networks.objectives import Objective
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.spiking.sequence import neuron_step, shaped, silence
from neurosim.runtime import seed_of
from neurosim.schema import InputError


def bind(network: nn.Module, options: EProp, seed: int) -> EPropAtWork:
    """Return e-prop on a network.

    Raises
    ------
    InputError : another number of layers, or weights of another kind.
    """
    who = type(network).__name__
    layers = [m for m in network.modules() if isinstance(m, SpikingLayer)]
    if len(layers) != 1:
        raise InputError(f"{who} has {len(layers)} layers of spiking neurons.")
    own = layers[0].recurrent
    if not isinstance(own, nn.Linear | None):
        raise InputError(f"recurrent weights of {who} are a {type(own).__name__}, not all to all.")
    linear = [m for m in linear_layers(network).values() if isinstance(m, nn.Linear)]
    known = {id(p) for m in (*linear, *([own] if own else [])) for p in m.parameters()}
    odd = [name for name, p in network.named_parameters() if id(p) not in known]
    if odd or len(linear) != 2:
        found = f"{odd[0]!r}, a weight of another kind" if odd else f"{len(linear)} nn.Linear"
        raise InputError(f"{who} has {found}.")
    if not any(p.requires_grad for m in (linear[0], own) if m is not None for p in m.parameters()):
        raise InputError(f"the weights of the spiking layer of {who} do not learn.")
    return EPropAtWork(network, layers[0], linear, options, seed)


def without_recurrent_paths(layer: SpikingLayer, currents: Tensor) -> Tensor:
    """Return the spikes (time, batch, ...) of a layer whose recurrent spikes pass no gradient."""
    c, state, spikes = shaped(layer.coefficients, currents[0]), silence(currents[0].detach()), []
    for now in currents.unbind(0):
        drive = now if layer.recurrent is None else now + layer.recurrent(state.spikes.detach())
        state, _ = neuron_step(state, drive, c, layer.surrogate)
        spikes.append(state.spikes)
    return torch.stack(spikes)


class EPropAtWork:
    """E-prop on the layers of a network."""

    def __init__(
        self, network: nn.Module, layer: SpikingLayer, linear: list[nn.Linear], options: EProp, seed: int
    ) -> None:
        self.network, self.layer, self.linear, self.options = network, layer, linear, options
        self.state = nn.Module()
        self.backward: Backward | None = None
        if options.feedback != "symmetric":
            self.backward = Backward(linear[1], options.feedback, options.scale, seed_of(seed, "feedback", "readout"))
        if options.feedback == "adaptive":
            self.state.add_module("backward", self.backward)

    def learn(self, portion: Portion, objective: Objective, place: str, weight: float) -> tuple[Any, Tensor]:
        """Add the gradients of a batch."""
        met: dict[nn.Module, Tensor] = {}
        changes: dict[nn.Module, Any] = {m: partial(self._passed, m, m.forward, met) for m in self.linear}
        changes[self.layer] = partial(self._spikes, met)
        before = None if self.backward is None else self.backward.before(self.linear[1])
        with instead(changes):
            found = descend(self.network, portion, objective, place, weight, partial(self._price, met, weight))
        if self.backward is not None:
            self.backward.follow(self.linear[1], before, self.options.decay)
        return found

    def _passed(self, layer: Any, forward: Any, met: dict[nn.Module, Tensor], inputs: Tensor) -> Tensor:
        """Return what a linear layer answers; the one that reads spikes sends errors back."""
        place = self.linear.index(layer)
        if layer in met or (place == 1) != (self.layer in met):
            raise InputError(
                "train: rule 'eprop': one nn.Linear, the spiking layer and the nn.Linear that reads it are called in "
                f"this order, each once; found {type(self.network).__name__} otherwise."
            )
        met[layer] = inputs
        if place == 0 or self.backward is None:
            answer: Tensor = forward(inputs)
            return answer
        return through(layer, self.backward.now(layer), forward, inputs)

    def _spikes(self, met: dict[nn.Module, Tensor], currents: Tensor, *, with_membrane: bool = False) -> Tensor:
        if with_membrane:
            raise InputError("train: rule 'eprop': the network reads membranes; it learns from spikes alone.")
        if self.layer in met:
            raise InputError("train: rule 'eprop': the spiking layer is called once, over the whole sequence.")
        met[self.layer] = without_recurrent_paths(self.layer, currents)
        return met[self.layer]

    def _price(self, met: dict[nn.Module, Tensor], weight: float) -> Tensor:
        """Return the price of rates that are not those asked for, of a whole batch, times its share of the step."""
        if self.layer not in met:
            raise InputError("train: rule 'eprop': forward does not call the spiking layer.")
        spikes = met[self.layer]
        if not self.options.rate_weight:
            return spikes.new_zeros(())
        n_batch = spikes.shape[1]
        off = spikes.mean((0, 1)) - self.options.rate * self.layer.neuron.dt
        return self.options.rate_weight * off.square().sum() / 2 * (weight * n_batch)
