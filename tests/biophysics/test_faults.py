"""What is wrong with a circuit is said in one line, before or at the moment, with the population and the time."""

import logging
from dataclasses import replace

import numpy as np
import pytest

import neurosim as ns
from neurosim.biophysics import (
    CustomNeuron,
    ExponentialConductanceParameters,
    FixedProbability,
    GapJunctionParameters,
    Input,
    LIFParameters,
    Monitors,
    OneToOne,
    PairSTDPParameters,
    Poisson,
    Population,
    Projection,
    RampCurrent,
    StepCurrent,
    TsodyksMarkramParameters,
    connect,
    learn,
    protocol,
)
from neurosim.biophysics.circuit import Circuit
from neurosim.schema import InputError

ENGINES = ("brian2", "torch")
SHOWN = ns.as_stimuli(
    np.repeat([[[0.0], [1.0], [1.0], [0.0]]], 5, axis=1), dims=("stimulus", "time", "unit"), time_step=1e-3
)
LIF = LIFParameters()
CELLS = Population("cells", 3, LIF)
UNSTABLE = CustomNeuron("dv/dt = v / tau + 1", "v < -1", numbers={"tau": 2e-5})
SQUARED = CustomNeuron("dv/dt = 1e3 * v * v + 1e3", "v < -1", method="rk2")


def circuit(*populations, wires=(), kind="spikes", into=5e-3, **more):
    first = populations[0]
    entry = Projection("input", first.name, np.full((1, first.size), into), **more)
    return Circuit("c", Input(1, kind), populations, (entry, *wires), dt=1e-4, step=1e-3)


def plastic(**more):
    return circuit(CELLS, into=1e-3, plasticity=PairSTDPParameters(2e-3), **more)


BEFORE = {
    "a receptor nobody projects to": (
        lambda: circuit(replace(CELLS, synapses={"ampa": ExponentialConductanceParameters(), "gaba":
                                                 ExponentialConductanceParameters()}), receptor="ampa"),
        "nothing projects to the receptor 'gaba' of 'cells'",
    ),
    "a receptor that is not there": (lambda: circuit(CELLS, receptor="ampa"), "input->cells names the receptor 'ampa'"),
    "plasticity of currents": (
        lambda: circuit(CELLS, kind="current", plasticity=PairSTDPParameters(9e-3)), "input->cells has .* plasticity"
    ),
    "plasticity of gap junctions": (
        lambda: Circuit(
            "c", Input(1), (replace(CELLS, synapses=GapJunctionParameters()),),
            (Projection("cells", "cells", np.full((3, 3), 1e-9), plasticity=PairSTDPParameters(2e-9)),), 1e-4, 1e-3,
        ),
        "cells->cells passes 'v' on at every step and asks for no plasticity",
    ),
    "release of currents": (
        lambda: circuit(CELLS, kind="current", release=TsodyksMarkramParameters()), "input->cells has release"
    ),
    "plasticity that is bounded elsewhere": (
        lambda: circuit(CELLS, into=9e-3, plasticity=PairSTDPParameters(2e-3)), "3 weights, such as 0.009, are outside"
    ),
    "learning without plasticity": (lambda: learn(circuit(CELLS), SHOWN), "learn: no projection of c is plastic"),
    "a delay below a step": (lambda: circuit(CELLS, delay=4e-5), "input->cells has a delay of 4e-05 s; 0, or 0.0001"),
    "one of many delays below a step": (
        lambda: circuit(CELLS, delay=np.array([[1e-3, 4e-5, 0.0]])), "input->cells has a delay of 4e-05 s"
    ),
    "half a step": (lambda: circuit(CELLS, delay=1.5e-4), "input->cells has a delay of 0.00015 s, 1.5 steps of dt"),
    "a delay below a step, by a rule": (
        lambda: connect(OneToOne(), CELLS, CELLS, weight=1e-3, delay=4e-5, dt=1e-4),
        "connect: cells->cells: a delay of 4e-05 s is 0.4 steps of dt = 0.0001 s",
    ),
    "a delay below 0": (lambda: circuit(CELLS, delay=-1e-3), "input->cells has a delay of -0.001 s"),
    "a rule that draws nothing": (
        lambda: connect(FixedProbability(1e-9), CELLS, CELLS, weight=1e-3), "cells->cells: .* draws no synapse"
    ),
    "a step above a time constant": (
        lambda: circuit(replace(CELLS, parameters=LIFParameters(capacitance=1e-12, g_leak=1e-7))),
        "dt = 0.0001 s is above the shortest time constant of 'cells', capacitance / g_leak = 1e-05 s",
    ),
    "a seed below 0": (lambda: connect(OneToOne(), CELLS, CELLS, weight=1e-3, rng=-1), "rng is a seed of 0 or more"),
    "a drive in pA": (lambda: replace(CELLS, drive=200.0), "drive of 200 A is outside .* 200 pA is 200e-12"),
    "steps in pA": (
        lambda: replace(CELLS, currents=StepCurrent([0.0], [200.0])), "its StepCurrent of 200 A is outside"
    ),
    "a protocol longer than its stimulus": (
        lambda: protocol({"up": RampCurrent(0.0, 0.5, 0.0, 1e-10)}, duration=0.1, time_step=1e-3),
        "RampCurrent: it goes on until 0.5 s, the simulation ends after 0.1 s",
    ),
}  # fmt: skip
AT_THE_MOMENT = {
    "unstable equations": (
        lambda: circuit(Population("cells", 3, UNSTABLE)), SHOWN, "'cells' of c is no finite number from 0.0"
    ),
    "equations that diverge": (
        lambda: circuit(CELLS, Population("late", 2, SQUARED)), SHOWN, "'late' of c is no finite number from"
    ),
    "an explosion": (
        lambda: circuit(Population("cells", 3, LIFParameters(refractory=0.0), drive=9e-7)), SHOWN, "'cells' .*exploded"
    ),
    "a current longer than the stimulus": (
        lambda: circuit(replace(CELLS, currents=StepCurrent([0.0, 0.5], [1e-10, 0.0]))), SHOWN,
        "StepCurrent: it goes on until 0.5 s, the simulation ends after 0.02 s",
    ),
    "stimuli in pA": (lambda: circuit(CELLS, kind="current", into=1.0), SHOWN * 200, "onto 'cells' of 200 A is"),
    "a background beyond all rates": (
        lambda: circuit(replace(CELLS, background=Poisson(1e21, 1e-3))), SHOWN, "of 'cells' brings 1e.17 spikes"
    ),
    "a seed below 0": (lambda: circuit(CELLS), None, "simulate: rng is a seed of 0 or more, .*found -1"),
}  # fmt: skip


