"""What a circuit is given has its right effect, against numbers that are written out here, or is refused by name."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from neurosim.biophysics import (
    AdaptiveLIFParameters,
    AdExParameters,
    ConductanceParameters,
    DeltaParameters,
    ExponentialParameters,
    GIFParameters,
    LIFParameters,
)
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.custom import CustomNeuron
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.models import NEURONS, SYNAPSES
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.simulation import Execution, Monitors, simulate
from neurosim.parameters import (
    DiscreteAdaptiveLIFParameters,
    DiscreteAlphaParameters,
    DiscreteIntegratorParameters,
    DiscreteLIFParameters,
    DiscreteSynapticParameters,
)
from neurosim.schema import InputError, as_stimuli

STILL = LIFParameters(v_threshold=0.1)


def one(parameters, inputs, weights, *, dt=1e-4, drive=0.0, synapses=None):
    """One neuron, called n, on the input."""
    population = Population("n", 1, parameters, drive, synapses or DeltaParameters())
    return Circuit("one", inputs, (population,), (Projection("input", "n", weights),), dt, 1e-3)


@pytest.mark.parametrize("engine", ["brian2", "torch"])
@pytest.mark.parametrize("rate", [500.0, 2000.0])
def test_poisson_counts_have_mean_and_variance_of_rate_times_step(engine, rate):
    """A membrane that forgets at once shows the count of each step; 20,000 counts err by 1 % and 2 %."""
    forgets = DiscreteLIFParameters(tau_mem=1e-5, threshold=1e6)
    population = Population("n", 40, forgets)
    inputs = Input(40, "poisson", 0.5, rate)
    circuit = Circuit("counts", inputs, (population,), (Projection("input", "n", np.eye(40)),), 1e-3, 1e-3)
    found = simulate(
        circuit, as_stimuli(np.ones((1, 40))), engine=engine, monitors=Monitors(membrane=["n"]), progress=False
    )
    counts = found.membrane_potential.values
    np.testing.assert_allclose([counts.mean(), counts.var()], rate * 1e-3, rtol=0.06)


@pytest.mark.parametrize("engine", ["brian2", "torch"])
@pytest.mark.parametrize("timed", [True, False])
def test_a_current_ends_with_its_last_sample(engine, timed):
    """After 20 ms of current the membrane decays to rest with C / g_leak = 10 ms."""
    stimuli = (
        as_stimuli(np.full((1, 20, 1), 1e-10), dims=("stimulus", "time", "unit"), time_step=1e-3)
        if timed
        else as_stimuli(np.full((1, 1), 1e-10))
    )
    circuit = one(STILL, Input(1, "current", 20e-3), [[1.0]])
    found = simulate(circuit, stimuli, monitors=Monitors(tail=20e-3, membrane=["n"]), engine=engine, progress=False)
    depolarised = found.membrane_potential.values[0, [199, 399], 0] + 70e-3
    np.testing.assert_allclose(depolarised, 10e-3 * (1 - np.exp(-2)) * np.array([1, np.exp(-2)]), rtol=1e-9)


def test_a_quadratic_neuron_runs_and_follows_an_adaptive_solver():
    neuron = CustomNeuron("dv/dt = (v*v - 1 + drive) / tau", "v > 10", "v = -1", {"tau": 10e-3}, {"v": -1.0})
    circuit = one(neuron, Input(1), [[0.0]], drive=0.5)
    silent = as_stimuli(np.zeros((1, 30, 1)), dims=("stimulus", "time", "unit"), time_step=1e-3)
    trace = simulate(
        circuit, silent, engine="brian2", monitors=Monitors(membrane=["n"]), progress=False
    ).membrane_potential.values
    exact = solve_ivp(lambda _t, v: (v * v - 0.5) / 10e-3, (0, 30e-3), [-1.0], rtol=1e-9, atol=1e-12).y[0, -1]
    assert abs(trace[0, -1, 0] - exact) < 1e-4


CURRENT = {
    DeltaParameters: None,
    ExponentialParameters: (ExponentialParameters(3e-3), lambda t, v: 1e-10 * np.exp(-t / 3e-3), (1e-10, 0.0)),
    ConductanceParameters: (
        ConductanceParameters(2e-3, 9e-3, 0.0, -90e-3),
        lambda t, v: 2e-9 * np.exp(-t / 2e-3) * (0.0 - v) + 3e-9 * np.exp(-t / 9e-3) * (-90e-3 - v),
        (2e-9, -3e-9),
    ),
}


@pytest.mark.parametrize("kind", list(CURRENT))
def test_every_synapse_follows_its_equation(kind):
    """One spike of each of two inputs at 0, against an adaptive solver; excitation and inhibition decay apart."""
    shown = np.zeros((1, 30, 2))
    shown[0, 0] = 1
    shown = as_stimuli(shown, dims=("stimulus", "time", "unit"), time_step=1e-3)
    times = np.arange(1, 29) * 1e-3
    if CURRENT[kind] is None:
        synapses, weights = kind(), (2e-3, 1e-3)
        exact = -70e-3 + 3e-3 * np.exp(-(times - 1e-5) / 10e-3)
    else:
        synapses, current, weights = CURRENT[kind]
        exact = solve_ivp(
            lambda t, v: (10e-9 * (-70e-3 - v) + current(t, v)) / 100e-12, (0, 30e-3), [-70e-3],
            t_eval=times, rtol=1e-9, atol=1e-12, max_step=1e-3,
        ).y[0]  # fmt: skip
    circuit = one(STILL, Input(2), np.array(weights)[:, None], dt=1e-5, synapses=synapses)
    trace = simulate(
        circuit, shown, engine="torch", monitors=Monitors(membrane=["n"]), progress=False
    ).membrane_potential.values
    np.testing.assert_allclose(trace[0, np.rint(times / 1e-5).astype(int) - 1, 0], exact, atol=2e-5)


@pytest.mark.parametrize("refractory", [0.0, 1e-3, 2e-3])
def test_the_refractory_period_is_held_to_the_step(refractory):
    """A drive that lifts the membrane above threshold in one step leaves a spike every refractory period + dt."""
    circuit = one(LIFParameters(refractory=refractory), Input(1), [[0.0]], dt=1e-4, drive=1e-6)
    silent = as_stimuli(np.zeros((1, 20, 1)), dims=("stimulus", "time", "unit"), time_step=1e-3)
    if not refractory:
        circuit = one(LIFParameters(refractory=1e-4), Input(1), [[0.0]], dt=1e-4, drive=1e-6)
    found = simulate(circuit, silent, engine="torch", monitors=Monitors(spike_times=True), progress=False)
    steps = np.diff(np.rint(found.spike_time.values / 1e-4))
    assert set(steps.tolist()) == {round(max(refractory, 1e-4) / 1e-4) + 1}


def test_a_membrane_at_threshold_sends_no_spike():
    neuron = DiscreteLIFParameters(tau_mem=1e-5)
    silent = as_stimuli(np.zeros((1, 3, 1)), dims=("stimulus", "time", "unit"), time_step=1e-3)
    for drive, spikes in ((1.0, 0), (np.nextafter(1.0, 2), 1)):
        circuit = one(neuron, Input(1), [[0.0]], dt=1e-3, drive=drive)
        assert simulate(circuit, silent, engine="torch", progress=False).values[0, 0, 0] == spikes


FREE = ("dv/dt = (drive - v) / tau", "v > 1", "v = 0", {"tau": 10e-3})


def shown_nothing(population):
    silent = as_stimuli(np.zeros((1, 3, 1)), dims=("stimulus", "time", "unit"), time_step=1e-3)
    return simulate(Circuit("c", Input(1), (population,), (), 1e-3, 1e-3), silent)


REFUSED = {
    "noise of a curved membrane": (
        lambda: shown_nothing(Population("n", 1, CustomNeuron("dv/dt = v*v", "v > 1"), noise=1e-3)),
        "noise needs a leaky membrane, 'custom' has none",
    ),
    "varying of no number": (
        lambda: shown_nothing(Population("n", 1, CustomNeuron(*FREE), varying={"tua": [1.0]})),
        "varying 'tua' is no number of its model",
    ),
    "unread number": (lambda: CustomNeuron(*FREE[:3], {"tau": 1e-2, "tua": 1.0}), "no formula names the number 'tua'"),
    "unread initial": (lambda: CustomNeuron(*FREE, {"w": 1.0}), "initial 'w' is no state"),
    "keyword": (lambda: CustomNeuron(*FREE[:3], {"tau": 1e-2, "lambda": 1.0}), "'lambda' has a meaning"),
    "nested powers": (lambda: CustomNeuron("dv/dt = ((v**9)**9)**9", "v > 1"), "power"),
    "one delay in an array": (lambda: Projection("a", "b", [[1.0]], np.array([1e-3])), "one a synapse with the shape"),
    "delays": (lambda: Projection("a", "b", [[1.0]], np.array([1e-3, 2e-3])), "one a synapse with the shape"),
    "plain array": (lambda: simulate(one(STILL, Input(1), [[1.0]]), np.zeros((1, 3, 1))), "labelled array"),
    "memory below one copy": (
        lambda: simulate(
            one(STILL, Input(1, "current"), [[1.0]]), as_stimuli(np.ones((1, 1))), execution=Execution(memory=10)
        ),
        "above memory = 10",
    ),
    "rate beyond counts": (
        lambda: simulate(one(STILL, Input(1, "poisson", 0.1, 1e6), [[1.0]]), as_stimuli(np.ones((1, 1)))),
        "more than 100 spikes",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_would_be_read_by_nobody_is_refused(what):
    make, message = REFUSED[what]
    with pytest.raises(InputError, match=message):
        make()


def leaky(t, y):
    return [(10e-9 * (-70e-3 - y[0]) + 1e-10) / 100e-12]


def adex(t, y):
    v, w = y
    upstroke = 30e-9 * 2e-3 * np.exp((v + 50.4e-3) / 2e-3)
    return [(30e-9 * (-70.6e-3 - v) + upstroke - w + 4e-10) / 281e-12, (4e-9 * (v + 70.6e-3) - w) / 144e-3]


def gif(t, y):
    v, h = y
    opened = 1 / (1 + np.exp(-(v + 25e-3) / 6e-3))
    current = 2e-9 * (-65e-3 - v) - 1e-9 * max(v + 55e-3, 0) - 50e-9 * opened * h * (v + 85e-3) + 5e-11
    return [current / 50e-12, (1 / (1 + np.exp((v + 68e-3) / 8e-3)) - h) / 80e-3]


SILENT_GIF = GIFParameters(g_bend=1e-9, g_a=50e-9, v_t=1.0)
CONTINUOUS = {
    LIFParameters: (LIFParameters(), leaky, 1e-10, [-70e-3]),
    AdaptiveLIFParameters: (AdaptiveLIFParameters(), leaky, 1e-10, [-70e-3]),
    AdExParameters: (AdExParameters(), adex, 4e-10, [-70.6e-3, 0.0]),
    GIFParameters: (SILENT_GIF, gif, 5e-11, [-65e-3, 1 / (1 + np.exp(3 / 8))]),
}


@pytest.mark.parametrize("kind", CONTINUOUS)
def test_the_membrane_below_threshold_follows_its_published_equation(kind):
    parameters, change, drive, start = CONTINUOUS[kind]
    circuit = one(parameters, Input(1), [[0.0]], dt=1e-5, drive=drive)
    silent = as_stimuli(np.zeros((1, 30, 1)), dims=("stimulus", "time", "unit"), time_step=1e-3)
    trace = simulate(
        circuit, silent, engine="torch", monitors=Monitors(membrane=["n"]), progress=False
    ).membrane_potential.values
    times = np.arange(1, 30) * 1e-3
    exact = solve_ivp(change, (0, 30e-3), start, t_eval=times, rtol=1e-9, atol=1e-14).y[0]
    np.testing.assert_allclose(trace[0, np.rint(times / 1e-5).astype(int) - 1, 0], exact, atol=2e-5)


def discrete_spikes(kind, drive, n_steps):
    """The published recursions with the default numbers: reset by subtraction, one step late."""
    v = current = raised = fired = 0.0
    spikes = []
    for _ in range(n_steps):
        current = np.exp(-1 / 5) * current + drive if kind is DiscreteSynapticParameters else drive
        is_adaptive = kind is DiscreteAdaptiveLIFParameters
        v = np.exp(-1 / (20 if is_adaptive else 10)) * v + current - fired
        raised = np.exp(-1 / 200) * raised + fired
        fired = float(v > 1 + 0.1 * raised * is_adaptive)
        spikes.append(fired)
    return spikes


INTEGRATORS = (DiscreteIntegratorParameters, DiscreteAlphaParameters)  # test_nir_equations.py, test_bridge_neurons.py
DISCRETE = (DiscreteLIFParameters, DiscreteSynapticParameters, DiscreteAdaptiveLIFParameters)


@pytest.mark.parametrize("kind", DISCRETE)
def test_discrete_neurons_follow_their_recursion(kind):
    drive = {DiscreteSynapticParameters: 0.11}.get(kind, 0.37)
    silent = as_stimuli(np.zeros((1, 60, 1)), dims=("stimulus", "time", "unit"), time_step=1e-3)
    circuit = one(kind(), Input(1), [[0.0]], dt=1e-3, drive=drive)
    wanted = discrete_spikes(kind, drive, 60)
    assert 5 < sum(wanted) < 55
    assert simulate(circuit, silent, engine="torch", progress=False).values[0, :, 0].tolist() == wanted


def test_every_registered_neuron_and_synapse_has_a_reference_of_its_own():
    """Those that are not here are compared with an adaptive solver, or their rate, elsewhere in this folder."""
    others = {"hodgkin_huxley", "izhikevich", "pinsky_rinzel", "quadratic_if", "squid_axon", "wang_buzsaki", "poisson"}
    others |= {model.name for model in NEURONS.values() if model.parameters in INTEGRATORS}
    here = {model.name for model in NEURONS.values() if model.parameters in {*CONTINUOUS, *DISCRETE}}
    assert here | others == set(NEURONS) and not here & others
    # test_receptors.py and test_gap_junctions.py
    elsewhere = {"alpha", "alpha_conductance", "double_exponential", "double_exponential_conductance"}
    elsewhere |= {"exponential_conductance", "nmda", "gap_junction"}
    assert {*CURRENT, *(SYNAPSES[name].parameters for name in elsewhere)} == {
        model.parameters for model in SYNAPSES.values()
    }
