"""What reaches a population beside the stimulus: background spikes and injected currents, drawn for every trial."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import arrival_of
from neurosim.biophysics.injection import course, current_of, receives
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
) -> dict[tuple[str, str], np.ndarray]:
    """Draw what the background brings in every step to copies (stimulus, trial): (step, copy, neuron) by arrival."""
    found: dict[tuple[str, str], np.ndarray] = {}
    for p in circuit.populations:
        for i, record in enumerate(p.background):
            mean = record.n * np.broadcast_to(record.rate, (p.size,)) * circuit.dt
            if mean.max() > MOST_A_STEP:
                raise InputError(
                    f"simulate: the background of {p.name!r} brings {mean.max():g} spikes in a step; lower its rate."
                )
            key = p.name, _arrival(p, i)
            brought = found.setdefault(key, np.zeros((n_steps, len(copies), p.size)))
            for c, (stimulus, trial) in enumerate(copies):
                draw = stream(seed, "background", p.name, i, stimulus, trial)
                brought[:, c] += record.weight * draw.poisson(mean, (n_steps, p.size)) * receives(record, p.size)
    return found


def injections(circuit: Circuit, copies: Sequence[tuple[str, int]], n_steps: int, seed: int) -> dict[str, np.ndarray]:
    """Return the sum of the currents injected in every step into copies (stimulus, trial): (step, copy, neuron)."""
    found: dict[str, np.ndarray] = {}
    for p in circuit.populations:
        for i, record in enumerate(p.currents):
            model = current_of(record)
            assert model is not None  # refused by the population
            total = found.setdefault(p.name, np.zeros((n_steps, len(copies), p.size)))
            for c, (stimulus, trial) in enumerate(copies):
                draw = stream(seed, "current", p.name, i, stimulus, trial)
                if c == 0 or model.is_random:
                    now = course(model, record, n_steps, circuit.dt, p.size, draw)
                total[:, c] += now
    return found


def refuse_sources(circuit: Circuit, who: str) -> None:
    """Raise where a population has a background or currents, for which a circuit is no trained network."""
    for p in circuit.populations:
        if p.background or p.currents:
            raise InputError(
                f"{who}: {p.name!r} has a background or currents, which it does not take; add them to the "
                "circuit afterwards."
            )
