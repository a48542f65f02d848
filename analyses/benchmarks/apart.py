"""Timings of two sides, each in a process of its own, as in two plain scripts; in turn, by the time of the processor.

Neither side is given memory or an allocator that the other has not; what one leaves behind does not serve the other.
"""

from __future__ import annotations

import functools
import importlib
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context

import numpy as np
import xarray as xr
from pairs import Pair, cpu_name, peak_bytes

from neurosim.runtime import limit_threads, provenance, track

REPEATS, LEAST = 5, 0.3
SIDES = ("ours", "peer")


@functools.cache
def prepared(module: str, index: int) -> Pair:
    """Return the pair of a benchmark in the list of a module."""
    return importlib.import_module(module).BENCHMARKS[index].prepare()


def difference(module: str, index: int) -> float:
    """Require equal results; return the largest difference."""
    pair = prepared(module, index)
    return pair.check(pair.ours(), pair.peer())


@functools.cache
def warm(module: str, index: int, side: str) -> Callable[[], object]:
    """Return the call of a side, which has been made once."""
    call: Callable[[], object] = getattr(prepared(module, index), side)
    call()
    return call


def peak(module: str, index: int, side: str) -> int:
    """Return the largest memory (bytes) that Python and numpy held during one call."""
    return peak_bytes(getattr(prepared(module, index), side))


def measured(module: str, index: int, side: str) -> tuple[float, float]:
    """Return seconds of the processor for the work of ours, and page faults a call; of a third of a second."""
    call = warm(module, index, side)
    before, start, n = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, time.process_time(), 0
    while n == 0 or time.process_time() - start < LEAST:
        call()
        n += 1
    pair = prepared(module, index)
    done = n if side == "ours" else n * pair.peer_units / pair.ours_units
    passed = time.process_time() - start
    return passed / done, (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / n


def run_apart(module: str, *, repeats: int = REPEATS, memory: bool = False, fresh: bool = True) -> xr.Dataset:
    """Run every benchmark of a module; ratios, seconds and page faults a call, largest differences.

    With `memory`, peaks of memory too. Processes are `fresh` for every benchmark, or each side has one for all.
    """
    benchmarks = importlib.import_module(module).BENCHMARKS
    rows, worst, peaks = [], [], []
    with ExitStack() as stack:
        for index, benchmark in enumerate(track(benchmarks, "benchmarks")):
            if fresh or index == 0:
                stack.close()
                ours, peer, check = (stack.enter_context(process()) for _ in range(3))
            worst.append(check.submit(difference, module, index).result())
            apart = list(zip((ours, peer), SIDES, strict=True))
            rows.append([[p.submit(measured, module, index, s).result() for p, s in apart] for _ in range(repeats)])
            peaks.append([p.submit(peak, module, index, s).result() if memory else np.nan for p, s in apart])
            ratio = np.median([theirs[0] / own[0] for own, theirs in rows[-1]])
            print(f"{benchmark.name}: {ratio:.1f} x", flush=True)
    values = np.array(rows)  # benchmark, repeat, side, seconds and faults
    middle = np.median(values, axis=1)
    data: dict[str, object] = {
        "ratio": (("benchmark", "repeat"), values[:, :, 1, 0] / values[:, :, 0, 0]),
        "floor": ("benchmark", [b.floor for b in benchmarks]),
        "peer": ("benchmark", [b.peer for b in benchmarks]),
        "difference": ("benchmark", worst),
    }
    for k, side in enumerate(SIDES):
        data |= {f"{side}_seconds": ("benchmark", middle[:, k, 0]), f"{side}_faults": ("benchmark", middle[:, k, 1])}
        data[f"{side}_peak_bytes"] = ("benchmark", np.array(peaks, dtype=float)[:, k])
    record = provenance()
    attrs = {"threads": 1, "cpu": cpu_name(), "machine": str(record["machine"]), "libraries": str(record["libraries"])}
    return xr.Dataset(data, coords={"benchmark": [b.name for b in benchmarks]}, attrs=attrs)


def process() -> ProcessPoolExecutor:
    """Return a process of one thread."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=limit_threads, initargs=(1,))
