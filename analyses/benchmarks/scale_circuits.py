"""One network, written for each simulator: current-based neurons that excite and inhibit each other at random.

It is the benchmark of Brette et al. 2007 (https://doi.org/10.1007/s10827-007-0038-6) after Vogels and Abbott 2005, with
weights over the number of synapses a neuron, so that the mean input does not change with size.
Packages are imported where they are used: Python with NEST has none of the others. Times are those of the processor, of
this process and of those that it started.
Run by fig4_circuit_scale.py, each case in a process of its own: python scale_circuits.py CASE NEURONS SYNAPSES SECONDS
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
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from neurosim.biophysics import Projection

DT, G_LEAK, REFERENCE = 1e-4, 10e-9, 80
SHORT = 1e-3  # s, a run of which nearly all is building
TIMES = 3  # runs of which the median counts
COMPILED = "cpp_standalone"


def drawn(n: int, k: int) -> Projection:
    """Return who is joined with whom, drawn once for our circuit and for the script written by hand."""
    import neurosim.biophysics as b

    cells = b.Population("cells", n, b.LIFParameters(), synapses={"exc": b.ExponentialParameters(5e-3)})
    return b.connect(b.FixedProbability(k / n), cells, cells, weight=1.0, delay=DT, receptor="exc", progress=False)


def ours(engine: str, n: int, k: int, pairs: Projection) -> Callable[[float], int]:
    """Return what runs the circuit on an engine for some time and counts spikes: one population, two projections."""
    import scipy.sparse

    import neurosim as ns

    b = ns.biophysics
    neuron = b.LIFParameters(
        capacitance=200e-12, g_leak=G_LEAK, e_leak=-49e-3, v_threshold=-50e-3, v_reset=-60e-3, refractory=5e-3
    )
    receptors = {"exc": b.ExponentialParameters(5e-3), "inh": b.ExponentialParameters(10e-3)}
    cells = b.Population("cells", n, neuron, synapses=receptors, initial={"v": start(n)})
    joined = scipy.sparse.csr_array(pairs.weights)
    first = joined.indptr[4 * n // 5]
    wires = [
        replace(
            pairs,
            weights=scipy.sparse.csr_array((np.full(len(targets), weight), targets, ends), (n, n)),
            receptor=receptor,
        )
        for receptor, weight, targets, ends in (
            ("exc", 1.62e-3 * G_LEAK * REFERENCE / k, joined.indices[:first], np.minimum(joined.indptr, first)),
            ("inh", -9e-3 * G_LEAK * REFERENCE / k, joined.indices[first:], np.maximum(joined.indptr, first) - first),
        )
    ]
    circuit = b.Circuit("scale", b.Input(1), (cells,), tuple(wires), dt=DT, step=1e-3)

    def run(seconds: float) -> int:
        shown = ns.as_stimuli(
            np.zeros((1, round(seconds / 1e-3), 1)), dims=("stimulus", "time", "unit"), time_step=1e-3
        )
        execution, monitors = b.Execution(device="cpu", memory=2**36), b.Monitors(time_bin=seconds)
        counts = ns.simulate(circuit, shown, engine=engine, execution=execution, monitors=monitors, progress=False)
        return int(counts.values.sum())

    return run


def written(b2: Any, n: int, k: int, pairs: Projection) -> tuple[Any, Any]:
    """Return the network that a user of Brian2 would write, and its spikes: one group, two sets of synapses.

    Weights are numbers. Brian2 counts the refractory period from the step of the spike: a step less is the same.
    """
    import scipy.sparse

    b2.defaultclock.dt = DT * b2.second
    equations = """
    dv/dt = (ge + gi - (v + 49*mV)) / (20*ms) : volt (unless refractory)
    dge/dt = -ge / (5*ms) : volt
    dgi/dt = -gi / (10*ms) : volt
    """
    cells = b2.NeuronGroup(
        n, equations, threshold="v > -50*mV", reset="v = -60*mV", refractory=4.9 * b2.ms, method="exact"
    )
    cells.v = start(n) * b2.volt
    n_exc = 4 * n // 5
    sources, targets = scipy.sparse.csr_array(pairs.weights).nonzero()
    excite = b2.Synapses(cells[:n_exc], cells, on_pre="ge += w", namespace={"w": 1.62 * REFERENCE / k * b2.mV})
    inhibit = b2.Synapses(cells[n_exc:], cells, on_pre="gi -= w", namespace={"w": 9 * REFERENCE / k * b2.mV})
    for synapses, chosen, before in ((excite, sources < n_exc, 0), (inhibit, sources >= n_exc, n_exc)):
        synapses.connect(i=sources[chosen] - before, j=targets[chosen])
        synapses.delay = DT * b2.second
    spikes = b2.SpikeMonitor(cells)
    return b2.Network(cells, excite, inhibit, spikes), spikes


def by_hand(target: str, n: int, k: int, pairs: Projection) -> Callable[[float], int]:
    """Return what runs the network written by hand, again and again from its start; as one program, built once."""
    import brian2 as b2

    if target == COMPILED:
        b2.set_device(COMPILED, build_on_run=False)
        b2.prefs["devices.cpp_standalone.extra_make_args_unix"] = [f"-j{os.cpu_count() or 1}"]
    else:
        b2.prefs.codegen.target = target
    network, spikes = written(b2, n, k, pairs)
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


def start(n: int) -> np.ndarray:
    """Return the first membranes (neuron,), V."""
    return np.random.default_rng(1).uniform(-60e-3, -50e-3, n)


def in_nest(n: int, k: int) -> Callable[[float], int]:
    """Return the same network in NEST, on one thread."""
    import nest

    nest.set_verbosity("M_ERROR")
    nest.resolution = DT * 1e3
    nest.local_num_threads = 1
    cells = nest.Create("iaf_psc_exp", n, {
        "C_m": 200.0, "tau_m": 20.0, "E_L": -49.0, "V_th": -50.0, "V_reset": -60.0, "t_ref": 5.0,
        "tau_syn_ex": 5.0, "tau_syn_in": 10.0,
    })  # fmt: skip
    cells.V_m = 1e3 * np.random.default_rng(1).uniform(-60e-3, -50e-3, n)
    n_exc = 4 * n // 5
    for sources, weight in ((cells[:n_exc], 16.2), (cells[n_exc:], -90.0)):
        nest.Connect(
            sources, cells, {"rule": "pairwise_bernoulli", "p": k / n},
            {"weight": weight * REFERENCE / k, "delay": DT * 1e3},
        )  # fmt: skip
    spikes = nest.Create("spike_recorder")
    nest.Connect(cells, spikes)

    def run(seconds: float) -> int:
        before = spikes.n_events
        nest.Simulate(seconds * 1e3)
        return int(spikes.n_events - before)

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


def case(name: str, n: int, k: int, seconds: float) -> dict[str, float | list[float]]:
    """Return processor seconds to build and to run, spikes, the largest memory and that of a synapse in a run, bytes.

    What a run takes beside the simulation is that of a run of a step or so, and is taken off; a compiled program is
    built in the first run, and its runs count from its start to its end.
    """
    kind, _, engine = name.partition(" ")
    making = {"ours": ours, "hand": by_hand}
    if name == "ours torch":  # packages are loaded before anything is measured
        ours(engine, 100, 10, drawn(100, 10))(SHORT)
    networks = watch_networks() if engine in ("brian2", "cython", "numpy") else None
    pairs = drawn(n, k) if engine else None
    empty = resident() - (0 if pairs is None else pairs.weights.data.nbytes + pairs.weights.indices.nbytes)
    begun = used()
    run = in_nest(n, k) if pairs is None else making[kind](engine, n, k, pairs)
    del pairs
    run(seconds if engine == COMPILED else SHORT)
    built = used() - begun

    def lasting(simulated: float) -> tuple[float, int]:
        before = used()
        spikes = run(simulated)
        return used() - before if networks is None else networks[-1], spikes

    is_whole = engine == COMPILED or not engine
    beside = 0.0 if is_whole else statistics.median(lasting(SHORT)[0] for _ in range(TIMES))
    with Resident() as memory:
        runs = [lasting(seconds) for _ in range(TIMES if engine else 1)]
    peak = (resource.getrusage(w).ru_maxrss * 1024 for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "build": built - (runs[0][0] if engine == COMPILED else 0.0),
        "runs": [lasted - beside for lasted, _ in runs],
        "spikes": runs[0][1],
        "peak": max(peak),
        "synapse": (statistics.median(memory.seen) - empty) / (n * k),
    }


if __name__ == "__main__":
    which, n_neurons, n_synapses, lasting_for = sys.argv[1:]
    sys.stdout.write(json.dumps(case(which, int(n_neurons), int(n_synapses), float(lasting_for))) + "\n")
