"""Transformers of spiking neurons: patches of spikes, attention without softmax (https://arxiv.org/abs/2209.15425).

Weights and batch normalisation take time and batch folded into one, so that normalisation learns one mean and variance
over all stimuli and steps.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from neurosim.networks.architectures.spikformer import SpikformerSpecification
from neurosim.networks.feedforward import check_pictures, n_channels, with_channel
from neurosim.networks.sew_resnet import Convolved, folded
from neurosim.networks.shared_parameters import NeuronSpecification, refuse_poolings
from neurosim.networks.spiking_networks import neurons_of

SCALE = 0.125  # of attention, as in the paper
ATTENTION_THRESHOLD = 0.5  # of the neurons that get it, in units of that of the others


class Weighted(nn.Module):
    """Weights, their batch normalisation and the neurons that get them, over (time, batch, patch, unit)."""

    def __init__(self, before: int, after: int, neuron: NeuronSpecification) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(before, after), nn.BatchNorm1d(after)
        self.spikes = neurons_of(neuron)

    def forward(self, spikes: Tensor) -> Tensor:
        """Return spikes of spikes."""
        normed = self.norm(self.linear(spikes).flatten(0, 2)).unflatten(0, spikes.shape[:3])
        answer: Tensor = self.spikes(normed)
        return answer


class TogetherCounts(nn.Module):
    """How often each query and key spike together (time, batch, head, query, key), as a layer, to be recorded."""

    time_first = True

    def forward(self, counts: Tensor) -> Tensor:
        """Return the counts."""
        return counts


class SpikingAttention(nn.Module):
    """Attention of spikes: how often query and key spike together, times the values, with neither softmax nor norm."""

    def __init__(self, n_units: int, n_heads: int, neuron: NeuronSpecification) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.query, self.key, self.value = (Weighted(n_units, n_units, neuron) for _ in range(3))
        self.map = TogetherCounts()
        self.attended = neurons_of(replace(neuron, threshold=ATTENTION_THRESHOLD * neuron.threshold))
        self.out = Weighted(n_units, n_units, neuron)

    def forward(self, spikes: Tensor) -> Tensor:
        """Return spikes (time, batch, patch, unit) of the same."""
        query, key, value = (self._by_head(part(spikes)) for part in (self.query, self.key, self.value))
        together = self.map(query @ key.transpose(-1, -2))
        reached = (together @ value * SCALE).transpose(2, 3).flatten(3)
        answer: Tensor = self.out(self.attended(reached))
        return answer

    def _by_head(self, spikes: Tensor) -> Tensor:
        return spikes.reshape(*spikes.shape[:3], self.n_heads, -1).transpose(2, 3)


class SpikformerBlock(nn.Module):
    """Attention and two layers of neurons, each added to what came in."""

    def __init__(self, s: SpikformerSpecification) -> None:
        super().__init__()
        self.attention = SpikingAttention(s.n_units, s.n_heads, s.neuron)
        self.hidden = Weighted(s.n_units, s.n_hidden, s.neuron)
        self.back = Weighted(s.n_hidden, s.n_units, s.neuron)

    def forward(self, activity: Tensor) -> Tensor:
        """Return counts of spikes (time, batch, patch, unit) of the same."""
        activity = activity + self.attention(activity)
        answer: Tensor = activity + self.back(self.hidden(activity))
        return answer


class Patches(nn.Module):
    """Pictures as patches of spikes: convolutions with neurons and poolings; a last one adds the place of each."""

    def __init__(self, s: SpikformerSpecification, before: int) -> None:
        super().__init__()
        self.convolved = nn.ModuleDict()
        for k in range(s.n_poolings):
            after = s.n_units >> (s.n_poolings - 1 - k)
            self.convolved[f"conv{k + 1}"] = Convolved(before, after, 3, s.neuron)
            before = after
        self.pool = nn.MaxPool2d(2)
        self.place = Convolved(s.n_units, s.n_units, 3, s.neuron)

    def forward(self, activity: Tensor, n_steps: int | None) -> Tensor:
        """Return counts of spikes (time, batch, patch, unit); what is still is shown for `n_steps`."""
        for layer in self.convolved.values():
            activity = folded(self.pool, layer(activity, n_steps))
            n_steps = None
        activity = activity + self.place(activity)
        return activity.flatten(3).transpose(2, 3)


class Spikformer(nn.Module):
    """A transformer of spiking neurons; its last activity, averaged over patches and time, is weighted.

    Pixels of images are constant currents; events (time, batch, channel, y, x) are taken step by step.
    """

    def __init__(self, specification: SpikformerSpecification, image_shape: tuple[int, ...], n_categories: int) -> None:
        super().__init__()
        s = specification
        check_pictures("Spikformer", image_shape, refuse_poolings, s.n_poolings)
        self.n_steps = image_shape[0] if len(image_shape) == 4 else s.n_steps
        self.time_step = s.neuron.dt
        self.patches = Patches(s, n_channels(image_shape))
        self.blocks = nn.ModuleDict({f"block{i}": SpikformerBlock(s) for i in range(1, s.n_layers + 1)})
        self.readout = nn.Linear(s.n_units, n_categories)
        self.recorded = (
            "patches.place.spikes",
            *(f"blocks.{name}.{part}.spikes" for name in self.blocks for part in ("attention.out", "back")),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, category) of images (batch, [channel,] y, x) or events (time, batch, channel, y, x)."""
        is_still = images.ndim != 5
        shown = with_channel(images).unsqueeze(0) if is_still else images
        activity = self.patches(shown, self.n_steps if is_still else None)
        for block in self.blocks.values():
            activity = block(activity)
        answer: Tensor = self.readout(activity.mean((0, 2)))
        return answer
