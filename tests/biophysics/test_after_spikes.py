"""What neurons and synapses do after a spike, against an adaptive solver or a formula that is written out here."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.stats import chisquare, poisson

from neurosim.biophysics import (
    AdaptiveLIFParameters,
    AdExParameters,
    ConductanceParameters,
    GIFParameters,
    HodgkinHuxleyParameters,
    LIFParameters,
    torch_engine,
)
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.custom import CustomNeuron
from neurosim.biophysics.dynamics import Chunk, Watch
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.models import NEURONS
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.simulation import Execution, Monitors, simulate
from neurosim.parameters import DiscreteLIFParameters
from neurosim.schema import as_stimuli
from tests.biophysics.given_numbers import given


def silent(n_ms):
    return as_stimuli(np.zeros((1, n_ms, 1)), dims=("stimulus", "time", "unit"), time_step=1e-3)


def alone(parameters, drive, dt):
    """One neuron, with a synapse that brings nothing."""
    population = Population("n", 1, parameters, drive)
    return Circuit("alone", Input(1), (population,), (Projection("input", "n", [[0.0]]),), dt, 1e-3)


def spike_steps(parameters, drive, n_ms, dt):
    found = simulate(
        alone(parameters, drive, dt), silent(n_ms), engine="torch", monitors=Monitors(spike_times=True), progress=False
    )
    return np.rint(found.spike_time.values / dt).astype(int)


def solved_spikes(change, start, reset, threshold, held, n_ms):
    """Spike times of equations with a reset; while the membrane is held, everything else moves on."""
    times, t, y = [], 0.0, np.array(start)
    end = n_ms * 1e-3

    def crossing(t, y):
        return threshold(y)

    crossing.terminal, crossing.direction = True, 1
    while t < end:
        found = solve_ivp(change, (t, end), y, events=crossing, rtol=1e-9, atol=1e-13, max_step=1e-3)
        if not found.t_events[0].size:
            break
        t, y = found.t_events[0][0], reset(found.y_events[0][0])
        times.append(t)
        still = solve_ivp(lambda t, y: [0.0, *change(t, y)[1:]], (t, t + held), y, rtol=1e-9, atol=1e-13)
        t, y = t + held, still.y[:, -1]
    return np.array(times)


def adex(t, y):
    v, w = y
    upstroke = 30e-9 * 2e-3 * np.exp(min((v + 50.4e-3) / 2e-3, 20.0))
    return [(30e-9 * (-70.6e-3 - v) + upstroke - w + 1.2e-9) / 281e-12, (4e-9 * (v + 70.6e-3) - w) / 40e-3]


def test_adex_spikes_adapt_as_its_equations_say():
    """b = 200 pA a spike, decaying with tau_w = 40 ms: eight intervals that grow."""
    neuron = AdExParameters(b=2e-10, tau_w=40e-3)
    wanted = solved_spikes(adex, [-70.6e-3, 0.0], lambda y: [-70.6e-3, y[1] + 2e-10], lambda y: y[0] + 30e-3, 2e-3, 200)
    found = spike_steps(neuron, 1.2e-9, 200, 1e-5) * 1e-5
    assert 6 < len(wanted) < 30 and np.diff(wanted)[0] < 0.8 * np.diff(wanted)[-1]
    np.testing.assert_allclose(found, wanted, atol=4e-4)


def test_an_adaptive_threshold_rises_by_its_rise_and_decays_with_its_time_constant():
    neuron = AdaptiveLIFParameters(rise=4e-3, tau_threshold=30e-3)
    wanted = solved_spikes(
        lambda t, y: [(10e-9 * (-70e-3 - y[0]) + 4e-10) / 100e-12, -y[1] / 30e-3],
        [-70e-3, 0.0], lambda y: [-70e-3, y[1] + 4e-3], lambda y: y[0] + 50e-3 - y[1], 2e-3, 150,
    )  # fmt: skip
    found = spike_steps(neuron, 4e-10, 150, 1e-5) * 1e-5
    assert len(wanted) > 6
    np.testing.assert_allclose(found, wanted, atol=3e-4)


def test_a_quadratic_neuron_fires_with_the_period_of_its_closed_form():
    """dv/dt = (v^2 + 1) / tau from -10 to 10: 2 arctan(10) tau = 29.42 ms; after a reset to -1 arctan(10) + pi / 4."""
    neuron = CustomNeuron("dv/dt = (v*v + drive) / tau", "v > 10", "v = -1", {"tau": 1e-2}, {"v": -10.0})
    circuit = Circuit("c", Input(1), (Population("n", 1, neuron, 1.0),), (), 1e-4, 1e-3)
    found = simulate(
        circuit, silent(80), engine="brian2", monitors=Monitors(spike_times=True), progress=False
    ).spike_time.values
    period = (np.arctan(10) + np.pi / 4) * 1e-2
    np.testing.assert_allclose(found, 2 * np.arctan(10) * 1e-2 + period * np.arange(3), atol=6e-4)


GIF = GIFParameters(
    eta_1=4e-12, eta_2=20e-12, eta_3=-3e-12, eta_4=1e-12, gamma_1=1e-3, gamma_2=5e-3, gamma_3=-2e-3, gamma_4=1.5e-3,
    g_bend=1e-9, g_a=20e-9, coupling=0.4, tau_theta=10e-3, v_couple=-60e-3,
)  # fmt: skip
TAUS = np.array([3e-3, 15e-3, 60e-3, 250e-3])
ETA, GAMMA = np.array([4e-12, 20e-12, -3e-12, 1e-12]), np.array([1e-3, 5e-3, -2e-3, 1.5e-3])


def gif_after(t, y, spike=None):
    v, h, theta = y
    memory = 0.0 if spike is None else (ETA * np.exp(-(t - spike) / TAUS)).sum()
    opened = 1 / (1 + np.exp(-(v + 25e-3) / 6e-3))
    ionic = 2e-9 * (-65e-3 - v) - 1e-9 * max(v + 55e-3, 0) - 20e-9 * opened * h * (v + 85e-3)
    return [
        (ionic - memory + 3e-11) / 50e-12,
        (1 / (1 + np.exp((v + 68e-3) / 8e-3)) - h) / 80e-3,
        (0.4 * max(v + 60e-3, 0) - theta) / 10e-3,
    ]


def test_currents_and_threshold_of_the_gif_neuron_after_a_spike():
    """One spike at 20 ms, by a draw of its own; the membrane then follows all its currents, the threshold its memory.

    The threshold is seen through the draws: it lies where the draw of a step lets a spike through.
    """
    dt, at, n_steps = 5e-5, 400, 2000
    noise = np.full((n_steps, 1, 1), 50.0)
    noise[at] = -60.0
    circuit = alone(GIF, 3e-11, dt)
    watched, states = [Watch("n", "v", np.array([0]))], []
    chunk = Chunk(1, n_steps, {}, {}, {"n": given(noise)})
    for _, state in torch_engine.march(circuit, chunk, device="cpu"):
        states.append({k: float(v) for k, v in state["n"].items()})
    run = torch_engine.run(circuit, chunk, watched, device="cpu")
    assert run.events["n"].step.tolist() == [at]
    start = [-65e-3, 1 / (1 + np.exp(3 / 8)), 0.0]
    spike = (at + 1) * dt
    before = solve_ivp(gif_after, (0, spike), start, rtol=1e-9, atol=1e-14).y[:, -1]
    held = solve_ivp(
        lambda t, y: [0.0, *gif_after(t, y)[1:]], (0, 4e-3), [-55e-3, *before[1:]], rtol=1e-9, atol=1e-14
    ).y[:, -1]
    times = spike + np.array([4.5e-3, 10e-3, 30e-3, 70e-3])
    after = solve_ivp(
        lambda t, y: gif_after(t, y, spike), (spike + 4e-3, times[-1]), held, t_eval=times, rtol=1e-9, atol=1e-14
    ).y
    places = np.rint(times / dt).astype(int) - 1
    np.testing.assert_allclose(run.recorded[0][0, places, 0], after[0], atol=5e-5)
    for place, time, wanted in zip(places, times, after.T, strict=True):
        state = states[place]
        np.testing.assert_allclose([state["h"], state["theta"]], wanted[1:], rtol=1e-2, atol=2e-5)
        risen = sum(state[f"rise_{k}"] for k in "1234")
        np.testing.assert_allclose(risen, (GAMMA * np.exp(-(time - spike) / TAUS)).sum(), rtol=1e-6)
        level = (state["v"] + 50e-3 - state["theta"] - risen) / 2e-3 + np.log(dt)
        other = np.repeat(noise[: place + 1], 2, axis=1)
        other[place, :, 0] = level - 1e-6, level + 1e-6
        tried = torch_engine.run(circuit, Chunk(2, place + 1, {}, {}, {"n": given(other)}), (), device="cpu").events[
            "n"
        ]
        assert tried.copy[tried.step == place].tolist() == [0]


def test_the_gif_neuron_escapes_at_its_rate():
    """Held 4 mV below v_t, the rate is exp(-2) / s; above, exp(3.5): the share of steps is 1 - exp(-rate dt)."""
    for drive_volts, dt in ((-4e-3, 1e-3), (7e-3, 1e-3)):
        neuron = GIFParameters(v_t=-65e-3 - drive_volts, gamma_2=0.0, eta_2=0.0, refractory=0.0, v_reset=-65e-3)
        population = Population("n", 4000, neuron)
        circuit = Circuit("c", Input(1), (population,), (), dt, 1e-3)
        share = float(simulate(circuit, silent(100), engine="torch", progress=False).mean())
        wanted = -np.expm1(-np.exp(drive_volts / 2e-3) * dt)
        assert abs(share - wanted) < 5 * np.sqrt(wanted / 400_000)


def test_hodgkin_huxley_spikes_after_a_spike_follow_an_adaptive_solver():
    """All three currents with conductances and reversals of their own; the third spike is still in its place."""
    p = HodgkinHuxleyParameters(g_na=15e-6, g_k=8e-6, e_na=45e-3, e_k=-85e-3, v_shift=-60e-3)

    def gates(v):
        u = (v + 60e-3) * 1e3
        return np.array([
            [0.32 * (13 - u) / (np.exp((13 - u) / 4) - 1), 0.28 * (u - 40) / (np.exp((u - 40) / 5) - 1)],
            [0.128 * np.exp((17 - u) / 18), 4 / (1 + np.exp((40 - u) / 5))],
            [0.032 * (15 - u) / (np.exp((15 - u) / 5) - 1), 0.5 * np.exp((10 - u) / 40)],
        ])  # fmt: skip

    def change(t, y):
        v, m, h, n = y
        a, b = gates(v).T
        ionic = 10e-9 * (-65e-3 - v) + 15e-6 * m**3 * h * (45e-3 - v) + 8e-6 * n**4 * (-85e-3 - v)
        return [(ionic + 6e-10) / 200e-12, *(1e3 * (a * (1 - y[1:]) - b * y[1:]))]

    a, b = gates(-65e-3).T
    rest = solve_ivp(
        lambda t, y: [change(t, y)[0] - 6e-10 / 200e-12, *change(t, y)[1:]], (0, 1.0), [-65e-3, *(a / (a + b))],
        method="LSODA", rtol=1e-9, atol=1e-12,
    ).y[:, -1]  # fmt: skip
    solved = solve_ivp(change, (0, 60e-3), rest, method="LSODA", rtol=1e-9, atol=1e-12, dense_output=True)
    grid = np.arange(0, 60e-3, 1e-5)
    above = solved.sol(grid)[0] > -20e-3
    wanted = grid[1:][above[1:] & ~above[:-1]]
    found = spike_steps(p, 6e-10, 60, 1e-5) * 1e-5
    assert len(wanted) >= 3
    np.testing.assert_allclose(found, wanted, atol=3e-4)


@pytest.mark.parametrize("engine", ["brian2", "torch"])
def test_excitation_and_inhibition_decay_each_with_its_own_time_constant(engine):
    """Long after the faster one is gone, what is left of the current is that of the slower one, either way round."""
    for tau_exc, tau_inh in ((2e-3, 12e-3), (12e-3, 2e-3)):
        still = LIFParameters(capacitance=1e-6, g_leak=1e-8, v_threshold=0.1)
        population = Population("n", 1, still, 0.0, ConductanceParameters(tau_exc, tau_inh, 0.0, -90e-3))
        wires = (Projection("input", "n", [[1e-9], [-2e-9]]),)
        circuit = Circuit("c", Input(2), (population,), wires, 1e-4, 1e-3)
        shown = np.zeros((1, 60, 2))
        shown[0, 0] = 1
        shown = as_stimuli(shown, dims=("stimulus", "time", "unit"), time_step=1e-3)
        v = simulate(
            circuit, shown, engine=engine, monitors=Monitors(membrane=["n"]), progress=False
        ).membrane_potential.values[0, :, 0]
        early, late = (v[n] - v[m] for m, n in ((0, 20), (250, 350)))
        charge = {
            "exc": [1e-9 * tau_exc * (np.exp(-m / tau_exc) - np.exp(-n / tau_exc)) * 70e-3 for m, n in SPANS],
            "inh": [-2e-9 * tau_inh * (np.exp(-m / tau_inh) - np.exp(-n / tau_inh)) * 20e-3 for m, n in SPANS],
        }
        wanted = np.add(charge["exc"], charge["inh"]) / 1e-6
        np.testing.assert_allclose([early, late], wanted, rtol=0.01)


SPANS = ((1e-4, 21e-4), (251e-4, 351e-4))
REFRACTORY = [m.parameters for m in NEURONS.values() if "refractory" in m.parameters.__dataclass_fields__]


@pytest.mark.parametrize("kind", REFRACTORY)
@pytest.mark.parametrize("held", [1, 3, 10])
def test_every_refractory_period_lasts_exactly_its_steps(kind, held):
    """A drive that fires at once: a neuron whose membrane is held for k steps moves, and fires, in step k + 1."""
    parameters = kind(refractory=held * 1e-4)
    steps = spike_steps(parameters, 1e-5, 5, 1e-4)
    assert set(np.diff(steps).tolist()) == {held + 1}


@pytest.mark.parametrize("engine", ["brian2", "torch"])
def test_a_membrane_that_is_lowered_but_still_above_threshold_waits_its_refractory_period(engine):
    """A kick of 100 mV less 20 mV a spike leaves the membrane above threshold: one spike every ten steps, no more."""
    neuron = LIFParameters(reset="subtract", refractory=1e-3)
    wire = Projection("input", "n", [[0.1]])
    circuit = Circuit("c", Input(1), (Population("n", 1, neuron),), (wire,), 1e-4, 1e-3)
    shown = silent(6).copy()
    shown[0, 0] = 1
    found = simulate(
        circuit, shown, engine=engine, monitors=Monitors(spike_times=True), progress=False
    ).spike_time.values
    steps = np.rint(found / 1e-4)
    assert len(steps) >= 3 and np.diff(steps).min() >= 10


@pytest.mark.parametrize("engine", ["brian2", "torch"])
def test_thresholds_are_crossed_not_touched(engine):
    """Every reset of a discrete neuron: 1.0 is no spike, the next number above is one."""
    for reset in ("subtract", "zero", "clear", "immediate", "interpolated", "none"):
        neuron = DiscreteLIFParameters(tau_mem=1e-5, reset=reset)
        population = Population("n", 2, neuron, [1.0, np.nextafter(1.0, 2)])
        circuit = Circuit("c", Input(1), (population,), (), 1e-3, 1e-3)
        found = simulate(circuit, silent(1), engine=engine, progress=False).values[0, 0]
        assert found.tolist() == [0, 1], reset


def relay(rate, kind=DiscreteLIFParameters):
    """A membrane that forgets at once and shows the count of each step."""
    neuron = Population("class", 30, kind(tau_mem=1e-5, threshold=1e6))
    return Circuit(
        "int", Input(30, "poisson", 0.1, rate), (neuron,), (Projection("input", "class", np.eye(30)),), 1e-3, 1e-3
    )


def counts_of(rate, engine, memory=2**29):
    shown = as_stimuli(np.stack([np.ones(30), np.full(30, 0.5)]))
    return simulate(
        relay(rate),
        shown,
        trials=2,
        engine=engine,
        monitors=Monitors(membrane=["class"]),
        execution=Execution(memory=memory),
        progress=False,
    ).membrane_potential.values


@pytest.mark.parametrize("rate", [3000.0, 40_000.0])
def test_poisson_counts_of_several_a_step_have_their_distribution_on_every_engine(rate):
    """6,000 counts each, of 3 and 40 a step and of half that: mean, variance and chi-square against the Poisson law."""
    wanted = counts_of(rate, "torch")
    for engine in ("brian2", "cython"):
        np.testing.assert_array_equal(counts_of(rate, engine), wanted)
    for which, mean in ((0, rate * 1e-3), (1, rate * 0.5e-3)):
        counts = np.rint(wanted[which]).ravel()
        assert abs(counts.mean() - mean) < 5 * np.sqrt(mean / counts.size)
        assert abs(counts.var() / mean - 1) < 5 * np.sqrt((2 + 1 / mean) / counts.size)
        low, high = poisson.ppf([0.02, 0.98], mean).astype(int)
        inner = np.arange(low, high + 1)
        expected = np.concatenate([[poisson.cdf(low - 1, mean)], poisson.pmf(inner, mean), [poisson.sf(high, mean)]])
        found = [(counts < low).sum(), *((counts == k).sum() for k in inner), (counts > high).sum()]
        kept = expected > 0
        assert chisquare(np.array(found)[kept], expected[kept] * counts.size).pvalue > 1e-4


def test_chunks_change_no_count_and_their_size_knows_repeated_input_units():
    """A copy holds 8 repeats of 30 synapses; half of the memory of two copies is refused or gives the same counts."""
    wanted = counts_of(3000.0, "brian2")
    a_copy = 16 * 64 * 30 + 256 * 30 + 8 * 100 * 16 * 30 + 8 * 100 * 30
    np.testing.assert_array_equal(counts_of(3000.0, "brian2", a_copy + 1), wanted)
    with pytest.raises(ValueError, match="above memory"):
        counts_of(3000.0, "brian2", a_copy // 4)
