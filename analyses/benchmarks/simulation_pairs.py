"""Pairs for simulation: a circuit and what a user of Brian2 would write by hand, 50 stimuli x 200 neurons x 200 ms."""

from __future__ import annotations

import functools
import subprocess
import sys
import time
from typing import Any

import numpy as np
import xarray as xr
from pairs import Benchmark, Pair

import neurosim as ns
from neurosim.biophysics.brian2_engine import import_brian2, preferences

N_STIMULI, N_INPUTS, N_NEURONS, DURATION, DT = 50, 40, 200, 0.2, 1e-4
RHEOBASES = 1.05
MODELS = {
    "LIF": (ns.biophysics.LIFParameters(), "v > -50e-3", "v = -70e-3", ""),
    "AdEx": (
        ns.biophysics.AdExParameters(),
        "v > -30e-3",
        "v = -70.6e-3; w += 80.5e-12",
        "dw/dt = (4e-9*(v + 70.6e-3) - w) / (144*ms) : 1",
    ),
}


@functools.cache
def task(name: str) -> tuple[ns.biophysics.Circuit, xr.DataArray]:
    """Return a recurrent circuit of conductance synapses and Poisson input spikes for it."""
    rng = np.random.default_rng(0)
    neuron = MODELS[name][0]
    scale = 0.25 * neuron.g_leak
    gap = 20e-3 if name == "LIF" else 20.2e-3
    weights = [
        rng.gamma(2, scale / 2, s) * (rng.random(s) < 0.1) for s in ((N_INPUTS, N_NEURONS), (N_NEURONS, N_NEURONS))
    ]
    weights[1] *= np.where(np.arange(N_NEURONS) < 160, 0.2, -0.8)[:, None]
    population = ns.biophysics.Population(
        "neurons", N_NEURONS, neuron, RHEOBASES * neuron.g_leak * gap, ns.biophysics.ConductanceParameters()
    )
    projections = (
        ns.biophysics.Projection("input", "neurons", weights[0]),
        ns.biophysics.Projection("neurons", "neurons", weights[1]),
    )
    circuit = ns.biophysics.Circuit(name, ns.biophysics.Input(N_INPUTS), (population,), projections, dt=DT, step=1e-3)
    spikes = (rng.random((N_STIMULI, round(DURATION / 1e-3), N_INPUTS)) < 0.05) * 1.0
    return circuit, ns.as_stimuli(spikes, dims=("stimulus", "time", "unit"), time_step=1e-3)


def ours(name: str, engine: str) -> np.ndarray:
    """Return spike counts (stimulus, neuron) of ``simulate``."""
    circuit, spikes = task(name)
    return ns.simulate(circuit, spikes, engine=engine, progress=False).values.sum(1)


def equations(name: str) -> str:
    """Return the membrane as it is written in Brian2's own language."""
    p = MODELS[name][0]
    extra = "" if name == "LIF" else f"+ {p.g_leak}*2e-3*exp(clip((v + 50.4e-3)/2e-3, -100, 20)) - w"
    return f"""
    dv/dt = ({p.g_leak}*({p.e_leak} - v) {extra} + g_exc*(0 - v) + g_inh*(-90e-3 - v) + drive)
            / ({p.capacitance}*second) : 1 (unless refractory)
    dg_exc/dt = -g_exc / (2*ms) : 1
    dg_inh/dt = -g_inh / (2*ms) : 1
    {MODELS[name][3]}
    drive : 1 (constant)
    """


def by_hand(b2: Any, name: str, n_copies: int) -> tuple[Any, Any, Any]:
    """Build the script that a user of Brian2 would write: network, input, monitor."""
    circuit, _ = task(name)
    dt = DT * b2.second
    source = b2.SpikeGeneratorGroup(n_copies * N_INPUTS, [], [] * b2.second, dt=dt)
    group = b2.NeuronGroup(
        n_copies * N_NEURONS, equations(name), threshold=MODELS[name][1], reset=MODELS[name][2].replace(";", "\n"),
        refractory=2 * b2.ms, method="euler", dt=dt, namespace={},
    )  # fmt: skip
    group.v, group.drive = circuit.populations[0].parameters.e_leak, circuit.populations[0].drive[0]
    parts = [source, group]
    for origin, projection in zip((source, group), circuit.projections, strict=True):
        pre, post, weight = projection.synapses()
        size = N_INPUTS if origin is source else N_NEURONS
        for variable, chosen in (("g_exc", weight > 0), ("g_inh", weight < 0)):
            if chosen.any():
                synapses = b2.Synapses(
                    origin, group, "weight : 1 (constant)", on_pre=f"{variable}_post += weight", dt=dt
                )
                copies = np.arange(n_copies)[:, None]
                synapses.connect(i=(copies * size + pre[chosen]).ravel(), j=(copies * N_NEURONS + post[chosen]).ravel())
                synapses.weight = np.tile(np.abs(weight[chosen]), n_copies)
                parts.append(synapses)
    monitor = b2.SpikeMonitor(group)
    return b2.Network(*parts, monitor), source, monitor


def send(b2: Any, source: Any, spikes: np.ndarray) -> None:
    """Give the input its spikes (copy, time, unit)."""
    copy, step, unit = np.nonzero(spikes)
    source.set_spikes(copy * N_INPUTS + unit, step * 1e-3 * b2.second, sorted=False)


