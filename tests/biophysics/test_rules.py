"""Release and plasticity against closed forms, against a plain Brian2 script, and equal on every engine."""

from __future__ import annotations

from dataclasses import fields, replace

import brian2
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import neurosim as ns
from neurosim.biophysics import (
    PLASTICITY,
    RELEASES,
    Circuit,
    ClopathParameters,
    DopamineSTDPParameters,
    ExponentialParameters,
    FailingParameters,
    InhibitorySTDPParameters,
    Input,
    LIFParameters,
    Monitors,
    PairSTDPParameters,
    Population,
    Projection,
    SaturatingParameters,
    SynapticScalingParameters,
    TripletSTDPParameters,
    TsodyksMarkramParameters,
    learn,
    simulate,
)
from neurosim.schema import InputError

STEP = 1e-3
QUIET = LIFParameters(v_threshold=-50e-3, v_reset=-70e-3, e_leak=-70e-3, refractory=0.0)
W = 1.0e-6  # a weight (V) that moves no membrane
EXAMPLES = {
    "pair_stdp": PairSTDPParameters(w_max=2 * W, a_plus=0.02, a_minus=0.03),
    "triplet_stdp": TripletSTDPParameters(w_max=2 * W),
    "inhibitory_stdp": InhibitorySTDPParameters(w_max=2 * W, rate=0.02),
    "clopath": ClopathParameters(w_max=2 * W, theta_minus=-69e-3, theta_plus=-60e-3, e_leak=-70e-3),
    "dopamine_stdp": DopamineSTDPParameters(w_max=2 * W),
    "synaptic_scaling": SynapticScalingParameters(w_max=2 * W, tau=0.5, tau_rate=0.1, target=20.0),
}


def shown(pre, post, steps):
    """Spikes of a watched source, and of one that makes the target fire, at these steps."""
    spikes = np.zeros((1, steps, 2))
    spikes[0, list(pre), 0] = 1
    spikes[0, list(post), 1] = 1
    return ns.as_stimuli(spikes, dims=("stimulus", "time", "unit"), time_step=STEP)


def pair(plasticity=None, release=None, delay=0.0, dt=STEP, weight=W):
    """A target that fires when, and only when, the second input unit does; the first one has the rule."""
    cell = Population("cell", 1, QUIET)
    wires = (
        Projection("input", "cell", [[weight], [0.0]], delay, release=release, plasticity=plasticity),
        Projection("input", "cell", [[0.0], [40e-3]]),
    )
    return Circuit("pair", Input(2), (cell,), wires, dt=dt, step=STEP)


def weight_after(rule, pre, post, steps, engine="torch", **how):
    found = learn(pair(rule, **how), shown(pre, post, steps), engine=engine)
    assert found.responses.values[0, :, 0].nonzero()[0].tolist() == sorted(post)
    return float(found.weights["input->cell"].values[-1, 0])


# ------------------------------------------------------------------------------------------------ plasticity
@settings(max_examples=25, deadline=None)
@given(lag=st.integers(-60, 60), soft=st.booleans(), delay=st.sampled_from([0, 7]))
def test_the_window_of_pairs_is_two_exponentials(lag, soft, delay):
    rule = PairSTDPParameters(w_max=3 * W, tau_plus=15e-3, tau_minus=30e-3, a_plus=0.02, a_minus=0.03,
                              bounds="soft" if soft else "hard")  # fmt: skip
    pre = 70
    found = weight_after(rule, [pre], [pre + delay + lag], 160, delay=delay * STEP)
    grows = 0.02 * np.exp(-lag * STEP / 15e-3) * (2 * W if soft else 3 * W)
    shrinks = 0.03 * np.exp(lag * STEP / 30e-3) * (W if soft else 3 * W)
    assert found == pytest.approx(W + grows if lag >= 0 else W - shrinks, rel=1e-12)


TRAIN = st.sets(st.integers(0, 79), max_size=12)


