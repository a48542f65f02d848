"""Membranes that a spike sets, lowers or leaves: each engine does what a loop over one neuron does."""

import numpy as np
import pytest

import neurosim as ns
from neurosim.biophysics import AdaptiveLIFParameters, LIFParameters, Monitors, Population, QuadraticIFParameters
from neurosim.refusals import InputError

DT, STEPS, DRIVE = 1e-4, 800, 4.5e-10
REFRACTORY = {"held": 3e-3, "free": 0.0}
BRIEF = 2e-4  # a neuron that is never reset nor held fires in every step, which is refused
KINDS = {
    f"{name}_{reset}_{wait}": kind(
        reset=reset, refractory=REFRACTORY[wait] or BRIEF * (reset == "none"), subtracted=taken
    )
    for name, kind, resets, taken in (
        ("lif", LIFParameters, ("value", "subtract", "none"), 7e-3),
        ("adaptive", AdaptiveLIFParameters, ("value", "subtract", "none"), 7e-3),
        ("quadratic", QuadraticIFParameters, ("value", "subtract"), 85e-3),
    )
    for reset in resets
    for wait in REFRACTORY
}


def loop(p):
    """Membrane after each step, and the steps with a spike, of one neuron."""
    is_quadratic = isinstance(p, QuadraticIFParameters)
    rest, top = (p.v_rest, p.v_peak) if is_quadratic else (p.e_leak, p.v_threshold)
    v, w, wait, trace, spikes = rest, 0.0, 0, [], []

    def slope(v):
        return (p.k * (v - p.v_rest) * (v - p.v_t) + DRIVE) / p.capacitance

    for step in range(STEPS):
        if wait:
            wait -= 1
        elif is_quadratic:
            v = v + DT * slope(v + DT / 2 * slope(v))
        else:
            aim = p.e_leak + DRIVE / p.g_leak
            v = aim + (v - aim) * np.exp(-DT * p.g_leak / p.capacitance)
        w *= np.exp(-DT / getattr(p, "tau_threshold", 1.0))
        if v > top + w and not wait:
            spikes.append(step)
            v = {"value": p.v_reset, "subtract": v - p.subtracted, "none": v}[p.reset]
            w += getattr(p, "rise", 0.0)
            wait = round(p.refractory / DT)
        trace.append(v)
    return np.array(trace), spikes


@pytest.fixture(scope="module")
def circuit():
    cells = tuple(Population(name, 1, record, DRIVE) for name, record in KINDS.items())
    return ns.biophysics.Circuit("resets", ns.biophysics.Input(1), cells, (), DT, 1e-3)


@pytest.fixture(scope="module")
def expected():
    return {name: loop(record) for name, record in KINDS.items()}


def simulated(circuit, engine):
    shown = np.zeros((1, round(STEPS * DT / 1e-3), 1))
    stimuli = ns.as_stimuli(shown, dims=("stimulus", "time", "unit"), time_step=1e-3)
    return ns.simulate(circuit, stimuli, engine=engine, monitors=Monitors(spike_times=True), progress=False)


@pytest.mark.parametrize("engine", ["torch", "brian2"])
def test_every_reset_is_that_of_a_loop_over_one_neuron(engine, circuit, expected):
    found = simulated(circuit, engine)
    layers = found.layer.values
    for name, (_, spikes) in expected.items():
        (unit,) = np.flatnonzero(layers == name)
        steps = np.sort(np.rint(found.spike_time.values[found.spike_unit.values == unit] / DT).astype(int))
        assert steps.tolist() == spikes, name
        assert len(spikes) > 4, name


def test_the_three_resets_part(expected):
    for name in ("lif", "adaptive"):
        counts = [len(expected[f"{name}_{reset}_free"][1]) for reset in ("value", "subtract", "none")]
        assert counts[0] < counts[1] < counts[2]


def test_without_a_reset_a_neuron_fires_whenever_it_is_free(expected):
    trace, spikes = expected["lif_none_free"]
    assert set(np.diff(spikes)) == {round(BRIEF / DT)}
    assert (np.diff(trace) >= 0).all()
    assert trace[-1] > -50e-3
    assert set(np.diff(expected["lif_none_held"][1])) == {30}


def test_a_neuron_that_is_neither_reset_nor_held_is_said_to_explode():
    cells = Population("cells", 1, LIFParameters(reset="none", refractory=0.0), DRIVE)
    circuit = ns.biophysics.Circuit("endless", ns.biophysics.Input(1), (cells,), (), DT, 1e-3)
    with pytest.raises(InputError, match=r"'cells' of endless exploded: .* give it a refractory period"):
        simulated(circuit, "torch")


def test_an_upstroke_needs_a_reset():
    with pytest.raises(InputError, match="QuadraticIFParameters: reset = 'none'; known: value, subtract"):
        QuadraticIFParameters(reset="none")
