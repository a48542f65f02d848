"""Backgrounds and injected currents: their statistics and courses, equal on every engine and in a Brian2 script."""

from __future__ import annotations

import shutil

import brian2 as b2
import numpy as np
import pytest

import neurosim as ns
from neurosim.biophysics import (
    CURRENTS,
    AdExParameters,
    Circuit,
    DeltaParameters,
    Execution,
    ExponentialConductanceParameters,
    GivenCurrent,
    Input,
    LIFParameters,
    Monitors,
    OrnsteinUhlenbeckCurrent,
    PairSTDPParameters,
    Poisson,
    PoissonParameters,
    Population,
    Projection,
    RampCurrent,
    SineCurrent,
    StepCurrent,
    learn,
    load_circuit,
    perturb_circuit,
    protocol,
    save_circuit,
    simulate,
    simulation,
    single_neuron,
)
from neurosim.biophysics.sources import backgrounds, injections
from neurosim.parameters import DiscreteLIFParameters
from neurosim.schema import InputError

DT = 1e-4


def silent(n_stimuli=1, n_time=100, step=1e-3):
    return ns.as_stimuli(np.zeros((n_stimuli, n_time, 1)), dims=("stimulus", "time", "unit"), time_step=step)


def alone(population, dt=DT, step=1e-3):
    return Circuit("alone", Input(1), (population,), (), dt, step)


RECEPTORS = {
    "ampa": ExponentialConductanceParameters(5e-3, 0.0),
    "gaba": ExponentialConductanceParameters(9e-3, -80e-3),
}
BACKGROUND = (Poisson(10.0, 4e-10, "ampa", n=800), Poisson([900.0, 500.0, 100.0], 5e-10, "gaba"))
INJECTED = (
    OrnsteinUhlenbeckCurrent(1e-10, 1e-10, 5e-3),
    StepCurrent((5e-3, 20e-3), (2e-10, 0.0), neurons=[1]),
    SineCurrent(1e-10, 50.0),
)
BUSY = alone(Population("cells", 3, AdExParameters(), 3e-10, RECEPTORS, background=BACKGROUND, currents=INJECTED))


@pytest.mark.parametrize("rate", [5.0, 5e4])
def test_counts_have_the_mean_and_variance_of_rate_times_step(rate):
    """A membrane that forgets at once shows what each step brings; 40,000 counts of n = 10 processes at any rate."""
    forgets = DiscreteLIFParameters(tau_mem=1e-5, threshold=1e6)
    population = Population("n", 40, forgets, background=Poisson(rate, 0.5, n=10))
    found = simulate(
        alone(population, 1e-3), silent(2, 500), trials=1, engine="torch", monitors=Monitors(membrane=["n"])
    )
    counts = found.membrane_potential.values / 0.5
    np.testing.assert_allclose([counts.mean(), counts.var()], 10 * rate * 1e-3, rtol=0.05)
    assert abs(np.corrcoef(counts.reshape(-1, 40).T) - np.eye(40)).max() < 0.2


@pytest.mark.parametrize("engine", ["brian2", "cython", "cpp_standalone"])
def test_every_engine_and_chunk_sends_the_same_spikes(engine):
    """Five copies at once on torch, and two at a time on the others; each trial is drawn anew."""
    whole = simulate(BUSY, silent(n_time=40), trials=5, engine="torch", monitors=Monitors(spike_times=True))
    few = Execution(memory=70_000 if engine == "cpp_standalone" else 4_000)
    parts = simulate(
        BUSY, silent(n_time=40), trials=5, engine=engine, monitors=Monitors(spike_times=True), execution=few
    )
    assert whole.sizes["spike"] > 15
    for name in ("spike_time", "spike_trial", "spike_unit"):
        np.testing.assert_array_equal(parts[name], whole[name])
    assert len({tuple(row.ravel()) for row in whole.responses.values[0]}) == 5
    with pytest.raises(InputError, match=r"needs about 29888 bytes \(28800 of them drawn ahead.*above memory = 20000"):
        simulate(BUSY, silent(n_time=40), engine="cpp_standalone", execution=Execution(memory=20_000))
    with pytest.raises(InputError, match="bytes, above memory = 1000"):
        simulate(BUSY, silent(n_time=40), execution=Execution(memory=1000))


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
def test_auto_takes_an_engine_that_draws_in_blocks_where_whole_courses_do_not_fit(monkeypatch):
    monkeypatch.setattr(simulation, "WORTH_COMPILING", 0)
    chosen = simulate(BUSY, silent(n_time=40), execution=Execution(memory=20_000, device="cpu"), progress=False)
    assert chosen.attrs["engine"] == "cython"