@settings(max_examples=20, deadline=None)
@given(pre=TRAIN, post=TRAIN, nearest=st.booleans())
def test_trains_add_up_pair_by_pair(pre, post, nearest):
    rule = PairSTDPParameters(w_max=9 * W, w_min=-9 * W, tau_plus=15e-3, tau_minus=30e-3, a_plus=0.01, a_minus=0.02,
                              pairing="nearest" if nearest else "all")  # fmt: skip
    asked = W
    for t in post:
        before = [s for s in pre if s <= t]
        before = before and ([max(before)] if nearest else before)
        asked += 9 * W * 0.01 * sum(np.exp(-(t - s) * STEP / 15e-3) for s in before)
    for s in pre:
        before = [t for t in post if t < s]
        before = before and ([max(before)] if nearest else before)
        asked -= 9 * W * 0.02 * sum(np.exp(-(s - t) * STEP / 30e-3) for t in before)
    assert weight_after(rule, pre, post, 80) == pytest.approx(asked, rel=1e-9)


@settings(max_examples=20, deadline=None)
@given(pre=TRAIN, post=TRAIN)
def test_triplets_add_up_spike_by_spike(pre, post):
    rule = TripletSTDPParameters(w_max=9 * W, w_min=-9 * W, a2_plus=1e-3, a2_minus=7e-3, a3_plus=6e-3, a3_minus=2e-3)

    def trace(train, t, tau, including):
        return sum(np.exp(-(t - s) * STEP / tau) for s in train if s < t or (including and s == t))

    asked = W
    for s in pre:
        r2 = trace(pre, s, rule.tau_x, False)
        asked -= 9 * W * trace(post, s, rule.tau_minus, False) * (rule.a2_minus + rule.a3_minus * r2)
    for t in post:
        o2 = trace(post, t, rule.tau_y, False)
        asked += 9 * W * trace(pre, t, rule.tau_plus, True) * (rule.a2_plus + rule.a3_plus * o2)
    assert weight_after(rule, pre, post, 80) == pytest.approx(asked, rel=1e-9)


def test_weights_stay_within_their_bounds():
    strong = PairSTDPParameters(w_max=2 * W, w_min=0.5 * W, a_plus=0.9, a_minus=0.9)
    assert weight_after(strong, [10, 12], [11, 13], 30) == 2 * W
    assert weight_after(strong, [11, 13], [10, 12], 30) == pytest.approx(2 * W * (1 - 0.9 * np.exp(-1 / 20)), rel=0.9)
    assert weight_after(strong, [12], [10], 30) == 0.5 * W


def test_dopamine_turns_eligibility_into_weight():
    rule = DopamineSTDPParameters(w_max=10 * W, tau_eligibility=0.2, a_plus=0.1, a_minus=0.1)
    reward = np.zeros((1, 300))
    reward[0, 100:200] = 2.0
    given = xr.DataArray(reward, dims=("stimulus", "time"))
    found = learn(pair(rule), shown([20], [25], 300), modulator=given, engine="torch").weights["input->cell"]
    start = 0.1 * 10 * W * np.exp(-5e-3 / 20e-3)
    # eligible from the end of step 25 on; integrated over steps 100..199
    asked = W + 2.0 * start * 0.2 * (np.exp(-(100 - 26) * STEP / 0.2) - np.exp(-(200 - 26) * STEP / 0.2))
    assert float(found[-1, 0]) == pytest.approx(asked, rel=0.01)
    silent = learn(pair(rule), shown([20], [25], 300), modulator=given * 0, engine="torch").weights["input->cell"]
    assert float(silent[-1, 0]) == W


def test_inhibition_shrinks_by_spikes_alone_and_grows_by_pairs_of_either_order():
    rule = InhibitorySTDPParameters(w_max=2 * W, tau=20e-3, target=5.0, rate=0.01)
    alone = weight_after(rule, [10], [], 40)
    assert alone == pytest.approx(W - 0.01 * 2 * W * 2 * 5.0 * 20e-3, rel=1e-9)
    for pre, post in ((10, 18), (18, 10)):
        found = weight_after(rule, [pre], [post], 40)
        assert found - alone == pytest.approx(0.01 * 2 * W * np.exp(-8e-3 / 20e-3), rel=1e-9)


def test_scaling_brings_a_silent_neuron_up_and_a_busy_one_down():
    rule = SynapticScalingParameters(w_max=9 * W, target=20.0, tau=0.5, tau_rate=0.1)
    steps = 200
    silent = weight_after(rule, [], [], steps)
    rates = 20.0 * np.exp(-np.arange(1, steps + 1) * STEP / 0.1)
    assert silent == pytest.approx(W * np.prod(1 + STEP / 0.5 * (1 - rates / 20.0)), rel=1e-9)
    assert weight_after(rule, [], range(0, steps, 10), steps) < W < silent


