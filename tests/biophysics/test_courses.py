"""Noise, backgrounds and currents are drawn in blocks of time: the same numbers for any block, in little memory."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neurosim as ns
from neurosim.biophysics import (
    AdExParameters,
    Circuit,
    DeltaParameters,
    Execution,
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
    courses,
    learn,
    simulate,
)
from neurosim.biophysics.presentation import check_stimuli, make_chunk
from neurosim.runtime import stream

DT = 1e-4
CURRENTS = (
    OrnsteinUhlenbeckCurrent(1e-10, 1e-10, 5e-3),
    OrnsteinUhlenbeckCurrent(0.0, 1e-10, 2e-3, shared=True, neurons=[0]),
    StepCurrent((5e-3, 20e-3), (2e-10, 0.0), neurons=[1]),
    RampCurrent(2e-3, 9e-3, 0.0, 1e-10),
    SineCurrent(1e-10, 50.0, start=1e-3),
    GivenCurrent(np.arange(30).reshape(10, 3) * 1e-12, 2e-3),
)
BACKGROUND = (Poisson(9e3, 4e-4), Poisson([900.0, 50.0, 1.0], -2e-4))
RULE = PairSTDPParameters(w_max=30e-3)


def silent(n_stimuli=1, n_time=30, step=1e-3):
    return ns.as_stimuli(np.zeros((n_stimuli, n_time, 1)), dims=("stimulus", "time", "unit"), time_step=step)


def drawing(currents=CURRENTS):
    """A circuit in which everything that can be drawn is: noise of both kinds, a background and currents."""
    cells = Population(
        "cells", 3, AdExParameters(), 3e-10, DeltaParameters(), noise=1e-3, background=BACKGROUND, currents=currents
    )
    escaping = Population("escaping", 4, PoissonParameters(300.0), currents=CURRENTS[4])
    wires = (
        Projection("input", "cells", [[1e-3] * 3], plasticity=RULE),
        Projection("escaping", "cells", [[2e-3] * 3] * 4),
    )
    return Circuit("drawing", Input(1), (cells, escaping), wires, DT, 1e-3)


def chunk_of(circuit, n_time=30, copies=((0, 0), (1, 0), (1, 1))):
    return make_chunk(circuit, check_stimuli(circuit, silent(2, n_time)), copies, 10 * n_time, seed=7)


def all_courses(chunk):
    return [*chunk.noise.values(), *chunk.background.values(), *chunk.currents.values()]


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 310))
def test_no_number_depends_on_the_blocks(length):
    """Every course cut into blocks of any length is the course that is drawn at once, and can be read again."""
    for course in all_courses(chunk_of(drawing())):
        whole = course.whole()
        assert whole.shape == (300, 3, course.size)
        blocks = list(course.blocks(length))
        assert max(map(len, blocks)) == min(length, 300)
        np.testing.assert_array_equal(np.concatenate(blocks), whole)


def test_the_numbers_are_those_of_the_streams():
    """Drawn here at once, without blocks, from the stream of each stimulus and trial."""
    circuit = drawing()
    chunk, shown = chunk_of(circuit), silent(2).stimulus.values
    for copy, (stimulus, trial) in enumerate([(0, 0), (1, 0), (1, 1)]):
        key = str(shown[stimulus]), trial
        normal = stream(7, "noise", "cells", *key).standard_normal((300, 3))
        np.testing.assert_array_equal(chunk.noise["cells"].whole()[:, copy], normal)
        escaping = np.log(stream(7, "noise", "escaping", *key).standard_exponential((300, 4)))
        np.testing.assert_array_equal(chunk.noise["escaping"].whole()[:, copy], escaping)
        counts = [
            stream(7, "background", "cells", i, *key).poisson(np.multiply(rate, DT), (300, 3))
            for i, rate in enumerate(([9e3] * 3, [900.0, 50.0, 1.0]))
        ]
        brought = 4e-4 * counts[0] + -2e-4 * counts[1]
        np.testing.assert_array_equal(chunk.background["cells", "arrived"].whole()[:, copy], brought)


def test_courses_follow_each_other_with_rests_and_are_padded_and_cut():
    course = chunk_of(drawing()).currents["cells"]
    whole = course.whole()
    row = course.in_a_row(20)
    rested = np.concatenate([whole, np.zeros((20, 3, 3))]).transpose(1, 0, 2).reshape(-1, 1, 3)
    np.testing.assert_array_equal(np.concatenate(list(row.blocks(37))), rested)
    np.testing.assert_array_equal(course.in_a_row(0).whole()[:, 0], whole.transpose(1, 0, 2).reshape(-1, 3))
    np.testing.assert_array_equal(course.padded(5).whole(), np.pad(whole, ((0, 0), (0, 2), (0, 0))))
    np.testing.assert_array_equal(course.repeated(2).whole(), np.tile(whole, (1, 2, 1)))


def test_currents_that_are_not_drawn_are_computed_once_for_all_copies():
    course = chunk_of(drawing(CURRENTS[2:])).currents["cells"]
    assert len(set(course.copies)) == 1 and len(course.copies) == 3
    np.testing.assert_array_equal(course.whole()[:, 0], course.whole()[:, 2])


@pytest.mark.parametrize("block", [8, 700, courses.BLOCK])
def test_neurons_that_share_currents_have_one_row_until_it_changes(block, monkeypatch):
    """A pulse into one neuron of three, beside a constant into all: the numbers of both formulas, in three rows."""
    monkeypatch.setattr(courses, "BLOCK", block)
    constant, step = StepCurrent((0.0,), (5e-11,)), CURRENTS[2]
    course = chunk_of(drawing((constant, step))).currents["cells"]
    rows = list(course.rows())
    moment = np.arange(300)
    pulse = np.where((moment >= 50) & (moment < 200), 2e-10, 0.0)
    expected = 5e-11 + pulse[:, None] * [0.0, 1.0, 0.0]
    assert course.size == 2 and len({id(row) for row in rows}) == 3
    np.testing.assert_array_equal(rows, np.broadcast_to(expected[:, None], (300, 3, 3)))


@pytest.mark.parametrize("engine", ["brian2", "torch"])
def test_simulation_and_learning_are_equal_bit_for_bit_with_blocks_of_a_few_steps(engine, monkeypatch):
    circuit, kept = drawing(), Monitors(spike_times=True, membrane=["cells"], record=["cells.w"])

    def answers():
        found = simulate(circuit, silent(2), trials=2, engine=engine, rng=3, monitors=kept, progress=False)
        return found, learn(circuit, silent(2), gap=2e-3, engine=engine, rng=3, record_every=1e-3)

    found, learned = answers()
    monkeypatch.setattr(courses, "BLOCK", 700)
    again, once_more = answers()
    assert found.sizes["spike"] > 20 and learned.weights["input->cells"].sizes["record_time"] == 65
    assert found.identical(again)
    assert learned.responses.identical(once_more.responses)
    assert learned.weights["input->cells"].identical(once_more.weights["input->cells"])


@pytest.mark.parametrize("engine", ["brian2", "torch"])
def test_memory_does_not_grow_with_time(engine, monkeypatch):
    """500 neurons with noise, background and a current of their own: 3 x 4 kB a step, 36 MB in 3,000 steps."""
    monkeypatch.setattr(courses, "BLOCK", 2**18)
    everything = {"noise": 1e-3, "background": Poisson(100.0, 1e-5), "currents": CURRENTS[0]}
    circuit = Circuit("c", Input(1), (Population("n", 500, LIFParameters(), 0.0, **everything),), (), DT, 1e-3)
    simulate(circuit, silent(n_time=2), engine=engine, progress=False)
    peaks = []
    for n_time in (100, 300):
        shown = silent(n_time=n_time)
        tracemalloc.start()
        simulate(circuit, shown, engine=engine, progress=False, monitors=Monitors(time_bin=n_time * 1e-3))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 8e6 and peaks[1] - peaks[0] < 2e6


def test_spikes_and_sums_on_their_way_count_for_the_memory_of_a_chunk():
    """Synapses with delays of their own: 400 steps of sums to come are 640 kB a copy, 19 MB of thirty copies."""
    late = np.linspace(20, 40, 200).round(1)[:, None] * 1e-3
    cells = Population("n", 200, LIFParameters(), 0.0)
    wire = Projection("n", "n", np.eye(200) * 1e-5, np.broadcast_to(late, (200, 200)))
    circuit, shown = Circuit("c", Input(1), (cells,), (wire,), DT, 1e-3), silent(n_time=40)
    simulate(circuit, shown[:, :2], engine="torch", progress=False)
    limit = {"execution": Execution(memory=2 * 10**6), "monitors": Monitors(time_bin=40e-3), "engine": "torch"}
    tracemalloc.start()
    simulate(circuit, shown, trials=30, progress=False, **limit)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6e6


def heard(rate):
    return Population("n", 50, LIFParameters(), 0.0, background=Poisson(rate, 1e-7, n=2))


def test_one_rate_draws_what_as_many_equal_rates_draw():
    for rate in (3.0, 3e3, 3e5):  # numpy draws small and large means in other ways
        one, each = (
            chunk_of(replace(drawing(), populations=(heard(given),), projections=())).background
            for given in (rate, np.full(50, rate))
        )
        assert one.keys() == each.keys()
        for key in one:
            np.testing.assert_array_equal(one[key].whole(), each[key].whole())


@pytest.mark.parametrize("engine", ["brian2", "torch"])
def test_what_is_recorded_is_held_once(engine):
    """8 MB of membranes in one chunk need little more than themselves."""
    circuit = Circuit("c", Input(1), (Population("n", 500, LIFParameters(), 1e-10),), (), DT, 1e-3)
    tracemalloc.start()
    found = simulate(circuit, silent(n_time=200), engine=engine, progress=False, monitors=Monitors(membrane=["n"]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.membrane_potential.nbytes == 8e6 and peak < 13e6


def test_records_of_several_chunks_are_those_of_one():
    circuit, kept = (
        drawing(),
        Monitors(record=["cells.w", "cells.v"], membrane=["cells/1", "escaping"], spike_times=True),
    )
    found = simulate(circuit, silent(3), trials=2, engine="torch", monitors=kept)
    parts = simulate(circuit, silent(3), trials=2, engine="torch", monitors=kept, execution=Execution(memory=45_000))
    assert found.identical(parts)
