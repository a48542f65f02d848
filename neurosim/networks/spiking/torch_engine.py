"""The engine that is always there: a loop over time in plain torch, in place, with a backward pass written by hand."""

from __future__ import annotations

import torch
from torch import Tensor

from neurosim.networks.spiking.sequence import Coefficients, Forward, Past, State
from neurosim.networks.spiking.surrogates import Surrogate


class TorchEngine:
    """Plain torch on any device."""

    def forward(self, currents: Tensor, state: State, c: Coefficients, weight: Tensor | None) -> Forward:
        """Return spikes, distance from threshold and the last state."""
        spikes, distance = torch.empty((2, *currents.shape), dtype=currents.dtype, device=currents.device)
        membrane, current, adaptation = state.membrane.clone(), state.current.clone(), state.adaptation.clone()
        before, threshold = state.spikes, c.threshold
        drive = torch.empty_like(membrane)
        for t, arriving in enumerate(currents.unbind(0)):
            now = arriving if weight is None else torch.addmm(arriving, before, weight.T, out=drive)
            _advance(membrane, current.mul_(c.alpha).add_(now) if c.has_current else now, before, c)
            if c.adapts:
                threshold = adaptation.mul_(c.rho).add_(before).mul(c.rise).add_(c.threshold)
            torch.sub(membrane, threshold, out=distance[t])
            before = torch.gt(distance[t], 0, out=spikes[t])
        return Forward(spikes, distance, State(membrane, current, adaptation, before.clone()))

    def backward(
        self, grad: Tensor, past: Past, c: Coefficients, weight: Tensor | None, surrogate: Surrogate
    ) -> Tensor:
        """Return the gradient of the currents, given that of the spikes."""
        distance = past.distance
        resets = c.reset in ("zero", "clear")
        found = torch.empty_like(grad)
        to_membrane, to_current, to_adaptation = (torch.zeros_like(grad[0]) for _ in range(3))
        kept = torch.ones_like(grad[0])
        for t in reversed(range(len(grad))):
            to_spikes = grad[t]
            if weight is not None and t + 1 < len(grad):
                to_spikes = torch.addmm(to_spikes, found[t + 1], weight)
            if c.adapts:
                to_spikes = to_spikes + to_adaptation
            now = surrogate.derivative(distance[t]).mul_(to_spikes)
            to_membrane.mul_(c.beta)
            if resets:
                to_membrane.mul_(kept)
            to_membrane.add_(now)
            if c.adapts:
                to_adaptation.mul_(c.rho).sub_(now * c.rise)
            drive = to_membrane
            if resets:
                kept = 1 - (distance[t - 1] > 0).to(grad.dtype) if t else 1 - past.first_spikes
                drive = to_membrane * kept if c.reset == "clear" else drive
            if c.has_current:
                drive = to_current.mul_(c.alpha).add_(drive)
            found[t].copy_(drive)
        return found


def _advance(membrane: Tensor, drive: Tensor, before: Tensor, c: Coefficients) -> None:
    """Move the membrane by one step, in place, rounding as :func:`neuron_step` does."""
    if c.reset == "zero":
        membrane.mul_(1 - before)
    membrane.mul_(c.beta).add_(drive)
    if c.reset == "subtract":
        membrane.sub_(before * c.threshold)
    elif c.reset == "clear":
        membrane.sub_(before * membrane)
