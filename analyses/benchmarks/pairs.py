"""Paired timings: our function and its peer, in turn, in one process with one thread; results are compared first."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import xarray as xr

from neurosim.runtime import limit_threads, provenance, track


@dataclass(frozen=True)
class Pair:
    """One comparison, ready to run.

    `ours` and `peer` take no argument. `check` gets both results and returns their largest difference, or raises.
    `ours_units` and `peer_units` are how much work a call does, where the peer is given less (bootstrap samples).
    """

    ours: Callable[[], object]
    peer: Callable[[], object]
    check: Callable[[object, object], float]
    ours_units: int = 1
    peer_units: int = 1
    repeats: int = 5


@dataclass(frozen=True)
class Benchmark:
    """Name, peer, the ratio below which the run ends with an error, and what builds the pair in the worker."""

    name: str
    peer: str
    floor: float
    prepare: Callable[[], Pair]


def run(benchmarks: list[Benchmark]) -> xr.Dataset:
    """Run every benchmark in one worker process and return times (s), ratios and peak memory (bytes)."""
    rows = []
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=limit_threads, initargs=(1,)) as pool:
        for benchmark in track(benchmarks, "benchmarks"):
            rows.append(pool.submit(measure, benchmark.prepare).result())
            print(f"{benchmark.name}: {np.median(rows[-1]['ratio']):.1f} x", flush=True)
    ratio = np.full((len(rows), max(len(r["ratio"]) for r in rows)), np.nan)
    for line, row in zip(ratio, rows, strict=True):
        line[: len(row["ratio"])] = row["ratio"]
    data = {
        "ratio": (("benchmark", "repeat"), ratio),
        "floor": ("benchmark", [b.floor for b in benchmarks]),
        "peer": ("benchmark", [b.peer for b in benchmarks]),
    }
    for name in ("ours_seconds", "peer_seconds", "ours_peak_bytes", "peer_peak_bytes", "difference"):
        data[name] = ("benchmark", [r[name] for r in rows])
    record = provenance()
    attrs = {"threads": 1, "cpu": cpu_name(), "machine": str(record["machine"]), "libraries": str(record["libraries"])}
    return xr.Dataset(data, coords={"benchmark": [b.name for b in benchmarks]}, attrs=attrs)


def measure(prepare: Callable[[], Pair]) -> dict[str, object]:
    """Compare results, then peak memory, then time both in turn."""
    pair = prepare()
    difference = pair.check(pair.ours(), pair.peer())
    peaks = [peak_bytes(f) for f in (pair.ours, pair.peer)]
    ours, peer = [], []
    for _ in range(pair.repeats):
        peer.append(seconds(pair.peer) / pair.peer_units * pair.ours_units)
        ours.append(seconds(pair.ours))
    return {
        "ratio": np.array(peer) / np.array(ours),
        "ours_seconds": float(np.median(ours)),
        "peer_seconds": float(np.median(peer)),
        "ours_peak_bytes": peaks[0],
        "peer_peak_bytes": peaks[1],
        "difference": difference,
    }


def seconds(function: Callable[[], object]) -> float:
    """Wall time of a call: the mean over as many calls as fill a fifth of a second."""
    start, n = time.perf_counter(), 0
    while n == 0 or time.perf_counter() - start < 0.2:
        function()
        n += 1
    return (time.perf_counter() - start) / n


def peak_bytes(function: Callable[[], object]) -> int:
    """Largest memory that Python and numpy held during one call, beyond what was there before."""
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def cpu_name() -> str:
    """Model of the processor, as Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return "unknown"
