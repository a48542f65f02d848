"""What every engine computes: the step of a spiking neuron, its state, and what a sequence takes and gives.

One step, in this order, for currents ``x``, spikes ``s`` and the reset that was chosen::

    i = alpha i + x + W s              synaptic current (alpha = 0: none)
    v = beta v + i - threshold s       "subtract";  beta (1 - s) v + i  "zero";  (1 - s)(beta v + i)  "clear"
    a = rho a + s                      adaptation of the threshold (rise = 0: none)
    s = v > threshold + rise a

The reset and the past spike in it pass no gradient, as in snnTorch; recurrent spikes and adaptation do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from neurosim.networks.spiking.surrogates import Surrogate
from neurosim.parameters import DiscreteAdaptiveLIFParameters, DiscreteParameters, DiscreteSynapticParameters
from neurosim.schema import InputError

SequenceReset = Literal["subtract", "zero", "clear", "none"]
RESETS: tuple[SequenceReset, ...] = ("subtract", "zero", "clear", "none")
NUMBERS = ("beta", "threshold", "alpha", "rho", "rise")
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

    def copied(self) -> State:
        """Return a state of its own memory, every part contiguous."""
        return State(*(part.clone(memory_format=torch.contiguous_format) for part in self))


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


class Traces(NamedTuple):
    """What a forward pass remembers of every step, each (time, batch, unit), or None where nobody asked."""

    membrane: Tensor | None = None
    current: Tensor | None = None
    adaptation: Tensor | None = None


@dataclass(frozen=True)
class Keep:
    """What a forward pass leaves behind.

    distance : "full" keeps the distance from threshold for the gradient; "half" in float16, 2 bytes a neuron and step;
        "none" where no gradient is asked. traces : names of :class:`Traces` that are given as well.
    """

    distance: Literal["full", "half", "none"] = "full"
    traces: frozenset[str] = frozenset()


class Forward(NamedTuple):
    """Result of a forward pass: spikes and distance (time, batch, unit), the last state, and traces."""

    spikes: Tensor
    distance: Tensor | None
    state: State
    traces: Traces = Traces()


class Past(NamedTuple):
    """What the backward pass starts from.

    distance : (time, batch, unit) as the forward pass kept it; above 0 exactly where a spike was, also in float16.
    first : the state before the first step. traces : those that the forward pass was asked for.
    spare : nobody reads `distance` afterwards, so that the gradient may be written over it.
    """

    distance: Tensor
    first: State
    traces: Traces = Traces()
    spare: bool = False


class Arriving(NamedTuple):
    """Gradients that reach a sequence: of spikes and membrane (time, batch, unit) and of the last state."""

    spikes: Tensor
    membrane: Tensor | None = None
    state: State | None = None


class Wanted(NamedTuple):
    """Gradients that are asked for besides that of the currents: of coefficients, by name, and of the first state."""

    numbers: tuple[str, ...] = ()
    state: bool = False


class Leaving(NamedTuple):
    """Gradients that leave a sequence.

    currents : (time, batch, unit). state : of the first state, if wanted. numbers : of the coefficients that are
    wanted, by name, summed over time: (batch, unit) each.
    """

    currents: Tensor
    state: State | None = None
    numbers: Mapping[str, Tensor] = MappingProxyType({})


class Engine(Protocol):
    """Runs a sequence (time, batch, unit) forward and backward; all engines give the same spikes."""

    @property
    def narrow(self) -> frozenset[torch.dtype]:
        """Dtypes of 16 bits that currents, spikes and gradients may have in memory; computed is in float32."""

    def forward(self, currents: Tensor, state: State, c: Coefficients, weight: Tensor | None, keep: Keep) -> Forward:
        """Return spikes, distance from threshold, the last state and the traces that are asked for."""

    def backward(
        self,
        grad: Arriving,
        past: Past,
        c: Coefficients,
        weight: Tensor | None,
        surrogate: Surrogate,
        wanted: Wanted,
    ) -> Leaving:
        """Return the gradients of the currents, and those that are wanted.

        The traces of ``past`` hold the membrane for "beta", the current for "alpha", the adaptation for "rho" and
        "rise".
        """


def fitted(c: Coefficients, like: Tensor) -> Coefficients:
    """Return coefficients that are one a unit as vectors (unit,) of the device and precision at work."""
    numbers = {k: getattr(c, k) for k in NUMBERS}
    vectors = {k: _vector(v, like) if isinstance(v, Tensor) else v for k, v in numbers.items()}
    return Coefficients(reset=c.reset, **vectors)


def shaped(c: Coefficients, like: Tensor) -> Coefficients:
    """Return coefficients that fit one step (batch, ...) of any shape, for :func:`neuron_step`."""
    numbers = {k: getattr(c, k) for k in NUMBERS}
    units = like[0]
    fitted = {
        k: _vector(v, units.reshape(1, -1)).reshape(units.shape) if isinstance(v, Tensor) else v
        for k, v in numbers.items()
    }
    return Coefficients(reset=c.reset, **fitted)


def _vector(values: Tensor, like: Tensor) -> Tensor:
    vector = values.to(like).flatten()
    if vector.numel() not in (1, like.shape[-1]):
        raise InputError(f"SpikingLayer: {vector.numel()} numbers for {like.shape[-1]} units.")
    return vector.expand(like.shape[-1]).contiguous()