def test_a_brian2_script_with_the_same_arrays_sends_the_same_spikes():
    """Leaky neurons that sum a background of jumps and two currents, written as a Brian2 user writes them."""
    currents = (OrnsteinUhlenbeckCurrent(2e-10, 1e-10, 5e-3), RampCurrent(10e-3, 60e-3, 0.0, 2e-10, neurons=[0]))
    neuron = LIFParameters(refractory=0.0)
    cells = Population("n", 2, neuron, synapses=DeltaParameters(), background=Poisson(2e3, 4e-4), currents=currents)
    circuit = alone(cells)
    shown = silent(n_time=100)
    found = simulate(circuit, shown, engine="torch", monitors=Monitors(spike_times=True), rng=3)

    copies = [(str(shown.stimulus.values[0]), 0)]
    injected = injections(circuit, copies, 1000, 3)["n"].whole()[:, 0]
    arriving = backgrounds(circuit, copies, 1000, 3)["n", "arrived"].whole()[:, 0]
    step = DT * b2.second
    given = {"I": b2.TimedArray(injected * b2.amp, dt=step), "jump": b2.TimedArray(arriving * b2.volt, dt=step)}
    group = b2.NeuronGroup(
        2, "dv/dt = (10*nS*(-70*mV - v) + I(t, i)) / (100*pF) : volt", threshold="v > -50*mV", reset="v = -70*mV",
        method="exponential_euler", dt=step, namespace=given, codeobj_class=b2.NumpyCodeObject,
    )  # fmt: skip
    group.v = -70 * b2.mV
    jumps = group.run_regularly("v += jump(t, i)", when="after_groups", codeobj_class=b2.NumpyCodeObject)
    spikes = b2.SpikeMonitor(group, codeobj_class=b2.NumpyCodeObject)
    b2.Network(group, jumps, spikes).run(100 * b2.ms)
    expected = sorted(
        zip(np.rint(np.asarray(spikes.t) / DT).astype(int).tolist(), np.asarray(spikes.i).tolist(), strict=True)
    )
    steps = np.rint(found.spike_time.values / DT).astype(int).tolist()
    assert len(expected) > 10
    assert sorted(zip(steps, found.spike_unit.values.tolist(), strict=True)) == expected


def test_a_poisson_population_has_the_rate_that_is_asked_and_follows_its_input():
    """2,000 counts of 0.5 s have mean and variance rate x time; a drive of delta_v multiplies the rate by e."""
    dt = 1e-3
    rates = np.repeat([4.0, 20.0], 500)
    free = Population("p", 1000, PoissonParameters(), varying={"rate": rates})
    counts = simulate(alone(free, dt), silent(2, 500), engine="torch").sum("time").values
    slow, quick = counts[:, :500], counts[:, 500:]
    mean = [500 * (1 - np.exp(-rate * dt)) for rate in (4.0, 20.0)]
    np.testing.assert_allclose([slow.mean(), quick.mean()], mean, rtol=0.05)
    np.testing.assert_allclose([slow.var(), quick.var()], mean, rtol=0.15)
    numbers = PoissonParameters(8.0)
    driven = Population("p", 500, numbers, numbers.g_leak * numbers.delta_v)
    found = simulate(alone(driven, dt), silent(1, 500), engine="torch")[:, 100:].sum("time").values.mean()
    assert abs(found / (0.4 * 8.0 * np.e) - 1) < 0.06


def test_a_poisson_population_drives_others_alike_on_torch_and_brian2():
    source = Population("p", 20, PoissonParameters(80.0))
    wire = Projection("p", "n", np.full((20, 2), 3e-3), delay=1e-3)
    circuit = Circuit("c", Input(1), (source, Population("n", 2, LIFParameters())), (wire,), DT, 1e-3)
    found, same = (simulate(circuit, silent(n_time=60), engine=engine) for engine in ("brian2", "torch"))
    np.testing.assert_array_equal(found, same)
    assert (same.groupby("layer").sum(...) > 5).all()


