"""Numbers of Brian2 with units: taken everywhere by their own dimension, or refused by name."""

from dataclasses import fields, replace

import brian2 as b2
import numpy as np
import pytest

import neurosim as ns
from neurosim.biophysics import (
    AdExParameters,
    AllToAll,
    ConductanceParameters,
    CustomNeuron,
    ExponentialParameters,
    FromTable,
    GivenCurrent,
    Input,
    LIFParameters,
    Monitors,
    Normal,
    PairSTDPParameters,
    Poisson,
    Population,
    Projection,
    RampCurrent,
    StepCurrent,
    Truncated,
    connect,
)
from neurosim.biophysics.circuit import Circuit
from neurosim.parameters import DiscreteLIFParameters
from neurosim.schema import InputError
from neurosim.units import SYMBOLS, dimension, unit_of
from tests.biophysics.records import RECORDS, made_by_its_example

OF_SYMBOL = {
    "m": b2.meter, "s": b2.second, "Hz": b2.hertz, "A": b2.amp, "V": b2.volt, "S": b2.siemens, "ohm": b2.ohm,
    "F": b2.farad, "mol": b2.mole,
}  # fmt: skip


def as_quantity(value, unit):
    """A number with the unit of Brian2 that has this dimension."""
    return b2.Quantity(value, dim=b2.get_or_create_dimension([int(x) for x in dimension(unit)]))


@pytest.mark.parametrize("symbol", OF_SYMBOL)
def test_dimensions_are_those_of_brian2(symbol):
    assert b2.have_same_dimensions(as_quantity(1.0, symbol), OF_SYMBOL[symbol])
    assert set(OF_SYMBOL) | {"1"} == set(SYMBOLS)


def numbers_of(record):
    """Every field of a record that holds a number with a unit, or several."""
    for field in fields(record):
        value, unit = getattr(record, field.name), unit_of(record, field.name)
        is_number = isinstance(value, float | np.ndarray) and np.asarray(value).dtype.kind == "f"
        if unit != "1" and is_number and np.isfinite(value).all():
            yield field.name, value, unit


NUMBERED = [
    name
    for name, kind in RECORDS.items()
    if name.endswith(("Parameters", "Current", "Options")) or name in (
        "Poisson", "Input", "Monitors", "Ladder", "Normal", "Lognormal", "Uniform", "Truncated", "Population",
        "Projection", "Circuit", "GaussianDistance", "ExponentialDistance",
    )
    if any(field.name != "multapses" for field in fields(kind))
]  # fmt: skip


@pytest.mark.parametrize("name", NUMBERED)
def test_every_number_of_every_record_is_taken_with_its_unit_and_refused_with_another(name, monkeypatch):
    record = made_by_its_example(RECORDS[name], monkeypatch)[0]
    for field, value, unit in numbers_of(record):
        if name == "Circuit" and field == "step":
            continue  # the example asks for a dt that fits
        for each in unit.split(" or "):
            if each != "1" and name not in ("Population", "Projection"):
                assert replace(record, **{field: as_quantity(value, each)}) == record, field
        wrong = as_quantity(value, "m" if unit != "m" else "V")
        with pytest.raises(InputError, match=rf"{field}.* is in .*, found .*; give a quantity of that dimension"):
            replace(record, **{field: wrong})


def test_a_circuit_in_units_is_the_circuit_in_numbers():
    def circuit(mv, ms, na, ns_, pf, hz):
        neuron = LIFParameters(capacitance=200 * pf, g_leak=10 * ns_, e_leak=-70 * mv, refractory=2 * ms)
        cells = Population(
            "cells",
            2,
            neuron,
            [0.1 * na, 0.2 * na],
            ConductanceParameters(tau_exc=5 * ms),
            noise=1 * mv,
            varying={"v_threshold": [-50 * mv, -51 * mv]},
            initial={"v": -65 * mv, "g_exc": 1 * ns_},
            background=Poisson(5 * hz, 2 * ns_, n=10),
            currents=[
                StepCurrent([1 * ms, 3 * ms], [0.1 * na, 0 * na]),
                RampCurrent(0 * ms, 5 * ms, 0 * na, 1 * na),
                GivenCurrent([0.1 * na, 0.2 * na], 1 * ms),
            ],
        )
        shown = Input(1, "poisson", duration=20 * ms, max_rate=100 * hz)
        wire = Projection("input", "cells", [[4 * ns_, 2 * ns_]], delay=1 * ms)
        back = connect(AllToAll(), cells, cells, weight=-3 * ns_, delay=1.5 * ms, dt=0.1 * ms, progress=False)
        return Circuit("c", shown, (cells,), (wire, back), dt=0.1 * ms, step=1 * ms)

    with_units = circuit(b2.mV, b2.ms, b2.nA, b2.nS, b2.pF, b2.Hz)
    plain = circuit(1e-3, 1e-3, 1e-9, 1e-9, 1e-12, 1.0)
    np.testing.assert_allclose(with_units.projections[1].weights.data, plain.projections[1].weights.data, rtol=1e-12)
    stimuli = ns.as_stimuli(np.ones((1, 1)), dims=("stimulus", "unit"))
    kept = [
        ns.simulate(c, stimuli, engine="torch", monitors=m, progress=False)
        for c, m in ((with_units, Monitors(tail=10 * b2.ms)), (plain, Monitors(tail=10e-3)))
    ]
    np.testing.assert_array_equal(*(k.values for k in kept))
    assert kept[0].sum() > 0