def test_the_membrane_rule_is_its_equation():
    """Clopath's rule computed in plain numpy from the membrane that was recorded."""
    rule = replace(EXAMPLES["clopath"], w_max=9 * W)
    circuit = pair(rule)
    wires = (*circuit.projections, Projection("input", "cell", [[6e-3], [0.0]]))
    circuit = replace(circuit, projections=wires)
    stimuli = shown([5, 20, 22, 24, 26, 60], [30, 50, 52], 90)
    v = simulate(circuit, stimuli, monitors=Monitors(membrane=["cell"]))["membrane_potential"].values.ravel()
    pre, post = stimuli.values[0, :, 0], stimuli.values[0, :, 1]
    weight, x, minus, plus, before = W, 0.0, -70e-3, -70e-3, -70e-3
    above = lambda value: max(value, 0.0)  # noqa: E731
    for k in range(90):
        x *= np.exp(-STEP / rule.tau_x)
        minus = before + (minus - before) * np.exp(-STEP / rule.tau_minus)
        plus = before + (plus - before) * np.exp(-STEP / rule.tau_plus)
        if pre[k]:
            weight -= rule.a_ltd * rule.w_max * above(minus - rule.theta_minus)
            x += 1
        free = QUIET.e_leak + (before - QUIET.e_leak) * np.exp(-STEP * QUIET.g_leak / QUIET.capacitance)
        free += pre[k] * (6e-3 + weight * 0) + post[k] * 40e-3
        weight += rule.a_ltp * rule.w_max * STEP * x * above(free - rule.theta_plus) * above(plus - rule.theta_minus)
        before = v[k]
    found = learn(circuit, stimuli, engine="torch").weights["input->cell"]
    assert abs(weight - W) > 0.05 * W
    assert float(found[-1, 0]) == pytest.approx(weight, rel=1e-3)


def test_a_plain_brian2_script_learns_the_same_weights():
    import brian2 as b2

    rng = np.random.default_rng(2)
    trains = [np.sort(rng.choice(np.arange(1, 400), n, replace=False)) for n in (40, 35)]
    rule = EXAMPLES["pair_stdp"]
    pre = b2.SpikeGeneratorGroup(1, np.zeros(40, int), trains[0] * b2.ms, dt=1 * b2.ms)
    post = b2.SpikeGeneratorGroup(1, np.zeros(35, int), trains[1] * b2.ms, dt=1 * b2.ms)
    wire = b2.Synapses(
        pre, post,
        """w : 1
        dx/dt = -x/tau_plus : 1 (event-driven)
        dy/dt = -y/tau_minus : 1 (event-driven)""",
        on_pre="w = clip(w - a_minus*w_max*y, 0, w_max); x += 1",
        on_post="w = clip(w + a_plus*w_max*x, 0, w_max); y += 1",
        namespace={"tau_plus": 20 * b2.ms, "tau_minus": 20 * b2.ms, "w_max": 2 * W, "a_plus": 0.02, "a_minus": 0.03},
        codeobj_class=b2.NumpyCodeObject, clock=pre.clock,
    )  # fmt: skip
    wire.connect()
    wire.w = W
    b2.Network(pre, post, wire).run(400 * b2.ms)
    assert abs(float(wire.w[0]) - W) > 0.02 * W
    assert weight_after(rule, trains[0], trains[1], 400) == pytest.approx(float(wire.w[0]), rel=1e-9)


# --------------------------------------------------------------------------------------------------- release
def brought(release, train, steps=200, weight=1e-4):
    """What each spike of a train brings, as jumps of the membrane (V)."""
    silent = pair(None, release, weight=weight)
    found = simulate(silent, shown(train, [], steps), monitors=Monitors(membrane=["cell"]), engine="torch")
    v = found["membrane_potential"].values.ravel() - QUIET.e_leak
    left = np.exp(-STEP * QUIET.g_leak / QUIET.capacitance)
    return (v - left * np.r_[0.0, v[:-1]])[list(train)] / weight


