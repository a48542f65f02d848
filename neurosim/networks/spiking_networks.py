"""Networks of spiking neurons: fully connected, convolutional and recurrent, of any neuron that layers know."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from neurosim.networks.architectures.spiking_conv_net import SpikingConvNetSpecification
from neurosim.networks.architectures.spiking_mlp import SpikingMLPSpecification
from neurosim.networks.architectures.spiking_rnn import SpikingRNNSpecification
from neurosim.networks.feedforward import check_pictures, n_channels, with_channel
from neurosim.networks.shared_parameters import NeuronSpecification, Readout, refuse_poolings
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.spiking.readout import MembraneReadout
from neurosim.networks.spiking.surrogates import Surrogate


class SpikingConvNet(nn.Module):
    """A convolutional network of spiking neurons; logits are spike counts weighted.

    Pixels of images are constant currents; events (time, batch, channel, y, x) are taken step by step.
    """

    def __init__(
        self, specification: SpikingConvNetSpecification, image_shape: tuple[int, ...], n_categories: int
    ) -> None:
        super().__init__()
        check_pictures("SpikingConvNet", image_shape, refuse_poolings, len(specification.channels))
        self.time_step = specification.neuron.dt
        self.n_steps = image_shape[0] if len(image_shape) == 4 else specification.n_steps
        channels = (n_channels(image_shape), *specification.channels)
        side = image_shape[-1]
        self.weights, self.spikes, self.pools = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        for i, (before, after) in enumerate(pairwise(channels), start=1):
            self.weights[f"conv{i}"] = nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after))
            self.spikes[f"conv{i}"] = neurons_of(specification.neuron, shape=(after, side, side))
            self.pools[f"conv{i}"] = nn.AvgPool2d(2)
            side //= 2
        self.dropout = nn.Dropout(specification.dropout)
        self.readout = nn.Linear(channels[-1] * side * side, n_categories)
        self.integrator = integrator_of(specification.neuron, specification.readout, n_categories)
        self.recorded = tuple(f"spikes.{name}" for name in self.spikes)
        self.input_shape = (channels[0], *image_shape[-2:])
        self.input_kind = "spikes" if len(image_shape) == 4 else "current"

    def chain(self) -> list[tuple[str, nn.Module]]:
        """Return (name, module) of all layers in the order in which the signal reaches them."""
        layers: list[tuple[str, nn.Module]] = []
        for name, weights in self.weights.items():
            assert isinstance(weights, nn.Sequential)
            layers += [(f"weights.{name}.{i}", part) for i, part in enumerate(weights)]
            layers += [(f"spikes.{name}", self.spikes[name]), (f"pools.{name}", self.pools[name])]
        layers += [("flatten", nn.Flatten()), ("readout", self.readout)]
        return layers if self.integrator is None else [*layers, ("integrator", self.integrator)]

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, category) of images (batch, [channel,] y, x) or events (time, batch, channel, y, x)."""
        activity = images if images.ndim == 5 else with_channel(images).unsqueeze(0)
        for i, name in enumerate(self.spikes):
            n_time, n_batch = activity.shape[:2]
            current = self.weights[name](activity.flatten(0, 1)).unflatten(0, (n_time, n_batch))
            if i == 0 and images.ndim != 5:
                current = current.expand(self.n_steps, *current.shape[1:])
            spikes = self.spikes[name](current)
            activity = self.pools[name](spikes.flatten(0, 1)).unflatten(0, spikes.shape[:2])
        if self.integrator is not None:
            read: Tensor = self.integrator(self.readout(self.dropout(activity.flatten(2))))
            return read
        counted = self.dropout(activity.mean(0).flatten(1))
        answer: Tensor = self.readout(counted) * math.sqrt(self.n_steps)
        return answer


