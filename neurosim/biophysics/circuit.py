"""A circuit as data: populations, projections and input, in SI units, from which a simulator builds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from neurosim.parameters import DiscreteLIFParameters, NeuronParameters
from neurosim.schema import InputError, suggest

INPUT = "input"


@dataclass(frozen=True)
class Population:
    """Neurons of one kind.

    Parameters
    ----------
    name : unique name; the responses carry it as ``layer``.
    size : number of neurons.
    parameters : neuron parameters; their type says which model it is.
    drive : constant input of each neuron, (size,): threshold units a step (discrete), V (conductance LIF), A (AdEx).
    """

    name: str
    size: int
    parameters: NeuronParameters
    drive: np.ndarray

    def __post_init__(self) -> None:
        drive = np.asarray(self.drive, dtype=float)
        if self.size < 1 or drive.shape != (self.size,) or not np.isfinite(drive).all():
            raise InputError(
                f"Population {self.name!r}: {self.size} neurons need a finite drive of shape ({self.size},), "
                f"found {drive.shape}."
            )


@dataclass(frozen=True)
class Projection:
    """Synapses from one population (or ``"input"``) to another.

    Parameters
    ----------
    source, target : names of populations.
    weights : (source, target); 0 is no synapse. Threshold units (discrete), conductance relative to the leak
        (conductance LIF) or S (AdEx); the sign says excitatory or inhibitory.
    """

    source: str
    target: str
    weights: np.ndarray


@dataclass(frozen=True)
class Circuit:
    """Populations in the order in which the signal reaches them, and the projections between them.

    Parameters
    ----------
    name : name of the circuit.
    n_inputs : number of input units, which send spikes.
    populations, projections : see there.
    dt : step of the simulation, s.
    step : step in which input arrives and output is counted, s; a multiple of `dt`.

    Raises
    ------
    InputError : unknown population, weights of the wrong shape or not finite, repeated names, dt above step.
    """

    name: str
    n_inputs: int
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    dt: float
    step: float

    def __post_init__(self) -> None:
        sizes = self.sizes
        if len(sizes) != len(self.populations) + 1:
            raise InputError(f"Circuit {self.name!r}: population names repeat or one is called {INPUT!r}.")
        if not 0 < self.dt <= self.step * (1 + 1e-9):
            raise InputError(f"Circuit {self.name!r}: dt = {self.dt} s is not in 0..step = {self.step} s.")
        if abs(self.step / self.dt - round(self.step / self.dt)) > 1e-6:
            raise InputError(f"Circuit {self.name!r}: step = {self.step} s is not a multiple of dt = {self.dt} s.")
        for p in self.projections:
            for name in (p.source, p.target):
                if name not in sizes:
                    raise InputError(
                        f"Circuit {self.name!r}: no population {name!r}. Populations: {', '.join(sizes)}."
                        f"{suggest(name, sizes)}"
                    )
            asked = (sizes[p.source], sizes[p.target])
            if p.weights.shape != asked or not np.isfinite(p.weights).all():
                raise InputError(
                    f"Circuit {self.name!r}: {p.source}->{p.target} needs finite weights of shape {asked}, "
                    f"found {p.weights.shape} with {int((~np.isfinite(p.weights)).sum())} not finite."
                )
        if self.is_discrete:
            self._check_feed_forward()

    @property
    def sizes(self) -> dict[str, int]:
        """Number of units of the input and of each population."""
        return {INPUT: self.n_inputs, **{p.name: p.size for p in self.populations}}

    @property
    def is_discrete(self) -> bool:
        """Whether the neurons advance in whole steps, as in the trained network."""
        return all(isinstance(p.parameters, DiscreteLIFParameters) for p in self.populations)

    def population(self, name: str) -> Population:
        """Return the population called `name`."""
        return next(p for p in self.populations if p.name == name)

    def up_to(self, name: str) -> Circuit:
        """Return the circuit without the populations that come after `name`."""
        index = [p.name for p in self.populations].index(name)
        kept = self.populations[: index + 1]
        names = {INPUT, *(p.name for p in kept)}
        inner = tuple(p for p in self.projections if p.source in names and p.target in names)
        return replace(self, populations=kept, projections=inner)

    def scaled(self, name: str, gain: float) -> Circuit:
        """Return the circuit with all input to population `name`, synaptic and constant, multiplied by `gain`."""
        projections = tuple(replace(p, weights=p.weights * gain) if p.target == name else p for p in self.projections)
        populations = tuple(replace(p, drive=p.drive * gain) if p.name == name else p for p in self.populations)
        return replace(self, populations=populations, projections=projections)

    def _check_feed_forward(self) -> None:
        order = {name: i for i, name in enumerate(self.sizes)}
        back = [f"{p.source}->{p.target}" for p in self.projections if order[p.source] >= order[p.target]]
        if back:
            raise InputError(
                f"Circuit {self.name!r}: discrete neurons are feed-forward here; refused: {', '.join(back)}."
            )