@settings(max_examples=20, deadline=None)
@given(train=st.sets(st.integers(0, 199), min_size=1, max_size=20), facil=st.sampled_from([0.0, 0.05, 1.0]))
def test_depression_and_facilitation_are_the_recursion_of_the_paper(train, facil):
    numbers = TsodyksMarkramParameters(u_rest=0.3, tau_rec=0.1, tau_facil=facil)
    train = sorted(train)
    u, x, last, asked = 0.0, 1.0, None, []
    for s in train:
        if last is not None:
            gap = (s - last) * STEP
            u, x = (u * np.exp(-gap / facil) if facil else 0.0), 1 - (1 - x) * np.exp(-gap / 0.1)
        u += 0.3 * (1 - u)
        asked.append(u * x)
        x, last = x - u * x, s
    np.testing.assert_allclose(brought(numbers, train), asked, rtol=1e-6, atol=1e-9)


def test_receptors_saturate():
    numbers = SaturatingParameters(opened=0.5, tau=50e-3)
    fast = brought(numbers, range(0, 200, 2))
    left = np.exp(-2e-3 / 50e-3)
    steady = left / (1 - left * 0.5) * 0.5  # fixed point of s -> left (s + (1 - s)/2)
    assert fast[0] == pytest.approx(0.5) and fast[-1] == pytest.approx(0.5 * (1 - steady), rel=1e-4)


def test_failures_are_independent_and_as_frequent_as_said():
    cell = Population("cells", 40, QUIET)
    wire = Projection("input", "cells", np.full((1, 40), 1e-4), release=FailingParameters(0.3))
    circuit = Circuit("failing", Input(1), (cell,), (wire,), dt=STEP, step=STEP)
    spikes = ns.as_stimuli(np.ones((1, 250, 1)), dims=("stimulus", "time", "unit"), time_step=STEP)
    answers = {}
    for engine in ("brian2", "torch"):
        found = simulate(circuit, spikes, engine=engine, rng=4, monitors=Monitors(membrane=["cells"]))
        answers[engine] = found["membrane_potential"].values[0]
    np.testing.assert_array_equal(*answers.values())
    v = answers["torch"] - QUIET.e_leak
    came = v[1:] - np.exp(-STEP * QUIET.g_leak / QUIET.capacitance) * v[:-1] > 5e-5
    assert came.mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.3 * 0.7 / came.size))
    between = np.corrcoef(came.T)[np.triu_indices(40, 1)]
    assert abs(between.mean()) < 4 / np.sqrt(249 * len(between))
    later = np.mean([np.corrcoef(c[1:], c[:-1])[0, 1] for c in came.T])
    assert abs(later) < 4 / np.sqrt(249 * 40)
    other = simulate(circuit, spikes, rng=5, engine="torch", monitors=Monitors(membrane=["cells"]))
    assert not np.array_equal(other["membrane_potential"].values[0], answers["torch"])


# --------------------------------------------------------------------------------------------------- engines
def recurrent(rule=None, release=None, scale=1.0):
    rng = np.random.default_rng(0)
    cells = Population("cells", 5, LIFParameters(refractory=2e-3), drive=1e-10, synapses=ExponentialParameters(3e-3))
    feed, within = rng.uniform(4, 9, (6, 5)) * 1e-10, rng.uniform(0, 2, (5, 5)) * 1e-10 * (1 - np.eye(5))
    late = rng.integers(0, 3, (6, 5)) * 1e-3
    if rule is not None:
        rule = replace(rule, w_max=1e-9, w_min=0.0)
    wires = (
        Projection("input", "cells", feed * scale, late, release=release, plasticity=rule),
        Projection("cells", "cells", within, 1e-3, release=release, plasticity=rule),
    )
    return Circuit("recurrent", Input(6), (cells,), wires, dt=5e-4, step=STEP)


def trains(n=3, steps=80):
    spikes = (np.random.default_rng(1).random((n, steps, 6)) < 0.12).astype(float)
    return ns.as_stimuli(spikes, dims=("stimulus", "time", "unit"), time_step=STEP)


RELEASED = {
    "tsodyks_markram": TsodyksMarkramParameters(0.5, 0.1, 0.05),
    "saturating": SaturatingParameters(),
    "failing": FailingParameters(0.6),
}


