"""The engine for GPUs: one Triton kernel forward and one backward, each neuron's state in registers for all steps.

Fused multiply-adds are off, so that spikes are those of the other engines. With ``TRITON_INTERPRET=1`` the same
kernels run without a GPU, slowly.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from neurosim.networks.spiking.sequence import (
    RESETS,
    Arriving,
    Coefficients,
    Forward,
    Keep,
    Leaving,
    Past,
    State,
    Wanted,
)
from neurosim.networks.spiking.surrogates import Surrogate
from neurosim.networks.spiking.torch_engine import TorchEngine

BLOCK = 256


@triton.jit
def _derivative(x, slope, SURROGATE: tl.constexpr):  # type: ignore[no-untyped-def]
    if SURROGATE == 0:
        scaled = x * (1.5707963267948966 * slope)
        found = (slope / 2) / (scaled * scaled + 1.0)
    elif SURROGATE == 1:
        width = tl.abs(x) * slope + 1.0
        found = 1.0 / (width * width)
    elif SURROGATE == 2:
        step = 1.0 / (1.0 + tl.exp(-x * slope))
        found = slope * step * (1.0 - step)
    elif SURROGATE == 3:
        found = tl.maximum(1.0 - tl.abs(x * slope), 0.0) * slope
    else:
        found = x * 0.0 + slope
    return found


@triton.jit
def _forward(  # type: ignore[no-untyped-def]
    x, v0, i0, a0, s0, spikes, distance, v1, i1, a1, s1, beta, threshold, alpha, rho, rise, steps, lanes, units,
    RESET: tl.constexpr, CURRENT: tl.constexpr, ADAPTS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    lane = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = lane < lanes
    unit = lane % units
    b, theta = tl.load(beta + unit, inside), tl.load(threshold + unit, inside)
    v, i = tl.load(v0 + lane, inside), tl.load(i0 + lane, inside)
    a, s = tl.load(a0 + lane, inside), tl.load(s0 + lane, inside)
    if CURRENT:
        decay = tl.load(alpha + unit, inside)
    if ADAPTS:
        fade, up = tl.load(rho + unit, inside), tl.load(rise + unit, inside)
    place = lane
    for _ in range(steps):
        drive = tl.load(x + place, inside)
        if CURRENT:
            i = i * decay + drive
            drive = i
        if RESET == 1:
            v = v * (1.0 - s)
        v = v * b + drive
        if RESET == 0:
            v = v - s * theta
        if RESET == 2:
            v = v - s * v
        level = theta
        if ADAPTS:
            a = a * fade + s
            level = a * up + theta
        d = v - level
        s = tl.where(d > 0, 1.0, 0.0).to(d.dtype)
        tl.store(distance + place, d, inside)
        tl.store(spikes + place, s, inside)
        place += lanes
    tl.store(v1 + lane, v, inside)
    tl.store(i1 + lane, i, inside)
    tl.store(a1 + lane, a, inside)
    tl.store(s1 + lane, s, inside)


@triton.jit
def _backward(  # type: ignore[no-untyped-def]
    grad, distance, before, to_v, to_i, to_a, found, beta, alpha, rho, rise, slope, steps, lanes, units,
    RESET: tl.constexpr, CURRENT: tl.constexpr, ADAPTS: tl.constexpr, SURROGATE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    lane = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = lane < lanes
    unit = lane % units
    b = tl.load(beta + unit, inside)
    membrane, current, adapted = (
        tl.load(to_v + lane, inside),
        tl.load(to_i + lane, inside),
        tl.load(to_a + lane, inside),
    )
    if CURRENT:
        decay = tl.load(alpha + unit, inside)
    if ADAPTS:
        fade, up = tl.load(rho + unit, inside), tl.load(rise + unit, inside)
    place = lane + (lane * 0 + (steps - 1)) * lanes
    for _ in range(steps):
        to_spike = tl.load(grad + place, inside)
        if ADAPTS:
            to_spike = to_spike + adapted
        now = _derivative(tl.load(distance + place, inside), slope, SURROGATE) * to_spike
        membrane = membrane * b + now
        if ADAPTS:
            adapted = adapted * fade - now * up
        drive = membrane
        if RESET == 1 or RESET == 2:  # noqa: PLR1714 Triton compiles no sets
            is_first = place < lanes
            first = tl.load(before + lane, inside & is_first, other=0.0)
            earlier = tl.load(distance + (place - lanes), inside & (place >= lanes), other=0.0)
            fired = tl.where(is_first, first, tl.where(earlier > 0, 1.0, 0.0).to(first.dtype))
            if RESET == 2:
                drive = membrane * (1.0 - fired)
            membrane = membrane * (1.0 - fired)
        if CURRENT:
            current = current * decay + drive
            drive = current
        tl.store(found + place, drive, inside)
        place -= lanes
    tl.store(to_v + lane, membrane, inside)
    tl.store(to_i + lane, current, inside)
    tl.store(to_a + lane, adapted, inside)


class TritonEngine:
    """Triton kernels; recurrent weights are multiplied by torch between steps of the kernel."""

    def forward(self, currents: Tensor, state: State, c: Coefficients, weight: Tensor | None, keep: Keep) -> Forward:
        """Return spikes, distance from threshold, the last state and the traces that are asked for."""
        if keep.traces or keep.distance == "half":
            return TorchEngine().forward(currents, state, c, weight, keep)
        spikes, distance = torch.empty_like(currents), torch.empty_like(currents)
        if weight is None:
            last = State(*(torch.empty_like(part) for part in state))
            self._forward(currents, state, c, spikes, distance, last)
            return Forward(spikes, distance, last)
        last = State(*(part.clone() for part in state))
        for t, now in enumerate(currents.unbind(0)):
            drive = torch.addmm(now, last.spikes, weight.T).unsqueeze(0)
            self._forward(drive, last, c, spikes[t], distance[t], last)
        return Forward(spikes, distance, last)

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
        if any(wanted) or grad.membrane is not None or grad.state is not None or past.distance.dtype == torch.float16:
            return TorchEngine().backward(grad, past, c, weight, surrogate, wanted)
        found, distance = torch.empty_like(grad.spikes), past.distance
        adjoint = [torch.zeros_like(found[0]) for _ in range(3)]
        if weight is None:
            self._backward(grad.spikes, distance, past.first.spikes, adjoint, found, c, surrogate)
            return Leaving(found)
        for t in reversed(range(len(found))):
            now = grad.spikes[t] if t + 1 == len(found) else torch.addmm(grad.spikes[t], found[t + 1], weight)
            before = (distance[t - 1] > 0).to(found.dtype) if t else past.first.spikes
            self._backward(now.unsqueeze(0), distance[t], before, adjoint, found[t], c, surrogate)
        return Leaving(found)

    def _forward(self, x: Tensor, state: State, c: Coefficients, spikes: Tensor, distance: Tensor, last: State) -> None:
        lanes, units = x[0].numel(), x.shape[-1]
        numbers = [_vector(v, x) for v in (c.beta, c.threshold, c.alpha, c.rho, c.rise)]
        _forward[(triton.cdiv(lanes, BLOCK),)](
            x, *state, spikes, distance, *last, *numbers, len(x), lanes, units, **_options(c)
        )  # fmt: skip

    def _backward(
        self,
        grad: Tensor,
        distance: Tensor,
        before: Tensor,
        adjoint: list[Tensor],
        found: Tensor,
        c: Coefficients,
        surrogate: Surrogate,
    ) -> None:
        lanes, units = grad[0].numel(), grad.shape[-1]
        numbers = [_vector(v, grad) for v in (c.beta, c.alpha, c.rho, c.rise)]
        _backward[(triton.cdiv(lanes, BLOCK),)](
            grad, distance, before, *adjoint, found, *numbers, surrogate.slope, len(grad), lanes, units,
            SURROGATE=surrogate.index, **_options(c),
        )  # fmt: skip


def _options(c: Coefficients) -> dict[str, Any]:
    return {
        "RESET": RESETS.index(c.reset),
        "CURRENT": c.has_current,
        "ADAPTS": c.adapts,
        "BLOCK": BLOCK,
        "enable_fp_fusion": False,
    }


def _vector(value: float | Tensor, like: Tensor) -> Tensor:
    if isinstance(value, Tensor):
        return value
    return torch.full((like.shape[-1],), value, dtype=like.dtype, device=like.device)
