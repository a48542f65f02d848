"""Neurons in continuous time: spike times in, spike times out, exactly, and EventProp as their gradient.

Leaky integrate-and-fire neurons with exponential currents, ``tau_mem V' = -V + I``, ``tau_syn I' = -I``; a spike adds
its weight to I. At threshold V is set to 0. Between events V is a difference of two exponentials, so that every spike
is found by Newton's method and none is missed. Backwards in time the adjoint variables of
https://doi.org/10.1038/s41598-021-91786-z are sums of exponentials too, which jump at the spikes: the gradient needs
nothing but spike times, and is that of these times, with no surrogate.

A spike is given as its earliness, the time from it to the end of the window, s: 0 is no spike at all.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from neurosim.networks.spiking.events import EventNeuron
from neurosim.schema import InputError

NEWTON_STEPS = 60


class SpikeTimeLayer(nn.Module):
    """Weights and spiking neurons in continuous time, with the exact gradient of spike times (EventProp).

    Parameters
    ----------
    n_inputs, n_units : number of neurons that send and that are here.
    neuron : their parameters, SI units. n_spikes : most spikes of a neuron in the window.
    n_input_spikes : spikes of each sender, as the layer before has them.
    start, spread : mean and standard deviation of the drive at the start, in units of the threshold: the sum over
        senders of the peaks that their spikes cause.

    Raises
    ------
    InputError : a number of neurons or spikes below 1, or inputs of another shape.

    References
    ----------
    Wunderlich TC, Pehle C (2021) Sci Rep 11:12829, https://doi.org/10.1038/s41598-021-91786-z

    Examples
    --------
    >>> import torch
    >>> layer = ns.networks.SpikeTimeLayer(1, 1, ns.networks.EventNeuron(window=0.05))
    >>> _ = torch.nn.init.constant_(layer.weight, 12.0)
    >>> times = 0.05 - layer(torch.tensor([[0.04]]))  # a spike at 10 ms
    >>> round(times.item(), 5)
    0.01218
    """

    def __init__(
        self,
        n_inputs: int,
        n_units: int,
        neuron: EventNeuron | None = None,
        *,
        n_spikes: int = 1,
        n_input_spikes: int = 1,
        start: float = 3.0,
        spread: float = 1.0,
    ) -> None:
        super().__init__()
        if min(n_inputs, n_units, n_spikes, n_input_spikes) < 1:
            raise InputError("SpikeTimeLayer: at least one input, unit and spike are asked.")
        self.neuron = neuron or EventNeuron()
        self.n_spikes, self.n_input_spikes = n_spikes, n_input_spikes
        peak = self.neuron.peak / self.neuron.threshold
        weight = torch.empty(n_units, n_inputs)
        nn.init.normal_(weight, start / (peak * n_inputs), spread / (peak * math.sqrt(n_inputs)))
        self.weight = nn.Parameter(weight)

    def forward(self, earliness: Tensor) -> Tensor:
        """Return the earliness (batch, unit * spike) of spikes, given that of inputs (batch, input * spike)."""
        n_asked = self.weight.shape[1] * self.n_input_spikes
        if earliness.ndim != 2 or earliness.shape[1] != n_asked:
            raise InputError(f"SpikeTimeLayer: (batch, {n_asked}) spikes asked, found {tuple(earliness.shape)}.")
        times = (self.neuron.window - earliness.double()).clamp(0.0, self.neuron.window)
        weight = self.weight.double().repeat_interleave(self.n_input_spikes, dim=1)
        found: Tensor = _SpikeTimes.apply(times, weight, self.neuron, self.n_spikes)  # type: ignore[no-untyped-call]
        return (self.neuron.window - found).flatten(1).to(earliness.dtype)

    def extra_repr(self) -> str:
        """Return the parameters, as printing a module shows them."""
        n_units, n_inputs = self.weight.shape
        return f"{n_inputs}, {n_units}, {self.neuron}, n_spikes={self.n_spikes}, n_input_spikes={self.n_input_spikes}"


class Events(NamedTuple):
    """Inputs of each stimulus in order: times (batch, event), weights (batch, unit, event), and whose they are."""

    times: Tensor
    weights: Tensor
    order: Tensor


def in_order(times: Tensor, weight: Tensor, window: float) -> Events:
    """Return the input spikes (batch, input) of each stimulus in order of time; those at the end weigh nothing."""
    sorted_times, order = times.sort(stable=True, dim=1)
    weights = weight.T[order].transpose(1, 2)
    return Events(sorted_times, weights * (sorted_times < window)[:, None], order)


def first_crossings(
    events: Events, slow: Tensor, fast: Tensor, last: Tensor, neuron: EventNeuron
) -> tuple[Tensor, Tensor]:
    """Return when each neuron (batch, unit) reaches threshold after `last`, the window's end where it does not.

    `slow` and `fast` (batch, unit, event) are such that ``V(t) = slow exp(-t / tau_mem) - fast exp(-t / tau_syn)`` from
    one event to the next. Also returned is the slope of V there.
    """
    tau_m, tau_s = neuron.tau_mem, neuron.tau_syn
    ends = torch.cat([events.times[:, 1:], torch.full_like(events.times[:, :1], neuron.window)], 1)
    start = torch.maximum(events.times[:, None], last[..., None])
    rises = (slow > 0) & (fast > 0)
    share = torch.where(rises, fast * tau_m / (slow * tau_s), 1.0)
    peak = (share.log() / (1 / tau_s - 1 / tau_m)).minimum(ends[:, None])
    value = slow * (-peak / tau_m).exp() - fast * (-peak / tau_s).exp()
    crosses = rises & (peak > start) & (value > neuron.threshold)
    which = crosses.int().argmax(2, keepdim=True)
    a, b, now = (v.gather(2, which)[..., 0] for v in (slow, fast, start))
    ever = crosses.any(2)
    now = torch.where(ever, now, neuron.window)
    for _ in range(NEWTON_STEPS):  # V rises and is concave up to its peak: from below, no step goes too far
        off = neuron.threshold - a * (-now / tau_m).exp() + b * (-now / tau_s).exp()
        step = torch.where(ever, off / _slope(a, b, now, neuron), 0.0)
        now = now + step
        if float(step.abs().max()) < 1e-16:
            break
    return now, torch.where(ever, _slope(a, b, now, neuron), math.inf)


def _slope(slow: Tensor, fast: Tensor, now: Tensor, neuron: EventNeuron) -> Tensor:
    tau_m, tau_s = neuron.tau_mem, neuron.tau_syn
    return fast / tau_s * (-now / tau_s).exp() - slow / tau_m * (-now / tau_m).exp()


class _SpikeTimes(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, times: Tensor, weight: Tensor, neuron: EventNeuron, n_spikes: int) -> Tensor:
        events, tau_m = in_order(times, weight, neuron.window), neuron.tau_mem
        at = events.times[:, None]
        slow = neuron.gain * (events.weights * (at / tau_m).exp()).cumsum(2)
        fast = neuron.gain * (events.weights * (at / neuron.tau_syn).exp()).cumsum(2)
        last = torch.zeros_like(slow[..., 0])
        found, slopes = [], []
        for _ in range(n_spikes):
            last, slope = first_crossings(events, slow, fast, last, neuron)
            slow = slow - neuron.threshold * (last / tau_m).exp()[..., None]
            found.append(last)
            slopes.append(slope)
        spikes = torch.stack(found, 2)
        ctx.save_for_backward(times, weight, spikes, torch.stack(slopes, 2))
        ctx.neuron = neuron
        return spikes

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        times, weight, spikes, slopes = ctx.saved_tensors
        return (*adjoint(grads[0], times, weight, spikes, slopes, ctx.neuron), None, None)


def adjoint(
    grad: Tensor, times: Tensor, weight: Tensor, spikes: Tensor, slopes: Tensor, neuron: EventNeuron
) -> tuple[Tensor, Tensor]:
    """Return the gradients of input times (batch, input) and weights (unit, input) from that of spikes.

    Backwards in time: at a spike the adjoint of V jumps by what it owes to the loss and to the reset, over the slope of
    V; the adjoint of I at an input spike is the gradient of its weight.
    """
    tau_m, tau_s, n = neuron.tau_mem, neuron.tau_syn, spikes.shape[2]
    owed: list[Tensor] = [torch.empty(0)] * n
    for k in reversed(range(n)):
        reset = torch.zeros_like(grad[..., k])
        for j in range(k + 1, n):
            later = (-(spikes[..., j] - spikes[..., k]) / tau_m).exp()
            reset = reset - owed[j] * neuron.threshold / tau_m * later
        owed[k] = -(grad[..., k] + reset) / slopes[..., k]
    by_time, by_weight = torch.zeros_like(times), torch.zeros_like(weight)
    for k in range(n):
        since = spikes[..., k, None] - times[:, None]
        counts = (since > 0) & (times < neuron.window)[:, None]
        since = since.clamp(min=0.0)
        slow, fast = (-since / tau_m).exp(), (-since / tau_s).exp()
        due = owed[k][..., None] * counts
        by_weight += neuron.gain * (due * (slow - fast)).sum(0)
        by_time -= neuron.gain * (due * weight * (fast / tau_s - slow / tau_m)).sum(1)
    return by_time, by_weight
