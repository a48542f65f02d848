"""Several receptors a population and delays a synapse: against their equations, and equal on every engine."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.integrate
import scipy.sparse

import neurosim as ns
from neurosim.biophysics import (
    NEURONS,
    SYNAPSES,
    AlphaConductanceParameters,
    AlphaParameters,
    Circuit,
    DoubleExponentialConductanceParameters,
    DoubleExponentialParameters,
    ExponentialConductanceParameters,
    ExponentialParameters,
    Input,
    LIFParameters,
    Monitors,
    NMDAParameters,
    Population,
    Projection,
    simulate,
)
from neurosim.biophysics.dynamics import constants_of
from neurosim.schema import InputError

DT = 2e-5
STEPS = 1500
SILENT = LIFParameters(v_threshold=0.1, v_reset=-70e-3, e_leak=-70e-3)
ENGINE_NAMES = ["brian2", "torch", "cython"]  # C++: one program of tests/test_ingredients.py holds what is here


def shape_of(kind, t):
    """Time course of one synapse after a spike of weight 1, written down from its definition."""
    if isinstance(kind, ExponentialParameters):
        return np.exp(-t / kind.tau_syn)
    if isinstance(kind, ExponentialConductanceParameters):
        return np.exp(-t / kind.tau)
    if isinstance(kind, AlphaParameters | AlphaConductanceParameters):
        return t / kind.tau * np.exp(1 - t / kind.tau)
    rise, fall = kind.tau_rise, kind.tau_decay
    peak = rise * fall / (fall - rise) * math.log(fall / rise)

    def raw(t):
        return np.exp(-t / fall) - np.exp(-t / rise)

    return raw(t) / raw(peak)


def expected(kind, weight, neuron=SILENT):
    """Membrane (V) every DT after one spike at 0, integrated by an adaptive method."""

    def slope(t, v):
        arrived = weight * shape_of(kind, t)
        if hasattr(kind, "magnesium"):
            arrived = arrived / (1 + kind.magnesium / 3.57 * np.exp(-62 * v[0]))
        current = arrived * (kind.e_rev - v[0]) if hasattr(kind, "e_rev") else arrived
        return [(neuron.g_leak * (neuron.e_leak - v[0]) + current) / neuron.capacitance]

    times = np.arange(1, STEPS + 1) * DT
    solved = scipy.integrate.solve_ivp(slope, (0, times[-1]), [neuron.e_leak], t_eval=times, rtol=1e-8, atol=1e-12)
    return solved.y[0]


def one_spike(circuit, engine="brian2", steps=STEPS):
    shown = np.zeros((1, steps, circuit.inputs.size))
    shown[0, 0] = 1
    return ns.as_stimuli(shown, dims=("stimulus", "time", "unit"), time_step=circuit.step), engine


KINDS = [
    (ExponentialParameters(3e-3), 5e-11),
    (AlphaParameters(2e-3), 5e-11),
    (DoubleExponentialParameters(1e-3, 6e-3), 5e-11),
    (ExponentialConductanceParameters(5e-3, -90e-3), 3e-9),
    (AlphaConductanceParameters(2e-3, 0.0), 3e-9),
    (DoubleExponentialConductanceParameters(1e-3, 20e-3, -95e-3), 3e-9),
    (NMDAParameters(), 3e-8),
]


@pytest.mark.parametrize(("kind", "weight"), KINDS, ids=lambda k: type(k).__name__)
def test_a_spike_moves_the_membrane_as_the_equation_says(kind, weight):
    cells = Population("cells", 1, SILENT, synapses=kind)
    circuit = Circuit("one", Input(1), (cells,), (Projection("input", "cells", [[weight]]),), dt=DT, step=DT)
    stimuli, _ = one_spike(circuit)
    found = simulate(circuit, stimuli, engine="brian2", monitors=Monitors(membrane=["cells"]))
    moved, asked = found["membrane_potential"].values.ravel() + 70e-3, expected(kind, weight) + 70e-3
    assert np.abs(asked).max() > 5e-4
    assert np.abs(moved - asked).max() < 0.005 * np.abs(asked).max()


RECEPTORS = {
    "ampa": ExponentialConductanceParameters(2e-3, 0.0),
    "nmda": NMDAParameters(2e-3, 50e-3),
    "gaba": ExponentialConductanceParameters(8e-3, -80e-3),
    "steady": AlphaParameters(1e-3),
}


def decided(neuron=None, delay=0.0):
    """Two populations of random wiring with four receptors each."""
    rng = np.random.default_rng(3)
    neuron = neuron or LIFParameters(refractory=2e-3)
    own = {"exc": ("ampa", "nmda", "gaba"), "inh": tuple(RECEPTORS)}
    cells = [
        Population(name, 12, neuron, drive=1e-10, synapses={r: RECEPTORS[r] for r in names})
        for name, names in own.items()
    ]

    def wire(source, target, receptor, n, scale):
        weights = rng.uniform(0.2, 1, (n, 12)) * scale * (rng.random((n, 12)) < 0.5)
        return Projection(source, target, weights, delay, receptor)

    wires = [wire("input", "exc", "ampa", 6, 8e-9), wire("input", "inh", "steady", 6, 3e-10)]
    wires += [wire("exc", p, r, 12, s) for p in ("exc", "inh") for r, s in (("ampa", 2e-9), ("nmda", 4e-9))]
    wires += [wire("inh", p, "gaba", 12, 4e-9) for p in ("exc", "inh")]
    return Circuit("decided", Input(6), tuple(cells), tuple(wires), dt=1e-4, step=1e-3)


def spikes_in(circuit, seed=0, n=2, steps=120):
    rng = np.random.default_rng(seed)
    shown = (rng.random((n, steps, circuit.inputs.size)) < 0.15).astype(float)
    return ns.as_stimuli(shown, dims=("stimulus", "time", "unit"), time_step=circuit.step)


@pytest.mark.parametrize("engine", ENGINE_NAMES[1:])
def test_four_receptors_send_the_same_spikes_on_every_engine(engine):
    circuit = decided()
    stimuli = spikes_in(circuit)
    asked = simulate(circuit, stimuli, engine="brian2").values
    assert asked.sum() > 100 and asked[..., 12:].sum() > 20
    np.testing.assert_array_equal(simulate(circuit, stimuli, engine=engine).values, asked)


def test_each_receptor_matters():
    circuit = decided()
    stimuli = spikes_in(circuit)
    whole = simulate(circuit, stimuli, engine="torch").values
    for receptor in RECEPTORS:
        kept = tuple(q.times(np.full(12, float(q.receptor != receptor))) for q in circuit.projections)
        assert not np.array_equal(simulate(replace(circuit, projections=kept), stimuli, engine="torch").values, whole)


@pytest.mark.parametrize("engine", ["brian2", "torch"])
@pytest.mark.parametrize("name", [name for name, model in SYNAPSES.items() if not model.sends])
def test_a_receptor_with_a_name_is_the_receptor_without(name, engine):
    model = SYNAPSES[name]
    rng = np.random.default_rng(1)
    weights = np.abs(rng.normal(0, 4 * model.example, (5, 8)))
    answers = []
    for receptor in ("", "own"):
        synapses = {receptor: model.parameters()} if receptor else model.parameters()
        cells = Population("cells", 8, LIFParameters(), drive=2e-10, synapses=synapses)
        wire = Projection("input", "cells", weights, receptor=receptor)
        circuit = Circuit("named", Input(5), (cells,), (wire,), dt=1e-4, step=1e-3)
        found = simulate(circuit, spikes_in(circuit), engine=engine, monitors=Monitors(membrane=["cells"]))
        answers.append(found["membrane_potential"].values)
    np.testing.assert_array_equal(*answers)
    assert np.ptp(answers[0]) > 1e-3


@pytest.mark.parametrize(("neuron", "synapse"), itertools.product(NEURONS, SYNAPSES))
def test_no_neuron_and_synapse_give_two_things_one_name(neuron, synapse):
    numbers, given = NEURONS[neuron], SYNAPSES[synapse]
    first = {*numbers.constants(ns.parameters.as_dict(numbers.parameters()), 1e-3), *numbers.state}
    second = {*given.constants(ns.parameters.as_dict(given.parameters()), 1e-3), *given.state, *given.arrivals}
    assert not first & second


def test_two_receptors_whose_names_meet_the_neurons_are_refused():
    neuron = ns.biophysics.AdExParameters()
    cells = Population("cells", 1, neuron, synapses={"w": ExponentialParameters()})
    with pytest.raises(InputError, match=r"receptor 'w' and its neuron both have 'w_decay'; give the receptor"):
        constants_of(cells, 1e-4)


@pytest.mark.parametrize("engine", ENGINE_NAMES)
@pytest.mark.parametrize("sparse", [False, True])
def test_a_delay_a_synapse_is_one_projection_for_each_delay(engine, sparse):
    rng = np.random.default_rng(5)
    n, neuron = 10, LIFParameters(refractory=1e-3)
    weights = rng.normal(1.2e-3, 3e-3, (n, n)) * (rng.random((n, n)) < 0.6)
    delays = rng.integers(0, 4, (n, n)) * 5e-4
    feed = rng.uniform(0, 6e-3, (4, n))
    late = rng.integers(0, 3, (4, n)) * 1e-3
    form = scipy.sparse.csr_array if sparse else np.asarray
    cells = Population("cells", n, neuron, drive=2e-10)
    together = (Projection("input", "cells", form(feed), late), Projection("cells", "cells", form(weights), delays))
    apart = [Projection("input", "cells", feed * (late == d), d) for d in np.unique(late)]
    apart += [Projection("cells", "cells", weights * (delays == d), d) for d in np.unique(delays)]
    circuits = [Circuit("late", Input(4), (cells,), tuple(q), dt=1e-4, step=1e-3) for q in (together, apart)]
    assert circuits[0].n_synapses == circuits[1].n_synapses
    stimuli = spikes_in(circuits[0])
    found = [simulate(c, stimuli, engine=engine, monitors=Monitors(spike_times=True)) for c in circuits]
    assert found[0].sizes["spike"] > 200
    for name in ("spike_time", "spike_unit", "spike_stimulus"):
        np.testing.assert_array_equal(found[0][name].values, found[1][name].values)


def test_delays_and_receptors_are_kept_in_files(tmp_path):
    delays = np.random.default_rng(0).integers(0, 4, (12, 12)) * 1e-4
    circuit = decided()
    last = replace(circuit.projections[-1], delay=delays)
    thin = replace(
        circuit.projections[-2], weights=scipy.sparse.csr_array(circuit.projections[-2].weights), delay=delays
    )
    circuit = replace(circuit, projections=(*circuit.projections[:-2], thin, last))
    loaded = ns.biophysics.load_circuit(ns.biophysics.save_circuit(tmp_path / "c.nc", circuit))
    assert loaded.population("inh").receptors == RECEPTORS
    assert [q.receptor for q in loaded.projections] == [q.receptor for q in circuit.projections]
    for before, after in zip(circuit.projections, loaded.projections, strict=True):
        np.testing.assert_array_equal(before.delays(), after.delays())
    stimuli = spikes_in(circuit)
    np.testing.assert_array_equal(simulate(loaded, stimuli).values, simulate(circuit, stimuli).values)


CELLS = Population("cells", 3, LIFParameters(), synapses={"ampa": ExponentialParameters(), "nmda": NMDAParameters()})
ONES = np.ones((2, 3)) * 1e-12


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Projection("input", "cells", ONES), "names the receptor ''; 'cells' has 'ampa', 'nmda'"),
        (lambda: Projection("input", "cells", ONES, receptor="amda"), "'amda'; .* Did you mean"),
        (lambda: Projection("input", "cells", ONES, np.ones(3)), r"shape \(2, 3\) of the weights, asked; found \(3,\)"),
        (lambda: Projection("input", "cells", ONES, receptor=1), "the receptor is a name, found int"),
        (lambda: Projection("input", "cells", ONES, ONES * np.nan, "ampa"), "delays hold what is not finite"),
        (lambda: Projection("input", "cells", ONES, ONES * 1.5e8, "ampa"), "1.5 steps of dt"),
    ],
)
def test_what_names_no_receptor_or_delay_is_refused(make, said):
    with pytest.raises(InputError, match=said):
        Circuit("c", Input(2), (CELLS,), (make(),), dt=1e-4, step=1e-3)


@pytest.mark.parametrize("receptors", [{}, {"": NMDAParameters()}, {1: NMDAParameters()}, {"a b": NMDAParameters()}])
def test_receptors_have_names(receptors):
    with pytest.raises(InputError, match="receptors by name asked"):
        replace(CELLS, synapses=receptors)


def test_a_receptor_to_which_nothing_projects_is_said():
    wire = Projection("input", "cells", ONES, receptor="ampa")
    with pytest.raises(InputError, match=r"nothing projects to the receptor 'nmda' of 'cells'"):
        Circuit("c", Input(2), (CELLS,), (wire,), dt=1e-4, step=1e-3)
