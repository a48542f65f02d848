"""Networks of spiking neurons whose rates are the activations of rectified units: what ``to_spiking`` makes.

A neuron with the threshold θ that does not leak, and is reset by subtraction, spikes N times in T steps of constant
current x, with |θ N / T - min(max(x, 0), θ)| <= θ / T, and half of that where it starts at half of its threshold: what
it was given and did not send stays in its membrane, which ends between 0 and θ.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from neurosim.networks.feedforward import with_channel
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.parameters import DiscreteLIFParameters
from neurosim.schema import InputError

Route = tuple[str, str, tuple[str, ...]]  # name of a part, what it is, names of those it gets
INPUT = "input"


class SpikingMaxPool2d(nn.Module):
    """The maximum of spike counts so far, whose rises are spikes (time, batch, channel, y, x): counts are exact.

    In every step it lets those spikes through that raise the largest count of a window, so that after any number of
    steps as many were sent as by the neuron of the window that spiked most.
    """

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, spikes: Tensor) -> Tensor:
        """Return spikes."""
        counts: Tensor = self.pool(spikes.cumsum(0).flatten(0, 1)).unflatten(0, spikes.shape[:2])
        return counts.diff(dim=0, prepend=torch.zeros_like(counts[:1]))


class Summed(nn.Module):
    """The weighted sum of branches, and a constant current."""

    def __init__(self, factors: Sequence[float]) -> None:
        super().__init__()
        self.factors = tuple(factors)
        self.register_buffer("bias", torch.zeros(()))
        self.bias: Tensor

    def forward(self, *branches: Tensor) -> Tensor:
        """Return the sum."""
        weighted = [branch * factor for branch, factor in zip(branches, self.factors, strict=True)]
        return torch.stack(weighted).sum(0) + self.bias if len(weighted) > 1 else weighted[0] + self.bias

    def extra_repr(self) -> str:
        """Return the factors, as printing a module shows them."""
        return f"{self.factors}"


class RateNetwork(nn.Module):
    """A network of spiking neurons that do not leak, each in the place of rectified units.

    Stimuli are constant currents of the first layer; logits (batch, category) are what the last layer gets, on average
    over the steps.

    Parameters
    ----------
    routes : name, kind and sources of each part, in the order of the signal. weights : modules of "weights" and "pool".
    thresholds : of each layer of neurons. factors : of the branches of each sum. poolings : of maxima.
    scale : what the answer of the last part is multiplied by. n_steps : steps that a stimulus is shown.
    time_step : duration of one, s. shifted : parts whose constant current lets neurons of such a threshold start at
        half of it.
    """

    input_kind = "current"

    def __init__(
        self,
        routes: Sequence[Route],
        *,
        weights: Mapping[str, nn.Module],
        thresholds: Mapping[str, float],
        factors: Mapping[str, Sequence[float]],
        poolings: Mapping[str, nn.MaxPool2d],
        scale: float,
        n_steps: int,
        time_step: float,
        shifted: Mapping[str, float],
        input_shape: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.routes, self.scale, self.shifted = tuple(routes), scale, dict(shifted)
        self.weights = nn.ModuleDict(weights)
        self.sums = nn.ModuleDict({name: Summed(values) for name, values in factors.items()})
        self.maxima = nn.ModuleDict({name: SpikingMaxPool2d(pool) for name, pool in poolings.items()})
        self.spikes = nn.ModuleDict({name: _neurons(value, time_step) for name, value in thresholds.items()})
        self.recorded = tuple(f"spikes.{name}" for name in self.spikes)
        self.time_step, self.input_shape = time_step, input_shape
        self.n_steps = 0
        self._show_for(n_steps)

    def with_steps(self, n_steps: int) -> RateNetwork:
        """Return the same network that is shown a stimulus for another number of steps.

        Examples
        --------
        >>> from torch import nn
        >>> network = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> ns.networks.to_spiking(network, ns.as_stimuli(np.eye(4))).with_steps(8).n_steps
        8
        """
        if isinstance(n_steps, bool) or not isinstance(n_steps, int) or n_steps < 1:
            raise InputError(f"to_spiking: n_steps = {n_steps!r}; a whole number of at least 1 is asked.")
        found = copy.deepcopy(self)
        found._show_for(n_steps)
        return found

    def _show_for(self, n_steps: int) -> None:
        """Let constant currents bring half of the threshold in `n_steps` steps."""
        with torch.no_grad():
            for name, threshold in self.shifted.items():
                before = threshold / 2 / self.n_steps if self.n_steps else 0.0
                bias: Any = (self.sums[name] if name in self.sums else self.weights[name]).bias
                bias += threshold / 2 / n_steps - before
        self.n_steps = n_steps

    def forward(self, stimuli: Tensor) -> Tensor:
        """Return logits (batch, category) of stimuli (batch, ...)."""
        values: dict[str, tuple[Tensor, bool]] = {INPUT: (stimuli, False)}  # and whether they have time, folded
        for name, kind, sources in self.routes:
            values[name] = self._part(name, kind, [values[s] for s in sources])
        answer, has_time = values[self.routes[-1][0]]
        mean = self._in_steps(answer).mean(0) if has_time else answer
        return mean * self.scale

    def _in_steps(self, folded: Tensor) -> Tensor:
        """Return (time, batch, ...) of both folded into one."""
        return folded.reshape(self.n_steps, -1, *folded.shape[1:])

    def _part(self, name: str, kind: str, given: list[tuple[Tensor, bool]]) -> tuple[Tensor, bool]:
        has_time = any(t for _, t in given)
        parts = [v if t or not has_time else v.repeat(self.n_steps, *(1,) * (v.ndim - 1)) for v, t in given]
        if kind == "channel":
            return with_channel(parts[0]), has_time
        if kind == "sum":
            return self.sums[name](*parts), has_time
        if kind == "max":
            return self.maxima[name](self._in_steps(parts[0])).flatten(0, 1), has_time
        if kind != "neurons":
            return self.weights[name](parts[0]), has_time
        steps = self._in_steps(parts[0]) if has_time else parts[0].unsqueeze(0)
        return self.spikes[name](steps.expand(self.n_steps, *steps.shape[1:])).flatten(0, 1), True


class RateChain(RateNetwork):
    """A network of such neurons whose parts each get what the one before sends: read as it stands by ``to_circuit``."""

    def chain(self) -> list[tuple[str, nn.Module]]:
        """Return (name, module) of all layers in the order in which the signal reaches them."""
        rooms = {"neurons": "spikes", "weights": "weights", "pool": "weights"}
        return [
            (f"{rooms[kind]}.{name}", getattr(self, rooms[kind])[name])
            for name, kind, _ in self.routes
            if kind != "channel"
        ]

    def forward(self, stimuli: Tensor) -> Tensor:
        """Return logits (batch, category) of stimuli (batch, ...)."""
        return super().forward(stimuli)


def _neurons(threshold: float, time_step: float) -> SpikingLayer:
    return SpikingLayer(DiscreteLIFParameters(math.inf, time_step, threshold=threshold, reset="subtract"))
