"""What is done to circuits, in numbers: rheobase, calibration, delays, noise, several inputs, readout."""

from dataclasses import replace

import numpy as np
import pytest

from neurosim.biophysics import AdExParameters, ConductanceParameters, LIFParameters
from neurosim.biophysics.calibration import rheobase
from neurosim.biophysics.circuit import Circuit, Readout
from neurosim.biophysics.circuit_perturbation import perturb_circuit
from neurosim.biophysics.dynamics import constants_of
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.ladder import Ladder, climb
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.simulation import Execution, Monitors, choose_category, simulate
from neurosim.parameters import DiscreteLIFParameters
from neurosim.schema import Perturbation, as_responses, as_stimuli

STILL = LIFParameters(v_threshold=0.1)


def currents(n_stimuli=1, size=1, n_steps=100):
    """A current of 1 of every input."""
    return as_stimuli(np.ones((n_stimuli, n_steps, size)), dims=("stimulus", "time", "unit"), time_step=1e-3)


def test_the_rheobase_divides_silence_from_spikes_and_is_measured_to_the_foot_of_an_upstroke():
    neuron = LIFParameters()
    found = float(np.ravel(rheobase(Population("n", 1, neuron)))[0])
    drives = Population("n", 2, neuron, [0.99 * found, 1.01 * found])
    spikes = simulate(Circuit("c", Input(1), (drives,), (), 1e-4, 1e-3), 0 * currents(), engine="torch", progress=False)
    assert [bool(n) for n in spikes.values.sum((0, 1))] == [False, True]
    adex = AdExParameters(v_t=-50e-3, v_cut=0.0, g_leak=10e-9, e_leak=-70e-3)
    np.testing.assert_allclose(rheobase(Population("n", 1, adex)), 2e-10)


def test_a_gain_scales_what_comes_in_and_a_bias_is_added_to_it():
    population = Population("n", 2, STILL, [1e-10, 2e-10])
    circuit = Circuit("c", Input(1), (population,), (Projection("input", "n", [[1e-3, -2e-3]]),), 1e-4, 1e-3)
    changed = circuit.adjusted("n", 3.0, 5e-11)
    np.testing.assert_allclose(changed.projections[0].weights, [[3e-3, -6e-3]])
    np.testing.assert_allclose(changed.population("n").drive, [3.5e-10, 6.5e-10])


def test_the_delay_of_a_rung_comes_on_top_of_that_of_a_connection():
    wire = Projection("input", "n", [[1e-9]], delay=3e-3)
    population = Population("n", 1, LIFParameters(), synapses=ConductanceParameters())
    circuit = replace(Circuit("c", Input(1), (population,), (wire,), 1e-4, 1e-3), rung="conductance")
    assert climb(circuit, "refractory", ladder=Ladder(delay=2e-3)).projections[0].delay == pytest.approx(5e-3)


def test_noise_of_an_experiment_adds_by_variance_to_that_of_the_population():
    neuron = LIFParameters()
    population = Population("n", 3, neuron, noise=2e-3)
    circuit = Circuit("c", Input(1), (population,), (), 1e-4, 1e-3)
    noisy = perturb_circuit(circuit, Perturbation("noise", "n", [1], amount=0.1)).population("n")
    a_step = np.sqrt(1 - np.exp(-2 * 1e-4 * neuron.g_leak / neuron.capacitance))
    gap = 0.1 * (neuron.v_threshold - neuron.e_leak)
    expected = a_step * np.array([2e-3, np.hypot(2e-3, gap), 2e-3])
    np.testing.assert_allclose(constants_of(noisy, 1e-4)["noise_scale"], expected)


def test_currents_of_two_connections_into_a_population_add():
    wires = (Projection("input", "n", [[1e-10]]), Projection("input", "n", [[3e-11]]))
    circuit = Circuit("c", Input(1, "current"), (Population("n", 1, STILL),), wires, 1e-3, 1e-3)
    trace = simulate(
        circuit, currents(n_steps=200), monitors=Monitors(membrane=["n"]), engine="torch", progress=False
    ).membrane_potential
    assert float(trace[0, -1, 0]) == pytest.approx(STILL.e_leak + 1.3e-10 / STILL.g_leak, abs=1e-8)


def test_spike_times_name_their_stimulus_and_trial_whatever_the_size_of_chunks():
    wire = Projection("input", "n", np.array([[1.0, 0.5]]))
    circuit = Circuit("c", Input(1), (Population("n", 2, DiscreteLIFParameters(5e-3)),), (wire,), 1e-3, 1e-3)
    shown = as_stimuli(
        (np.arange(60).reshape(6, 10, 1) % 7 < 4).astype(float), dims=("stimulus", "time", "unit"), time_step=1e-3
    )
    options = {"engine": "torch", "monitors": Monitors(spike_times=True), "trials": 2, "progress": False}
    whole = simulate(circuit, shown, **options)
    parts = simulate(circuit, shown, execution=Execution(memory=1200), **options)
    assert set(whole.spike_stimulus.values) == set(range(6)) and set(whole.spike_trial.values) == {0, 1}
    assert whole.identical(parts)


def test_the_readout_adds_its_bias():
    circuit = Circuit(
        "c", Input(1), (Population("n", 2, DiscreteLIFParameters(5e-3)),), (), 1e-3, 1e-3,
        Readout("n", np.eye(2), np.array([0.0, 0.3])),
    )  # fmt: skip
    counts = np.zeros((3, 10, 2))
    counts[1, :2, 0], counts[2, :6, 0] = 1, 1
    named = as_responses(counts, coords={"layer": ("unit", ["n", "n"])}, quantity="spike_count", time_step=1e-3)
    assert choose_category(circuit, named).tolist() == [1, 1, 0]
