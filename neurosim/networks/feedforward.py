"""Networks without memory: fully connected and convolutional."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise

from torch import Tensor, nn

from neurosim.networks.architectures.conv_net import ConvNetSpecification
from neurosim.networks.architectures.mlp import MLPSpecification
from neurosim.networks.shared_parameters import refuse_poolings
from neurosim.schema import InputError


class MLP(nn.Module):
    """A fully connected network of rectified units."""

    def __init__(self, specification: MLPSpecification, image_shape: tuple[int, ...], n_categories: int) -> None:
        super().__init__()
        sizes = (math.prod(image_shape), *specification.hidden)
        self.blocks = nn.ModuleDict()
        for i, (before, after) in enumerate(pairwise(sizes), start=1):
            self.blocks[f"hidden{i}"] = nn.Sequential(
                nn.Linear(before, after), nn.ReLU(), nn.Dropout(specification.dropout)
            )
        self.readout = nn.Linear(sizes[-1], n_categories)
        self.recorded = (*(f"blocks.{name}" for name in self.blocks), "readout")

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, category) of inputs (batch, ...)."""
        activity = images.flatten(1)
        for block in self.blocks.values():
            activity = block(activity)
        answer: Tensor = self.readout(activity)
        return answer


class ConvNet(nn.Module):
    """A small convolutional network: blocks of convolutions with pooling, one hidden layer, a readout."""

    def __init__(self, specification: ConvNetSpecification, image_shape: tuple[int, ...], n_categories: int) -> None:
        super().__init__()
        check_pictures("ConvNet", image_shape, refuse_poolings, len(specification.channels))
        channels = (n_channels(image_shape), *specification.channels)
        side = image_shape[-1]
        self.blocks = nn.ModuleDict()
        for i, (before, after) in enumerate(pairwise(channels), start=1):
            layers: list[nn.Module] = []
            for k in range(specification.convolutions):
                source, kernel = before if k == 0 else after, specification.kernel
                layers += [nn.Conv2d(source, after, kernel, padding=kernel // 2), nn.BatchNorm2d(after), nn.ReLU()]
            self.blocks[f"conv{i}"] = nn.Sequential(*layers, nn.MaxPool2d(2))
            side //= 2
        self.blocks["hidden"] = nn.Sequential(
            nn.Flatten(), nn.Linear(channels[-1] * side * side, specification.hidden), nn.ReLU()
        )
        self.dropout = nn.Dropout(specification.dropout)
        self.readout = nn.Linear(specification.hidden, n_categories)
        self.recorded = (*(f"blocks.{name}" for name in self.blocks), "readout")

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, category) of images (batch, [channel,] y, x)."""
        activity = with_channel(images)
        for block in self.blocks.values():
            activity = block(activity)
        answer: Tensor = self.readout(self.dropout(activity))
        return answer


def n_channels(image_shape: tuple[int, ...]) -> int:
    """Return the number of channels of images of shape ([time,] [channel,] y, x)."""
    return image_shape[-3] if len(image_shape) >= 3 else 1


def with_channel(images: Tensor) -> Tensor:
    """Return images (batch, channel, y, x) of images (batch, [channel,] y, x)."""
    return images.unsqueeze(1) if images.ndim == 3 else images


def check_pictures(
    who: str, image_shape: tuple[int, ...], refuse: Callable[[str, int, Mapping[str, int]], str | None], n: int
) -> None:
    """Refuse what is no picture ([time,] [channel,] y, x), and what `refuse` says cannot be made smaller `n` times."""
    if len(image_shape) < 2:
        raise InputError(f"{who}: images ([channel,] y, x) asked, found shape {image_shape}.")
    reason = refuse(who, n, {"y": image_shape[-2], "x": image_shape[-1]})
    if reason is not None:
        raise InputError(reason)