def test_every_rule_has_an_example():
    assert EXAMPLES.keys() == PLASTICITY.keys() and RELEASED.keys() == RELEASES.keys()


@pytest.mark.parametrize("name", list(RELEASES))
def test_releases_send_the_same_spikes_on_every_engine(name):
    """Compiled, all of them are in one program of tests/test_ingredients.py."""
    circuit = recurrent(release=RELEASED[name], scale=2.0)
    asked = simulate(circuit, trains(), engine="brian2", trials=2).values
    plain = simulate(recurrent(scale=2.0), trains(), engine="torch", trials=2).values
    assert asked.sum() > 20 and not np.array_equal(asked, plain)
    np.testing.assert_array_equal(simulate(circuit, trains(), engine="torch", trials=2).values, asked)


@pytest.mark.parametrize("name", list(PLASTICITY))
def test_rules_learn_the_same_weights_on_every_engine(name):
    rule = EXAMPLES[name]
    if name == "clopath":
        rule = replace(rule, theta_minus=-65e-3, theta_plus=-58e-3, a_ltp=8e5)
    circuit = recurrent(rule)
    dopamine = xr.DataArray(np.full((3, 80), 3.0), dims=("stimulus", "time")) if name == "dopamine_stdp" else None
    found = [
        learn(circuit, trains(), engine=engine, modulator=dopamine, gap=20e-3, record_every=50e-3, rng=1)
        for engine in ("brian2", "torch")
    ]
    assert found[0].responses.sum() > 40
    np.testing.assert_array_equal(found[0].responses.values, found[1].responses.values)
    for wire in ("input->cells", "cells->cells"):
        first, second = (f.weights[wire] for f in found)
        np.testing.assert_allclose(first.values, second.values, rtol=1e-9, atol=1e-20)
        assert np.abs(first.values[-1] - first.values[0]).max() > 1e-13
        assert first["record_time"].values.tolist() == pytest.approx([*np.arange(0, 0.3, 0.05), 0.3])


def test_learned_weights_stand_in_the_circuit_and_simulation_keeps_them(tmp_path):
    circuit = recurrent(EXAMPLES["pair_stdp"])
    found = learn(circuit, trains(), engine="torch")
    for q, (name, weights) in zip(found.circuit.projections, found.weights.items(), strict=True):
        np.testing.assert_array_equal(q.synapses()[2], weights.values[-1], err_msg=name)
    again = simulate(found.circuit, trains(), engine="torch").values
    frozen = tuple(replace(q, plasticity=None) for q in found.circuit.projections)
    np.testing.assert_array_equal(again, simulate(replace(found.circuit, projections=frozen), trains()).values)
    loaded = ns.biophysics.load_circuit(ns.biophysics.save_circuit(tmp_path / "c.nc", found.circuit))
    assert [q.plasticity for q in loaded.projections] == [q.plasticity for q in found.circuit.projections]
    twice = [learn(c, trains(), engine="torch").weights["input->cells"].values for c in (loaded, found.circuit)]
    np.testing.assert_array_equal(*twice)


def test_a_synapse_that_fell_to_nothing_can_grow_again():
    rule = PairSTDPParameters(w_max=2 * W, a_plus=0.2, a_minus=0.9)
    gone = learn(pair(rule), shown([12], [10], 30), engine="torch")
    assert float(gone.weights["input->cell"][-1, 0]) == 0.0 and "1 synapses, pair_stdp" in str(gone.circuit)
    back = learn(gone.circuit, shown([10], [12], 30), engine="torch")
    assert float(back.weights["input->cell"][-1, 0]) > 0.1 * W


def test_a_stream_of_stimuli_is_one_long_stimulus():
    circuit = recurrent(EXAMPLES["pair_stdp"])
    long = ns.as_stimuli(trains().values.reshape(1, -1, 6), dims=("stimulus", "time", "unit"), time_step=STEP)
    apart, whole = (learn(circuit, s, engine="torch") for s in (trains(), long))
    np.testing.assert_array_equal(apart.weights["input->cells"].values, whole.weights["input->cells"].values)
    np.testing.assert_array_equal(apart.responses.values.reshape(1, -1, 5), whole.responses.values)