def course_of(current, n_steps=1000, size=1, dt=1e-3, rng=0):
    draw = np.random.default_rng(rng)
    model = next(m for m in CURRENTS.values() if m.parameters is type(current))
    return model.begin(current, dt, size, draw)(np.arange(n_steps))


def test_currents_have_the_course_that_their_numbers_say():
    steps = course_of(StepCurrent((2e-3, 5e-3), (3.0, -1.0)), 8)[:, 0]
    assert steps.tolist() == [0, 0, 3, 3, 3, -1, -1, -1]
    ramp = course_of(RampCurrent(2e-3, 6e-3, 1.0, 3.0), 8)[:, 0]
    np.testing.assert_allclose(ramp, [0, 0, 1, 1.5, 2, 2.5, 0, 0], atol=1e-12)
    sine = course_of(SineCurrent(2.0, 250.0, 1.0, np.pi / 2, start=2e-3, stop=6e-3), 8)[:, 0]
    np.testing.assert_allclose(sine, [0, 0, 3, 1, -1, 1, 0, 0], atol=1e-12)
    given = course_of(GivenCurrent([[1.0, 5.0], [2.0, 6.0]], 2e-3), 5, size=2)
    assert given.tolist() == [[1, 5], [1, 5], [2, 6], [2, 6], [0, 0]]


@pytest.mark.parametrize("dt", [1e-3, 5e-3])
def test_the_wandering_current_has_its_mean_spread_and_memory_at_every_step(dt):
    """Autocorrelation exp(-lag / tau), from the first sample on; 400 courses of 400 steps."""
    found = course_of(OrnsteinUhlenbeckCurrent(2.0, 0.5, 10e-3), 400, size=400, dt=dt)
    np.testing.assert_allclose([found.mean(), found.std(), found[0].std()], [2.0, 0.5, 0.5], rtol=0.1)
    moved = found - 2.0
    lag = round(10e-3 / dt)
    np.testing.assert_allclose((moved[lag:] * moved[:-lag]).mean() / moved.var(), np.exp(-1), atol=0.02)
    assert course_of(OrnsteinUhlenbeckCurrent(2.0, 0.5, 10e-3, shared=True), 5, size=3).shape == (5, 1)


def test_a_protocol_of_stimuli_is_the_current_that_is_injected():
    """The input of a neuron and its population's currents are two ways to the same spikes."""
    currents = {"ramp": RampCurrent(0.0, 0.1, 0.0, 6e-10), "swing": SineCurrent(3e-10, 30.0, 3e-10)}
    shown = protocol(currents, duration=0.1, time_step=DT)
    assert shown.dims == ("stimulus", "time", "unit") and shown.attrs["units"] == "A"
    found = simulate(single_neuron(LIFParameters(), DT), shown, engine="torch").sum("time")
    for name, current in currents.items():
        circuit = alone(Population("neuron", 1, LIFParameters(), currents=current), step=DT)
        same = simulate(circuit, silent(n_time=1000, step=DT), engine="torch").sum("time")
        assert same.values.item() == found.sel(stimulus=name).values.item() > 3
    drawn = [
        protocol({"a": OrnsteinUhlenbeckCurrent(0, 1e-10, 0.01)}, duration=0.1, time_step=DT, rng=k) for k in (0, 1)
    ]
    assert (drawn[0].values != drawn[1].values).all()


def test_sources_are_kept_in_files_and_end_with_a_lesion(tmp_path):
    again = load_circuit(save_circuit(tmp_path / "busy.nc", BUSY))
    assert str(again) == str(BUSY) and "Poisson background (ampa)" in str(BUSY) and "current (steps)" in str(BUSY)
    found, same = (simulate(c, silent(n_time=40), engine="torch").values for c in (BUSY, again))
    np.testing.assert_array_equal(same, found)
    given = alone(Population("n", 2, LIFParameters(), currents=GivenCurrent(np.full((40, 2), 4e-10), 1e-3)))
    kept = load_circuit(save_circuit(tmp_path / "given.nc", given)).populations[0].currents[0].values
    np.testing.assert_array_equal(kept, np.full((40, 2), 4e-10))
    cut = simulate(perturb_circuit(BUSY, ns.Perturbation("lesion", "cells", [1])), silent(n_time=40), engine="torch")
    assert cut.sum(("stimulus", "time")).values[1] == 0 < found.sum((0, 1))[1]
    np.testing.assert_array_equal(cut.values[..., [0, 2]], found[..., [0, 2]])


