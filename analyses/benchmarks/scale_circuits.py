"""Build and run one network of scale_networks.py in one simulator: processor seconds, memory and spikes.

Times are those of this process and of those that it started; fig4_circuit_scale.py starts one for each case.

Run: python analyses/benchmarks/scale_circuits.py CASE NETWORK NEURONS SYNAPSES SECONDS
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scale_networks import NETWORKS, in_nest

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

if TYPE_CHECKING:
    from neurosim.biophysics import Projection

SHORT = 1e-3  # s, a run of which nearly all is building
TIMES = 3  # runs of which the median counts
MANY = 10**8  # synapses from which on one run counts
COMPILED = "cpp_standalone"


def ours(network: str, engine: str, n: int, k: int, wires: list[Projection]) -> Callable[[float], int]:
    """Return what runs the circuit on an engine for some time and counts the spikes of every neuron."""
    import neurosim as ns

    b, circuit = ns.biophysics, NETWORKS[network][1](n, k, wires)

    def run(seconds: float) -> int:
        shown = ns.as_stimuli(
            np.zeros((1, round(seconds / 1e-3), 1)), dims=("stimulus", "time", "unit"), time_step=1e-3
        )
        execution, monitors = b.Execution(device="cpu", memory=2**36), b.Monitors(time_bin=seconds)
        counts = ns.simulate(circuit, shown, engine=engine, execution=execution, monitors=monitors, progress=False)
        return int(counts.values.sum())

    return run


def by_hand(name: str, target: str, n: int, k: int, wires: list[Projection]) -> Callable[[float], int]:
    """Return what runs the network written by hand, again and again from its start; as one program, built once."""
    import brian2 as b2

    if target == COMPILED:
        b2.set_device(COMPILED, build_on_run=False)
        b2.prefs["devices.cpp_standalone.extra_make_args_unix"] = [f"-j{os.cpu_count() or 1}"]
    else:
        b2.prefs.codegen.target = target
    network, spikes = NETWORKS[name][2](b2, n, k, wires)
    folder = tempfile.TemporaryDirectory()

    def run(seconds: float) -> int:
        network.restore()
        network.run(seconds * b2.second)
        return int(spikes.num_spikes)

    def run_program(seconds: float) -> int:
        if b2.device.has_been_run:
            b2.device.run(folder.name, with_output=False)
        else:
            network.run(seconds * b2.second)
            b2.device.build(folder.name, debug=False, with_output=False)
        return int(spikes.num_spikes)

    if target == COMPILED:
        return run_program
    network.store()
    return run


class Resident:
    """Memory of this process and of those that it started, bytes, looked at while something runs."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Resident:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()

    def _look(self) -> None:
        while not self.ended.wait(0.05):
            self.seen.append(resident())


def resident() -> int:
    """Return what is resident of this process and of those that it started, bytes."""
    total = 0
    for own in ["self", *Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]:
        try:
            total += int(Path(f"/proc/{own}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            continue  # it has ended
    return total


def used() -> float:
    """Return the processor seconds of this process and of those that it started and that ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def watch_networks() -> list[float]:
    """Return a list that grows by the processor seconds of every run of a network in Brian2."""
    import brian2 as b2

    lasted: list[float] = []
    plain = b2.Network.run

    def run(network: Any, *args: Any, **options: Any) -> None:
        before = used()
        plain(network, *args, level=options.pop("level", 0) + 2, **options)
        lasted.append(used() - before)

    b2.Network.run = run
    return lasted


def case(name: str, network: str, n: int, k: int, seconds: float) -> dict[str, float | list[float]]:
    """Return processor seconds to build and to run, spikes, the largest memory and that of a synapse in a run, bytes.

    What a run takes beside the simulation is that of a run of a step or so, and is taken off; a compiled program is
    built in the first run, and its runs count from its start to its end.
    """
    kind, _, engine = name.partition(" ")
    making, drawn = {"ours": ours, "hand": by_hand}, NETWORKS[network][0]
    if name == "ours torch":  # packages are loaded before anything is measured
        ours(network, engine, 100, 10, drawn(100, 10))(SHORT)
    networks = watch_networks() if engine in ("brian2", "cython", "numpy") else None
    wires = drawn(n, k) if engine else []
    rest = sum(bytes_of(q) for q in wires)
    empty = resident() - rest
    begun = used()
    run = making[kind](network, engine, n, k, wires) if engine else in_nest(n, k)
    n_synapses = sum(q.weights.nnz for q in wires) or n * k
    del wires
    run(seconds if engine == COMPILED else SHORT)
    built = used() - begun

    def lasting(simulated: float) -> tuple[float, int]:
        before = used()
        spikes = run(simulated)
        return used() - before if networks is None else networks[-1], spikes

    is_whole, times = engine == COMPILED or not engine, TIMES if engine and n * k < MANY else 1
    beside = 0.0 if is_whole else statistics.median(lasting(SHORT)[0] for _ in range(times))
    with Resident() as memory:
        runs = [lasting(seconds) for _ in range(times)]
    peak = (resource.getrusage(w).ru_maxrss * 1024 for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "build": built - (runs[0][0] if engine == COMPILED else 0.0),
        "runs": [lasted - beside for lasted, _ in runs],
        "spikes": runs[0][1],
        "peak": max(peak),
        "synapse": (statistics.median(memory.seen) - empty) / n_synapses,
        "rest": rest / n_synapses,
    }


def bytes_of(projection: Projection) -> int:
    """Return the bytes of a projection's synapses at rest: weight, target and, where each has its own, delay."""
    delays = projection.delay.data.nbytes if np.ndim(projection.delay) else 0
    return int(projection.weights.data.nbytes + projection.weights.indices.nbytes + delays)


if __name__ == "__main__":
    with called(__doc__) as given:
        which, network_of, n_neurons, n_synapses, lasting_for = given.words
        found = case(which, network_of, int(n_neurons), int(n_synapses), float(lasting_for))
        sys.stdout.write(json.dumps(found) + "\n")
