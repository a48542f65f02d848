"""The engine for the CPU where there is a C++ compiler: all steps of a neuron while its state is in the cache."""

from __future__ import annotations

import ctypes
import functools
import logging
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from neurosim.networks.spiking.memory import POOL
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
from neurosim.storage import StorageError, compiled_library

COMPILER = "g++"
FLAGS = ("-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-std=c++17", "-fopenmp")
TYPES = {torch.float32: ("float32", ctypes.c_float), torch.float64: ("float64", ctypes.c_double)}
KEPT = ("none", "full", "half")
SMALL = 4096
Pointer = ctypes.c_void_p
Arrays = dict[str, Tensor | Sequence[Tensor | None] | None]
logger = logging.getLogger(__name__)


@functools.cache
def library() -> ctypes.CDLL | None:
    """Return the compiled kernels, or None where there is no compiler that builds them."""
    if sys.platform == "win32" or shutil.which(COMPILER) is None:
        return None
    try:
        return ctypes.CDLL(str(compiled_library(Path(__file__).with_name("kernel.cpp"), COMPILER, FLAGS)))
    except (StorageError, OSError) as error:
        logger.warning("spiking layers run in plain torch: %s", error)
        return None


class _Job(ctypes.Structure):
    """What a pass is asked: ``Job`` of kernel.cpp, field by field."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("threads", "reset", "current", "adapts", "surrogate", "kept")),
        *((name, ctypes.c_int64) for name in ("begin", "end", "lanes", "units", "stride", "carried")),
        ("slope", ctypes.c_double),
        ("numbers", Pointer * len(NUMBERS)),
        ("many", ctypes.c_int64 * len(NUMBERS)),
        ("arriving", Pointer),
        ("to_membranes", Pointer),
        ("state", Pointer * len(State._fields)),
        ("first", Pointer * len(State._fields)),
        ("leaving", Pointer),
        ("distance", Pointer),
        ("traces", Pointer * len(Traces._fields)),
        ("sums", Pointer * len(NUMBERS)),
    )


class CompiledEngine:
    """C++ on the CPU, in the same order of roundings as plain torch."""

    narrow: frozenset[torch.dtype] = frozenset()

    def forward(self, currents: Tensor, state: State, c: Coefficients, weight: Tensor | None, keep: Keep) -> Forward:
        """Return spikes, distance from threshold, the last state and the traces that are asked for."""
        shape, dtype, distance = currents.shape, currents.dtype, None
        spikes = POOL.empty(shape, dtype)
        if keep.distance != "none":
            distance = POOL.empty(shape, torch.float16 if keep.distance == "half" else dtype)
        traces = Traces(*(POOL.empty(shape, dtype) if name in keep.traces else None for name in Traces._fields))
        last = State(*(part.clone() for part in state))
        call = _Call("forward", c, spikes, kept=keep.distance, distance=distance, state=last, traces=traces)
        if weight is None:
            call(_rows(currents))
            return Forward(spikes, distance, last, traces)
        transposed, before = weight.T.contiguous(), state.spikes
        for t, now in enumerate(currents.unbind(0)):
            call(torch.addmm(now, before, transposed), t)
            before = spikes[t]
        return Forward(spikes, distance, last, traces)

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
        distance, like = past.distance, past.first.spikes
        kept = "half" if distance.dtype == torch.float16 else "full"
        over = past.spare and kept == "full"
        found = distance.detach() if over else POOL.empty(distance.shape, like.dtype)
        adjoint = State(*(torch.zeros_like(like) for _ in range(4))) if grad.state is None else grad.state.copied()
        sums = {name: torch.zeros_like(like) for name in wanted.numbers}
        arrays: Arrays = {"distance": distance, "state": adjoint, "first": past.first, "traces": past.traces}
        arrays |= {"to_membranes": grad.membrane, "sums": [sums.get(name) for name in NUMBERS]}
        call = _Call("backward", c, found, kept=kept, surrogate=surrogate, **arrays)
        carried = grad.state is not None and not c.adapts
        if weight is None:
            call(_rows(grad.spikes), carried=carried)
        else:
            for t in reversed(range(len(found))):
                is_last = t + 1 == len(found)
                now = grad.spikes[t].contiguous() if is_last else torch.addmm(grad.spikes[t], found[t + 1], weight)
                call(now, t, carried=carried and is_last)
        if not wanted.state:
            return Leaving(found, None, sums)
        to_spikes = adjoint.spikes if c.adapts else torch.zeros_like(like)
        to_spikes = to_spikes if weight is None else torch.addmm(to_spikes, found[0], weight)
        return Leaving(found, adjoint._replace(spikes=to_spikes), sums)


def _rows(values: Tensor) -> Tensor:
    """Return (time, batch, unit) of which every step is contiguous; all steps may be one and the same."""
    if values.stride(0) == 0:
        return values[0].contiguous().expand_as(values)
    return values.contiguous()


class _Call:
    """One kernel with everything but what arrives filled in; its arrays live as long as it does."""

    def __init__(
        self,
        name: str,
        c: Coefficients,
        leaving: Tensor,
        *,
        kept: str,
        surrogate: Surrogate | None = None,
        **arrays: Tensor | Sequence[Tensor | None] | None,
    ) -> None:
        kind, number = TYPES[leaving.dtype]
        found = library()
        assert found is not None
        self.kernel, self.arrays, self.leaving = getattr(found, f"{name}_{kind}"), arrays, leaving
        job = self.job = _Job(reset=RESETS.index(c.reset), current=c.has_current, adapts=c.adapts)
        job.kept, job.lanes, job.units = KEPT.index(kept), leaving[0].numel(), leaving.shape[2]
        job.threads = torch.get_num_threads() if job.lanes > SMALL else 1
        if surrogate is not None:
            job.surrogate, job.slope = surrogate.index, surrogate.slope
        job.leaving = leaving.data_ptr()
        for field, given in arrays.items():
            if given is None or isinstance(given, Tensor):
                setattr(job, field, _at(given))
            else:
                setattr(job, field, (Pointer * len(given))(*map(_at, given)))
        self.numbers = [getattr(c, n) for n in NUMBERS]
        self.plain = (number * len(NUMBERS))(*(0.0 if isinstance(v, Tensor) else v for v in self.numbers))
        at, size = ctypes.addressof(self.plain), ctypes.sizeof(number)
        for k, v in enumerate(self.numbers):
            job.numbers[k], job.many[k] = (v.data_ptr(), v.numel()) if isinstance(v, Tensor) else (at + k * size, 1)

    def __call__(self, arriving: Tensor, step: int | None = None, carried: bool = False) -> None:
        """Run all steps, of arrays (time, batch, unit) that arrive, or one, of an array (batch, unit)."""
        job = self.job
        job.begin, job.end = (0, len(self.leaving)) if step is None else (step, step + 1)
        job.arriving, job.stride = arriving.data_ptr(), arriving.stride(0) if step is None else 0
        job.carried = carried
        self.kernel(ctypes.byref(job))


def _at(array: Tensor | None) -> int | None:
    return None if array is None else array.data_ptr()
