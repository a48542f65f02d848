"""Every number and choice of every neuron and synapse changes what the neuron does, or is refused by name.

Models, their fields and the numbers with which they are tried are found in their records: what is added tomorrow is
tested. Fields vary from neuron to neuron of one population, so that each model runs once.
"""

from dataclasses import fields, replace
from typing import get_args, get_type_hints

import numpy as np
import pytest

from neurosim.biophysics import (
    AdaptiveLIFParameters,
    DeltaParameters,
    LIFParameters,
    QuadraticIFParameters,
    models,
    torch_engine,
)
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import Chunk, Watch, constants_of
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.schema import InputError
from tests.biophysics.given_numbers import given

RNG = np.random.default_rng(0)
TRAINS = (RNG.random((1, 100, 2)) < 0.1).astype(np.uint8)

# The numbers with which each neuron and synapse is tried stand in its record.
NEURONS = {m.parameters: (m.of(m.example[0]), m.example[1]) for m in models.NEURONS.values()}
WEIGHTS = {m.parameters: m.example for m in models.SYNAPSES.values() if not m.sends}  # gap junctions have no numbers
# Fields that cannot vary between neurons, and those that are read in one way of resetting only.
ONE_FOR_ALL = {"dt": {"dt": 2e-3}, "reset": None, "scheme": None}
READ_WITH = {
    (kind, "subtracted"): {"reset": "subtract"}
    for kind in (LIFParameters, AdaptiveLIFParameters, QuadraticIFParameters)
}


def answers(parameters, varying, size, synapses=None):
    """Membrane and spikes (step, neuron) of a population whose neurons differ in what varies, and in nothing else."""
    is_discrete = models.neuron_of(parameters).is_discrete
    dt = parameters.dt if is_discrete else 2e-4
    synapses = synapses or DeltaParameters()
    weight = 0.3 if is_discrete else WEIGHTS[type(synapses)]
    population = Population("n", size, parameters, NEURONS[type(parameters)][1], synapses, varying=varying)
    other = 0.5 if models.synapse_of(synapses).has_one_sign else -1.0
    wire = Projection("input", "n", np.array([[1.0], [other]]) * weight * np.ones(size))
    circuit = Circuit("c", Input(2), (population,), (wire,), dt, dt if is_discrete else 1e-3)
    n_steps = 100 * circuit.substeps
    drawn = np.log(np.random.default_rng(1).standard_exponential((n_steps, 1, 1)))
    noise = {"n": given(np.repeat(drawn, size, axis=2))} if population.is_random else {}
    found = torch_engine.run(
        circuit, Chunk(1, n_steps, {"input": TRAINS}, {}, noise), [Watch("n", "v", np.arange(size))], device="cpu"
    )
    spikes = np.zeros((n_steps, size))
    np.add.at(spikes, (found.events["n"].step, found.events["n"].neuron), 1)
    return found.recorded[0][0], spikes


def tried(record, name):
    """Other values of a number that its record takes."""
    value = getattr(record, name)
    for other in (value * 1.2, value * 0.8, value * 2, value * 0.1, value + 5e-3, value - 5e-3):
        try:
            replace(record, **{name: other})
        except InputError:
            continue
        yield other


def unread(parameters, values):
    """Return the names of which no other value changes anything; (name, usual value, other value), one a neuron."""
    size = 1 + len(values)
    varying = {}
    for place, (name, usual, other) in enumerate(values, start=1):
        varying.setdefault(name, np.full(size, usual))[place] = other
    membrane, spikes = answers(parameters, varying, size)
    assert spikes[:, 0].sum() > 2 or not models.neuron_of(parameters).sends_spikes
    differs = ((membrane != membrane[:, :1]) | (spikes != spikes[:, :1])).any(0)[1:]
    return {v[0] for v in values} - {v[0] for v, d in zip(values, differs, strict=True) if d}


@pytest.mark.parametrize("kind", NEURONS)
def test_every_number_of_every_neuron_changes_what_it_does(kind):
    parameters, _ = NEURONS[kind]
    names = [f.name for f in fields(kind) if f.name not in ONE_FOR_ALL]
    special = [n for n in names if (kind, n) in READ_WITH]
    values = [(n, getattr(parameters, n), v) for n in names if n not in special for v in tried(parameters, n)]
    assert not unread(parameters, values)
    for name in special:
        other = replace(parameters, **READ_WITH[kind, name])
        assert not unread(other, [(name, getattr(other, name), v) for v in tried(other, name)])


@pytest.mark.parametrize("kind", NEURONS)
def test_every_choice_of_every_neuron_changes_what_it_does(kind):
    parameters, _ = NEURONS[kind]
    if models.neuron_of(parameters).is_discrete and hasattr(parameters, "v_reset"):
        parameters = replace(parameters, v_reset=0.0)  # which every reset takes
    plain = answers(parameters, {}, 1)
    for name in [f.name for f in fields(kind) if f.name in ONE_FOR_ALL]:
        if name == "dt":
            others = [replace(parameters, dt=parameters.dt / 2)]
        else:
            choices = set(get_args(get_type_hints(kind)[name])) - {getattr(parameters, name)}
            others = []
            for choice in choices:
                try:
                    others.append(replace(parameters, **{name: choice}))
                except InputError as error:
                    assert name in str(error)
        assert others
        for other in others:
            assert any((a != b).any() for a, b in zip(answers(other, {}, 1), plain, strict=True)), (name, other)


@pytest.mark.parametrize("kind", NEURONS)
def test_every_constant_that_varies_changes_something_or_is_refused(kind):
    parameters, drive = NEURONS[kind]
    own = {f.name for f in fields(kind)}
    dt = 1e-3 if models.neuron_of(parameters).is_discrete else 2e-4
    known = constants_of(Population("n", 1, parameters, drive), dt)
    read = []
    for name, value in known.items():
        if name in own or isinstance(value, str | bool):
            continue
        try:
            constants_of(Population("n", 1, parameters, drive, varying={name: [1.0]}), dt)
        except InputError as error:
            assert f"{name!r} is read by no formula" in str(error)
            continue
        read.append((name, value, value * 1.2 + 1e-3))
    assert len(read) >= 1
    assert not unread(parameters, read)


@pytest.mark.parametrize("kind", WEIGHTS)
def test_every_number_of_every_synapse_changes_what_the_neuron_does(kind):
    parameters, _ = NEURONS[LIFParameters]
    plain = answers(parameters, {}, 1, kind())[0]
    for field in fields(kind):
        others = [replace(kind(), **{field.name: value}) for value in tried(kind(), field.name)]
        assert any((answers(parameters, {}, 1, other)[0] != plain).any() for other in others), field.name
