"""One network, written for each simulator: current-based neurons that excite and inhibit each other at random.

It is the benchmark of Brette et al. 2007 (https://doi.org/10.1007/s10827-007-0038-6) after Vogels and Abbott 2005, with
weights over the number of synapses a neuron, so that the mean input does not change with size.
Run by fig4_circuit_scale.py, each case in a process of its own: python scale_circuits.py CASE NEURONS SYNAPSES SECONDS
"""

import json
import resource
import sys
import time
from collections.abc import Callable

DT, G_LEAK, REFERENCE = 1e-4, 10e-9, 80
SHORT = 1e-3  # s, a run of which nearly all is building


def ours(engine: str, n: int, k: int) -> Callable[[float], int]:
    """Return what runs the circuit on an engine for some time and counts spikes."""
    import numpy as np

    import neurosim as ns

    b, n_exc, rng = ns.biophysics, 4 * n // 5, np.random.default_rng(1)
    neuron = b.LIFParameters(
        capacitance=200e-12, g_leak=G_LEAK, e_leak=-49e-3, v_threshold=-50e-3, v_reset=-60e-3, refractory=5e-3
    )
    receptors = {"exc": b.ExponentialParameters(5e-3), "inh": b.ExponentialParameters(10e-3)}
    cells = [
        b.Population(name, size, neuron, synapses=receptors, initial={"v": rng.uniform(-60e-3, -50e-3, size)})
        for name, size in (("e", n_exc), ("i", n - n_exc))
    ]
    weights = {"e": 1.62e-3 * G_LEAK * REFERENCE / k, "i": -9e-3 * G_LEAK * REFERENCE / k}
    wires = [
        b.connect(
            b.FixedProbability(k / n), source, target, weight=weights[source.name], delay=DT,
            receptor="exc" if source is cells[0] else "inh", progress=False,
        )
        for source in cells for target in cells
    ]  # fmt: skip
    circuit = b.Circuit("scale", b.Input(1), cells, wires, dt=DT, step=1e-3)

    def run(seconds: float) -> int:
        shown = ns.as_stimuli(
            np.zeros((1, round(seconds / 1e-3), 1)), dims=("stimulus", "time", "unit"), time_step=1e-3
        )
        execution = b.Execution(device="cpu", memory=2**36)
        return int(ns.simulate(circuit, shown, engine=engine, execution=execution, progress=False).sum())

    return run


def by_hand(target: str, n: int, k: int) -> Callable[[float], int]:
    """Return the script that a user of Brian2 would write: one group, two sets of synapses, weights as numbers."""
    import brian2 as b2

    b2.prefs.codegen.target = target
    b2.defaultclock.dt = DT * b2.second
    b2.seed(1)
    equations = """
    dv/dt = (ge + gi - (v + 49*mV)) / (20*ms) : volt (unless refractory)
    dge/dt = -ge / (5*ms) : volt
    dgi/dt = -gi / (10*ms) : volt
    """
    cells = b2.NeuronGroup(
        n, equations, threshold="v > -50*mV", reset="v = -60*mV", refractory=5 * b2.ms, method="exact"
    )
    cells.v = "-60*mV + rand() * 10*mV"
    n_exc = 4 * n // 5
    excite = b2.Synapses(cells[:n_exc], cells, on_pre="ge += w", namespace={"w": 1.62 * REFERENCE / k * b2.mV})
    inhibit = b2.Synapses(cells[n_exc:], cells, on_pre="gi -= w", namespace={"w": 9 * REFERENCE / k * b2.mV})
    for synapses in (excite, inhibit):
        synapses.connect(p=k / n)
        synapses.delay = DT * b2.second
    spikes = b2.SpikeMonitor(cells)
    network = b2.Network(cells, excite, inhibit, spikes)

    def run(seconds: float) -> int:
        before = spikes.num_spikes
        network.run(seconds * b2.second)
        return int(spikes.num_spikes - before)

    return run


def in_nest(n: int, k: int) -> Callable[[float], int]:
    """Return the same network in NEST, on one thread."""
    import nest
    import numpy as np

    nest.set_verbosity("M_ERROR")
    nest.resolution = DT * 1e3
    nest.local_num_threads = 1
    cells = nest.Create("iaf_psc_exp", n, {
        "C_m": 200.0, "tau_m": 20.0, "E_L": -49.0, "V_th": -50.0, "V_reset": -60.0, "t_ref": 5.0,
        "tau_syn_ex": 5.0, "tau_syn_in": 10.0,
    })  # fmt: skip
    cells.V_m = np.random.default_rng(1).uniform(-60, -50, n)
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


def case(name: str, n: int, k: int, seconds: float) -> dict[str, float]:
    """Return processor seconds to build and to run, spikes, and the largest memory, bytes."""
    kind, _, engine = name.partition(" ")
    start = time.process_time()
    run = {"ours": ours, "hand": by_hand}[kind](engine, n, k) if engine else in_nest(n, k)
    run(SHORT)
    built = time.process_time()
    if kind == "ours":  # each run of ours builds the network again; what that takes is no simulation
        run(SHORT)
    again = time.process_time()
    spikes = run(seconds)
    end = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "build": built - start,
        "run": (end - again) - (again - built),
        "spikes": spikes,
        "peak": peak,
    }


if __name__ == "__main__":
    which, n_neurons, n_synapses, lasting = sys.argv[1:]
    sys.stdout.write(json.dumps(case(which, int(n_neurons), int(n_synapses), float(lasting))) + "\n")
