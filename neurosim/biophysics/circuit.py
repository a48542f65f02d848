"""A circuit as data: populations, projections and input, in SI units, from which every engine builds.

A circuit can be looked at, and saved (``circuit_files.py``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from neurosim.biophysics.by_value import by_value
from neurosim.biophysics.inputs import INPUT, Input
from neurosim.biophysics.models import named
from neurosim.biophysics.plain_numbers import convert, is_whole, matrix, number, real, scaled
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection, Weights
from neurosim.parameters import Parameters, as_dict, check_choice
from neurosim.schema import InputError, suggest
from neurosim.showing import as_table
from neurosim.units import check_given

MOST_LINES = 14  # populations, and projections, that a text or a table names
ReadoutOf = Literal["spikes", "mean_membrane", "last_membrane", "largest_membrane"]
_TIME = re.compile(r"(^|_)tau(_|$)|^capacitance /")  # numbers that are times within which a step must fit


@by_value
@dataclass(frozen=True, eq=False)
class Readout:
    """How a population names a category: what is read of `source`, times `weights` (source, category), plus `bias`.

    Parameters
    ----------
    source : name of the population that is read.
    weights : (neuron, category), dense or scipy sparse.
    bias : (category,).
    reads : what of each neuron, over time: "spikes" (mean a step), or "mean_membrane", "last_membrane" or
        "largest_membrane".

    Raises
    ------
    InputError : weights that are no matrix, a bias of another length or not finite, another word for what is read.

    Examples
    --------
    >>> ns.biophysics.Readout("cells", [[1.0, -1.0], [-1.0, 1.0]], [0.0, 0.1]).weights.shape
    (2, 2)
    """

    source: str
    weights: Weights
    bias: np.ndarray
    reads: ReadoutOf = "spikes"

    def __post_init__(self) -> None:
        check_choice(self, "reads", get_args(ReadoutOf))
        object.__setattr__(self, "weights", matrix(self.weights, "Readout: weights"))
        object.__setattr__(self, "bias", real(self.bias, "Readout: bias"))
        if self.weights.ndim != 2 or self.bias.shape != self.weights.shape[1:] or not np.isfinite(self.bias).all():
            raise InputError(
                f"Readout: weights (source, category) and a finite bias a category asked, found "
                f"{self.weights.shape} and {self.bias.shape}."
            )


@by_value
@dataclass(frozen=True, eq=False, repr=False)
class Circuit:
    """Populations in the order in which the signal reaches them, and the projections between them.

    Parameters
    ----------
    name : name of the circuit.
    inputs : what it is shown: one input, or several, each with a name of its own.
    populations, projections : see there.
    dt : step of the simulation, s.
    step : step in which input arrives and output is counted, s; a multiple of `dt`.
    readout : how spikes name a category; by default the most active neuron of the last population.
    rung : the rung of the ladder on which the circuit stands.

    Raises
    ------
    InputError : no input, unknown population, weights of the wrong shape or not finite, repeated names, dt above step
        or above the shortest time constant, discrete and continuous neurons mixed.

    Examples
    --------
    >>> cells = ns.biophysics.Population("cells", 2, ns.biophysics.LIFParameters())
    >>> wire = ns.biophysics.Projection("input", "cells", [[4e-3, 2e-3]])
    >>> print(ns.biophysics.Circuit("small", ns.biophysics.Input(1), (cells,), (wire,), dt=1e-4, step=1e-3))
    small: rung exact, dt 0.0001 s, step 0.001 s
      input: 1 units, spikes
      cells: 2 lif, delta synapses
      input -> cells: 2 synapses
    """

    name: str
    inputs: Any
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    dt: float
    step: float
    readout: Readout | None = None
    rung: str = "exact"

    def __post_init__(self) -> None:
        convert(self, f"Circuit {self.name!r}", dt=number, step=number)
        object.__setattr__(self, "populations", tuple(self.populations))
        object.__setattr__(self, "projections", tuple(self.projections))
        self._check_inputs()
        sizes = self.sizes
        if len(sizes) != len(self.populations) + len(self.all_inputs):
            inputs = ", ".join(repr(i.name) for i in self.all_inputs)
            raise InputError(f"Circuit {self.name!r}: population names repeat or one is called {inputs}.")
        if len({p.is_discrete for p in self.populations}) != 1:
            raise InputError(f"Circuit {self.name!r}: there must be neurons, all discrete or all continuous.")
        if not 0 < self.dt <= self.step * (1 + 1e-9):
            raise InputError(f"Circuit {self.name!r}: dt = {self.dt} s is not in 0..step = {self.step} s.")
        if abs(self.step / self.dt - round(self.step / self.dt)) > 1e-6:
            raise InputError(f"Circuit {self.name!r}: step = {self.step} s is not a multiple of dt = {self.dt} s.")
        for p in self.projections:
            self._check_projection(p, sizes)
        for population in self.populations:
            self._check_step(population)
            self._check_reached(population)
        if self.readout is not None:
            n = self.population(self.readout.source).size
            if self.readout.reads == "spikes" and not self.population(self.readout.source).sends_spikes:
                raise InputError(
                    f"Circuit {self.name!r}: the readout reads spikes of {self.readout.source!r}, which sends none; "
                    "reads='mean_membrane', 'last_membrane' or 'largest_membrane'."
                )
            if self.readout.weights.shape[0] != n:
                raise InputError(
                    f"Circuit {self.name!r}: the readout has weights of {self.readout.weights.shape[0]} neurons, "
                    f"{self.readout.source!r} has {n}."
                )

    def __repr__(self) -> str:
        """Return the circuit as a few readable lines."""
        lines = [f"{self.name}: {self._clock}"]
        lines += [f"  {i.name}: {i.size} units, {i.kind}" for i in self.all_inputs]
        lines += [f"  {p.name}: {p.size} {p.about}" for p in self.populations[:MOST_LINES]]
        lines += [f"  {source} -> {target}{onto}: {said}" for source, target, onto, said in self._wires()[:MOST_LINES]]
        more = [len(x) - MOST_LINES for x in (self.populations, self.projections)]
        lines += [
            f"  ... {n} {what} more" for n, what in zip(more, ("populations", "projections"), strict=True) if n > 0
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return the circuit as two small tables, for a notebook."""
        groups = [(i.name, i.size, i.kind) for i in self.all_inputs] + [
            (p.name, p.size, p.about) for p in self.populations
        ]
        wires = [(source, target, onto.strip(" ()"), said) for source, target, onto, said in self._wires()]
        title = f"{self._clock}; {self.n_synapses} synapses"
        below = as_table("", wires[:MOST_LINES], ("from", "to", "receptor", f"of {len(wires)} projections"))
        return as_table(f"{self.name}: {title}", groups[:MOST_LINES], ("name", "size", "what"), below=below)

    @property
    def _clock(self) -> str:
        return f"rung {self.rung}, dt {self.dt:g} s, step {self.step:g} s"

    def _wires(self) -> list[tuple[str, str, str, str]]:
        """Return source, target, receptor and what is told of every projection."""
        return [
            (
                q.source,
                q.target,
                f" ({q.receptor})" if q.receptor else "",
                f"{np.count_nonzero(q.is_there)} synapses{q.delay_text}{q.rules_text}",
            )
            for q in self.projections
        ]

    @property
    def sizes(self) -> dict[str, int]:
        """Number of units of each input and of each population."""
        return {**{i.name: i.size for i in self.all_inputs}, **{p.name: p.size for p in self.populations}}

    @property
    def all_inputs(self) -> tuple[Input, ...]:
        """The inputs, one or several."""
        return (self.inputs,) if isinstance(self.inputs, Input) else self.inputs

    def only_input(self, who: str) -> Input:
        """Return the input of a circuit that has one called ``"input"``; others are refused on behalf of `who`."""
        names = [i.name for i in self.all_inputs]
        if names != [INPUT]:
            raise InputError(
                f"{who}: one input called {INPUT!r} asked, {self.name!r} has {', '.join(map(repr, names))}."
            )
        return self.all_inputs[0]

    def is_graded(self, projection: Projection) -> bool:
        """Whether a projection brings the current of an input, in place of spikes."""
        return any(i.name == projection.source and i.kind == "current" for i in self.all_inputs)

    @property
    def is_discrete(self) -> bool:
        """Whether the neurons advance in whole steps, as in the trained network."""
        return self.populations[0].is_discrete

    @property
    def substeps(self) -> int:
        """Number of simulation steps in one step of the input."""
        return round(self.step / self.dt)

    @property
    def n_synapses(self) -> int:
        """Number of synapses of one copy."""
        return sum(int(np.count_nonzero(p.is_there)) for p in self.projections)

    def population(self, name: str) -> Population:
        """Return the population called `name`."""
        for population in self.populations:
            if population.name == name:
                return population
        names = [p.name for p in self.populations]
        raise InputError(
            f"Circuit {self.name!r}: no population {name!r}. Populations: {', '.join(names)}.{suggest(name, names)}"
        )

    def comes_before(self, source: str, target: str) -> bool:
        """Whether spikes of `source` can reach `target` within one step."""
        order = list(self.sizes)
        return order.index(source) < order.index(target)

    def into(self, name: str) -> tuple[Projection, ...]:
        """Return the projections that arrive at population `name`."""
        return tuple(p for p in self.projections if p.target == name)

    def with_population(self, name: str, **changes: Any) -> Circuit:
        """Return the circuit with fields of one population replaced."""
        self.population(name)
        changed = tuple(replace(p, **changes) if p.name == name else p for p in self.populations)
        return replace(self, populations=changed)

    def adjusted(self, name: str, gain: float | np.ndarray, bias: float | np.ndarray = 0.0) -> Circuit:
        """Return the circuit with all input to `name` multiplied by `gain` and `bias` added to its drive.

        Each is one number, or one a neuron.
        """
        factor = np.broadcast_to(gain, self.population(name).size)
        projections = tuple(p.times(factor) if p.target == name else p for p in self.projections)
        drive = self.population(name).drive * gain + bias
        return replace(self, projections=projections).with_population(name, drive=drive)

    def relayed(self, name: str, factor: np.ndarray) -> Circuit:
        """Return the circuit with what each neuron of `name` sends, to a readout too, multiplied by its `factor`."""
        projections = tuple(q.relayed(factor) if q.source == name else q for q in self.projections)
        readout = self.readout
        if readout is not None and readout.source == name and readout.reads == "spikes":
            readout = replace(readout, weights=scaled(readout.weights.T, factor).T)
        return replace(self, projections=projections, readout=readout)

    def _check_inputs(self) -> None:
        """Raise where there is no input; several inputs become a tuple, one alone is itself."""
        given = self.all_inputs if isinstance(self.inputs, Input | list | tuple) else ()
        if not given or not all(isinstance(i, Input) for i in given):
            raise InputError(f"Circuit {self.name!r}: an Input or several asked, found {type(self.inputs).__name__}.")
        object.__setattr__(self, "inputs", given[0] if len(given) == 1 else tuple(given))
        if len({i.name for i in given}) < len(given):
            raise InputError(
                f"Circuit {self.name!r}: inputs have names of their own, found {', '.join(i.name for i in given)}."
            )

    def _check_projection(self, p: Projection, sizes: dict[str, int]) -> None:
        for name in (p.source, p.target):
            if name not in sizes:
                raise InputError(
                    f"Circuit {self.name!r}: no population {name!r}. Populations: {', '.join(sizes)}."
                    f"{suggest(name, sizes)}"
                )
        asked = (sizes[p.source], sizes[p.target])
        if p.target in [i.name for i in self.all_inputs] or p.weights.shape != asked or not np.isfinite(p.values).all():
            raise InputError(
                f"Circuit {self.name!r}: {p.source}->{p.target} needs finite weights of shape {asked}, "
                f"found {p.weights.shape} with {int((~np.isfinite(p.values)).sum())} not finite."
            )
        if any(k.name == p.source and not k.sends_spikes for k in self.populations):
            raise InputError(
                f"Circuit {self.name!r}: {p.source}->{p.target} starts at units that send no spikes; between "
                "populations spikes are represented."
            )
        self._check_receptor(p)
        self._check_delays(p)
        self._check_graded(p)
        is_ruled = p.release is not None or p.plasticity is not None
        if is_ruled and self.is_graded(p):
            raise InputError(
                f"Circuit {self.name!r}: {p.source}->{p.target} has release or plasticity, which need spikes; the "
                "input is a current."
            )

    def _check_receptor(self, p: Projection) -> None:
        receptors = self.population(p.target).receptors
        if p.receptor not in receptors:
            names = ", ".join(map(repr, receptors)) if "" not in receptors else "one without a name"
            raise InputError(
                f"Circuit {self.name!r}: {p.source}->{p.target} names the receptor {p.receptor!r}; {p.target!r} has "
                f"{names}.{suggest(p.receptor, [*receptors])}"
            )
        model = self.population(p.target).receptor_models[p.receptor]
        asked = self.population(p.target).weight_unit(p.receptor)
        for record, name in ((p, "weights"), (p.plasticity, "w_min"), (p.plasticity, "w_max")):
            check_given(record, name, asked, f"Circuit {self.name!r}: {name} of {p.source}->{p.target}")
        lowest = min(p.values.min(initial=0.0), getattr(p.plasticity, "w_min", 0.0))
        if model.has_one_sign and lowest < 0:
            raise InputError(
                f"Circuit {self.name!r}: {p.source}->{p.target} has weights down to {lowest:g} S; {model.caption} have "
                "one reversal potential, and weights of 0 or more: give inhibition a receptor that reverses below rest."
            )

    def _check_graded(self, p: Projection) -> None:
        """Raise where what is passed on at every step cannot be: from an input, late, released or learned, below 0."""
        sends = self.population(p.target).receptor_models[p.receptor].sends
        asks = {
            "a population in volts as its source": p.source not in [k.name for k in self.populations]
            or self.is_discrete,
            "no delay": bool(p.delays().any()),
            "no release": p.release is not None,
            "no plasticity": p.plasticity is not None,
        }
        asked = next((what for what, is_wrong in asks.items() if is_wrong), None)
        if sends and asked:
            raise InputError(
                f"Circuit {self.name!r}: {p.source}->{p.target} passes {sends!r} on at every step and asks for {asked}."
            )

    def _check_reached(self, population: Population) -> None:
        """Raise where nothing projects to one of several receptors."""
        reached = {q.receptor for q in self.into(population.name)} | {b.receptor for b in population.background}
        idle = [r for r in population.receptors if r and r not in reached]
        if idle:
            raise InputError(
                f"Circuit {self.name!r}: nothing projects to the receptor {idle[0]!r} of {population.name!r}; take it "
                "away, or add a projection or a background with receptor=."
            )

    def _check_delays(self, p: Projection) -> None:
        delays = np.unique(p.delays())
        steps = delays / self.dt
        for delay, n in zip(delays, steps, strict=True):
            if not 0 <= delay <= 10 or (delay and delay < self.dt / 2):
                raise InputError(
                    f"Circuit {self.name!r}: {p.source}->{p.target} has a delay of {delay} s; 0, or {self.dt} to 10 s."
                )
            if not is_whole(n):
                raise InputError(
                    f"Circuit {self.name!r}: {p.source}->{p.target} has a delay of {delay} s, {n:g} steps of dt; a "
                    "whole number of steps is asked."
                )
        if delays.any() and self.is_graded(p):
            raise InputError(
                f"Circuit {self.name!r}: {p.source}->{p.target} has a delay, but currents of the input act at once; "
                "take the delay off, or send spikes."
            )

    def _check_step(self, population: Population) -> None:
        received = {named(r, k): v for r, given in population.receptors.items() for k, v in as_dict(given).items()}
        numbers = {**as_dict(population.parameters), **received}
        numbers |= {k: v for k, v in population.varying.items() if k in numbers}
        if population.is_discrete:
            own = numbers["dt"]
            if not np.isclose(own, self.dt) or not np.isclose(self.dt, self.step):
                raise InputError(
                    f"Circuit {self.name!r}: {population.name!r} advances in steps of {own} s, "
                    f"the circuit in {self.dt} s and {self.step} s; they must agree."
                )
            return
        if {"capacitance", "g_leak"} <= numbers.keys():
            numbers["capacitance / g_leak"] = np.asarray(numbers["capacitance"]) / numbers["g_leak"]
        times = {k: float(np.min(v)) for k, v in numbers.items() if _TIME.search(k)}
        name, shortest = min(times.items(), key=lambda item: item[1], default=("", np.inf))
        if self.dt > shortest:
            raise InputError(
                f"Circuit {self.name!r}: dt = {self.dt} s is above the shortest time constant of {population.name!r}, "
                f"{name} = {shortest:g} s; take a shorter step."
            )


def single_neuron(parameters: Parameters, dt: float) -> Circuit:
    """Return a circuit of one neuron that receives a current: stimuli (stimulus, time, 1) in A, a sample every `dt`.

    Parameters
    ----------
    parameters : of a neuron in volts. dt : step, s.

    Examples
    --------
    >>> ns.biophysics.single_neuron(ns.biophysics.LIFParameters(), 1e-4).inputs.kind
    'current'
    """
    population = Population("neuron", 1, parameters)
    wire = Projection(INPUT, "neuron", [[1.0]])
    return Circuit("single neuron", Input(1, "current"), (population,), (wire,), dt=dt, step=dt)
