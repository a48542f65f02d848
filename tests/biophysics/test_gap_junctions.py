"""Gap junctions against their equation, and equal on every engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg

import neurosim as ns
from neurosim.biophysics import (
    Circuit,
    ExponentialParameters,
    GapJunctionParameters,
    Input,
    LIFParameters,
    Monitors,
    Population,
    Projection,
    TsodyksMarkramParameters,
    simulate,
)
from neurosim.schema import InputError

SILENT = LIFParameters(v_threshold=0.1, v_reset=-70e-3, e_leak=-70e-3)
RECEPTORS = {"gap": GapJunctionParameters(), "ampa": ExponentialParameters(5e-3)}


def coupled(g=3e-9, neuron=SILENT, dt=5e-5, n=4):
    """A ring of neurons of one population, and one of another that is coupled to all of them."""
    ring = g * (np.roll(np.eye(n), 1, axis=1) + np.roll(np.eye(n), -1, axis=1))
    cells = Population("ring", n, neuron, drive=np.linspace(0, 6e-11, n), synapses=RECEPTORS)
    other = Population("other", 1, neuron, drive=2.5e-10, synapses={"gap": GapJunctionParameters()})
    wires = (
        Projection("input", "ring", np.eye(2, n) * 4e-10, receptor="ampa"),
        Projection("ring", "ring", ring, receptor="gap"),
        Projection("ring", "other", np.full((n, 1), g / 2), receptor="gap"),
        Projection("other", "ring", np.full((1, n), g / 2), receptor="gap"),
    )
    return Circuit("coupled", Input(2), (cells, other), wires, dt=dt, step=1e-3)


def shown(n_steps=60, rate=0.0):
    spikes = (np.random.default_rng(0).random((2, n_steps, 2)) < rate).astype(float)
    return ns.as_stimuli(spikes, dims=("stimulus", "time", "unit"), time_step=1e-3)


def test_membranes_come_together_as_the_linear_equation_says():
    circuit = coupled()
    found = simulate(circuit, shown(), monitors=Monitors(membrane=["ring", "other"]), engine="brian2")
    v = found["membrane_potential"].values[0]
    g = np.zeros((5, 5))
    g[:4, :4], g[:4, 4], g[4, :4] = circuit.projections[1].weights, 1.5e-9, 1.5e-9
    drive = np.r_[circuit.population("ring").drive, 2.5e-10]
    slope = (g - np.diag(g.sum(0) + SILENT.g_leak)) / SILENT.capacitance
    rest = np.full(5, SILENT.e_leak)
    steady = np.linalg.solve(-slope, drive / SILENT.capacitance + rest * SILENT.g_leak / SILENT.capacitance)
    for k in (199, 599, 1199):
        asked = steady + scipy.linalg.expm(slope * (k + 1) * circuit.dt) @ (rest - steady)
        np.testing.assert_allclose(v[k], asked, atol=6e-3 * np.ptp(steady))


@pytest.mark.parametrize(("engine", "n_populations"), [("torch", 2), ("cython", 1)])
def test_coupled_neurons_fire_alike_on_every_engine(engine, n_populations):
    """Both populations where nothing is compiled; the ring alone, half as many programs, where each object is one."""
    circuit, apart = (
        replace(made, populations=made.populations[:n_populations], projections=made.projections[: 2 * n_populations])
        for made in (coupled(g, LIFParameters(refractory=2e-3), 1e-4) for g in (3e-9, 0.0))
    )
    stimuli = shown(100, 0.2)
    asked = simulate(circuit, stimuli, engine="brian2").values
    alone = simulate(apart, stimuli, engine="torch").values
    assert asked.sum() > 20 and not np.array_equal(asked, alone)
    np.testing.assert_array_equal(simulate(circuit, stimuli, engine=engine).values, asked)


def test_gap_junctions_are_kept_in_files(tmp_path):
    circuit = coupled()
    loaded = ns.biophysics.load_circuit(ns.biophysics.save_circuit(tmp_path / "c.nc", circuit))
    assert str(loaded) == str(circuit) and loaded.population("ring").receptors == RECEPTORS


GAP = {"receptor": "gap"}


@pytest.mark.parametrize(
    ("wire", "said"),
    [
        (Projection("input", "ring", np.ones((2, 4)), **GAP), "a population in volts as its source"),
        (Projection("ring", "ring", np.eye(4), 1e-3, **GAP), "no delay"),
        (Projection("ring", "ring", np.eye(4), release=TsodyksMarkramParameters(), **GAP), "no release"),
    ],
)
def test_what_cannot_be_coupled_is_refused(wire, said):
    circuit = coupled()
    negative = Projection("ring", "ring", -np.eye(4), **GAP)
    with pytest.raises(InputError, match="weights down to -1 S; gap junctions have one reversal potential"):
        Circuit("c", circuit.inputs, circuit.populations, (*circuit.projections, negative), dt=1e-4, step=1e-3)
    with pytest.raises(InputError, match=f"passes 'v' on at every step and asks for {said}"):
        Circuit("c", circuit.inputs, circuit.populations, (*circuit.projections, wire), dt=1e-4, step=1e-3)
