"""What the engines share: the step of a population, its numbers, and what goes into and comes out of a run."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.courses import Course
from neurosim.biophysics.formula_guard import RESERVED
from neurosim.biophysics.formulas import (
    Brought,
    Functions,
    Quantities,
    Quantity,
    State,
    Step,
    Text,
    as_code,
    as_expression,
)
from neurosim.biophysics.models import Numbers, named
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.parameters import as_dict
from neurosim.schema import InputError, suggest


@dataclass(frozen=True)
class Chunk:
    """What some copies of a circuit are shown; a copy is one trial of one stimulus.

    Parameters
    ----------
    n_copies : number of copies. n_steps : number of simulation steps of ``circuit.dt``.
    spikes : spikes (copy, time, unit) of each input that sends some, one sample every ``circuit.step``.
    external : graded input of a population, (copy, time, neuron), or (copy, 1, neuron) where it is constant.
    noise : random numbers of a population in every simulation step: standard normal, or log-exponential where spikes
        escape.
    background : what arrives from outside at a variable of a population in every step, by (population, variable).
    currents : injected into a population beside its drive in every step.
    seeds : first draw (copy, synapse) of every synapse that fails at random, by the index of its projection.
    learns : whether weights change.
    modulator : third factor of plasticity in every simulation step; None where there is none.
    kept_every : simulation steps between two records of the plastic weights; 0 is none.
    totals : sum to which the weights onto each target are scaled, by the index of a plastic projection.
    scaled_every : simulation steps between two such scalings, the first of them before the first step.
    """

    n_copies: int
    n_steps: int
    spikes: Mapping[str, np.ndarray] = field(default_factory=dict)
    external: Mapping[str, np.ndarray] = field(default_factory=dict)
    noise: Mapping[str, Course] = field(default_factory=dict)
    seeds: Mapping[int, np.ndarray] = field(default_factory=dict)
    background: Mapping[tuple[str, str], Course] = field(default_factory=dict)
    currents: Mapping[str, Course] = field(default_factory=dict)
    learns: bool = False
    modulator: np.ndarray | None = None
    kept_every: int = 0
    totals: Mapping[int, float] = field(default_factory=dict)
    scaled_every: int = 0

    def is_ruled(self, projection: Projection) -> bool:
        """Whether spikes of a projection bring a changing share of their weight, or its weights change."""
        return projection.release is not None or (self.learns and projection.plasticity is not None)


@dataclass(frozen=True)
class Watch:
    """A variable of some neurons (`index`) of a population, recorded at the end of the first of every `every` steps.

    `name` is how users know the variable. Where `projection` is the index of a projection, `population` is its name
    and `index` holds places among its synapses.
    """

    population: str
    variable: str
    index: np.ndarray
    every: int = 1
    name: str = "v"
    projection: int | None = None

    def n_records(self, n_steps: int) -> int:
        """Return how often it is recorded in `n_steps` steps."""
        return -(-n_steps // self.every)

    @property
    def key(self) -> str:
        """What names it in results and messages."""
        return f"{self.population}.{self.name}"


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
    """What came out: spikes of every population, and of each watch what it recorded, (copy, record, neuron).

    `broken` names the populations with a membrane that is no finite number at the end; `weights` holds those of plastic
    projections (record, synapse) by their index, the last record being that at the end.
    """

    events: Mapping[str, Events]
    recorded: Sequence[np.ndarray]
    broken: tuple[str, ...] = ()
    weights: Mapping[int, np.ndarray] = field(default_factory=dict)


def constants_of(population: Population, dt: float) -> dict[str, Any]:
    """Return every number that the formulas of a population name, one or one a neuron, and its choices as words."""
    neuron = population.model
    fixed = population.numbers
    numbers = fixed | {k: v for k, v in population.varying.items() if k in fixed}
    constants, received = neuron.constants(numbers, dt), receptor_constants(population, dt)
    taken = [k for k in (*neuron.state, *constants) if k in RESERVED]
    if taken:
        raise InputError(
            f"Population {population.name!r}: {taken[0]!r} of the neuron {neuron.name!r} means something else in "
            "Brian2; call it otherwise."
        )
    twice = [k for k in (*received, *population.receptor_state) if k in constants or k in neuron.state]
    if twice:
        receptor = next(r for r in population.receptors if twice[0].startswith(r))
        raise InputError(
            f"Population {population.name!r}: the receptor {receptor!r} and its neuron both have {twice[0]!r}; give "
            "the receptor another name."
        )
    constants |= received
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


def receptor_constants(population: Population, dt: float) -> dict[str, Any]:
    """Return the constants of all receptors of a population, under the names that they have there."""
    return {
        named(receptor, k): value
        for receptor, numbers in population.receptors.items()
        for k, value in population.receptor_models[receptor].constants(as_dict(numbers), dt).items()
    }


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
    state = {k: constants[v] if isinstance(v, str) else v for k, v in population.model.state.items()}
    state |= dict.fromkeys(population.receptor_state, 0.0)
    return state | {population.variables[k]: v for k, v in population.initial.items()}


def population_step(population: Population) -> Step:
    """Return the step of a population: its synapses, then its membrane; arrivals are used up."""
    neuron, receive = population.model, receptors_step(population)

    def step(x: State, m: Functions) -> Quantities:
        synaptic, brought = receive(x, m)
        x.__dict__.update(brought)
        x.noise = x.noise_scale * x.xi if population.noise else None
        return {**synaptic, **neuron.update(x, m)}

    return step


def receptors_step(population: Population) -> Callable[[State, Functions], tuple[Quantities, Brought]]:
    """Return the step of all receptors: their new state, arrivals used up, and the sum of what they bring."""
    models, any_dt = population.receptor_models, 1e-3
    names = {
        r: {
            k: named(r, k)
            for k in (*model.state, *model.arrivals, *model.constants(as_dict(population.receptors[r]), any_dt))
        }
        for r, model in models.items()
    }

    def step(x: State, m: Functions) -> tuple[Quantities, Brought]:
        new: Quantities = {}
        total: Brought = {"kick": None, "i_syn": None, "g_syn": None}
        for r, model in models.items():
            seen = State(**(vars(x) | {k: vars(x)[own] for k, own in names[r].items()})) if r else x
            state, brought = model.step(seen, _Prefixed(r, m) if r else m)
            new |= {named(r, k): value for k, value in state.items()}
            new |= {named(r, k): 0.0 for k in model.arrivals}
            for k, value in brought.items():
                before = total[k]
                total[k] = before if value is None else value if before is None else before + value
        return new, total

    return step


class _Prefixed:
    """The functions of a step, whose intermediate values are named for a receptor."""

    def __init__(self, receptor: str, functions: Functions) -> None:
        self._receptor, self._functions = receptor, functions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._functions, name)

    def let(self, name: str, value: Quantity) -> Quantity:
        """Compute `value` once under a name."""
        return self._functions.let(named(self._receptor, name), value)


def sent_by(circuit: Circuit, projection: Projection) -> str:
    """Return the variable of the source that a projection passes on at every step; "" is spikes."""
    return circuit.population(projection.target).receptor_models[projection.receptor].sends


def arrival_of(population: Population, sign: int, receptor: str = "") -> str:
    """Return the variable in which weights of this sign (1 or -1) arrive at a receptor."""
    arrivals = population.receptor_models[receptor].arrivals
    return named(receptor, arrivals[0] if sign > 0 or len(arrivals) == 1 else arrivals[1])


def check_exploded(circuit: Circuit, run: Run, chunk: Chunk) -> None:
    """Raise when a continuous population fires in more than half of all steps."""
    if circuit.is_discrete or circuit.substeps == 1:
        return
    for name, spikes in run.events.items():
        places = chunk.n_copies * circuit.population(name).size * chunk.n_steps
        if len(spikes.step) > 0.5 * places:
            raise InputError(
                f"simulate: {name!r} of {circuit.name} exploded: {len(spikes.step) / places:.0%} of all steps hold a "
                "spike; give it a refractory period, or weaken its recurrent weights."
            )
