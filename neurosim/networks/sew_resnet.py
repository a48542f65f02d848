"""Residual networks of spiking neurons whose branches meet spike by spike (https://arxiv.org/abs/2102.04159).

Weights, batch normalisation and pooling take time and batch folded into one, so that normalisation learns one mean and
variance over all stimuli and steps.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor, nn

from neurosim.networks.architectures.sew_resnet import Connect, SEWResNetSpecification
from neurosim.networks.feedforward import check_pictures, n_channels, with_channel
from neurosim.networks.shared_parameters import NeuronSpecification, refuse_poolings
from neurosim.networks.spiking_networks import neurons_of

MEET: dict[Connect, Callable[[Tensor, Tensor], Tensor]] = {
    "add": lambda branch, passing: branch + passing,
    "and": lambda branch, passing: branch * passing,
    "iand": lambda branch, passing: (1 - branch) * passing,
}


def folded(module: nn.Module, activity: Tensor) -> Tensor:
    """Return what a module without memory answers to (time, batch, ...), all steps of all stimuli as one batch."""
    answer: Tensor = module(activity.flatten(0, 1)).unflatten(0, activity.shape[:2])
    return answer


class Convolved(nn.Module):
    """A convolution, its batch normalisation, and the neurons that get it, over (time, batch, channel, y, x)."""

    def __init__(self, before: int, after: int, kernel: int, neuron: NeuronSpecification, stride: int = 1) -> None:
        super().__init__()
        self.weights = nn.Sequential(
            nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, bias=False), nn.BatchNorm2d(after)
        )
        self.spikes = neurons_of(neuron)

    def forward(self, activity: Tensor, n_steps: int | None = None) -> Tensor:
        """Return spikes; what is still (one step) is shown for `n_steps`."""
        current = folded(self.weights, activity)
        spikes: Tensor = self.spikes(current if n_steps is None else current.expand(n_steps, *current.shape[1:]))
        return spikes


class Meeting(nn.Module):
    """Where the spikes of a branch meet those that pass it by, as a layer of its own, so that they are recorded."""

    time_first = True

    def __init__(self, connect: Connect) -> None:
        super().__init__()
        self.connect = connect

    def forward(self, branch: Tensor, passing: Tensor) -> Tensor:
        """Return both as one."""
        return MEET[self.connect](branch, passing)


class SEWBlock(nn.Module):
    """Two convolutions with neurons beside what passes them by.

    It starts near the identity: the last normalisation is 0 before "add" and "iand", which keep what passes where the
    branch is silent, and has a bias of 1 before "and", as in the paper.
    """

    def __init__(self, before: int, after: int, connect: Connect, neuron: NeuronSpecification, stride: int = 1) -> None:
        super().__init__()
        self.first = Convolved(before, after, 3, neuron, stride)
        self.second = Convolved(after, after, 3, neuron)
        self.passing = None if before == after and stride == 1 else Convolved(before, after, 1, neuron, stride)
        self.meeting = Meeting(connect)
        norm = self.second.weights[1]
        assert isinstance(norm, nn.BatchNorm2d)
        nn.init.zeros_(norm.weight)
        if connect == "and":
            nn.init.ones_(norm.bias)

    def forward(self, spikes: Tensor) -> Tensor:
        """Return spikes, after "add" counts of spikes, of the same."""
        passing = spikes if self.passing is None else self.passing(spikes)
        answer: Tensor = self.meeting(self.second(self.first(spikes)), passing)
        return answer


class SEWResNet(nn.Module):
    """A residual network of spiking neurons; its last spikes, averaged over places and time, are weighted.

    Pixels of images are constant currents; events (time, batch, channel, y, x) are taken step by step.
    """

    def __init__(self, specification: SEWResNetSpecification, image_shape: tuple[int, ...], n_categories: int) -> None:
        super().__init__()
        s = specification
        check_pictures("SEWResNet", image_shape, refuse_poolings, len(s.channels) - 1)
        self.n_steps = image_shape[0] if len(image_shape) == 4 else s.n_steps
        self.time_step = s.neuron.dt
        self.stem = Convolved(n_channels(image_shape), s.channels[0], 3, s.neuron)
        self.blocks = nn.ModuleDict()
        for stage, (before, after) in enumerate(pairwise((s.channels[0], *s.channels)), start=1):
            for k in range(s.n_blocks):
                start, stride = (before, 1 + (stage > 1)) if k == 0 else (after, 1)
                self.blocks[f"stage{stage}_{k + 1}"] = SEWBlock(start, after, s.connect, s.neuron, stride)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.readout = nn.Linear(s.channels[-1], n_categories)
        self.recorded = ("stem.spikes", *(f"blocks.{name}.meeting" for name in self.blocks))
        self.input_kind = "spikes" if len(image_shape) == 4 else "current"

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, category) of images (batch, [channel,] y, x) or events (time, batch, channel, y, x)."""
        is_still = images.ndim != 5
        activity = with_channel(images).unsqueeze(0) if is_still else images
        spikes = self.stem(activity, self.n_steps if is_still else None)
        for block in self.blocks.values():
            spikes = block(spikes)
        answer: Tensor = self.readout(folded(self.pool, spikes).flatten(2).mean(0))
        return answer
