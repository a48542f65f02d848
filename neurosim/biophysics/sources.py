"""What reaches a population beside the stimulus: background spikes and injected currents, drawn for every trial."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from neurosim.biophysics.background import Poisson
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.courses import Course, Following, total
from neurosim.biophysics.dynamics import arrival_of
from neurosim.biophysics.injection import CurrentModel, begun, check_lasts, current_of, receives
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
    mean = record.n * (record.rate if np.ndim(record.rate) == 0 else np.broadcast_to(record.rate, (size,))) * dt
    receiving = record.weight * receives(record, size)
    return lambda n: draw.poisson(mean, (n, size)) * receiving


def injections(circuit: Circuit, copies: Sequence[tuple[str, int]], n_steps: int, seed: int) -> dict[str, Course]:
    """Return the sum of the currents injected in every step into copies (stimulus, trial), by population."""
    courses = {}
    for p in circuit.populations:
        if not p.currents:
            continue
        models = _models(p)
        for model, record in zip(models, p.currents, strict=True):
            check_lasts(model, record, n_steps * circuit.dt)
        column, size = columns_of(p, circuit.dt)
        chosen = None if column is None else np.unique(column, return_index=True)[1]
        is_random = any(model.is_random for model in models)
        each = [
            total([_injected(p, i, circuit.dt, chosen, (seed, copy)) for i in range(len(models))], size)
            for copy in (copies if is_random else copies[:1])
        ]
        courses[p.name] = Course(n_steps, size, each if is_random else each * len(copies), column)
    return courses


def _injected(
    p: Population, i: int, dt: float, chosen: np.ndarray | None, drawn_for: tuple[int, tuple[str, int]]
) -> Callable[[], Following]:
    """Return what begins a current of a population in one copy."""
    (seed, copy), record, model = drawn_for, p.currents[i], _models(p)[i]
    return lambda: begun(model, record, dt, p.size, stream(seed, "current", p.name, i, *copy), chosen)


def columns_of(population: Population, dt: float) -> tuple[np.ndarray | None, int]:
    """Return the place of the current of each neuron among those that differ, None where all may, and their number.

    A current that does not fit the steps is refused.
    """
    draw, first, size = np.random.default_rng(0), np.arange(1), population.size
    begun = [m.begin(r, dt, size, draw) for m, r in zip(_models(population), population.currents, strict=True)]
    if any(values(first).shape[1] != 1 for values in begun):
        return None, size
    received = np.stack([receives(record, size) for record in population.currents])
    different, column = np.unique(received, axis=1, return_inverse=True)
    return column.ravel(), different.shape[1]


def _models(population: Population) -> list[CurrentModel]:
    """Return what the currents of a population are; the population refused others."""
    return [model for model in map(current_of, population.currents) if model is not None]


def refuse_sources(circuit: Circuit, who: str) -> None:
    """Raise where a population has a background or currents, for which a circuit is no trained network."""
    for p in circuit.populations:
        if p.background or p.currents:
            raise InputError(
                f"{who}: {p.name!r} has a background or currents, which it does not take; add them to the "
                "circuit afterwards."
            )