@pytest.mark.parametrize("what", BEFORE)
def test_what_cannot_be_is_refused_when_it_is_made(what):
    make, words = BEFORE[what]
    with pytest.raises(InputError, match=words) as error:
        make()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("what", AT_THE_MOMENT)
@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_what_goes_wrong_is_refused_on_every_engine_in_the_same_words(what, engine):
    make, stimuli, words = AT_THE_MOMENT[what]
    seed = -1 if stimuli is None else 0
    shown = SHOWN if stimuli is None else stimuli.assign_attrs(SHOWN.attrs)
    with pytest.raises(InputError, match=words) as error:
        ns.simulate(make(), shown, engine=engine, rng=seed, progress=False)
    assert "\n" not in str(error.value)


def chain(onward, drive=0.0):
    """Two populations, of which the second hears the first."""
    wire = Projection("cells", "late", np.full((3, 2), onward))
    return circuit(replace(CELLS, drive=drive), Population("late", 2, LIF), wires=(wire,), into=30e-3)


def heard(caplog, made, engine, **options):
    caplog.clear()
    with caplog.at_level(logging.WARNING, "neurosim.biophysics"):
        ns.simulate(made, SHOWN, engine=engine, progress=False, **options)
    assert not any("\n" in r.getMessage() for r in caplog.records)
    return [r.getMessage() for r in caplog.records]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_population_that_died_is_named_with_whom_it_did_not_hear(engine, caplog):
    (said,) = heard(caplog, chain(1e-4), engine)
    assert "no neuron of 'late' of c fired, although 'cells', which projects to it, sent spikes from 0.005 s on" in said
    assert heard(caplog, chain(10e-3), engine) == []
    assert heard(caplog, chain(-1e-4), engine) == []  # inhibited
    assert heard(caplog, chain(1e-4), engine, monitors=Monitors(membrane=["late"])) == []  # looked at below threshold
    (said,) = heard(caplog, circuit(CELLS, into=1e-4), engine)
    assert "no neuron of 'cells' of c fired, although 'input', which projects to it, sent spikes from 0.005 s" in said


@pytest.mark.parametrize("engine", ENGINES)
def test_a_population_that_fires_as_often_as_it_can_is_named_with_the_stimulus_and_the_time(engine, caplog):
    """Refractory periods of 2 ms and steps of 0.1 ms allow ten spikes in 21 ms; the stimulus ends after 20 ms."""
    driven = circuit(replace(CELLS, drive=1e-7))
    (said,) = heard(caplog, driven, engine, monitors=Monitors(tail=50e-3))
    assert "'cells' of c is saturated from 0 s of stimulus 'stimulus_000', trial 0, on: 100 %" in said
    assert heard(caplog, circuit(replace(CELLS, drive=3e-10)), engine, monitors=Monitors(tail=50e-3)) == []
