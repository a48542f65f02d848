"""Registered neurons against the numbers that were published of them, their equations, and plain Brian2 scripts."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from neurosim.biophysics import (
    AdExParameters,
    ExponentialParameters,
    IzhikevichOptions,
    IzhikevichParameters,
    PinskyRinzelParameters,
    QuadraticIFParameters,
    SquidAxonParameters,
    WangBuzsakiParameters,
)
from neurosim.biophysics.brian2_engine import import_brian2, preferences
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.models import NEURONS
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.simulation import Monitors, simulate
from neurosim.schema import InputError, as_stimuli
from tests.biophysics.published import gated_equations, pinsky_rinzel_equations, squid_rates, wang_buzsaki_rates


def silent(n_steps):
    return as_stimuli(np.zeros((1, n_steps, 1)), dims=("stimulus", "time", "unit"), time_step=1e-3)


def recorded(parameters, drive, n_steps, *, dt=1e-4, engine="torch", **options):
    """Spike times of each neuron, and the membrane (step, neuron)."""
    population = Population("n", len(drive), parameters, np.asarray(drive), **options)
    circuit = Circuit("c", Input(1), (population,), (), dt, 1e-3)
    kept = Monitors(spike_times=True, membrane=["n"])
    found = simulate(circuit, silent(n_steps), engine=engine, monitors=kept, progress=False)
    times = [found.spike_time.values[found.spike_unit.values == k] for k in range(len(drive))]
    return times, found.membrane_potential.values[0]


# a (1/s), b (1/s), c (V), d (V/s), and the spikes in a second under I = 10 that a step of 0.01 ms gives.
IZHIKEVICH = {
    "regular spiking": (20, 200, -65e-3, 8, 23),
    "intrinsically bursting": (20, 200, -55e-3, 4, 34),
    "chattering": (20, 200, -50e-3, 2, 87),
    "fast spiking": (100, 200, -65e-3, 2, 136),
    "low-threshold spiking": (20, 250, -65e-3, 2, 78),
    "resonator": (100, 260, -65e-3, 2, 195),
}


def test_all_patterns_of_izhikevich_in_one_population():
    """At 0.1 ms the counts are within 2.5 % of those at 0.01 ms."""
    a, b, c, d, counts = np.array(list(IZHIKEVICH.values())).T
    varying = {"a": a, "b": b, "c": c, "d": d}
    start = {"v": -65e-3, "u": b * -65e-3}
    times, _ = recorded(IzhikevichParameters(), [1e-9] * 6, 1000, varying=varying, initial=start)
    np.testing.assert_allclose([len(t) for t in times], counts, rtol=0.025)
    adapting, bursting = np.diff(times[0]), np.diff(times[2])
    assert adapting[0] < 0.6 * adapting[-1]
    assert bursting.min() < 5e-3 and bursting.max() > 20e-3


IN_MV = """
dv/dt = (0.04*v**2 + 5*v + 140 - u + current) / ms : 1
du/dt = a*(b*v - u) / ms : 1
a : 1
b : 1
c : 1
d : 1
current : 1
"""


@pytest.mark.parametrize("engine", ["brian2", "torch"])
def test_izhikevich_equals_a_plain_brian2_script_in_mv_and_ms(engine):
    a, b, c, d, _ = np.array(list(IZHIKEVICH.values())).T
    b2 = import_brian2()
    with preferences(b2, "numpy"):
        options = {"threshold": "v > 30", "reset": "v = c; u += d", "method": "rk2", "dt": 0.1 * b2.ms}
        group = b2.NeuronGroup(6, IN_MV, **options)
        group.a, group.b, group.c, group.d, group.current = a / 1e3, b / 1e3, c * 1e3, d, 10
        group.v, group.u = -65, -65 * b / 1e3
        spikes = b2.SpikeMonitor(group)
        b2.Network(group, spikes).run(200 * b2.ms)
        wanted = [np.rint(np.asarray(t / b2.second) / 1e-4) for t in spikes.spike_trains().values()]
    start = {"v": -65e-3, "u": b * -65e-3}
    found, _ = recorded(
        IzhikevichParameters(), [1e-9] * 6, 200, engine=engine, varying={"a": a, "b": b, "c": c, "d": d}, initial=start
    )
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(np.rint(ours / 1e-4), theirs)


def test_the_rheobase_of_izhikevich_divides_silence_from_spikes():
    """I = 4 where b is 0.2: (5 - b)^2 / 0.16 - 140."""
    model, neuron = NEURONS["izhikevich"], IzhikevichParameters(a=1.0, d=0.0)
    edge = model.rheobase(model.numbers(neuron))
    assert edge == pytest.approx(4e-10)
    rest = {"v": -60e-3, "u": -12.0}
    times, _ = recorded(neuron, [0.97 * edge, 1.05 * edge], 600, initial=rest)
    assert len(times[0]) == 0 < len(times[1])


def test_the_period_of_a_quadratic_neuron_is_its_closed_form():
    """C dv/dt = k (v - middle)^2 + J, with J the drive above the rheobase: an arctangent at both ends."""
    p = QuadraticIFParameters(refractory=0.0)
    middle, edge = (p.v_rest + p.v_t) / 2, p.k * (p.v_t - p.v_rest) ** 2 / 4
    drives = np.array([0.99, 1.2, 3.0]) * edge
    times, _ = recorded(p, drives, 300, dt=2e-5)
    assert len(times[0]) == 0
    for drive, found in zip(drives[1:], times[1:], strict=True):
        width = np.sqrt((drive - edge) / p.k)
        low, high = (np.arctan((v - middle) / width) for v in (p.v_reset, p.v_peak))
        np.testing.assert_allclose(np.diff(found), p.capacitance / (p.k * width) * (high - low), atol=4e-5)


def test_the_squid_axon_fires_at_the_published_rates():
    """Rates at 7, 10, 20 and 50 uA/cm2 (rk4 at 0.01 ms), and where one and where many spikes begin."""
    times, _ = recorded(SquidAxonParameters(), np.array([2.2, 2.35, 6.2, 6.4, 7, 10, 20, 50]) * 1e-10, 300, dt=4e-5)
    assert [len(t) for t in times[:2]] == [0, 1] and len(times[2]) < 6 and len(times[3]) > 14
    rates = [1 / np.diff(t[t > 0.1]).mean() for t in times[4:]]
    np.testing.assert_allclose(rates, [58.3, 68.32, 86.47, 117.04], rtol=4e-3)


CHANNELS = {
    "squid_axon": (
        SquidAxonParameters(), gated_equations(squid_rates, 120, 36, 0.3, 50, -77, -54.387, 3.0), 3e-10, "mhn",
    ),
    "wang_buzsaki": (
        WangBuzsakiParameters(), gated_equations(wang_buzsaki_rates, 35, 9, 0.1, 55, -90, -65, 0.4), 0.4e-10, "hn",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANNELS)
def test_channels_follow_their_published_equations(name):
    """In mV, ms and per cm2, by an adaptive solver, over a spike or two; membranes of 1e-4 cm2."""
    parameters, change, drive, gates = CHANNELS[name]
    model = NEURONS[name]
    rest = model.constants(model.numbers(parameters), 1e-5)
    start = [rest["v_rest"] * 1e3, *(rest[f"{gate}_rest"] for gate in gates)]
    ends = np.arange(1, 30)
    exact = solve_ivp(change, (0, 30), start, t_eval=ends, method="LSODA", rtol=1e-9, atol=1e-9).y[0]
    _, membrane = recorded(parameters, [drive], 30, dt=5e-6)
    np.testing.assert_allclose(membrane[ends * 200 - 1, 0] * 1e3, exact, atol=1.0)
    assert exact.max() - exact.min() > 3


@pytest.mark.parametrize(("name", "drive"), [("squid_axon", 1e-9), ("wang_buzsaki", 2e-10)])
def test_errors_of_spike_times_fall_faster_than_the_step(name, drive):
    """The first spike, at steps of 0.1 and 0.025 ms: an error in proportion to the step would fall to a quarter."""
    parameters, change, usual, gates = CHANNELS[name]
    rest = NEURONS[name].constants(NEURONS[name].numbers(parameters), 1e-5)
    start = [rest["v_rest"] * 1e3, *(rest[f"{gate}_rest"] for gate in gates)]

    def crosses(t, y):
        return y[0]

    crosses.direction = 1
    more = (drive - usual) / 1e-10  # uA/cm2

    def driven(t, y):
        slope = np.array(change(t, y))
        slope[0] += more
        return slope

    exact = solve_ivp(driven, (0, 12), start, method="LSODA", rtol=1e-9, atol=1e-9, events=crosses).t_events[0][0]
    errors = []
    for dt in (1e-4, 2.5e-5):
        (times,), membrane = recorded(parameters, [drive], 12, dt=dt)
        k = round(times[0] / dt)
        before, after = membrane[k - 1 : k + 1, 0]
        errors.append(abs((k - before / (after - before)) * dt * 1e3 - exact))
    assert errors[1] < 0.15 * errors[0] and errors[1] < 0.012  # ms


def test_pinsky_and_rinzel_follow_their_published_equations():
    """Bursts: in mV above rest, ms and per cm2, by an adaptive solver; the spikes fall at the same times."""
    p, current = PinskyRinzelParameters(), 1.0
    state = NEURONS["pinsky_rinzel"].state
    start = [0.0, 0.0, *(state[k] for k in ("h", "n", "s", "c", "q", "calcium"))]

    def crosses(t, y):
        return y[0] - 40

    crosses.direction = 1
    exact = solve_ivp(
        pinsky_rinzel_equations(current), (0, 80), start, method="LSODA", rtol=1e-8, atol=1e-8, events=crosses
    )
    (times,), _ = recorded(p, [current * 6e-11], 80, dt=2e-5)
    assert len(times) == len(exact.t_events[0]) == 4
    np.testing.assert_allclose(times * 1e3, exact.t_events[0], atol=0.3)


def test_synapses_of_a_two_compartment_cell_reach_the_soma_through_the_dendrite():
    """Where the compartments are uncoupled, nothing arrives at the soma."""
    weights, shown = [[2e-10]], silent(30).copy()
    shown[0, 0] = 1
    depolarised = []
    for g_c in (126e-9, 0.0):
        cell = Population(
            "n", 1, PinskyRinzelParameters(g_c=g_c, g_na=0.0, g_k=0.0, g_ca=0.0), 0.0, ExponentialParameters()
        )
        circuit = Circuit("c", Input(1), (cell,), (Projection("input", "n", weights),), 1e-4, 1e-3)
        trace = simulate(circuit, shown, engine="torch", monitors=Monitors(membrane=["n"]), progress=False)
        depolarised.append(float(np.ptp(trace.membrane_potential.values)))
    assert depolarised[0] > 1e-3 and depolarised[1] < 1e-9


def test_adex_without_adaptation_is_the_exponential_integrate_and_fire_neuron():
    """C dv/dt = g (e - v) + g delta exp((v - v_t) / delta) + I (10.1523/JNEUROSCI.23-37-11628.2003), solved."""
    p, drive = AdExParameters(a=0.0, b=0.0, refractory=0.0), 1e-9

    def change(t, y):
        return [(p.g_leak * (p.e_leak - y[0] + p.delta_t * np.exp((y[0] - p.v_t) / p.delta_t)) + drive) / p.capacitance]

    def reaches(t, y):
        return y[0] - p.v_cut

    reaches.terminal = True
    period = solve_ivp(change, (0, 1), [p.v_reset], events=reaches, rtol=1e-9, atol=1e-12).t[-1]
    (times,), _ = recorded(p, [drive], 100, dt=1e-5)
    np.testing.assert_allclose(np.diff(times), period, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: IzhikevichParameters(c=40e-3), "the threshold 0.03 V is not above the reset 0.04 V"),
        (lambda: IzhikevichParameters(c=-65.0), "c = -65.0 is outside"),
        (lambda: QuadraticIFParameters(v_t=-70e-3), "is not above the reset"),
        (lambda: PinskyRinzelParameters(soma_share=1.0), "soma_share = 1.0 is outside"),
        (lambda: IzhikevichParameters(scheme="euler"), "scheme = 'euler'; known: midpoint, published"),
        (lambda: IzhikevichOptions(n_excitatory=0), "n_excitatory from 1 asked"),
        (lambda: IzhikevichOptions(dt=0.0), "dt above 0 asked"),
        (lambda: recorded(IzhikevichParameters(b=270.0), [0.0], 2, noise=1e-3), "noise needs a leaky membrane"),
    ],
)  # fmt: skip
def test_numbers_that_make_no_neuron_are_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()
