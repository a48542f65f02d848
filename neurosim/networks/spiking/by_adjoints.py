"""Gradients of a neuron's own numbers, and through its membrane, from what a fast engine gives.

An engine returns the distance from threshold, which is the membrane less a constant, and the adjoint of the currents.
With ``d`` the distance, ``v`` the membrane, ``s`` the spikes, ``g`` the adjoint of the currents, ``a`` what reaches a
spike times the surrogate's derivative, and ``l`` the adjoint of the membrane (``g``, or ``g[t] - alpha g[t+1]`` of
neurons with a synaptic current), sums over time and batch are the gradients::

    beta        l[t] (1 - s[t-1] where a reset forgets) v[t-1]
    threshold   - a[t] - (l[t] s[t-1] where a reset subtracts)
    alpha       g[t] i[t-1]

A gradient of the membrane itself is given to the engine as if spikes were the membrane, with a derivative of 1.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neurosim.networks.spiking.by_autograd import Traces, check_finite, check_fit
from neurosim.networks.spiking.learned import precision_of
from neurosim.networks.spiking.sequence import Coefficients, Engine, Past, State, recurrent_gradient, silence
from neurosim.networks.spiking.surrogates import Surrogate

IN_CACHE = 32768  # neuron-steps that are summed at a time
AS_MEMBRANE = Surrogate("straight_through", 1.0)


class How(NamedTuple):
    """What a pass is made with, besides its tensors."""

    numbers: Coefficients
    surrogate: Surrogate
    engine: Engine


def is_enough(c: Coefficients, weight: Tensor | None, with_membrane: bool) -> bool:
    """Whether adjoints of the currents say all gradients of such neurons."""
    if c.adapts or (c.has_current and c.reset == "clear"):
        return False
    return weight is None or not with_membrane


def run_by_adjoints(
    currents: Tensor, c: Coefficients, weight: Tensor | None, state: State | None, how: tuple[Surrogate, Engine]
) -> Traces:
    """Run a sequence with gradients of the currents, of the weights and of the neurons' numbers.

    Parameters
    ----------
    currents : (time, batch, ...), float64, or computed in float32.
    c : coefficients, vectors (unit,) of that precision where they are tensors.
    weight : recurrent weights (unit, unit), to by from. state : to start from, of no gradient; silence by default.
    how : surrogate and engine.
    """
    check_fit(currents, weight, state)
    shape, dtype, working = currents.shape, currents.dtype, precision_of(currents)
    flat = currents.to(working).reshape(*shape[:2], math.prod(shape[2:])).contiguous()
    start = silence(flat[0].detach())
    if state is not None:
        start = State(*(p.detach().to(working).reshape(start.membrane.shape).contiguous() for p in state))
    numbers = {k: getattr(c, k) for k in ("beta", "threshold", "alpha")}
    plain = {k: v.detach().contiguous() if isinstance(v, Tensor) else v for k, v in numbers.items()}
    learned = [v if isinstance(v, Tensor) else None for v in numbers.values()]
    weight = None if weight is None else weight.to(working)
    made = How(Coefficients(reset=c.reset, **plain), *how)
    with torch.autocast(currents.device.type, enabled=False):
        found = _Adjoint.apply(flat, weight, *learned, start, made)  # type: ignore[no-untyped-call]
    spikes, membrane, *last = found
    check_finite(State(*last))
    whole = (spikes.to(dtype).reshape(shape), membrane.to(dtype).reshape(shape))
    return Traces(*whole, State(*(part.reshape(shape[1:]) for part in last)))


class _Adjoint(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        currents: Tensor,
        weight: Tensor | None,
        beta: Tensor | None,
        threshold: Tensor | None,
        alpha: Tensor | None,
        start: State,
        how: How,
    ) -> tuple[Tensor, ...]:
        found = how.engine.forward(currents, start, how.numbers, weight)
        ctx.save_for_backward(found.distance, weight, start.membrane, start.current, start.spikes)
        ctx.how = how
        ctx.mark_non_differentiable(*found.state)
        ctx.set_materialize_grads(False)
        return found.spikes, found.distance + how.numbers.threshold, *found.state

    @staticmethod
    @torch.no_grad()
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        distance, weight, *start = ctx.saved_tensors
        past, how, to_membrane = Past(distance, start[2]), ctx.how, grads[1]
        to_spikes = torch.zeros_like(distance) if grads[0] is None else grads[0].contiguous()
        if to_membrane is None:
            found = how.engine.backward(to_spikes, past, how.numbers, weight, how.surrogate)
        else:
            given = how.surrogate.derivative(distance).mul_(to_spikes).add_(to_membrane)
            found = how.engine.backward(given, past, how.numbers, None, AS_MEMBRANE)
        sums = _Sums(found, to_spikes, distance, start, how, weight)
        to_numbers = sums.gradients(ctx.needs_input_grad[2:5])
        return found, None if weight is None else recurrent_gradient(found, past), *to_numbers, None, None


class _Sums:
    """The sums over time and batch that are gradients, a few steps at a time, so that they stay in the cache."""

    def __init__(
        self, found: Tensor, to_spikes: Tensor, distance: Tensor, start: list[Tensor], how: How, weight: Tensor | None
    ) -> None:
        self.found, self.to_spikes, self.distance, self.weight = found, to_spikes, distance, weight
        self.first_membrane, self.first_current, self.first_spikes = start
        self.c, self.surrogate = how.numbers, how.surrogate

    def gradients(self, asked: tuple[bool, ...]) -> list[Tensor | None]:
        """Return the gradients of beta, threshold and alpha, each (unit,), where they are asked."""
        parts = (self._beta, self._threshold, self._alpha)
        found: list[Tensor | None] = [self.found.new_zeros(self.found.shape[-1]) if a else None for a in asked]
        n_time, length = len(self.found), max(1, IN_CACHE // self.found[0].numel())
        for a in range(0, n_time, length) if any(asked) else ():
            b = min(a + length, n_time)
            for total, part in zip(found, parts, strict=True):
                if total is not None:
                    total.add_(part(a, b))
        return found

    def _beta(self, a: int, b: int) -> Tensor:
        return (self._onto_membrane(a, b) * self._kept(a, b)).sum((0, 1))

    def _threshold(self, a: int, b: int) -> Tensor:
        fired = self.surrogate.derivative(self.distance[a:b])
        if self.weight is None or a + 1 == len(self.found):
            fired *= self.to_spikes[a:b]
        else:
            reaching = self.to_spikes[a:b].clone()
            later = self.found[a + 1 : b + 1]
            reaching[: len(later)] += later @ self.weight
            fired *= reaching
        if self.c.reset == "subtract":
            fired += self._onto_membrane(a, b) * self._spikes_before(a, b)
        return -fired.sum((0, 1))

    def _alpha(self, a: int, b: int) -> Tensor:
        earlier = self._current(max(a - 1, 0), b - 1) if b > 1 else self.distance[:0]
        earlier = earlier if a else torch.cat([self.first_current[None], earlier])
        return (self.found[a:b] * earlier).sum((0, 1))

    def _onto_membrane(self, a: int, b: int) -> Tensor:
        """Return the adjoints of the membrane (where a reset does not take them away) in steps a to b."""
        if not self.c.has_current:
            return self.found[a:b]
        later = self.found[a + 1 : b + 1]
        onto = self.found[a:b].clone()
        onto[: len(later)] -= self.c.alpha * later
        return onto

    def _spikes_before(self, a: int, b: int) -> Tensor:
        before = (self.distance[max(a - 1, 0) : b - 1] > 0).to(self.found.dtype)
        return before if a else torch.cat([self.first_spikes[None], before])

    def _kept(self, a: int, b: int) -> Tensor:
        """Return the membranes of the steps before, as a reset left them."""
        earlier = self.distance[max(a - 1, 0) : b - 1] + self.c.threshold
        earlier = earlier if a else torch.cat([self.first_membrane[None], earlier])
        return earlier * (1 - self._spikes_before(a, b)) if self.c.reset == "zero" else earlier

    def _current(self, a: int, b: int) -> Tensor:
        """Return the synaptic currents in steps a to b, which the membranes tell."""
        current = self.distance[a:b] + self.c.threshold - self.c.beta * self._kept(a, b)
        return current + self._spikes_before(a, b) * self.c.threshold if self.c.reset == "subtract" else current
