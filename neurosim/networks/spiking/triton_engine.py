"""The engine for GPUs: one Triton kernel forward and one backward for a whole sequence, also of recurrent layers.

Fused multiply-adds are off, so that spikes are those of the other engines. Recurrent layers of up to 256 units, in
float32, run all steps in one kernel, which multiplies by their weights itself; larger ones one kernel and one product
of torch a step. With ``TRITON_INTERPRET=1`` the same kernels run without a GPU, slowly.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
import triton
from torch import Tensor

from neurosim.networks.spiking import triton_kernels
from neurosim.networks.spiking.sequence import (
    NUMBERS,
    RESETS,
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

LARGEST = 256  # units of a recurrent layer that one program takes
ROWS, CHUNK = 16, 16  # stimuli a program of a recurrent layer, senders that are multiplied at once
BLOCKS = (1024, 512, 256, 128, 64)
FULL = 4  # programs for each multiprocessor that keep it busy
KEPT = ("none", "full", "half")


class TritonEngine:
    """Triton kernels on the GPU where the currents are."""

    narrow = frozenset({torch.float16, torch.bfloat16})

    def forward(self, currents: Tensor, state: State, c: Coefficients, weight: Tensor | None, keep: Keep) -> Forward:
        """Return spikes, distance from threshold, the last state and the traces that are asked for."""
        currents = currents.contiguous()
        currents = _rows(currents)
        spikes, distance = torch.empty(currents.shape, dtype=currents.dtype, device=currents.device), None
        if keep.distance != "none":
            kept = torch.float16 if keep.distance == "half" else state.membrane.dtype
            distance = torch.empty_like(spikes, dtype=kept)
        traces = {name: torch.empty_like(spikes, dtype=state.membrane.dtype) for name in keep.traces}
        last = State(*(torch.empty_like(part) for part in state))
        call = _Call(spikes, state.membrane.dtype, c, weight)
        options = {
            "stride": currents.stride(0) if weight is None or call.is_whole else spikes.stride(0),
            "KEEP": KEPT.index(keep.distance),
            "TRACES": sum(1 << k for k, name in enumerate(Traces._fields) if name in traces),
        }
        unread = currents if distance is None else distance
        written = [spikes, unread, *(traces.get(name, currents) for name in Traces._fields), *last]
        sent = currents if weight is None else weight.T.contiguous()
        if weight is None or call.is_whole:
            call(triton_kernels.forward, [currents, *state, sent, *written], NUMBERS, **options)
        else:
            for t, now in enumerate(currents.unbind(0)):
                torch.addmm(now, (last if t else state).spikes, sent, out=spikes[t])
                call(
                    triton_kernels.forward, [spikes, *(last if t else state), sent, *written], NUMBERS, t, 1, **options
                )
        return Forward(spikes, distance, last, Traces(**traces))

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
        watching = None if grad.membrane is None else grad.membrane.contiguous()
        grad = grad._replace(spikes=_rows(grad.spikes), membrane=watching)
        one = past.first.spikes
        found = torch.empty(grad.spikes.shape, dtype=grad.spikes.dtype, device=one.device)
        adjoint = one.new_zeros((4, *one.shape)) if grad.state is None else torch.stack(list(grad.state))
        sums = one.new_zeros((len(NUMBERS), *one.shape)) if wanted.numbers else one
        call = _Call(found, one.dtype, c, weight)
        options: dict[str, Any] = {
            "stride": grad.spikes.stride(0) if weight is None or call.is_whole else found.stride(0),
            "SLOPE": surrogate.slope,
            "SURROGATE": surrogate.index,
            "WATCHED": grad.membrane is not None,
            "ARRIVES": grad.state is not None,
            "WANTED": sum(1 << k for k, name in enumerate(NUMBERS) if name in wanted.numbers),
        }
        first = [past.first.spikes if part is None else part for part in past.first]
        traces = [past.distance if trace is None else trace for trace in past.traces]
        watched = found if grad.membrane is None else grad.membrane
        read = [watched, past.distance, *first, *traces, found if weight is None else weight.contiguous()]
        names = ("beta", "alpha", "rho", "rise")
        if weight is None or call.is_whole:
            call(triton_kernels.backward, [grad.spikes, *read, adjoint, found, sums], names, **options)
        else:
            for t in reversed(range(len(found))):
                if t + 1 == len(found):
                    found[t].copy_(grad.spikes[t])
                else:
                    torch.addmm(grad.spikes[t], found[t + 1], weight, out=found[t])
                call(triton_kernels.backward, [found, *read, adjoint, found, sums], names, t, 1, **options)
                options["ARRIVES"] = False
        return Leaving(
            found,
            _first_state(adjoint, found[0], c, weight) if wanted.state else None,
            {name: sums[NUMBERS.index(name)] for name in wanted.numbers},
        )


def _first_state(adjoint: Tensor, currents: Tensor, c: Coefficients, weight: Tensor | None) -> State:
    """Return the gradients of the first state; that of its spikes comes through adaptation and recurrent weights."""
    membrane, current, adaptation, spikes = adjoint.unbind(0)
    spikes = spikes if c.adapts else torch.zeros_like(spikes)
    return State(membrane, current, adaptation, spikes if weight is None else torch.addmm(spikes, currents, weight))


def _rows(values: Tensor) -> Tensor:
    """Return (time, batch, unit) of which every step is contiguous; all steps may be one and the same."""
    is_one = values.stride(0) == 0 and values[0].is_contiguous()
    return values if is_one else values.contiguous()


class _Call:
    """How kernels are called for arrays (time, batch, unit): on which GPU, by how many programs, with which numbers."""

    def __init__(self, like: Tensor, working: torch.dtype, c: Coefficients, weight: Tensor | None) -> None:
        self.like, self.working, self.c = like, working, c
        self.steps, self.lanes, self.units = len(like), like[0].numel(), like.shape[-1]
        self.is_whole = weight is not None and self.units <= LARGEST and like.dtype == torch.float32
        self.rows = ROWS if self.is_whole else 0
        if self.is_whole:
            self.block = max(16, triton.next_power_of_2(self.units))
            self.grid = triton.cdiv(self.lanes, ROWS * self.units)
            self.warps = 4 if self.block <= 128 else 8
        else:
            self.block = block_of(self.lanes, n_processors(like.device))
            self.grid = triton.cdiv(self.lanes, self.block)
            self.warps = max(1, min(8, self.block // 128))

    def __call__(
        self, kernel: Any, arrays: list[Tensor], names: tuple[str, ...], start: int = 0, steps: int = 0, **options: Any
    ) -> None:
        numbers = {name: self._number(name) for name in NUMBERS}
        each = sum(1 << k for k, name in enumerate(NUMBERS) if isinstance(numbers[name], Tensor))
        with torch.cuda.device_of(self.like):  # type: ignore[no-untyped-call]
            kernel[(self.grid,)](
                *arrays, *(numbers[name] for name in names), start, steps or self.steps, self.lanes, self.units,
                RESET=RESETS.index(self.c.reset), CURRENT=self.c.has_current, ADAPTS=self.c.adapts, EACH=each,
                ROWS=self.rows, CHUNK=CHUNK, BLOCK=self.block, num_warps=self.warps, enable_fp_fusion=False, **options,
            )  # fmt: skip

    def _number(self, name: str) -> float | Tensor:
        """Return a coefficient as kernels take it: numbers are float32 to them, so that float64 comes as tensors."""
        value: float | Tensor = getattr(self.c, name)
        if isinstance(value, Tensor) or self.working == torch.float32:
            return value
        return torch.full((self.units,), value, dtype=self.working, device=self.like.device)


def block_of(lanes: int, processors: int) -> int:
    """Return how many lanes a program takes: as many as leave programs enough for all multiprocessors.

    >>> block_of(4096, 132), block_of(8_000_000, 132)
    (64, 1024)
    """
    return next((block for block in BLOCKS if lanes >= FULL * processors * block), BLOCKS[-1])


@functools.cache
def n_processors(device: torch.device) -> int:
    """Return the number of multiprocessors of a GPU; 1 where there is none."""
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 1