# -------------------------------------------------------------------------------------------------- scaling
def test_weights_are_scaled_before_each_stimulus_on_every_engine():
    circuit, total = recurrent(EXAMPLES["pair_stdp"]), 1.5e-9
    found = [
        learn(circuit, trains(), engine=engine, gap=20e-3, totals={"input->cells": total}, record_every=100e-3)
        for engine in ("brian2", "torch")
    ]
    np.testing.assert_array_equal(found[0].responses.values, found[1].responses.values)
    for name in found[0].weights:
        np.testing.assert_allclose(found[0].weights[name], found[1].weights[name], rtol=1e-12)
    scaled, free = (found[0].weights[name] for name in ("input->cells", "cells->cells"))
    sums = scaled.groupby("target").sum().values
    np.testing.assert_allclose(sums[:-1], total, rtol=1e-12)
    assert np.abs(sums[-1] - total).max() > 1e-3 * total
    np.testing.assert_array_equal(free[0], circuit.projections[1].synapses()[2])


def test_a_plain_brian2_script_scales_the_same_weights():
    import brian2 as b2

    spikes, total, start = trains().values, 3.0 * W, np.array([0.4, 0.8, 1.2]) * W
    rule = PairSTDPParameters(w_max=2 * W, a_plus=0.02, a_minus=0.03)
    wires = (
        Projection("input", "cell", np.r_[start, 0, 0, 0][:, None], plasticity=rule),
        Projection("input", "cell", np.r_[0, 0, 0, 40e-3, 0, 0][:, None]),
    )
    ours = learn(
        Circuit("one", Input(6), (Population("cell", 1, QUIET),), wires, dt=STEP, step=STEP),
        trains(),
        totals={"input->cell": total},
    )
    time, unit = np.nonzero(spikes.reshape(-1, 6))
    own, post = unit < 3, unit == 3
    clock = b2.Clock(1 * b2.ms)
    pre = b2.SpikeGeneratorGroup(3, unit[own], time[own] * b2.ms, clock=clock)
    cell = b2.SpikeGeneratorGroup(1, unit[post] - 3, time[post] * b2.ms, clock=clock)
    wire = b2.Synapses(
        pre, cell,
        """w : 1
        dx/dt = -x/(20*ms) : 1 (event-driven)
        dy/dt = -y/(20*ms) : 1 (event-driven)""",
        on_pre="w = clip(w - 0.03*w_max*y, 0, w_max); x += 1",
        on_post="w = clip(w + 0.02*w_max*x, 0, w_max); y += 1",
        namespace={"w_max": 2 * W}, codeobj_class=b2.NumpyCodeObject, clock=clock,
    )  # fmt: skip
    wire.connect()
    wire.w = start
    network = b2.Network(pre, cell, wire)
    for _ in spikes:
        wire.w = np.array(wire.w) * total / np.sum(wire.w)
        network.run(spikes.shape[1] * b2.ms)
    np.testing.assert_allclose(ours.weights["input->cell"][-1], np.array(wire.w), rtol=1e-9)


