"""The layer as a plain loop over its step, differentiated by torch: every derivative there is, at the price of a graph.

It is the definition that the engines are compared with, and what runs where they give no derivative: of any order,
forward or backward, under ``torch.func``, of adaptive neurons' own numbers.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from neurosim.networks.spiking.running import Sequence
from neurosim.networks.spiking.sequence import Coefficients, State, neuron_step, shaped, silence
from neurosim.networks.spiking.surrogates import Surrogate
from neurosim.schema import InputError


def run_by_autograd(
    currents: Tensor,
    c: Coefficients,
    weight: Tensor | None,
    state: State | None,
    surrogate: Surrogate,
    *,
    carried: bool = False,
) -> Sequence:
    """Run the step of a neuron over a sequence (time, batch, ...) with all its gradients.

    Parameters
    ----------
    currents : float64, or computed in float32. c : coefficients, a number or one a unit.
    weight : recurrent weights (unit, unit), to by from. state : to start from; silence by default.
    surrogate : gradient of the spikes. carried : whether gradients flow into `state` and out of the last one.

    Returns
    -------
    spikes of the dtype of `currents`, the last state and the membrane after each step.
    """
    working = torch.float64 if currents.dtype == torch.float64 else torch.float32
    check_fit(currents, weight, state)
    steps = currents.to(working).unbind(0)
    start = state if state is None or carried else state.detached()
    now = silence(steps[0]) if start is None else State(*(part.to(working) for part in start))
    spikes, membranes, c = [], [], shaped(c, steps[0])
    with torch.autocast(currents.device.type, enabled=False):
        inner = None if weight is None else weight.to(working)
        for step in steps:
            drive = step if inner is None else step + now.spikes @ inner.T
            now, _ = neuron_step(now, drive, c, surrogate)
            spikes.append(now.spikes)
            membranes.append(now.membrane)
    if torch._C._functorch.peek_interpreter_stack() is None and not _is_written_down():
        check_finite(now)
    return Sequence(torch.stack(spikes).to(currents.dtype), now if carried else now.detached(), torch.stack(membranes))


def check_fit(currents: Tensor, weight: Tensor | None, state: State | None) -> None:
    """Refuse recurrent weights or a state that are not of the units of currents (time, batch, ...)."""
    n_units, shape = math.prod(currents.shape[2:]), tuple(currents.shape[1:])
    if weight is not None and weight.shape != (n_units, n_units):
        raise InputError(f"SpikingLayer: recurrent weights {tuple(weight.shape)} do not fit {n_units} units.")
    if state is not None and (found := next((tuple(p.shape) for p in state if p.shape != shape), None)):
        raise InputError(f"SpikingLayer: the state {found} is not that of a step of currents, {shape} (batch, ...).")


def check_finite(state: State) -> None:
    """Refuse membranes that are no finite numbers, on the CPU, where looking costs nothing."""
    if state.membrane.device.type == "cpu" and not torch.isfinite(state.membrane).all():
        raise InputError("SpikingLayer: membranes are no finite numbers; its input is not, or weights have exploded.")


def _is_written_down() -> bool:
    """Whether torch writes operations down as a graph, in which values cannot be looked at."""
    return torch._C._get_dispatch_mode(torch._C._TorchDispatchModeKey.PROXY) is not None


def is_transformed(*tensors: Tensor | float | None) -> bool:
    """Whether a transform of ``torch.func`` is at work, or one of these carries a forward derivative.

    Where ``torch.compile`` traces, no transform is: it only seems so, and engines run as they are between its graphs.
    """
    if torch.compiler.is_compiling():
        return False
    if torch._C._functorch.peek_interpreter_stack() is not None:
        return True
    given = [t for t in tensors if isinstance(t, Tensor)]
    return any(forward_ad.unpack_dual(t).tangent is not None for t in given)  # type: ignore[no-untyped-call]


class _Once(torch.autograd.Function):
    """What passes on a tensor, and whose gradient refuses to be differentiated again."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, anchor: Tensor) -> Tensor:
        ctx.anchor = anchor  # a zero that depends on all that is given: by it the refusal is reached whoever asks again
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        if not torch.is_grad_enabled():
            return grads[0], None
        return _Refused.apply(grads[0], ctx.anchor), None  # type: ignore[no-untyped-call]


class _Refused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, anchor: Tensor) -> Tensor:
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        raise InputError(
            "SpikingLayer: its engine gives first derivatives, a second was asked; make the layer with "
            "engine='autograd', which gives derivatives of every order."
        )


def once(*given: Tensor | float | None) -> list[Any]:
    """Return tensors whose gradients refuse, in one line, to be differentiated again; the rest as it is."""
    differentiable = [t for t in given if isinstance(t, Tensor) and t.requires_grad]
    if not (differentiable and torch.is_grad_enabled()):
        return list(given)
    anchor = torch.stack([t[:0].sum().double() for t in differentiable]).sum()
    return [_Once.apply(t, anchor) if isinstance(t, Tensor) and t.requires_grad else t for t in given]  # type: ignore[no-untyped-call]
