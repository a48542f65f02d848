"""What every engine computes: the step of a spiking neuron, its state, and a whole sequence as one autograd node.

One step, in this order, for currents ``x``, spikes ``s`` and the reset that was chosen::

    i = alpha i + x + W s              synaptic current (alpha = 0: none)
    v = beta v + i - threshold s       "subtract";  beta (1 - s) v + i  "zero";  (1 - s)(beta v + i)  "clear"
    a = rho a + s                      adaptation of the threshold (rise = 0: none)
    s = v > threshold + rise a

The reset and the past spike in it pass no gradient, as in snnTorch; recurrent spikes and adaptation do. Only the
distance from threshold is kept for the gradient: 4 bytes a neuron and step in float32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from neurosim.networks.spiking.surrogates import Surrogate
from neurosim.parameters import DiscreteAdaptiveLIFParameters, DiscreteParameters, DiscreteSynapticParameters
from neurosim.schema import InputError

SequenceReset = Literal["subtract", "zero", "clear", "none"]
RESETS: tuple[SequenceReset, ...] = ("subtract", "zero", "clear", "none")
Number = float | Tensor


class State(NamedTuple):
    """What a layer remembers between two steps, each (batch, ...): membrane, current, adaptation, last spikes."""

    membrane: Tensor
    current: Tensor
    adaptation: Tensor
    spikes: Tensor

    def detached(self) -> State:
        """Return the same state, of no gradient: where backpropagation through time is cut."""
        return State(*(part.detach() for part in self))


@dataclass(frozen=True)
class Coefficients:
    """The numbers of one step: decays a step, threshold and its rise a spike; each a number or one a unit."""

    beta: Number
    threshold: Number
    reset: SequenceReset
    alpha: Number = 0.0
    rho: Number = 0.0
    rise: Number = 0.0

    @property
    def has_current(self) -> bool:
        """Whether there is a synaptic current with a memory."""
        return isinstance(self.alpha, Tensor) or self.alpha != 0.0

    @property
    def adapts(self) -> bool:
        """Whether the threshold adapts."""
        return isinstance(self.rise, Tensor) or self.rise != 0.0


def coefficients(parameters: DiscreteParameters, **exact: Tensor) -> Coefficients:
    """Return the coefficients of a parameter record; `exact` replaces some by one number a unit.

    Raises
    ------
    InputError : a reset within the step, which has no sequence kernel.
    """
    if parameters.reset not in RESETS:
        raise InputError(
            f"SpikingLayer: reset = {parameters.reset!r} is for simulation only; layers know {', '.join(RESETS)}."
        )
    numbers: dict[str, Any] = {"beta": parameters.beta, "threshold": parameters.threshold}
    if isinstance(parameters, DiscreteSynapticParameters):
        numbers["alpha"] = parameters.alpha
    if isinstance(parameters, DiscreteAdaptiveLIFParameters):
        numbers |= {"rho": parameters.rho, "rise": parameters.rise}
    return Coefficients(reset=parameters.reset, **(numbers | exact))


def silence(like: Tensor) -> State:
    """Return the state of neurons at rest, for one step of input (batch, ...)."""
    return State(*(torch.zeros_like(like) for _ in range(4)))


def neuron_step(state: State, drive: Tensor, c: Coefficients, surrogate: Surrogate) -> tuple[State, Tensor]:
    """Advance neurons by one step: the equations above, and the new distance from threshold.

    Parameters
    ----------
    state : after the previous step. drive : (batch, ...) input of this step, recurrent input included.
    c : coefficients. surrogate : gradient of the spikes.

    Returns
    -------
    state, distance : the spikes of this step are ``state.spikes``.
    """
    before = state.spikes.detach()
    current = c.alpha * state.current + drive if c.has_current else state.current
    drive = current if c.has_current else drive
    if c.reset == "subtract":
        membrane = c.beta * state.membrane + drive - before * c.threshold
    elif c.reset == "zero":
        membrane = c.beta * ((1 - before) * state.membrane) + drive
    elif c.reset == "clear":
        moved = c.beta * state.membrane + drive
        membrane = moved - before * moved
    else:
        membrane = c.beta * state.membrane + drive
    adaptation, distance = state.adaptation, membrane - c.threshold
    if c.adapts:
        adaptation = c.rho * state.adaptation + state.spikes
        distance = membrane - (c.threshold + c.rise * adaptation)
    return State(membrane, current, adaptation, surrogate.spike(distance)), distance


class Engine(Protocol):
    """Runs a sequence (time, batch, unit) forward and backward; all engines give the same spikes."""

    def forward(self, currents: Tensor, state: State, c: Coefficients, weight: Tensor | None) -> Forward:
        """Return spikes, distance from threshold and the last state."""

    def backward(
        self, grad: Tensor, past: Past, c: Coefficients, weight: Tensor | None, surrogate: Surrogate
    ) -> Tensor:
        """Return the gradient of the currents, given that of the spikes."""


class Forward(NamedTuple):
    """Result of a forward pass: spikes and distance (time, batch, unit), and the last state."""

    spikes: Tensor
    distance: Tensor
    state: State


class Past(NamedTuple):
    """What the backward pass starts from: distance (time, batch, unit) and the spikes before the first step."""

    distance: Tensor
    first_spikes: Tensor


class _Sequence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        currents: Tensor,
        weight: Tensor | None,
        state: State,
        c: Coefficients,
        surrogate: Surrogate,
        engine: Engine,
    ) -> tuple[Tensor, ...]:
        found = engine.forward(currents, state, c, weight)
        ctx.save_for_backward(found.distance, state.spikes, weight)
        ctx.c, ctx.surrogate, ctx.engine = c, surrogate, engine
        ctx.mark_non_differentiable(*found.state)
        return found.spikes, *found.state

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        distance, first, weight = ctx.saved_tensors
        grad = ctx.engine.backward(grads[0].contiguous(), Past(distance, first), ctx.c, weight, ctx.surrogate)
        if weight is None:
            return grad, None, None, None, None, None
        return grad, recurrent_gradient(grad, Past(distance, first)), None, None, None, None


def recurrent_gradient(grad: Tensor, past: Past) -> Tensor:
    """Return the gradient of recurrent weights (unit, unit) from that of the currents, as one product."""
    n = grad.shape[-1]
    earlier = (past.distance[:-1] > 0).to(grad.dtype)
    found = grad[1:].reshape(-1, n).T @ earlier.reshape(-1, n)
    return found + grad[0].T @ past.first_spikes


def check_currents(currents: object) -> None:
    """Refuse what is no real tensor (time, batch, ...) of at least one step."""
    if not isinstance(currents, Tensor) or currents.is_complex():
        found = currents.dtype if isinstance(currents, Tensor) else type(currents).__name__
        raise InputError(f"SpikingLayer: currents are a real torch tensor (time, batch, ...), found {found}.")
    if currents.ndim < 2 or currents.shape[0] == 0:
        raise InputError(
            f"SpikingLayer: currents (time, batch, ...) of at least one step asked, found {tuple(currents.shape)}."
        )


def run_sequence(
    currents: Tensor,
    c: Coefficients,
    *,
    weight: Tensor | None = None,
    state: State | None = None,
    surrogate: Surrogate | None = None,
    engine: Engine,
) -> tuple[Tensor, State]:
    """Run spiking neurons over a whole sequence.

    Parameters
    ----------
    currents : (time, batch, ...) input, in units of the threshold; float64, or computed in float32.
    c : coefficients of the step. weight : recurrent weights (unit, unit), to by from, of layers (time, batch, unit).
    state : state to start from; silence by default. No gradient reaches it, or flows out of the state returned.
    surrogate : gradient of the spikes. engine : who computes.

    Returns
    -------
    spikes, of the shape and dtype of `currents`, and the last state.

    Raises
    ------
    InputError : no step at all, recurrent weights or a state that do not fit, membranes that are no finite numbers (on
        the CPU, where looking costs nothing).
    """
    check_currents(currents)
    shape, dtype = currents.shape, currents.dtype
    working = torch.float64 if dtype == torch.float64 else torch.float32
    flat = currents.to(working).reshape(shape[0], shape[1], math.prod(shape[2:])).contiguous()
    if weight is not None and weight.shape != (flat.shape[2], flat.shape[2]):
        raise InputError(f"SpikingLayer: recurrent weights {tuple(weight.shape)} do not fit {flat.shape[2]} units.")
    if state is not None and any(part.shape != shape[1:] for part in state):
        found = tuple(state.membrane.shape)
        raise InputError(f"SpikingLayer: the state {found} is not that of currents {tuple(shape)} (time, batch, ...).")
    start = State(*(p.detach().to(working).reshape(flat.shape[1:]).contiguous() for p in state)) if state else None
    start = start or silence(flat[0].detach())
    weight = None if weight is None else weight.to(working)
    with torch.autocast(currents.device.type, enabled=False):
        how = (_flat(c, flat), surrogate or Surrogate(), engine)
        spikes, *last = _Sequence.apply(flat, weight, start, *how)  # type: ignore[no-untyped-call]
    if currents.device.type == "cpu" and not torch.isfinite(last[0]).all():
        raise InputError("SpikingLayer: membranes are no finite numbers; its input is not, or weights have exploded.")
    return spikes.to(dtype).reshape(shape), State(*(part.reshape(shape[1:]) for part in last))


def _flat(c: Coefficients, like: Tensor) -> Coefficients:
    """Return coefficients that are one a unit as vectors (unit,) of the device and precision at work."""
    numbers = {k: getattr(c, k) for k in ("beta", "threshold", "alpha", "rho", "rise")}
    fitted = {k: _vector(v, like) if isinstance(v, Tensor) else v for k, v in numbers.items()}
    return Coefficients(reset=c.reset, **fitted)


def shaped(c: Coefficients, like: Tensor) -> Coefficients:
    """Return coefficients that fit one step (batch, ...) of any shape, for :func:`neuron_step`."""
    numbers = {k: getattr(c, k) for k in ("beta", "threshold", "alpha", "rho", "rise")}
    units = like[0]
    fitted = {
        k: _vector(v, units.reshape(1, -1)).reshape(units.shape) if isinstance(v, Tensor) else v
        for k, v in numbers.items()
    }
    return Coefficients(reset=c.reset, **fitted)


def _vector(values: Tensor, like: Tensor) -> Tensor:
    vector = values.detach().to(like).flatten()
    if vector.numel() not in (1, like.shape[-1]):
        raise InputError(f"SpikingLayer: {vector.numel()} numbers for {like.shape[-1]} units.")
    return vector.expand(like.shape[-1]).contiguous()
