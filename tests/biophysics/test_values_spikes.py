"""What a spike leaves behind, and synapses on neurons with conductances of their own, against an adaptive solver."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from neurosim.biophysics import ConductanceParameters, GIFParameters, HodgkinHuxleyParameters, LIFParameters
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.gates import resting_state
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.neurons.hodgkin_huxley import rates
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.simulation import Monitors, simulate
from neurosim.parameters import DiscreteAdaptiveLIFParameters, DiscreteLIFParameters, as_dict
from neurosim.schema import as_stimuli
from tests.biophysics.published import hodgkin_huxley_equations

MEMORIES = (1, 2, 3, 4)
SHARPEST = 1e-5


def silent(n_steps):
    return as_stimuli(np.zeros((1, n_steps, 1)), dims=("stimulus", "time", "unit"), time_step=1e-3)


def alone(parameters, drive, dt, size=1):
    population = Population("n", size, parameters, drive)
    return Circuit("alone", Input(1), (population,), (), dt=dt, step=1e-3)


def gif_spikes(p, drive, duration, offset):
    """Spike times of the sharp neuron: an adaptive solver from reset to threshold, the membrane held in between."""
    taus = np.array([getattr(p, f"tau_{k}") for k in MEMORIES])
    eta, gamma = (np.array([getattr(p, f"{name}_{k}") for k in MEMORIES]) for name in ("eta", "gamma"))

    def change(_t, y, held):
        v, theta, w, rise = y[0], y[1], y[2:6], y[6:]
        moved = 0.0 if held else (p.g_leak * (p.e_leak - v) - w.sum() + drive) / p.capacitance
        followed = (p.coupling * max(v - p.v_couple, 0) - theta) / p.tau_theta
        return np.concatenate([[moved, followed], -w / taus, -rise / taus])

    def above(_t, y, _held):
        return y[0] - p.v_t - y[1] - y[6:].sum() - offset

    above.terminal, above.direction = True, 1
    time, state, found = 0.0, np.concatenate([[p.e_leak], np.zeros(9)]), []
    while True:
        free = solve_ivp(change, (time, duration), state, args=(False,), events=above, rtol=1e-8, atol=1e-12)
        if free.status == 0:
            return np.array(found)
        time, state = free.t[-1], free.y[:, -1]
        found.append(time)
        state = np.concatenate([[p.v_reset, state[1]], state[2:6] + eta, state[6:] + gamma])
        held = solve_ivp(change, (time, time + p.refractory), state, args=(True,), rtol=1e-8, atol=1e-12)
        time, state = held.t[-1], held.y[:, -1]


def test_what_spikes_of_a_gif_leave_behind_adds_up_and_decays_as_written():
    """With the sharpest threshold spikes come at one distance above it, known from the step, to 0.01 mV."""
    dt, drive = 5e-5, 9e-11
    p = GIFParameters(
        eta_1=3e-12, eta_2=6e-12, eta_3=4e-12, eta_4=3e-12, gamma_1=1e-3, gamma_2=8e-4, gamma_3=6e-4, gamma_4=4e-4,
        coupling=0.3, v_couple=-60e-3, delta_v=SHARPEST, v_reset=-62e-3,
    )  # fmt: skip
    found = simulate(
        alone(p, drive, dt), silent(200), engine="torch", monitors=Monitors(spike_times=True), progress=False
    ).spike_time
    expected = gif_spikes(p, drive, 0.2, SHARPEST * (-np.log(dt) - np.euler_gamma))
    assert 5 <= len(expected) == len(found) and np.diff(expected)[-1] > 1.3 * np.diff(expected)[0]
    np.testing.assert_allclose(np.diff(found), np.diff(expected), rtol=0.02)


def test_a_gif_at_rest_escapes_at_its_rate_with_a_pause_after_each_spike():
    """20 ms to the next spike on average and 5 ms of rest make 40 spikes/s; 8,000 of them err by 1 %."""
    p = GIFParameters(eta_2=0.0, gamma_2=0.0, v_reset=-65e-3, refractory=5e-3, v_t=-65e-3 - 2e-3 * np.log(50))
    counts = simulate(alone(p, 0.0, 5e-4, 200), silent(1000), engine="torch", progress=False).values
    assert abs(counts.sum() / 200 - 40) < 1.6


def test_synapses_on_hodgkin_huxley_neurons_add_to_their_own_conductances():
    p, synapses = HodgkinHuxleyParameters(), ConductanceParameters(2e-3, 9e-3)
    shown = np.zeros((1, 15, 1))
    shown[0, 0] = 1
    population = Population("n", 1, p, synapses=synapses)
    circuit = Circuit("one", Input(1), (population,), (Projection("input", "n", [[2e-9]]),), dt=1e-5, step=1e-3)
    shown = as_stimuli(shown, dims=("stimulus", "time", "unit"), time_step=1e-3)
    trace = simulate(
        circuit, shown, engine="torch", monitors=Monitors(membrane=["n"]), progress=False
    ).membrane_potential.values[0, :, 0]
    rest = resting_state(as_dict(p), rates)

    def current(t, v):
        return 2e-9 * np.exp(-t / 2e-3) * (synapses.e_exc - v)

    change = hodgkin_huxley_equations(p, current)
    times = np.arange(1, 15) * 1e-3
    start = [rest[k] for k in ("v_rest", "m_rest", "h_rest", "n_rest")]
    exact = solve_ivp(change, (0, 15e-3), start, t_eval=times, method="LSODA", rtol=1e-9, atol=1e-12).y[0]
    assert 1e-3 < exact.max() - start[0] < 20e-3
    np.testing.assert_allclose(trace[np.rint(times / 1e-5).astype(int) - 1], exact, atol=5e-5)


@pytest.mark.parametrize(("weight", "tau"), [(1e-9, 2e-3), (-1e-9, 9e-3)])
def test_conductances_of_either_sign_carry_weight_times_their_own_time_constant(weight, tau):
    """Also at a step of 1 ms, where the mean of a decay over a step is not its beginning."""
    synapses = ConductanceParameters(2e-3, 9e-3, e_exc=10.0, e_inh=-10.0)
    neuron = LIFParameters(v_threshold=0.1)
    shown = np.zeros((1, 200, 1))
    shown[0, 2] = 1
    wire = Projection("input", "n", [[1e-2 * weight]])
    circuit = Circuit("one", Input(1), (Population("n", 1, neuron, synapses=synapses),), (wire,), dt=1e-3, step=1e-3)
    shown = as_stimuli(shown, dims=("stimulus", "time", "unit"), time_step=1e-3)
    trace = simulate(
        circuit, shown, engine="torch", monitors=Monitors(membrane=["n"]), progress=False
    ).membrane_potential
    area = float((trace - neuron.e_leak).sum()) * 1e-3
    assert area == pytest.approx(1e-2 * weight * tau * 10 / neuron.g_leak, rel=0.02)


@pytest.mark.parametrize("reset", ["subtract", "zero", "clear", "none"])
def test_every_reset_of_a_discrete_neuron_comes_a_step_after_the_spike(reset):
    """Zero forgets the membrane alone, clear the input of the step too; membranes by hand."""
    neuron = DiscreteLIFParameters(5e-3, 1e-3, threshold=1.0, reset=reset)
    beta, v, fired, expected = np.exp(-0.2), 0.0, False, []
    for _ in range(30):
        left = 0.0 if fired and reset in ("zero", "clear") else beta * v
        v = left + (0.0 if fired and reset == "clear" else 0.6) - (1.0 if fired and reset == "subtract" else 0.0)
        fired = v > 1.0
        expected.append(v)
    found = simulate(
        alone(neuron, 0.6, 1e-3), silent(30), engine="torch", monitors=Monitors(membrane=["n"]), progress=False
    )
    np.testing.assert_allclose(found.membrane_potential.values[0, :, 0], expected, rtol=1e-12)
    assert found.responses.sum() > 5


def test_an_adaptive_discrete_neuron_raises_its_threshold_by_the_whole_rise_a_step_after_the_spike():
    neuron = DiscreteAdaptiveLIFParameters(tau_mem=5e-3, tau_threshold=8e-3, dt=1e-3, threshold=1.0, rise=0.4)
    beta, rho, v, a, fired, expected = np.exp(-0.2), np.exp(-1 / 8), 0.0, 0.0, False, []
    for _ in range(60):
        v, a = beta * v + 0.6 - (1.0 if fired else 0.0), rho * a + fired
        fired = v > 1.0 + 0.4 * a
        expected.append(fired)
    found = simulate(alone(neuron, 0.6, 1e-3), silent(60), engine="torch", progress=False).values[0, :, 0]
    assert found.tolist() == expected and 5 < sum(expected) < 40
