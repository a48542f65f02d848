"""Neurons against closed forms, an independent solver of their equations, and published behaviour."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from neurosim.biophysics import (
    AdaptiveLIFParameters,
    AdExParameters,
    ConductanceParameters,
    DeltaParameters,
    ExponentialParameters,
    HodgkinHuxleyParameters,
    LIFParameters,
)
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.simulation import Monitors, simulate
from neurosim.parameters import DiscreteLIFParameters
from neurosim.schema import as_stimuli
from tests.biophysics.published import hodgkin_huxley_equations


def silent(n_steps, step=1e-3):
    return as_stimuli(np.zeros((1, n_steps, 1)), dims=("stimulus", "time", "unit"), time_step=step)


def driven(parameters, drive, *, dt=1e-4, step=1e-3):
    """One neuron a value of `drive`, not connected."""
    population = Population("neurons", len(drive), parameters, np.asarray(drive))
    return Circuit("driven", Input(1), (population,), (), dt=dt, step=step)


def spike_times(parameters, drive, duration, *, dt=1e-4):
    """Times of every neuron, one a value of `drive`."""
    found = simulate(
        driven(parameters, drive, dt=dt),
        silent(round(duration / 1e-3)),
        engine="torch",
        monitors=Monitors(spike_times=True),
        progress=False,
    )
    return [found.spike_time.values[found.spike_unit.values == k] for k in range(len(drive))]


def test_lif_fires_at_the_closed_form_rate():
    """rate = 1 / (refractory + tau ln(I / (I - 1))) with I the drive in rheobases."""
    neuron = LIFParameters(refractory=2e-3)
    rheobase = neuron.g_leak * (neuron.v_threshold - neuron.e_leak)
    drives = np.array([0.9, 1.2, 2.0, 4.0])
    for relative, times in zip(drives, spike_times(neuron, drives * rheobase, 0.1, dt=2e-5), strict=True):
        if relative < 1:
            assert len(times) == 0
            continue
        wanted = 2e-3 + 10e-3 * np.log(relative / (relative - 1))
        np.testing.assert_allclose(np.diff(times), wanted, atol=4e-5)


def test_discrete_lif_follows_its_equation():
    neuron = DiscreteLIFParameters(tau_mem=5e-3)
    responses = simulate(driven(neuron, [0.3, 0.7], dt=1e-3), silent(50), progress=False)
    for index, drive in enumerate((0.3, 0.7)):
        v, fired, spikes = 0.0, 0.0, []
        for _ in range(50):
            v = neuron.beta * v + drive - fired * neuron.threshold
            fired = float(v > neuron.threshold)
            spikes.append(fired)
        assert responses.values[0, :, index].tolist() == spikes


def test_an_adaptive_threshold_settles_where_rise_and_decay_balance():
    """In the steady state of period T the threshold at a spike is v_threshold + rise q / (1 - q), q = exp(-T / tau)."""
    neuron = AdaptiveLIFParameters(refractory=0.0, rise=3e-3, tau_threshold=50e-3)
    (times,) = spike_times(neuron, [5e-10], 0.5, dt=2e-5)
    period = np.diff(times)[-1]
    q = np.exp(-period / neuron.tau_threshold)
    target = neuron.e_leak + 5e-10 / neuron.g_leak
    reached = target + (neuron.v_reset - target) * np.exp(-period / 10e-3)
    assert np.diff(times)[0] < 0.8 * period
    assert abs(reached - (neuron.v_threshold + neuron.rise * q / (1 - q))) < 0.2e-3


def test_hodgkin_huxley_converges_to_an_adaptive_solver():
    """The membrane follows an independent solution, better with a finer step; at 0.1 ms the rate is within 3 %."""
    p, current = HodgkinHuxleyParameters(), 4e-10
    found = {
        dt: simulate(
            driven(p, [current], dt=dt),
            silent(41),
            engine="torch",
            monitors=Monitors(membrane=["neurons"]),
            progress=False,
        ).membrane_potential
        for dt in (1e-4, 2e-5, 1e-5)
    }
    from neurosim.biophysics.gates import resting_state
    from neurosim.biophysics.neurons.hodgkin_huxley import rates
    from neurosim.parameters import as_dict

    rest = resting_state(as_dict(p), rates)
    start = [rest[k] for k in ("v_rest", "m_rest", "h_rest", "n_rest")]
    times = np.arange(1, 41) * 1e-3
    exact = solve_ivp(
        hodgkin_huxley_equations(p, lambda t, v: current),
        (0, 0.1),
        start,
        method="LSODA",
        t_eval=times,
        rtol=1e-8,
        atol=1e-10,
    ).y[0]  # fmt: skip
    errors = {
        dt: np.abs(trace.values[0, np.rint(times / dt).astype(int) - 1, 0] - exact).mean()
        for dt, trace in found.items()
    }
    assert errors[1e-5] < 1e-3
    assert errors[1e-5] < 0.7 * errors[2e-5] < 0.5 * errors[1e-4]
    counts = {dt: simulate(driven(p, [3e-10, 1e-9], dt=dt), silent(200), engine="torch", progress=False).values.sum(1)
              for dt in (1e-4, 2.5e-5)}  # fmt: skip
    np.testing.assert_allclose(counts[1e-4], counts[2.5e-5], rtol=0.03, atol=1)


def test_hodgkin_huxley_rests_where_its_currents_cancel():
    p = HodgkinHuxleyParameters()
    quiet = simulate(
        driven(p, [0.0]), silent(50), engine="torch", monitors=Monitors(membrane=["neurons"]), progress=False
    )
    trace = quiet.membrane_potential.values[0, :, 0]
    assert quiet.responses.sum() == 0
    assert np.ptp(trace) < 1e-6 and -70e-3 < trace[0] < -60e-3


# Firing patterns of Naud et al. 2008 (https://doi.org/10.1007/s00422-008-0264-7), table 1, with the counts in 600 ms
# that an independent rk4 integration of the same equations gives.
PATTERNS = {
    "tonic": ((200, 10, -70, 2, 2, 30, 0, -58, 500), (60, 62)),
    "adapting": ((200, 12, -70, 2, 2, 300, 60, -58, 500), (12, 12)),
    "initial burst": ((130, 18, -58, 2, 4, 150, 120, -50, 400), (12, 12)),
    "regular bursting": ((200, 10, -58, 2, 2, 120, 100, -46, 210), (10, 12)),
}


def test_adex_fires_in_the_published_patterns():
    """All patterns at once: neurons of one population whose numbers differ."""
    names = ("capacitance", "g_leak", "e_leak", "delta_t", "a", "tau_w", "b", "v_reset")
    scale = np.array([1e-12, 1e-9, 1e-3, 1e-3, 1e-9, 1e-3, 1e-12, 1e-3, 1e-12])
    numbers = (np.array([p for p, _ in PATTERNS.values()]) * scale).T
    neuron = AdExParameters(v_t=-50e-3, v_cut=0.0, refractory=0.0)
    population = Population("n", len(PATTERNS), neuron, numbers[-1], varying=dict(zip(names, numbers, strict=False)))
    circuit = Circuit("patterns", Input(1), (population,), (), dt=2e-5, step=1e-3)
    counts = simulate(circuit, silent(600), engine="torch", progress=False).values.sum((0, 1))
    for count, (name, (_, (fewest, most))) in zip(counts, PATTERNS.items(), strict=True):
        assert fewest <= count <= most, name


def test_adex_without_adaptation_and_with_a_sharp_upstroke_is_the_lif():
    lif = LIFParameters(refractory=2e-3)
    sharp = AdExParameters(
        lif.capacitance, lif.g_leak, lif.e_leak, lif.v_threshold, 1e-6, -30e-3, lif.v_reset, 0.1, 0.0, 0.0, 2e-3
    )
    currents = [2.5e-10, 6e-10]
    for one, other in zip(*(spike_times(p, currents, 0.2, dt=2e-5) for p in (lif, sharp)), strict=True):
        assert abs(len(one) - len(other)) <= 1
        np.testing.assert_allclose(np.diff(one)[:5], np.diff(other)[:5], atol=1e-4)


def test_every_synapse_carries_the_charge_of_its_weight():
    """Below threshold the time integral of the depolarisation is charge / g_leak for every synapse and step."""
    neuron = LIFParameters(v_threshold=0.1)
    weight, spikes = 2e-3, np.zeros((1, 150, 1))
    spikes[0, 2] = 1
    shown = as_stimuli(spikes, dims=("stimulus", "time", "unit"), time_step=1e-3)
    charge = weight * neuron.capacitance
    for synapses, w in (
        (DeltaParameters(), weight),
        (ExponentialParameters(1e-3), charge / 1e-3),
        (ExponentialParameters(10e-3), charge / 10e-3),
        (ConductanceParameters(5e-3, 5e-3, e_exc=1e3, e_inh=-1e3), charge / 5e-3 / 1e3),
    ):
        for dt in (1e-3, 1e-4):
            population = Population("n", 1, neuron, synapses=synapses)
            circuit = Circuit("c", Input(1), (population,), (Projection("input", "n", [[w]]),), dt=dt, step=1e-3)
            trace = simulate(
                circuit, shown, engine="torch", monitors=Monitors(membrane=["n"]), progress=False
            ).membrane_potential
            area = float((trace - neuron.e_leak).sum()) * dt
            tolerance = 0.06 if isinstance(synapses, DeltaParameters) and dt == 1e-3 else 0.01
            assert abs(area / (charge / neuron.g_leak) - 1) < tolerance


def test_excitation_drives_and_inhibition_silences():
    population = Population("target", 1, LIFParameters(), 1.5e-10, ConductanceParameters())
    spikes = as_stimuli(np.ones((1, 200, 2)), dims=("stimulus", "time", "unit"), time_step=1e-3)
    counts = [
        float(
            simulate(
                Circuit("c", Input(2), (population,), (Projection("input", "target", w),), dt=1e-4, step=1e-3),
                spikes, engine="torch", progress=False,
            ).sum()
        )
        for w in ([[5e-9], [0.0]], [[5e-9], [-2e-8]])
    ]  # fmt: skip
    assert counts[0] > 10
    assert counts[1] == 0


@pytest.mark.parametrize(
    "neuron", [LIFParameters(v_threshold=0.1), replace(LIFParameters(v_threshold=0.1), g_leak=2e-9)]
)
def test_noise_gives_the_free_membrane_its_standard_deviation(neuron):
    """500 neurons over 50 time constants: the error is about 1 / sqrt(2 x 500 x 50), far below 5 %."""
    population = Population("n", 500, neuron, noise=2e-3)
    circuit = Circuit("c", Input(1), (population,), (), dt=5e-4, step=1e-3)
    duration = round(50 * neuron.tau_mem / 1e-3)
    trace = simulate(
        circuit, silent(duration), engine="torch", monitors=Monitors(membrane=["n"]), progress=False
    ).membrane_potential
    settled = trace.values[0, round(10 * neuron.tau_mem / 5e-4) :]
    assert abs(settled.std() / 2e-3 - 1) < 0.05
    assert abs(settled.mean() - neuron.e_leak) < 1e-4