def block(name: str, target: str) -> np.ndarray:
    """Run the hand-written script with all stimuli as one block of copies."""
    b2 = import_brian2()
    with preferences(b2, target):
        network, source, monitor = by_hand(b2, name, N_STIMULI)
        send(b2, source, task(name)[1].values)
        network.run(DURATION * b2.second, namespace={"ms": b2.ms, "second": b2.second})
        return np.asarray(monitor.count).reshape(N_STIMULI, N_NEURONS)


class Loop:
    """The hand-written script for one stimulus, built once; every stimulus restores it and runs."""

    def __init__(self, name: str, target: str) -> None:
        self.b2, self.name, self.target = import_brian2(), name, target
        with preferences(self.b2, target):
            self.network, self.source, self.monitor = by_hand(self.b2, name, 1)
            self.network.store()
        self.run(1)

    def run(self, n: int) -> np.ndarray:
        """Return spike counts (stimulus, neuron) of the first `n` stimuli."""
        rows = []
        with preferences(self.b2, self.target):
            for spikes in task(self.name)[1].values[:n]:
                self.network.restore()
                send(self.b2, self.source, spikes[None])
                self.network.run(DURATION * self.b2.second, namespace={"ms": self.b2.ms, "second": self.b2.second})
                rows.append(np.asarray(self.monitor.count))
        return np.stack(rows)


def alike(found: Any, expected: Any) -> float:
    """Return by how much the spike counts differ; they must agree within 3 %, and over stimuli and neurons.

    The two integrate alike but not identically (order of synapses and membrane within a step), so single spikes move.
    """
    found = np.asarray(found)[: len(expected)]
    difference = abs(found.sum() / np.sum(expected) - 1)
    agreement = np.corrcoef(found.ravel(), np.ravel(expected))[0, 1]
    assert found.sum() > 1000 and difference < 0.03 and agreement > 0.9, (found.sum(), difference, agreement)
    return float(difference)


def against_loop(name: str, engine: str, target: str) -> Pair:
    """Compare with a loop of store and restore, in steady state."""
    loop, n = Loop(name, target), 10
    return Pair(lambda: ours(name, engine), lambda: loop.run(n), alike, ours_units=N_STIMULI, peer_units=n, repeats=3)


def against_block(name: str, engine: str, target: str) -> Pair:
    """Compare with the hand-written block of copies."""
    return Pair(lambda: ours(name, engine), lambda: block(name, target), alike, repeats=5)


def against_brian2(name: str) -> Pair:
    """Compare the torch engine with the Brian2 engine, on the same circuit: every spike is the same."""

    def same(a: Any, b: Any) -> float:
        np.testing.assert_array_equal(a, b)
        return 0.0

    return Pair(lambda: ours(name, "torch"), lambda: ours(name, "brian2"), same, repeats=3)


LOOP, BLOCK = "store/restore loop, numpy", "block by hand, numpy"


def benchmarks(name: str) -> list[Benchmark]:
    """Return the comparisons of one neuron model."""
    partial = functools.partial
    return [
        Benchmark(f"{name}: numpy", LOOP, 15, partial(against_loop, name, "brian2", "numpy")),
        Benchmark(f"{name}: cython", LOOP, 25, partial(against_loop, name, "cython", "numpy")),
        Benchmark(f"{name}: cython again", "the loop in cython", 1, partial(against_loop, name, "cython", "cython")),
        Benchmark(f"{name}: numpy again", BLOCK, 1 / 1.3, partial(against_block, name, "brian2", "numpy")),
        Benchmark(f"{name}: torch", "our Brian2 engine", 1, partial(against_brian2, name)),
    ]


BENCHMARKS = [benchmark for name in MODELS for benchmark in benchmarks(name)]

FIRST_RESULT = """
import numpy as np, neurosim as ns
rng = np.random.default_rng(0)
b = ns.biophysics
p = b.Population("a", 50, ns.biophysics.LIFParameters(), synapses=ns.biophysics.ConductanceParameters())
c = b.Circuit("c", b.Input(20), (p,), (b.Projection("input", "a", rng.random((20, 50)) * 5e-9),), 1e-4, 1e-3)
s = ns.as_stimuli((rng.random((5, 100, 20)) < 0.2) * 1.0, dims=("stimulus", "time", "unit"), time_step=1e-3)
assert ns.simulate(c, s, engine="brian2").sum() > 0
"""

TRANSLATION = """
import numpy as np, neurosim as ns
network = ns.build_network(ns.networks.SpikingMLPSpecification((64, 32)), (8, 8), 10)
s = ns.stimuli.encode_rate(ns.as_stimuli(np.random.default_rng(0).random((100, 8, 8))), n_steps=25)
assert ns.verify_translation(network, ns.to_circuit(network), s, engine="brian2").n_differing.sum() == 0
"""


def cpu_seconds(code: str) -> float:
    """Return the CPU time of a fresh process that runs `code`, s."""
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def build_and_rerun() -> dict[str, float]:
    """Return wall seconds of the first and the second run of a compiled circuit; the second builds nothing."""
    circuit, spikes = task("LIF")
    found = {}
    for key in ("cpp_standalone_first_seconds", "cpp_standalone_again_seconds"):
        start = time.perf_counter()
        ns.simulate(circuit, spikes, engine="cpp_standalone", progress=False)
        found[key] = time.perf_counter() - start
    return found
