"""What the engines share: the step of a population, its numbers, and what goes into and comes out of a run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurosim.biophysics.circuit import Circuit, Population
from neurosim.biophysics.formulas import Functions, Quantities, State, Step, Text, as_code, as_expression
from neurosim.biophysics.models import Numbers
from neurosim.parameters import as_dict
from neurosim.schema import InputError, suggest


@dataclass(frozen=True)
class Chunk:
    """What some copies of a circuit are shown; a copy is one trial of one stimulus.

    Parameters
    ----------
    n_copies : number of copies. n_steps : number of simulation steps of ``circuit.dt``.
    spikes : input spikes (copy, time, input unit), one sample every ``circuit.step``; None where there are none.
    external : graded input of a population, (copy, time, neuron), or (copy, 1, neuron) where it is constant.
    noise : random numbers of a population, (simulation step, copy, neuron): standard normal, or log-exponential where
        spikes escape.
    """

    n_copies: int
    n_steps: int
    spikes: np.ndarray | None = None
    external: Mapping[str, np.ndarray] = field(default_factory=dict)
    noise: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Events:
    """Spikes of one population: simulation step, copy and neuron of each, sorted by step, copy and neuron."""

    step: np.ndarray
    copy: np.ndarray
    neuron: np.ndarray

    @staticmethod
    def sorted(step: np.ndarray, copy: np.ndarray, neuron: np.ndarray) -> Events:
        """Return events in their canonical order, which no engine, chunk or thread changes."""
        order = np.lexsort((neuron, copy, step))
        return Events(step[order], copy[order], neuron[order])


@dataclass(frozen=True)
class Run:
    """What came out: spikes of every population, and the membrane (copy, step, watched neuron) of some.

    `broken` names the populations with a membrane that is no finite number at the end.
    """

    events: Mapping[str, Events]
    membrane: Mapping[str, np.ndarray]
    broken: tuple[str, ...] = ()


def constants_of(population: Population, dt: float) -> dict[str, Any]:
    """Return every number that the formulas of a population name, one or one a neuron, and its choices as words."""
    neuron, synapse = population.model, population.synapse_model
    numbers = as_dict(population.parameters) | {
        k: v for k, v in population.varying.items() if k in as_dict(population.parameters)
    }
    constants = neuron.constants(numbers, dt) | synapse.constants(as_dict(population.synapses), dt)
    known = {*constants, *numbers, *(("noise_scale",) if population.noise else ())}
    unknown = [k for k in population.varying if k not in known]
    if unknown:
        raise InputError(
            f"Population {population.name!r}: varying {unknown[0]!r} is no number of its model. "
            f"Known: {', '.join(dict.fromkeys([*numbers, *constants]))}.{suggest(unknown[0], constants)}"
        )
    given = {k: v for k, v in population.varying.items() if k in constants}
    unread = (
        {k for k in given if k not in numbers} - _read(population, constants) if given.keys() - numbers.keys() else ()
    )
    if unread:
        raise InputError(
            f"Population {population.name!r}: varying {min(unread)!r} is read by no formula of its neuron and synapses."
        )
    constants |= given
    if population.noise:
        if not neuron.is_discrete and "leak_decay" not in constants:
            raise InputError(f"Population {population.name!r}: noise needs a leaky membrane, {neuron.name!r} has none.")
        a_step = 1.0 if neuron.is_discrete else np.sqrt(1 - constants["leak_decay"] ** 2)
        constants["noise_scale"] = population.varying.get("noise_scale", population.noise * a_step)
    return constants


def _read(population: Population, constants: Numbers) -> set[str]:
    """Return the names that the formulas of a population, or the values from which it starts, name."""
    model = population.model
    state = initial_state(population, constants)
    names: dict[str, Text | str | bool] = {k: Text(k) for k in (*state, *constants, "drive", "xi", "noise_scale")}
    names |= {k: v for k, v in constants.items() if isinstance(v, str | bool)}
    code = [as_code(population_step(population), names), as_expression(model.distance, names)]
    code += [as_code(model.reset, names), *(v for v in model.state.values() if isinstance(v, str))]
    return {*re.findall(r"[A-Za-z_]\w*", " ".join(code)), *(("leak_decay",) if population.noise else ())}


def initial_state(population: Population, constants: Numbers) -> dict[str, Any]:
    """Return the value from which every variable of a population starts, one or one a neuron."""
    neuron, synapse = population.model, population.synapse_model
    state = {k: constants[v] if isinstance(v, str) else v for k, v in neuron.state.items()}
    return state | dict.fromkeys((*synapse.state, *synapse.arrivals), 0.0)


def population_step(population: Population) -> Step:
    """Return the step of a population: its synapses, then its membrane; arrivals are used up."""
    neuron, synapse = population.model, population.synapse_model

    def step(x: State, m: Functions) -> Quantities:
        synaptic, brought = synapse.step(x, m)
        x.__dict__.update(brought)
        x.noise = x.noise_scale * x.xi if population.noise else None
        return {**synaptic, **neuron.update(x, m), **dict.fromkeys(synapse.arrivals, 0.0)}

    return step


def arrival_of(population: Population, sign: int) -> str:
    """Return the variable in which weights of this sign (1 or -1) arrive."""
    arrivals = population.synapse_model.arrivals
    return arrivals[0] if sign > 0 or len(arrivals) == 1 else arrivals[1]


def check_exploded(circuit: Circuit, run: Run, chunk: Chunk) -> None:
    """Raise when a membrane is no finite number, or a continuous population fires in more than half of all steps."""
    if run.broken:
        raise InputError(
            f"simulate: the membrane of {run.broken[0]!r} of {circuit.name} is no finite number any more; "
            "take a shorter dt, or weaken its drive and weights."
        )
    if circuit.is_discrete or circuit.substeps == 1:
        return
    for name, spikes in run.events.items():
        places = chunk.n_copies * circuit.population(name).size * chunk.n_steps
        if len(spikes.step) > 0.5 * places:
            raise InputError(
                f"simulate: {name!r} of {circuit.name} exploded: {len(spikes.step) / places:.0%} of all steps hold a "
                "spike; give it a refractory period, or weaken its recurrent weights."
            )