IN_VOLTS = Population("v", 2, LIFParameters())
IN_AMPERES = Population("i", 2, LIFParameters(), synapses=ExponentialParameters())
DISCRETE = Population("d", 2, DiscreteLIFParameters())


def joined(population, weights, **more):
    step = 1e-3 if population.is_discrete else 1e-4
    wire = Projection("input", population.name, weights, **more)
    return Circuit("c", Input(1), (population,), (wire,), dt=step, step=1e-3)


REFUSED = {
    "a time as a voltage": (lambda: LIFParameters(e_leak=10 * b2.ms), "LIFParameters: e_leak is in V, found 10. ms"),
    "a voltage as a time": (lambda: AdExParameters(tau_w=10 * b2.mV), "AdExParameters: tau_w is in s, found 10. mV"),
    "a voltage as a number": (lambda: ns.biophysics.FixedProbability(10 * b2.mV), "p is in no unit"),
    "siemens onto currents": (lambda: joined(IN_AMPERES, [[1, 1]] * b2.nS), "weights of input->i is in A here"),
    "volts onto discrete": (lambda: joined(DISCRETE, [[1, 1]] * b2.mV), "weights of input->d is in no unit here"),
    "bounds in amperes": (
        lambda: joined(IN_VOLTS, [[1e-3, 1e-3]], plasticity=PairSTDPParameters(9 * b2.mA)), "w_max of input->v is in V"
    ),
    "a weight in amperes": (
        lambda: connect(AllToAll(), Input(1), IN_VOLTS, weight=1 * b2.nA), "input->v: weight is in V, found 1. nA"
    ),
    "a spread in amperes": (
        lambda: connect(AllToAll(), Input(1), IN_VOLTS, weight=Truncated(Normal(1 * b2.nA, 1 * b2.nA), 0)),
        "weight is in V here, found a quantity in A",
    ),
    "a table in amperes": (
        lambda: connect(FromTable([0], [1]), Input(1), IN_VOLTS, weight=[1] * b2.nA), "weight is in V, found"
    ),
    "a delay in volts": (
        lambda: connect(AllToAll(), Input(1), IN_VOLTS, weight=1e-3, delay=1 * b2.mV), "delay is in s, found 1. mV"
    ),
    "a drive in volts": (lambda: Population("p", 1, LIFParameters(), 1 * b2.mV), "drive is in A, found 1. mV"),
    "amperes into discrete": (lambda: Population("p", 1, DiscreteLIFParameters(), 1 * b2.nA), "drive is in no unit"),
    "a current into discrete": (
        lambda: Population("p", 1, DiscreteLIFParameters(), currents=StepCurrent([0], [1] * b2.nA)),
        "amplitudes of its StepCurrent is in no unit here",
    ),
    "a background in siemens": (
        lambda: Population("p", 1, LIFParameters(), background=Poisson(1.0, 1 * b2.nS)), "its background is in V here"
    ),
    "a start in seconds": (lambda: Population("p", 1, LIFParameters(), initial={"v": 1 * b2.ms}), "'v' is in V"),
    "what varies in seconds": (
        lambda: Population("p", 1, LIFParameters(), varying={"g_leak": [1] * b2.ms}), "'g_leak' is in S"
    ),
    "one of a list": (lambda: StepCurrent([1 * b2.ms, 2.0], [0, 0]), "StepCurrent: times is in s"),
    "a tail in volts": (lambda: Monitors(tail=1 * b2.mV), "Monitors: tail is in s"),
    "places in seconds": (
        lambda: Population("p", 1, LIFParameters(), positions=[[0, 0]] * b2.ms), "positions is in m"
    ),
    "a step in volts": (lambda: ns.biophysics.single_neuron(LIFParameters(), 1 * b2.mV), "dt is in s"),
    "a step of stimuli in volts": (
        lambda: ns.as_stimuli(np.ones((1, 2)), dims=("stimulus", "time"), time_step=1 * b2.mV), "time_step is in s"
    ),
    "a refractory period in volts": (
        lambda: CustomNeuron("dv/dt = -v / tau", "v > 1", numbers={"tau": 1 * b2.ms}, refractory=1 * b2.mV),
        "refractory is in s",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_another_dimension_is_refused_by_name_in_one_line(what):
    make, words = REFUSED[what]
    with pytest.raises(InputError, match=words) as error:
        make()
    assert "\n" not in str(error.value)


def test_the_step_of_stimuli_and_responses_is_taken_in_its_unit():
    for made in (ns.as_stimuli, ns.as_responses):
        dims = ("stimulus", "time", "unit")
        assert made(np.ones((1, 2, 1)), dims=dims, time_step=2 * b2.ms).attrs["time_step"] == 2e-3
