"""A whole sequence of spiking neurons as one node of autograd, whichever engine computes it.

Only the distance from threshold is kept for the gradient: 4 bytes a neuron and step in float32. What a loss reads
besides spikes (membranes) and what else is learned (coefficients, the state at the start) costs a trace each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from neurosim.networks.spiking.sequence import (
    NUMBERS,
    Arriving,
    Coefficients,
    Engine,
    Keep,
    Number,
    Past,
    State,
    Traces,
    Wanted,
    fitted,
    silence,
)
from neurosim.networks.spiking.surrogates import Surrogate
from neurosim.networks.spiking.torch_engine import TorchEngine
from neurosim.schema import InputError

TRACE_OF = {"beta": "membrane", "alpha": "current", "rho": "adaptation", "rise": "adaptation"}


class Sequence(NamedTuple):
    """What a sequence gives: spikes, the last state, and membranes (time, batch, ...) where they were asked for."""

    spikes: Tensor
    state: State
    membrane: Tensor | None


@dataclass(frozen=True)
class Way:
    """How a sequence is run, all but tensors that gradients reach.

    Parameters
    ----------
    surrogate : gradient of the spikes. engine : who computes.
    membrane : give membranes, of gradient, too. half : keep distances in float16 for the gradient.
    carried : gradients reach the state given and flow out of the one returned; both are cut off without it.
    """

    surrogate: Surrogate
    engine: Engine
    membrane: bool = False
    half: bool = False
    carried: bool = False


class _Sequence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        way: Way,
        c: Coefficients,
        keep: Keep,
        currents: Tensor,
        weight: Tensor | None,
        *others: Tensor | None,
    ) -> tuple[Tensor | None, ...]:
        start = State(*others[:4])  # type: ignore[arg-type]
        found = way.engine.forward(currents, start, c, weight, keep)
        ctx.way, ctx.c = way, c
        ctx.numbers = tuple(n for n, v in zip(NUMBERS, others[4:], strict=True) if v is not None and v.requires_grad)
        first = start if ctx.numbers else (None, None, None, start.spikes)
        ctx.save_for_backward(weight, found.distance, *first, *found.traces)
        ctx.set_materialize_grads(False)
        if not way.carried:
            ctx.mark_non_differentiable(*found.state)
        return found.spikes, found.traces.membrane if way.membrane else None, *found.state

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        weight, distance, *first_and_traces = ctx.saved_tensors
        like = first_and_traces[3]
        spikes, membrane, *last = grads
        if spikes is not None and spikes.dtype not in ctx.way.engine.narrow:
            spikes = spikes.to(like.dtype)
        if spikes is None:
            spikes = torch.zeros((), dtype=like.dtype, device=like.device).expand(distance.shape)
        state = None
        if any(part is not None for part in last):
            state = State(*(torch.zeros_like(like) if part is None else part.contiguous() for part in last))
        past = Past(distance, State(*first_and_traces[:4]), Traces(*first_and_traces[4:]), spare=_is_spare())
        earlier = None if weight is None else _earlier(past)
        found = ctx.way.engine.backward(
            Arriving(spikes, None if membrane is None else membrane.contiguous(), state),
            past,
            ctx.c,
            weight,
            ctx.way.surrogate,
            Wanted(ctx.numbers, ctx.way.carried),
        )
        to_weight = None if earlier is None else recurrent_gradient(found.currents, earlier)
        start = found.state or (None,) * 4
        numbers = (found.numbers[n].sum(0) if n in ctx.numbers else None for n in NUMBERS)
        return None, None, None, found.currents, to_weight, *start, *numbers


def _is_spare() -> bool:
    """Whether what this backward pass has saved is of no use after it: nobody keeps the graph."""
    return not torch._C._autograd._get_current_graph_task_keep_graph()


def _earlier(past: Past) -> Tensor:
    """Return the spikes (time, batch, unit) before every step."""
    first = past.first.spikes
    return torch.cat([first.unsqueeze(0), (past.distance[:-1] > 0).to(first.dtype)])


def recurrent_gradient(grad: Tensor, earlier: Tensor) -> Tensor:
    """Return the gradient of recurrent weights (unit, unit) from that of the currents, as one product."""
    n = grad.shape[-1]
    found = grad[1:].reshape(-1, n).T @ earlier[1:].reshape(-1, n)
    return found + grad[0].T @ earlier[0]


def check_currents(currents: object) -> None:
    """Refuse what is no real tensor (time, batch, ...) of at least one step."""
    if not isinstance(currents, Tensor) or currents.is_complex():
        found = currents.dtype if isinstance(currents, Tensor) else type(currents).__name__
        raise InputError(f"SpikingLayer: currents are a real torch tensor (time, batch, ...), found {found}.")
    if currents.is_meta:
        raise InputError("SpikingLayer: the currents have no values (device 'meta'), of which spikes are made.")
    if currents.ndim < 2 or currents.shape[0] == 0:
        raise InputError(
            f"SpikingLayer: currents (time, batch, ...) of at least one step asked, found {tuple(currents.shape)}."
        )


def run_sequence(
    currents: Tensor, c: Coefficients, way: Way, *, weight: Tensor | None = None, state: State | None = None
) -> Sequence:
    """Run spiking neurons over a whole sequence.

    Parameters
    ----------
    currents : (time, batch, ...) input, in units of the threshold; float64, or computed in float32.
    c : coefficients of the step, a number or one a unit; gradients reach those that ask for them. way : how it is run.
    weight : recurrent weights (unit, unit), to by from, of layers (time, batch, unit).
    state : state to start from; silence by default.

    Returns
    -------
    spikes, of the shape and dtype of `currents`, the last state, and membranes where `way` asks for them.

    Raises
    ------
    InputError : no step at all, recurrent weights or a state that do not fit, membranes that are no finite numbers (on
        the CPU, where looking costs nothing).
    """
    check_currents(currents)
    if weight is None and (order := _order_in_memory(currents)) is not None:
        return _run_in_order(currents, c, way, state, order)
    shape, dtype = currents.shape, currents.dtype
    working = torch.float64 if dtype == torch.float64 else torch.float32
    is_narrow = weight is None and dtype in way.engine.narrow
    flat = _flat(currents if is_narrow else currents.to(working))
    if weight is not None and weight.shape != (flat.shape[2], flat.shape[2]):
        raise InputError(f"SpikingLayer: recurrent weights {tuple(weight.shape)} do not fit {flat.shape[2]} units.")
    if state is not None and any(part.shape != shape[1:] for part in state):
        found = tuple(state.membrane.shape)
        raise InputError(f"SpikingLayer: the state {found} is not that of currents {tuple(shape)} (time, batch, ...).")
    if state is not None and not way.carried:
        state = state.detached()
    start = State(*(p.to(working).reshape(flat.shape[1:]).contiguous() for p in state)) if state else None
    start = start or silence(flat[0].detach().to(working))
    weight = None if weight is None else weight.to(working)
    with torch.autocast(currents.device.type, enabled=False):
        spikes, membrane, *last = _run(flat, fitted(c, start.membrane), way, weight, start)
    if currents.device.type == "cpu" and not _is_finite(last[0]):
        raise InputError("SpikingLayer: membranes are no finite numbers; its input is not, or weights have exploded.")
    return Sequence(
        spikes.to(dtype).reshape(shape),
        State(*(part.reshape(shape[1:]) for part in last)),
        None if membrane is None else membrane.reshape(shape),
    )


def _order_in_memory(currents: Tensor) -> tuple[int, ...] | None:
    """Return the order of the dims of one stimulus in memory, where it is another, as with the channel last."""
    if currents.ndim < 4 or currents.is_contiguous():
        return None
    order = tuple(sorted(range(2, currents.ndim), key=lambda k: -currents.stride()[k]))
    is_dense = currents[0].permute(0, *(k - 1 for k in order)).is_contiguous()
    return order if is_dense and order != tuple(range(2, currents.ndim)) else None


def _run_in_order(currents: Tensor, c: Coefficients, way: Way, state: State | None, order: tuple[int, ...]) -> Sequence:
    """Run a sequence whose units lie in another order in memory, without moving them: spikes lie as currents do."""
    units, forth = currents.shape[2:], [k - 2 for k in order]
    back = [forth.index(k) for k in range(len(forth))]

    def turned(values: Tensor, way_of: list[int], n_before: int) -> Tensor:
        return values.permute(*range(n_before), *(k + n_before for k in way_of))

    def number(value: Number) -> Number:
        is_each = isinstance(value, Tensor) and value.numel() == math.prod(units)
        return turned(value.reshape(units), forth, 0) if isinstance(value, Tensor) and is_each else value

    numbers: dict[str, Any] = {name: number(getattr(c, name)) for name in NUMBERS}
    begun = None if state is None else State(*(turned(part, forth, 1) for part in state))
    found = run_sequence(turned(currents, forth, 2), replace(c, **numbers), way, state=begun)
    return Sequence(
        turned(found.spikes, back, 2),
        State(*(turned(part, back, 1) for part in found.state)),
        None if found.membrane is None else turned(found.membrane, back, 2),
    )


def _flat(currents: Tensor) -> Tensor:
    """Return currents (time, batch, unit); constant ones of one step only, seen as many times."""
    n_units = math.prod(currents.shape[2:])
    if currents.stride(0) == 0:
        return currents[:1].reshape(1, currents.shape[1], n_units).expand(len(currents), -1, -1)
    return currents.reshape(*currents.shape[:2], n_units)


def _is_finite(values: Tensor) -> bool:
    """Whether all numbers are finite; their sum says so at once, unless it is too large itself."""
    with torch.no_grad():
        return math.isfinite(values.sum().item()) or bool(torch.isfinite(values).all())


def _run(
    currents: Tensor, c: Coefficients, way: Way, weight: Tensor | None, start: State
) -> tuple[Tensor, Tensor | None, Tensor, Tensor, Tensor, Tensor]:
    """Run what has been brought into shape: spikes, membranes if asked, the last state."""
    if not currents.numel():  # no stimulus or no unit, which kernels do not know
        way = replace(way, engine=TorchEngine())
    learned = {n: v for n in NUMBERS if isinstance(v := getattr(c, n), Tensor) and v.requires_grad}
    asked = {"membrane"} if way.membrane else set()
    inputs = [currents, weight, *start, *(learned.get(n) for n in NUMBERS)]
    fixed: dict[str, Any] = {n: v.detach() for n, v in learned.items()}
    c = replace(c, **fixed)
    if not (torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in inputs)):
        found = way.engine.forward(currents, start, c, weight, Keep("none", frozenset(asked)))
        return found.spikes, found.traces.membrane, *found.state
    asked |= {TRACE_OF[n] for n in learned if n in TRACE_OF}
    keep = Keep("half" if way.half else "full", frozenset(asked))
    answer: tuple[Tensor, Tensor | None, Tensor, Tensor, Tensor, Tensor]
    answer = _Sequence.apply(way, c, keep, *inputs)  # type: ignore[no-untyped-call]
    return answer
