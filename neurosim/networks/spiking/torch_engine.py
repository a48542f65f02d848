"""The engine that is always there: a loop over time in plain torch, in place, with a backward pass written by hand."""

from __future__ import annotations

import torch
from torch import Tensor

from neurosim.networks.spiking.sequence import (
    Arriving,
    Coefficients,
    Forward,
    Keep,
    Leaving,
    Past,
    State,
    Traces,
    Wanted,
)
from neurosim.networks.spiking.surrogates import Surrogate

TINY = 2.0**-24  # smallest number above 0 of float16


class TorchEngine:
    """Plain torch on any device."""

    narrow: frozenset[torch.dtype] = frozenset()

    def forward(self, currents: Tensor, state: State, c: Coefficients, weight: Tensor | None, keep: Keep) -> Forward:
        """Return spikes, distance from threshold, the last state and the traces that are asked for."""
        spikes = torch.empty_like(currents)
        distance = torch.empty_like(currents) if keep.distance == "full" else None
        half = torch.empty_like(currents, dtype=torch.float16) if keep.distance == "half" else None
        traces = {name: torch.empty_like(currents) for name in keep.traces}
        membrane, current, adaptation = state.membrane.clone(), state.current.clone(), state.adaptation.clone()
        before, threshold = state.spikes, c.threshold
        drive, one = torch.empty_like(membrane), torch.empty_like(membrane)
        for t, arriving in enumerate(currents.unbind(0)):
            now = arriving if weight is None else torch.addmm(arriving, before, weight.T, out=drive)
            _advance(membrane, current.mul_(c.alpha).add_(now) if c.has_current else now, before, c)
            if c.adapts:
                threshold = adaptation.mul_(c.rho).add_(before).mul(c.rise).add_(c.threshold)
            far = torch.sub(membrane, threshold, out=one if distance is None else distance[t])
            before = torch.gt(far, 0, out=spikes[t])
            if half is not None:
                half[t].copy_(far).masked_fill_((before > 0) & (half[t] == 0), TINY)
            for name, trace in traces.items():
                trace[t].copy_({"membrane": membrane, "current": current, "adaptation": adaptation}[name])
        last = State(membrane, current, adaptation, before.clone())
        return Forward(spikes, half if distance is None else distance, last, Traces(**traces))

    def backward(
        self,
        grad: Arriving,
        past: Past,
        c: Coefficients,
        weight: Tensor | None,
        surrogate: Surrogate,
        wanted: Wanted,
    ) -> Leaving:
        """Return the gradients of the currents, and those that are wanted."""
        distance, found = past.distance, torch.empty_like(grad.spikes)
        resets = c.reset in ("zero", "clear")
        sums = {name: torch.zeros_like(found[0]) for name in wanted.numbers}
        to_membrane, to_current, to_adaptation, to_last = (
            (torch.zeros_like(found[0]) for _ in range(4)) if grad.state is None else (p.clone() for p in grad.state)
        )
        fired = None
        for t in reversed(range(len(found))):
            to_spikes = grad.spikes[t]
            if weight is not None and t + 1 < len(found):
                to_spikes = torch.addmm(to_spikes, found[t + 1], weight)
            if c.adapts or (grad.state is not None and t + 1 == len(found)):
                to_spikes = to_spikes + to_last
            now = surrogate.derivative(distance[t].to(found.dtype)).mul_(to_spikes)
            to_membrane.add_(now)
            if grad.membrane is not None:
                to_membrane.add_(grad.membrane[t])
            if c.adapts:
                to_last = to_adaptation.sub_(now * c.rise)
            if resets or "threshold" in sums:
                fired = (distance[t - 1] > 0).to(found.dtype) if t else past.first.spikes
            drive = kept = to_membrane * (1 - fired) if resets and fired is not None else to_membrane
            if c.reset == "zero":
                drive = to_membrane
            if c.has_current:
                drive = to_current.add_(drive)
            found[t].copy_(drive)
            _add_up(sums, past, c, t, now=now, to_membrane=kept, to_current=to_current, to_adaptation=to_last)
            if "threshold" in sums and c.reset == "subtract" and fired is not None:
                sums["threshold"].sub_(to_membrane * fired)
            to_membrane = kept * c.beta
            if c.has_current:
                to_current.mul_(c.alpha)
            to_adaptation = to_last * c.rho if c.adapts else to_adaptation
        if not wanted.state:
            return Leaving(found, None, sums)
        to_last = to_last if c.adapts else torch.zeros_like(found[0])
        to_last = to_last if weight is None else torch.addmm(to_last, found[0], weight)
        return Leaving(found, State(to_membrane, to_current, to_adaptation, to_last), sums)


def _add_up(sums: dict[str, Tensor], past: Past, c: Coefficients, t: int, **to: Tensor) -> None:
    """Add one step's share in the gradients of coefficients."""

    def before(name: str) -> Tensor:
        trace: Tensor = getattr(past.traces, name)
        first: Tensor = getattr(past.first, name)
        return trace[t - 1] if t else first

    if "beta" in sums:
        sums["beta"].addcmul_(to["to_membrane"], before("membrane"))
    if "threshold" in sums:
        sums["threshold"].sub_(to["now"])
    if "alpha" in sums:
        sums["alpha"].addcmul_(to["to_current"], before("current"))
    if "rho" in sums:
        sums["rho"].addcmul_(to["to_adaptation"], before("adaptation"))
    if "rise" in sums and past.traces.adaptation is not None:
        sums["rise"].addcmul_(to["now"], past.traces.adaptation[t], value=-1)


def _advance(membrane: Tensor, drive: Tensor, before: Tensor, c: Coefficients) -> None:
    """Move the membrane by one step, in place, rounding as :func:`neuron_step` does."""
    if c.reset == "zero":
        membrane.mul_(1 - before)
    membrane.mul_(c.beta).add_(drive)
    if c.reset == "subtract":
        membrane.sub_(before * c.threshold)
    elif c.reset == "clear":
        membrane.sub_(before * membrane)
