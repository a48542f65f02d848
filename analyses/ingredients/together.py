"""Many cases as one circuit of disjoint populations, so that compiled engines build one program for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import xarray as xr
from ingredient import Case

import neurosim.biophysics as nb


def together(cases: Mapping[str, Case]) -> Case:
    """Return one case of all: populations are renamed for their case, inputs of one name are one input.

    What is random belongs to the name of its population, so that a case answers the same together and alone.
    """
    first = next(iter(cases.values())).circuit
    inputs: dict[str, nb.Input] = {}
    shown: dict[str, xr.DataArray] = {}
    populations: list[nb.Population] = []
    wires: list[nb.Projection] = []
    for name, case in cases.items():
        if (case.circuit.dt, case.circuit.step) != (first.dt, first.step):
            raise ValueError(f"{name}: its steps are others than those of the first case.")
        for i in case.circuit.all_inputs:
            spikes = case.shown[i.name]
            if inputs.setdefault(i.name, i) != i or not shown.setdefault(i.name, spikes).identical(spikes):
                raise ValueError(f"{name}: its input {i.name!r} is another one than that of a case before it.")
        new = {p.name: f"{name}: {p.name}" for p in case.circuit.populations}
        populations += [replace(p, name=new[p.name]) for p in case.circuit.populations]
        wires += [
            replace(q, source=new.get(q.source, q.source), target=new[q.target]) for q in case.circuit.projections
        ]
    circuit = replace(first, name="together", inputs=tuple(inputs.values()), populations=populations, projections=wires)
    modulators = [case.modulator for case in cases.values() if case.modulator is not None]
    return Case(circuit, shown, modulators[0] if modulators else None)


def answers(cases: Mapping[str, Case], engine: str, seed: int = 0) -> dict[str, object]:
    """Return what each case answers when all run at once: times and neurons of its spikes, or its last weights."""
    one = together(cases)
    if any(q.plasticity for q in one.circuit.projections):
        found = nb.learn(one.circuit, one.shown, modulator=one.modulator, rng=seed, engine=engine)
        return dict(zip(cases, (weights.values[-1] for weights in found.weights.values()), strict=True))
    found = nb.simulate(one.circuit, one.shown, engine=engine, rng=seed, monitors=nb.Monitors(spike_times=True))
    unit, times = found["spike_unit"].values, found["spike_time"].values
    layers = found["responses"]["layer"].values
    answer: dict[str, object] = {}
    for name, case in cases.items():
        own = layers == f"{name}: {case.circuit.populations[0].name}"
        answer[name] = times[own[unit]], unit[own[unit]] - own.argmax()
    return answer
