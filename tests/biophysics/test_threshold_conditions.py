"""What Brian2 is asked for in a step: a spike where the distance says so, no rounding of its own, no unheard input."""

import numpy as np
import pytest

from neurosim.biophysics import (
    NEURONS,
    AdaptiveLIFParameters,
    Circuit,
    GIFParameters,
    Input,
    LIFParameters,
    Population,
    Projection,
    QuadraticIFParameters,
)
from neurosim.biophysics.brian2_engine import import_brian2, preferences, strict_flags
from neurosim.biophysics.dynamics import constants_of, initial_state
from neurosim.biophysics.formulas import ArrayFunctions, State, Text, as_condition
from neurosim.biophysics.models import neuron_of
from neurosim.biophysics.presentation import check_stimuli, make_chunk
from neurosim.biophysics.simulation import simulate
from neurosim.schema import as_stimuli
from neurosim.storage import processor_has

HELD = (LIFParameters, AdaptiveLIFParameters, QuadraticIFParameters, GIFParameters)
HALF = 0.5
WAITS = (0.0, HALF, np.nextafter(HALF, 1), 1.0, 20.0)


@pytest.mark.parametrize("record", HELD)
def test_brian2_sends_a_spike_where_the_distance_says(record):
    model, population = neuron_of(record()), Population("cells", 1, record())
    constants = constants_of(population, 1e-4)
    words = {k: x for k, x in constants.items() if isinstance(x, str | bool)}
    edges = [e for k in ("v_threshold", "v_cut", "v_t") if k in constants for e in _around(constants[k])]
    volts = np.concatenate([edges, np.random.default_rng(1).uniform(-0.1, 0.1, 200)])
    v, wait = (a.ravel() for a in np.meshgrid(volts, WAITS))
    states = {k: np.full(v.shape, float(x)) for k, x in initial_state(population, constants).items()}
    values = {k: float(x) for k, x in constants.items() if k not in words} | states | {"v": v, "wait": wait, "xi": 0.3}
    distance = np.asarray(model.distance(State(**(values | words)), ArrayFunctions()))
    b2 = import_brian2()
    with preferences(b2, "numpy"):
        condition = as_condition(model.distance, {k: Text(k) for k in values} | words)
        numbers = {k: x for k, x in values.items() if np.ndim(x) == 0}
        own = [f"{k} : 1" for k in values if k not in numbers]
        group = b2.NeuronGroup(len(v), "\n".join(own), threshold=condition, reset="", namespace=numbers)
        for k in values.keys() - numbers.keys():
            setattr(group, k, values[k])
        spikes = b2.SpikeMonitor(group)
        b2.Network(group, spikes).run(group.dt, namespace={})
    assert 0 < (distance > 0).sum() < len(v)
    assert sorted(spikes.i) == np.flatnonzero(distance > 0).tolist()


def _around(edge):
    return edge, np.nextafter(edge, 1), np.nextafter(edge, -1)


def test_every_neuron_has_a_condition_above_zero():
    for model in NEURONS.values():
        population = Population("cells", 1, model.parameters())
        constants = constants_of(population, 1e-4)
        words = {k: x for k, x in constants.items() if isinstance(x, str | bool)}
        names = {k: Text(k) for k in (*constants, *initial_state(population, constants), "xi")} | words
        assert " > " in as_condition(model.distance, names)


def test_an_input_that_reaches_nobody_sends_nothing_and_changes_nothing():
    cells = Population("cells", 3, LIFParameters(), [1e-10, 2.1e-10, 4e-10])
    alone = Circuit("alone", Input(2), (cells,), (), dt=2.5e-4, step=1e-3)
    joined = Circuit(
        "joined", Input(2), (cells,), (Projection("input", "cells", np.zeros((2, 3))),), dt=2.5e-4, step=1e-3
    )
    stimuli = as_stimuli(np.ones((1, 40, 2)), dims=("stimulus", "time", "unit"), time_step=1e-3)
    chunks = [make_chunk(c, check_stimuli(c, stimuli), [(0, 0)], 160, 0) for c in (alone, joined)]
    assert [list(chunk.spikes) for chunk in chunks] == [[], ["input"]]
    answers = [simulate(c, stimuli, engine=e, progress=False) for c in (alone, joined) for e in ("brian2", "torch")]
    assert answers[0].sum() > 0
    assert all((a.values == answers[0].values).all() for a in answers)


def test_compilers_are_never_told_to_round_otherwise():
    flags = strict_flags()
    assert "-ffp-contract=off" in flags
    assert not {"-ffast-math", "-Ofast", "-mfma", "-march=native"} & {*flags}
    assert ("-mavx2" in flags) == processor_has("avx2")
