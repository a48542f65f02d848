"""Liquid state machines: fixed random columns of spiking neurons, read out (https://doi.org/10.1162/089976602760407955).

A neuron excites or inhibits all that it reaches (Dale's law), the nearer the likelier; nothing but the readout learns.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurosim.networks.architectures.liquid_state_machine import LiquidStateMachineSpecification
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.spiking_networks import neurons_of

# of the paper, by kinds of the neurons (from, to): excitatory, inhibitory
LIKELY = ((0.3, 0.2), (0.4, 0.1))
MEAN = ((1.0, 2.0), (-19 / 30, -19 / 30))  # weights, in units of that from excitatory to excitatory


class LiquidStateMachine(nn.Module):
    """A column of spiking neurons with fixed random connections, and a linear readout of their rates.

    ``places`` (unit, 3) says where its neurons are, ``excites`` which of them are excitatory. Weights have an
    exponential distribution, so that their standard deviation is their mean, as in the paper.
    """

    def __init__(
        self, specification: LiquidStateMachineSpecification, input_shape: tuple[int, ...], n_categories: int
    ) -> None:
        super().__init__()
        s, n, n_inputs = specification, specification.n_units, input_shape[-1]
        self.places: Tensor
        self.excites: Tensor
        self.register_buffer("places", torch.cartesian_prod(*map(torch.arange, s.column)).float())
        self.register_buffer("excites", torch.randperm(n) < round(s.excitatory * n))
        self.linear = nn.Linear(n_inputs, n)
        self.spikes = nn.ModuleDict({"liquid": neurons_of(s.neuron, n)})
        self.readout = nn.Linear(n, n_categories)
        recurrent = self._liquid.recurrent
        assert recurrent is not None
        with torch.no_grad():
            self.linear.weight.copy_(_input_weights(s, n_inputs))
            self.linear.bias.zero_()
            recurrent.weight.copy_(_weights(s, self.places, self.excites))
            recurrent.bias.zero_()
        for fixed in (self.linear, self._liquid):
            fixed.requires_grad_(False)
        self.time_step = s.neuron.dt
        self.recorded = ("spikes.liquid",)

    @property
    def _liquid(self) -> SpikingLayer:
        found = self.spikes["liquid"]
        assert isinstance(found, SpikingLayer)
        return found

    def chain(self) -> list[tuple[str, nn.Module]]:
        """Return (name, module) of all layers in the order in which the signal reaches them."""
        return [("linear", self.linear), ("spikes.liquid", self._liquid), ("readout", self.readout)]

    def forward(self, sequence: Tensor) -> Tensor:
        """Return logits (batch, category) of a sequence (time, batch, unit): the rates of the liquid, weighted."""
        answer: Tensor = self.readout(self._liquid(self.linear(sequence)).mean(0))
        return answer


def _input_weights(s: LiquidStateMachineSpecification, n_inputs: int) -> Tensor:
    reached = torch.rand(s.n_units, n_inputs) < s.input_share
    return reached * _exponential(s.n_units, n_inputs) * s.input_strength


def _weights(s: LiquidStateMachineSpecification, places: Tensor, excites: Tensor) -> Tensor:
    """Return the weights (to, from) of a column: the nearer two neurons are, the likelier; none with itself."""
    kinds = (~excites).long()
    pair = kinds[None, :], kinds[:, None]  # from, to
    likely, mean = (torch.tensor(table)[pair] for table in (LIKELY, MEAN))
    chance = likely * torch.exp(-((torch.cdist(places, places) / s.reach) ** 2))
    connected = torch.rand(chance.shape) < chance.fill_diagonal_(0)
    return connected * mean * _exponential(*chance.shape) * s.strength


def _exponential(*shape: int) -> Tensor:
    return torch.empty(shape).exponential_()