class SpikingMLP(nn.Module):
    """Fully connected layers of spiking neurons driven by input spikes; the most active output neuron answers."""

    def __init__(self, specification: SpikingMLPSpecification, image_shape: tuple[int, ...], n_categories: int) -> None:
        super().__init__()
        sizes = (math.prod(image_shape), *specification.hidden, n_categories)
        names = [*(f"hidden{i}" for i in range(1, len(sizes) - 1)), "output"]
        self.linears = nn.ModuleDict({n: nn.Linear(a, b) for n, a, b in zip(names, sizes, sizes[1:], strict=False)})
        self.integrator = integrator_of(specification.neuron, specification.readout, n_categories)
        spiking = names if self.integrator is None else names[:-1]
        self.spikes = nn.ModuleDict(
            {n: neurons_of(specification.neuron, shape=(size,)) for n, size in zip(spiking, sizes[1:], strict=False)}
        )
        self.time_step = specification.neuron.dt
        self.recorded = tuple(f"spikes.{name}" for name in spiking)
        self.input_shape, self.input_kind = (sizes[0],), "spikes"

    def chain(self) -> list[tuple[str, nn.Module]]:
        """Return (name, module) of all layers in the order in which the signal reaches them."""
        layers: list[tuple[str, nn.Module]] = []
        for name, linear in self.linears.items():
            layers.append((f"linears.{name}", linear))
            if name in self.spikes:
                layers.append((f"spikes.{name}", self.spikes[name]))
        return layers if self.integrator is None else [*layers, ("integrator", self.integrator)]

    def forward(self, spikes: Tensor) -> Tensor:
        """Return logits (batch, category), the output spike counts, of input spikes (time, batch, unit)."""
        spikes = self.over_time(spikes)
        if self.integrator is None:
            return spikes.sum(0)
        read: Tensor = self.integrator(self.linears["output"](spikes))
        return read

    def over_time(self, spikes: Tensor) -> Tensor:
        """Return the spikes (time, batch, unit) of the last spiking layer to input spikes (time, batch, unit)."""
        for name, layer in self.spikes.items():
            spikes = layer(self.linears[name](spikes))
        return spikes


class SpikingRNN(nn.Module):
    """Layers of spiking neurons, each connected within itself, that read a sequence; leaky units integrate the answer.

    The set-up of https://doi.org/10.1109/TNNLS.2020.3044364, with any neuron that :class:`SpikingLayer` knows.
    """

    def __init__(self, specification: SpikingRNNSpecification, input_shape: tuple[int, ...], n_categories: int) -> None:
        super().__init__()
        s = specification
        sizes = (input_shape[-1], *s.hidden)
        self.linears, self.spikes = nn.ModuleDict(), nn.ModuleDict()
        for i, (before, after) in enumerate(pairwise(sizes), start=1):
            self.linears[f"hidden{i}"] = nn.Linear(before, after)
            self.spikes[f"hidden{i}"] = neurons_of(s.neuron, after if s.recurrent else None, shape=(after,))
            _start(self.linears[f"hidden{i}"], self.spikes[f"hidden{i}"], s.spread)
        self.dropout = nn.Dropout(s.dropout)
        self.readout = nn.Linear(sizes[-1], n_categories)
        self.integrator = integrator_of(s.neuron, s.readout, n_categories)
        self.time_step = s.neuron.dt
        self.recorded = tuple(f"spikes.{name}" for name in self.spikes)

    def forward(self, sequence: Tensor) -> Tensor:
        """Return logits (batch, category) of a sequence (time, batch, unit): the readout over time."""
        activity = self.over_time(sequence)
        if self.integrator is not None:
            read: Tensor = self.integrator(self.readout(activity))
            return read
        answer: Tensor = self.readout(activity.mean(0)) * math.sqrt(len(sequence))
        return answer

    def over_time(self, sequence: Tensor) -> Tensor:
        """Return the spikes (time, batch, unit) of the last layer."""
        activity = sequence
        for name, linear in self.linears.items():
            activity = self.dropout(self.spikes[name](linear(activity)))
        return activity


def neurons_of(
    neuron: NeuronSpecification, n_recurrent: int | None = None, *, shape: tuple[int, ...] | None = None
) -> SpikingLayer:
    """Return a layer of such neurons of this shape, connected among themselves where their number is given."""
    surrogate = Surrogate(neuron.surrogate, neuron.slope)
    return SpikingLayer(
        neuron.parameters(), n_recurrent=n_recurrent, surrogate=surrogate, learn=neuron.learn, shape=shape
    )


def integrator_of(neuron: NeuronSpecification, readout: Readout, n_categories: int) -> MembraneReadout | None:
    """Return leaky units that read the answer with these time constants; None where spikes count."""
    if readout == "counts":
        return None
    return MembraneReadout(neuron.parameters(), readout, learn=neuron.learn, shape=(n_categories,))


def _start(linear: nn.Module, layer: nn.Module, spread: float) -> None:
    """Draw weights so that currents are of the size of the threshold and activity neither dies nor explodes."""
    assert isinstance(linear, nn.Linear) and isinstance(layer, SpikingLayer)
    nn.init.normal_(linear.weight, std=spread / math.sqrt(linear.in_features))
    nn.init.zeros_(linear.bias)
    if layer.recurrent is not None:
        nn.init.normal_(layer.recurrent.weight, std=spread / 2 / math.sqrt(layer.recurrent.in_features))
        torch.nn.init.zeros_(layer.recurrent.bias)
