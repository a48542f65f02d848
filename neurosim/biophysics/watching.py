"""Which variables of which neurons a simulation records, by the names that users give."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import Watch
from neurosim.biophysics.plain_numbers import is_whole
from neurosim.schema import InputError, suggest

_NAME = re.compile(r"(.+)\.([A-Za-z_]\w*)(?:/(\d+))?")


def membranes(circuit: Circuit, asked: Sequence[str]) -> list[Watch]:
    """Return the membranes of the populations, or of the units such as "hidden1/3", that are asked for."""
    chosen: dict[str, list[int]] = {}
    for name in _listed(asked):
        layer, _, index = (name, "", "") if name in circuit.sizes else name.rpartition("/")
        chosen.setdefault(layer or name, []).extend(_units(circuit, layer or name, index))
    return [Watch(p.name, "v", np.unique(chosen[p.name])) for p in circuit.populations if p.name in chosen]


def variables(circuit: Circuit, asked: Sequence[str], every: float | None) -> list[Watch]:
    """Return the variables that are asked for, such as "hidden1.w" or "cells.nmda_level/3", `every` so many seconds."""
    every = circuit.step if every is None else every
    steps = every / circuit.dt if 0 < every <= 1e4 else 0.0
    if not is_whole(steps) or round(steps) < 1:
        raise InputError(
            f"simulate: record_every = {every:g} s is no whole number of steps of {circuit.dt:g} s, 1 or more."
        )
    chosen: dict[tuple[str, str], list[int]] = {}
    for name in _listed(asked):
        found = _NAME.fullmatch(name)
        if found is None:
            raise InputError(f"simulate: record = {name!r}; a variable such as 'cells.v' or 'cells.v/3' is asked.")
        layer, variable, index = found.groups(default="")
        known = circuit.population(layer).units
        if variable not in known:
            raise InputError(
                f"simulate: {layer!r} has no variable {variable!r} to record; it has {', '.join(known)}."
                f"{suggest(variable, known)}"
            )
        chosen.setdefault((layer, variable), []).extend(_units(circuit, layer, index))
    watches = [
        Watch(layer, circuit.population(layer).variables[name], np.unique(index), round(steps), name)
        for (layer, name), index in chosen.items()
    ]
    _check_alike(watches)
    return watches


def _listed(asked: Sequence[str]) -> list[str]:
    return [str(name) for name in ([asked] if isinstance(asked, str) else asked)]


def _units(circuit: Circuit, layer: str, index: str) -> list[int]:
    """Return the neurons that a name means: one, or all of them."""
    size = circuit.population(layer).size
    if index and not (index.isdigit() and int(index) < size):
        raise InputError(f"simulate: no unit '{layer}/{index}'; {layer!r} has units {layer}/0 to {layer}/{size - 1}.")
    return [int(index)] if index else list(range(size))


def _check_alike(watches: Sequence[Watch]) -> None:
    """Raise where two variables of one population are asked for of different neurons: they share one dim."""
    first: dict[str, Watch] = {}
    for watch in watches:
        other = first.setdefault(watch.population, watch)
        if not np.array_equal(other.index, watch.index):
            raise InputError(
                f"simulate: {other.key} and {watch.key} are asked of different neurons; record the same ones of both."
            )