# ------------------------------------------------------------------------------------------------- refusals
@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: learn(recurrent(), trains()), "no projection of recurrent is plastic"),
        (lambda: learn(recurrent(EXAMPLES["dopamine_stdp"]), trains()), "reads a third factor; give modulator="),
        (lambda: learn(recurrent(EXAMPLES["pair_stdp"]), trains(), gap=1.5e-3), "no whole number of steps"),
        (lambda: learn(recurrent(EXAMPLES["pair_stdp"]), trains(), record_every=0.0), "no whole number of steps"),
        (
            lambda: learn(recurrent(EXAMPLES["pair_stdp"]), trains(), modulator=xr.DataArray(np.ones((3, 80)))),
            "which no plasticity of the circuit reads",
        ),
        (
            lambda: learn(
                recurrent(EXAMPLES["dopamine_stdp"]),
                trains(),
                modulator=xr.DataArray(np.ones((3, 7)), dims=("stimulus", "time")),
            ),
            r"found \(3, 7\)",
        ),
        (
            lambda: learn(
                recurrent(EXAMPLES["dopamine_stdp"]),
                trains(),
                modulator=xr.DataArray(np.ones((3, 80)), dims=("stimulus", "time"), attrs={"time_step": 5e-3}),
            ),
            "the modulator comes every 0.005 s, the circuit expects one every 0.001 s",
        ),
        (lambda: learn(recurrent(EXAMPLES["pair_stdp"]), trains(), gap=float("nan")), r"gap = nan s is outside 0\.\."),
        (
            lambda: learn(recurrent(EXAMPLES["pair_stdp"]), trains(), totals={"input": W}),
            "totals of 'input', which is no plastic projection. Known: input->cells",
        ),
        (
            lambda: learn(recurrent(EXAMPLES["pair_stdp"]), trains(), totals=[W]),
            "totals by projection asked, as",
        ),
        (
            lambda: learn(recurrent(EXAMPLES["pair_stdp"]), trains(), totals={"input->cells": 20 * brian2.ohm}),
            "totals of 'input->cells' is in .*, found 20",
        ),
        (
            lambda: learn(recurrent(EXAMPLES["pair_stdp"]), trains(), totals={"input->cells": 0.0}),
            "a sum above 0, found 0",
        ),
        (
            lambda: learn(recurrent(EXAMPLES["pair_stdp"]), trains(), totals={"input->cells": 1.0}),
            "in sum asked, 6e-09 is the most",
        ),
        (
            lambda: learn(
                pair(PairSTDPParameters(w_max=2 * W, w_min=-W)), shown([1], [2], 9), totals={"input->cell": W}
            ),
            "weights of 'input->cell' may fall to -1e-06",
        ),
        (lambda: pair(PairSTDPParameters(w_max=W / 2)), "outside the bounds 0 to 5e-07"),
        (lambda: pair(release=PairSTDPParameters(w_max=W)), "release is a record of a registered release"),
        (lambda: PairSTDPParameters(w_max=0.0), "w_min = 0.0 below w_max = 0.0 asked"),
        (lambda: PairSTDPParameters(w_max=W, pairing="some"), "pairing = 'some'; known: all, nearest"),
    ],
)
def test_what_cannot_be_learned_is_refused(call, said):
    with pytest.raises(InputError, match=said):
        call()


def test_currents_release_nothing():
    cell = Population("cell", 1, QUIET)
    wire = Projection("input", "cell", [[1e-9]], release=TsodyksMarkramParameters())
    with pytest.raises(InputError, match="which need spikes; the input is a current"):
        Circuit("c", Input(1, "current"), (cell,), (wire,), dt=STEP, step=STEP)


@pytest.mark.parametrize("name", list(PLASTICITY))
def test_every_number_of_a_rule_changes_what_is_learned(name):
    rule = EXAMPLES[name]
    dopamine = xr.DataArray(np.full((1, 80), 3.0), dims=("stimulus", "time")) if name == "dopamine_stdp" else None
    stimuli = shown([3, 20, 22, 24, 26, 60], [12, 23, 30, 50, 52], 80)

    def outcome(rule):
        circuit = pair(rule)
        if name == "clopath":
            circuit = replace(circuit, projections=(*circuit.projections, Projection("input", "cell", [[6e-3], [0]])))
        found = learn(circuit, stimuli, engine="torch", modulator=dopamine)
        return float(next(iter(found.weights.values()))[-1, 0])

    usual = outcome(rule)
    for field in fields(rule):
        value = getattr(rule, field.name)
        others = {"pairing": "nearest", "bounds": "soft", "w_min": 0.999 * W}
        if field.name == "w_min":
            rule_down = replace(rule, w_min=others["w_min"])
            assert outcome(rule_down) >= 0.999 * W
            continue
        other = others.get(field.name) if isinstance(value, str) else value * 1.1
        other = W if (name, field.name) == ("synaptic_scaling", "w_max") else other
        assert outcome(replace(rule, **{field.name: other})) != usual, field.name


@pytest.mark.parametrize("name", list(RELEASES))
def test_every_number_of_a_release_changes_what_is_brought(name):
    usual = RELEASED[name]
    before = brought(usual, range(0, 60, 3), 60).tolist()
    for field in fields(usual):
        other = replace(usual, **{field.name: getattr(usual, field.name) * 0.8})
        assert brought(other, range(0, 60, 3), 60).tolist() != before, field.name