def test_learning_hears_the_background_too():
    """A rule that changes nothing leaves the answer to the first stimulus as simulate gives it."""
    rule = PairSTDPParameters(w_max=1.0, a_plus=0.0, a_minus=0.0)
    cells = Population("n", 2, LIFParameters(), 1.5e-10, background=Poisson(3e3, 5e-4), currents=INJECTED[2:])
    circuit = Circuit("c", Input(1), (cells,), (Projection("input", "n", [[1e-3, 1e-3]], plasticity=rule),), DT, 1e-3)
    shown = silent(2, 50)
    learned = learn(circuit, shown, engine="torch", gap=5e-3).responses
    np.testing.assert_array_equal(learned[0], simulate(circuit, shown, engine="torch")[0])
    assert learned[0].sum() > 3


def test_what_cannot_be_is_refused_in_one_line():
    lif = LIFParameters()
    for fields, message in (
        ({"background": Poisson(1.0, 1e-3, "nmda")}, "names the receptor 'nmda'; there is ''"),
        ({"background": Poisson([1.0, 2.0], 1e-3)}, r"with a rate, or 3; found rates of shape \(2,\)"),
        ({"background": [lif]}, "a background of Poisson records"),
        ({"currents": lif}, "records of registered currents asked, found LIFParameters"),
        ({"currents": StepCurrent((0.0,), (1e-10,), neurons=[3])}, "a StepCurrent is for neuron 3; there are 0 to 2"),
    ):
        with pytest.raises(InputError, match=message):
            Population("n", 3, lif, **fields)
    for make, message in (
        (lambda: Poisson(-1.0, 1e-3), "rates of 0 Hz or more"),
        (lambda: Poisson(1.0, 1e-3, n=0), "n >= 1 asked"),
        (lambda: StepCurrent((0.2, 0.1), (0.0, 0.0)), "ascending times"),
        (lambda: StepCurrent((0.1,), (0.0, 0.0)), "a finite amplitude for each"),
        (lambda: RampCurrent(0.1, 0.1, 0.0, 0.0), "0 <= start < stop"),
        (lambda: SineCurrent(1e-10, 0.0), "a frequency above 0"),
        (lambda: OrnsteinUhlenbeckCurrent(0.0, 1e-10, 0.0), "tau = 0.0 is outside"),
        (lambda: GivenCurrent([[[1.0]]], 1e-3), "finite values"),
        (lambda: StepCurrent((0.1,), (0.0,), neurons=[0, 0]), "each once"),
        (lambda: protocol({"a": lif}, duration=1.0, time_step=0.1), "'a' is no registered current"),
        (lambda: protocol({"a": SineCurrent(1.0, 1.0)}, duration=1.0, time_step=0.3), "no whole number of steps"),
    ):
        with pytest.raises(InputError, match=message):
            make()
    for current, message in (
        (
            StepCurrent((0.0, 0.5), (1e-10, 0.0)),
            "until 0.5 s, the simulation ends after 0.04 s",
        ),
        (SineCurrent(1e-10, 6000.0), "frequency = 6000 Hz needs steps below"),
        (GivenCurrent([1e-10], 1.5e-4), "no whole number of steps of 0.0001 s"),
        (GivenCurrent([[1e-10, 2e-10, 3e-10]], 1e-3), "3 columns are given for 1 neurons"),
    ):
        with pytest.raises(InputError, match=message):
            simulate(alone(Population("n", 1, lif, currents=current)), silent(n_time=40))
    for who in ("climb", "calibrate", "retune"):
        with pytest.raises(InputError, match=f"{who}: 'cells' has a background or currents"):
            if who == "climb":
                ns.climb(BUSY, "noise")
            elif who == "calibrate":
                ns.biophysics.calibrate(BUSY, silent(), silent())
            else:
                ns.biophysics.retune(BUSY, silent(), ["a"])
