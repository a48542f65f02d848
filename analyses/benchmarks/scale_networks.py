"""Two networks, each as a circuit of ours and as the script that a user of Brian2 would write, on the same synapses.

"currents": neurons of one population that excite and inhibit each other at random by currents, the benchmark of Brette
et al. 2007 (https://doi.org/10.1007/s10827-007-0038-6) after Vogels and Abbott 2005, with weights over the number of
synapses a neuron, so that the mean input does not change with size. "conductances": two populations, conductances,
weights and delays drawn for every synapse, and a constant current into every neuron.
Packages are imported where they are used: Python with NEST has none of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from neurosim.biophysics import Circuit, Projection

DT, G_LEAK, REFERENCE = 1e-4, 10e-9, 80
CONSTANT = 150e-12  # A


def start(n: int) -> np.ndarray:
    """Return the first membranes (neuron,), V."""
    return np.random.default_rng(1).uniform(-60e-3, -50e-3, n)


def currents_drawn(n: int, k: int) -> list[Projection]:
    """Return who is joined with whom, drawn once for our circuit and for the script written by hand."""
    import neurosim.biophysics as b

    cells = b.Population("cells", n, b.LIFParameters(), synapses={"exc": b.ExponentialParameters(5e-3)})
    rule = b.FixedProbability(k / n)
    return [b.connect(rule, cells, cells, weight=1.0, delay=DT, receptor="exc", progress=False)]


def currents(n: int, k: int, wires: list[Projection]) -> Circuit:
    """Return the circuit of one population, its pairs apart in two projections."""
    import scipy.sparse

    import neurosim.biophysics as b

    neuron = b.LIFParameters(
        capacitance=200e-12, g_leak=G_LEAK, e_leak=-49e-3, v_threshold=-50e-3, v_reset=-60e-3, refractory=5e-3
    )
    receptors = {"exc": b.ExponentialParameters(5e-3), "inh": b.ExponentialParameters(10e-3)}
    cells = b.Population("cells", n, neuron, synapses=receptors, initial={"v": start(n)})
    (pairs,) = wires
    joined = scipy.sparse.csr_array(pairs.weights)
    first = joined.indptr[4 * n // 5]
    both = [
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
    return b.Circuit("scale", b.Input(1), (cells,), tuple(both), dt=DT, step=1e-3)


def currents_by_hand(b2: Any, n: int, k: int, wires: list[Projection]) -> tuple[Any, Any]:
    """Return the network that a user of Brian2 would write, and its spikes: one group, two sets of synapses.

    Weights are numbers. Brian2 counts the refractory period from the step of the spike: a step less is the same.
    """
    import scipy.sparse

    (pairs,) = wires
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


def conductances_drawn(n: int, k: int) -> list[Projection]:
    """Return the four projections between the populations, with a weight and a delay of each synapse."""
    import neurosim.biophysics as b

    cells = _two_populations(n)
    typical = {"exc": 3e-9 * REFERENCE / k, "inh": 30e-9 * REFERENCE / k}
    spread = {name: b.Uniform(0.5 * weight, 1.5 * weight) for name, weight in typical.items()}
    return [
        b.connect(
            b.FixedProbability(k / n), source, target, weight=spread[source.name], delay=b.Uniform(DT, 2e-3), dt=DT,
            receptor=source.name, progress=False,
        )
        for source in cells
        for target in cells
    ]  # fmt: skip


def _two_populations(n: int) -> tuple[Any, Any]:
    import neurosim.biophysics as b

    neuron = b.LIFParameters(200e-12, G_LEAK, -60e-3, -50e-3, -60e-3, 5e-3)
    receptors = {
        "exc": b.ExponentialConductanceParameters(tau=5e-3, e_rev=0.0),
        "inh": b.ExponentialConductanceParameters(tau=10e-3, e_rev=-80e-3),
    }
    held, n_exc = b.StepCurrent((0.0,), (CONSTANT,)), 4 * n // 5
    return tuple(
        b.Population(name, len(v), neuron, synapses=receptors, initial={"v": v}, currents=held)
        for name, v in (("exc", start(n)[:n_exc]), ("inh", start(n)[n_exc:]))
    )


def conductances(n: int, k: int, wires: list[Projection]) -> Circuit:
    """Return the circuit of both populations."""
    import neurosim.biophysics as b

    return b.Circuit("scale", b.Input(1), _two_populations(n), tuple(wires), dt=DT, step=1e-3)


def conductances_by_hand(b2: Any, n: int, k: int, wires: list[Projection]) -> tuple[Any, Any]:
    """Return the network that a user of Brian2 would write, and its spikes: one group, two sets of synapses."""
    import scipy.sparse

    b2.defaultclock.dt = DT * b2.second
    equations = """
    dv/dt = (10*nS * (-60*mV - v) + ge * (0*mV - v) + gi * (-80*mV - v) + 150*pA) / (200*pF) : volt (unless refractory)
    dge/dt = -ge / (5*ms) : siemens
    dgi/dt = -gi / (10*ms) : siemens
    """
    cells = b2.NeuronGroup(
        n, equations, threshold="v > -50*mV", reset="v = -60*mV", refractory=4.9 * b2.ms, method="exponential_euler"
    )
    cells.v = start(n) * b2.volt
    n_exc = 4 * n // 5
    first, made = {"exc": 0, "inh": n_exc}, []
    for source, onto, group in (("exc", "ge", cells[:n_exc]), ("inh", "gi", cells[n_exc:])):
        synapses = b2.Synapses(group, cells, "w : siemens", on_pre=f"{onto} += w")
        own = [q for q in wires if q.source == source]
        ends = [scipy.sparse.csr_array(q.weights).nonzero() for q in own]
        synapses.connect(
            i=np.concatenate([i for i, _ in ends]),
            j=np.concatenate([j + first[q.target] for q, (_, j) in zip(own, ends, strict=True)]),
        )
        synapses.w = np.concatenate([q.values for q in own]) * b2.siemens
        synapses.delay = np.concatenate([q.delays() for q in own]) * b2.second
        made.append(synapses)
    spikes = b2.SpikeMonitor(cells)
    return b2.Network(cells, *made, spikes), spikes


def in_nest(n: int, k: int) -> Callable[[float], int]:
    """Return the network of currents in NEST, on one thread; every pair has a synapse by the same chance as in ours."""
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


NETWORKS = {
    "currents": (currents_drawn, currents, currents_by_hand),
    "conductances": (conductances_drawn, conductances, conductances_by_hand),
}
