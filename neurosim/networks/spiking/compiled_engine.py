"""The engine for the CPU where there is a C++ compiler: all steps of a neuron while its state is in the cache."""

from __future__ import annotations

import ctypes
import functools
import logging
import shutil
import sys
from pathlib import Path

import torch
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
from neurosim.storage import StorageError, compiled_library

COMPILER = "g++"
FLAGS = ("-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-std=c++17", "-fopenmp")
TYPES = {torch.float32: ("float32", ctypes.c_float), torch.float64: ("float64", ctypes.c_double)}
SMALL = 4096
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


class CompiledEngine:
    """C++ on the CPU, in the same order of roundings as plain torch."""

    def forward(self, currents: Tensor, state: State, c: Coefficients, weight: Tensor | None, keep: Keep) -> Forward:
        """Return spikes, distance from threshold, the last state and the traces that are asked for."""
        if keep.traces or keep.distance == "half":
            return TorchEngine().forward(currents, state, c, weight, keep)
        spikes, distance = torch.empty((2, *currents.shape), dtype=currents.dtype)
        last = State(*(part.clone() for part in state))
        call = _Call("forward", currents, c)
        if weight is None:
            call(currents, *last, spikes, distance)
        else:
            transposed = weight.T.contiguous()
            for t, now in enumerate(currents.unbind(0)):
                call(torch.addmm(now, last.spikes, transposed), *last, spikes[t], distance[t])
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
        call = _Call("backward", found, c, surrogate)
        if weight is None:
            call(grad.spikes, distance, past.first.spikes, *adjoint, found)
            return Leaving(found)
        before = past.first.spikes
        for t in reversed(range(len(found))):
            now = grad.spikes[t] if t + 1 == len(found) else torch.addmm(grad.spikes[t], found[t + 1], weight)
            if c.reset in ("zero", "clear"):
                before = (distance[t - 1] > 0).to(found.dtype) if t else past.first.spikes
            call(now, distance[t], before, *adjoint, found[t])
        return Leaving(found)


class _Call:
    """One kernel with everything but its arrays filled in; arrays are (time, batch, unit), or one step of it."""

    def __init__(self, name: str, like: Tensor, c: Coefficients, surrogate: Surrogate | None = None) -> None:
        kind, number = TYPES[like.dtype]
        found = library()
        assert found is not None
        self.kernel = getattr(found, f"{name}_{kind}")
        n_batch, n_units = like.shape[1:]
        threads = torch.get_num_threads() if like[0].numel() > SMALL else 1
        self.head = [ctypes.c_int(k) for k in (threads, RESETS.index(c.reset), c.has_current, c.adapts)]
        if surrogate is not None:
            self.head += [ctypes.c_int(surrogate.index), number(surrogate.slope)]  # type: ignore[list-item]
        self.sizes = [ctypes.c_int64(n_batch), ctypes.c_int64(n_units)]
        numbers = (c.beta, c.threshold, c.alpha, c.rho, c.rise)
        self.kept = [v if isinstance(v, Tensor) else torch.full((n_units,), v, dtype=like.dtype) for v in numbers]

    def __call__(self, first: Tensor, *others: Tensor) -> None:
        steps = ctypes.c_int64(len(first) if first.ndim == 3 else 1)
        arrays = (first, *others, *self.kept)
        assert all(a.is_contiguous() for a in arrays)
        self.kernel(*self.head, steps, *self.sizes, *(ctypes.c_void_p(a.data_ptr()) for a in arrays))
