"""Which variables of which neurons and synapses a simulation records, by the names that users give."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import Watch
from neurosim.biophysics.plain_numbers import is_whole
from neurosim.biophysics.projections import Projection, names_of
from neurosim.biophysics.ruled import Ruled
from neurosim.schema import InputError, suggest

_NAME = re.compile(r"(.+)\.([A-Za-z_]\w*)(?:/(\d+|\d*->\d*))?")


def unit_of(circuit: Circuit, watch: Watch, learns: bool) -> str:
    """Return the unit of what is recorded."""
    if watch.projection is None:
        return circuit.population(watch.population).units[watch.name]
    return Ruled(circuit, circuit.projections[watch.projection], learns).variables[watch.name]


def membranes(circuit: Circuit, asked: Sequence[str]) -> list[Watch]:
    """Return the membranes of the populations, or of the units such as "hidden1/3", that are asked for."""
    chosen: dict[str, list[int]] = {}
    for name in _listed(asked):
        layer, _, index = (name, "", "") if name in circuit.sizes else name.rpartition("/")
        chosen.setdefault(layer or name, []).extend(_units(circuit, layer or name, index, "simulate"))
    return [Watch(p.name, "v", np.unique(chosen[p.name])) for p in circuit.populations if p.name in chosen]


def variables(
    circuit: Circuit, asked: Sequence[str], every: float | None, *, learns: bool = False, who: str = "simulate"
) -> list[Watch]:
    """Return the variables that are asked for, such as "cells.w/3" or "a->b.used/0->3", `every` so many seconds.

    Weights and traces of plasticity are there where the circuit `learns`.
    """
    every = circuit.step if every is None else every
    steps = every / circuit.dt if 0 < every <= 1e4 else 0.0
    if not is_whole(steps) or round(steps) < 1:
        raise InputError(
            f"{who}: record_every = {every:g} s is no whole number of steps of {circuit.dt:g} s, 1 or more."
        )
    projections = {name: i for i, name in names_of(circuit.projections).items()}
    chosen: dict[tuple[str, str], list[int]] = {}
    for name in _listed(asked):
        found = _NAME.fullmatch(name)
        if found is None:
            raise InputError(
                f"{who}: record = {name!r}; a variable such as 'cells.v', 'cells.v/3' or 'input->cells.used' is asked."
            )
        layer, variable, index = found.groups(default="")
        if layer in circuit.sizes or "->" not in layer:
            _check_known(layer, variable, circuit.population(layer).units, who)
            places = _units(circuit, layer, index, who)
        else:
            places = _synapses(circuit, projections, layer, variable, index, learns, who)
        chosen.setdefault((layer, variable), []).extend(places)
    watches = []
    for (layer, name), places in chosen.items():
        place = None if layer in circuit.sizes else projections[layer]
        own = circuit.population(layer).variables[name] if place is None else name
        watches.append(Watch(layer, own, np.unique(places), round(steps), name, place))
    _check_alike(watches, who)
    return watches


def _listed(asked: Sequence[str]) -> list[str]:
    return [str(name) for name in ([asked] if isinstance(asked, str) else asked)]


def _check_known(layer: str, variable: str, known: dict[str, str], who: str) -> None:
    if variable not in known:
        raise InputError(
            f"{who}: {layer!r} has no variable {variable!r} to record; it has {', '.join(known)}."
            f"{suggest(variable, known)}"
        )


def _units(circuit: Circuit, layer: str, index: str, who: str) -> list[int]:
    """Return the neurons that a name means: one, or all of them."""
    size = circuit.population(layer).size
    if index and not (index.isdigit() and int(index) < size):
        raise InputError(f"{who}: no unit '{layer}/{index}'; {layer!r} has units {layer}/0 to {layer}/{size - 1}.")
    return [int(index)] if index else list(range(size))


def _synapses(
    circuit: Circuit, projections: dict[str, int], layer: str, variable: str, index: str, learns: bool, who: str
) -> list[int]:
    """Return the places of the synapses that a name means: all, those of a neuron ("3->", "->5"), or one ("3->5")."""
    if layer not in projections:
        raise InputError(
            f"{who}: no projection {layer!r} with release or plasticity; there is {', '.join(projections) or 'none'}."
            f"{suggest(layer, projections)}"
        )
    projection = circuit.projections[projections[layer]]
    known, learned = (Ruled(circuit, projection, also_weights).variables for also_weights in (learns, True))
    if variable not in known and variable in learned:
        raise InputError(f"{who}: {layer}.{variable} stays as it is here; learn(record=...) records how it changes.")
    if not known:
        asked = "release or plasticity" if learns else "release"
        raise InputError(f"{who}: {layer!r} has no variable to record; those of its {asked} are, where it has some.")
    _check_known(layer, variable, known, who)
    return _between(projection, layer, index, who)


def _between(projection: Projection, layer: str, index: str, who: str) -> list[int]:
    """Return the places of the synapses between the neurons that are named."""
    source, target, _ = projection.synapses()
    first, arrow, second = index.partition("->")
    there = np.ones(len(source), bool)
    for name, values in ((first, source), (second, target)):
        there &= (values == int(name)) if name else True
    if (index and not arrow) or not there.any():
        such = [
            f", such as '{i}->{j}' ('{i}->' is all from a neuron)" for i, j in zip(source[:1], target, strict=False)
        ]
        raise InputError(f"{who}: no synapse {f'{layer}/{index}'!r}; there are {len(source)}{''.join(such)}.")
    return [int(place) for place in np.flatnonzero(there)]


def _check_alike(watches: Sequence[Watch], who: str) -> None:
    """Raise where two variables of one population are asked for of different neurons: they share one dim."""
    first: dict[str, Watch] = {}
    for watch in watches:
        other = first.setdefault(watch.population, watch)
        if not np.array_equal(other.index, watch.index):
            things = "neurons" if watch.projection is None else "synapses"
            raise InputError(
                f"{who}: {other.key} and {watch.key} are asked of different {things}; record the same ones of both."
            )
