"""Networks of spiking neurons in continuous time, which learn from the gradient of their spike times."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from neurosim.networks.architectures.spike_time_mlp import SpikeTimeMLPSpecification
from neurosim.networks.spiking.spike_times import SpikeTimeLayer


class SpikeTimeMLP(nn.Module):
    """Layers of spiking neurons in continuous time; the larger an input, the earlier; one more always spikes first.

    Layers answer by the earliness of spikes, s before the end of the window, 0 where there is none.
    """

    def __init__(
        self, specification: SpikeTimeMLPSpecification, image_shape: tuple[int, ...], n_categories: int
    ) -> None:
        super().__init__()
        s = specification
        self.window, self.span, self.sharpness = s.neuron.window, s.span, s.sharpness
        sizes = (math.prod(image_shape) + 1, *s.hidden, n_categories)
        spikes = (1, *[s.n_spikes] * len(s.hidden), 1)
        names = [*(f"hidden{i}" for i in range(1, len(sizes) - 1)), "output"]
        self.layers = nn.ModuleDict()
        for name, (before, after), (sent, own) in zip(names, pairwise(sizes), pairwise(spikes), strict=True):
            self.layers[name] = SpikeTimeLayer(before, after, s.neuron, n_spikes=own, n_input_spikes=sent)
        self.recorded = tuple(f"layers.{name}" for name in self.layers)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, category), larger for an earlier output spike, of values (batch, ...) in 0..1."""
        values = images.flatten(1)
        values = torch.cat([torch.ones_like(values[:, :1]), values], 1).clamp(0.0, 1.0)
        earliness = self.window - self.span * (1 - values)
        for layer in self.layers.values():
            earliness = layer(earliness)
        return earliness / self.sharpness
