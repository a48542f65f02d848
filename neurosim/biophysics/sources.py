"""What reaches a population beside the stimulus: background spikes and injected currents, drawn for every trial."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from neurosim.biophysics.background import Poisson
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.courses import Course, Following, total
from neurosim.biophysics.dynamics import arrival_of
from neurosim.biophysics.injection import begun, check_lasts, current_of, receives
from neurosim.biophysics.populations import Population
from neurosim.runtime import stream
from neurosim.schema import InputError

MOST_A_STEP = 1e15  # above it numpy draws no Poisson numbers


def arrivals_of(population: Population) -> list[str]:
    """Return the variables in which the background of a population arrives."""
    return list(dict.fromkeys(_arrival(population, i) for i in range(len(population.background))))


def _arrival(population: Population, index: int) -> str:
    record = population.background[index]
    return arrival_of(population, 1 if record.weight > 0 else -1, record.receptor)


def backgrounds(
    circuit: Circuit, copies: Sequence[tuple[str, int]], n_steps: int, seed: int
) -> dict[tuple[str, str], Course]:
    """Return what the background brings in every step to copies (stimulus, trial), by population and arrival."""
    found: dict[tuple[str, str], list[int]] = {}
    for p in circuit.populations:
        for i, record in enumerate(p.background):
            mean = float(np.max(record.n * np.asarray(record.rate) * circuit.dt))
            if mean > MOST_A_STEP:
                raise InputError(
                    f"simulate: the background of {p.name!r} brings {mean:g} spikes in a step; lower its rate."
                )
            found.setdefault((p.name, _arrival(p, i)), []).append(i)

    def arriving(p: Population, i: int, copy: tuple[str, int]) -> Callable[[], Following]:
        key = (seed, "background", p.name, i, *copy)
        return lambda: _counted(p.background[i], circuit.dt, p.size, stream(*key))

    courses = {}
    for (name, arrival), places in found.items():
        p = circuit.population(name)
        each = [total([arriving(p, i, copy) for i in places], p.size) for copy in copies]
        courses[name, arrival] = Course(n_steps, p.size, each)
    return courses


def _counted(record: Poisson, dt: float, size: int, draw: np.random.Generator) -> Following:
    """Return what gives the weight (step, neuron) that a background brings in the next n steps."""
    mean, receiving = record.n * np.broadcast_to(record.rate, (size,)) * dt, receives(record, size)
    return lambda n: record.weight * draw.poisson(mean, (n, size)) * receiving


def injections(circuit: Circuit, copies: Sequence[tuple[str, int]], n_steps: int, seed: int) -> dict[str, Course]:
    """Return the sum of the currents injected in every step into copies (stimulus, trial), by population."""

    def injected(p: Population, i: int, copy: tuple[str, int]) -> Callable[[], Following]:
        record, model = p.currents[i], current_of(p.currents[i])
        assert model is not None  # refused by the population
        return lambda: begun(model, record, circuit.dt, p.size, stream(seed, "current", p.name, i, *copy))

    courses = {}
    for p in circuit.populations:
        if not p.currents:
            continue
        models = [model for model in map(current_of, p.currents) if model is not None]
        for model, record in zip(models, p.currents, strict=True):
            check_lasts(model, record, n_steps * circuit.dt)
        is_random = any(model.is_random for model in models)
        each = [
            total([injected(p, i, copy) for i in range(len(models))], p.size)
            for copy in (copies if is_random else copies[:1])
        ]
        each[0]()  # refuses what does not fit the steps before anything runs
        courses[p.name] = Course(n_steps, p.size, each if is_random else each * len(copies))
    return courses


def refuse_sources(circuit: Circuit, who: str) -> None:
    """Raise where a population has a background or currents, for which a circuit is no trained network."""
    for p in circuit.populations:
        if p.background or p.currents:
            raise InputError(
                f"{who}: {p.name!r} has a background or currents, which it does not take; add them to the "
                "circuit afterwards."
            )
