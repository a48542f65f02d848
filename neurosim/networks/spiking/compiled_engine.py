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

from neurosim.networks.spiking.sequence import RESETS, Coefficients, Forward, Past, State
from neurosim.networks.spiking.surrogates import Surrogate
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

    def forward(self, currents: Tensor, state: State, c: Coefficients, weight: Tensor | None) -> Forward:
        """Return spikes, distance from threshold and the last state."""
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
        self, grad: Tensor, past: Past, c: Coefficients, weight: Tensor | None, surrogate: Surrogate
    ) -> Tensor:
        """Return the gradient of the currents, given that of the spikes."""
        found, distance = torch.empty_like(grad), past.distance
        adjoint = [torch.zeros_like(grad[0]) for _ in range(3)]
        call = _Call("backward", grad, c, surrogate)
        if weight is None:
            call(grad, distance, past.first_spikes, *adjoint, found)
            return found
        before = past.first_spikes
        for t in reversed(range(len(grad))):
            now = grad[t] if t + 1 == len(grad) else torch.addmm(grad[t], found[t + 1], weight)
            if c.reset in ("zero", "clear"):
                before = (distance[t - 1] > 0).to(grad.dtype) if t else past.first_spikes
            call(now, distance[t], before, *adjoint, found[t])
        return found


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
