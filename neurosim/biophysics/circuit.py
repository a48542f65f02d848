"""A circuit as data: populations, projections and input, in SI units, from which every engine builds.

A circuit can be printed, and saved (``circuit_files.py``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import scipy.sparse

from neurosim.biophysics.background import Poisson
from neurosim.biophysics.injection import current_of
from neurosim.biophysics.models import NeuronModel, SynapseModel, named, neuron_of, synapse_of
from neurosim.biophysics.plain_numbers import convert, is_whole, matrix, number, places, real, scaled, whole
from neurosim.biophysics.rules import plasticity_of, release_of
from neurosim.biophysics.synapses.delta import DeltaParameters
from neurosim.parameters import Parameters, as_dict, check_choice
from neurosim.schema import InputError, suggest

INPUT = "input"
OWN_WORDS = ("dt", "reset")
Weights: TypeAlias = Any  # a dense numpy array or a scipy.sparse.csr_array
InputKind = Literal["spikes", "poisson", "current"]
ReadoutOf = Literal["spikes", "mean_membrane", "last_membrane", "largest_membrane"]
_TIME = re.compile(r"(^|_)tau(_|$)|^capacitance /")  # numbers that are times within which a step must fit
READ_BY = {"duration": (("poisson", "current"), 0.1), "max_rate": (("poisson",), 500.0)}


@dataclass(frozen=True)
class Input:
    """What the circuit is shown.

    Parameters
    ----------
    size : number of input units.
    kind : "spikes" (stimuli are 0 and 1 in every step), "poisson" (stimuli are intensities in 0..1; every trial draws
        its own spikes), or "current" (stimuli are graded; weights turn them into the constant input of a step).
    duration : how long stimuli without a ``time`` dim are shown, s (poisson, current; 0.1 by default); None where the
        stimuli are spikes, which have times of their own.
    max_rate : rate of an intensity of 1, spikes/s (poisson; 500 by default); None for the others.
    name : by which projections name it as their source, where a circuit has several inputs.

    Raises
    ------
    InputError : no name, an unknown kind, fewer than one unit, a duration or rate out of range, or one that nothing
        reads.

    Examples
    --------
    >>> ns.biophysics.Input(64, "poisson", duration=0.2).max_rate
    500.0
    """

    size: int
    kind: InputKind = "spikes"
    duration: float | None = None
    max_rate: float | None = None
    name: str = INPUT

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise InputError(f"Input: a name asked, found {self.name!r}.")
        if self.kind not in get_args(InputKind):
            raise InputError(f"Input: kind = {self.kind!r}; known: {', '.join(get_args(InputKind))}.")
        for name, (kinds, usual) in READ_BY.items():
            if self.kind in kinds:
                object.__setattr__(self, name, usual if getattr(self, name) is None else getattr(self, name))
            elif getattr(self, name) is not None:
                raise InputError(f"Input: {name} is read where kind is {' or '.join(kinds)}, found {self.kind!r}.")
        convert(self, "Input", size=whole, **{k: number for k in READ_BY if getattr(self, k) is not None})
        is_long = self.duration is None or 0 < self.duration <= 1e4
        if self.size < 1 or not is_long or not (self.max_rate is None or 0 <= self.max_rate <= 1e6):
            raise InputError(
                f"Input: size >= 1, duration in 0..1e4 s and max_rate in 0..1e6 spikes/s asked, found {self}."
            )


@dataclass(frozen=True)
class Population:
    """Neurons of one kind and the synapses that they receive.

    Parameters
    ----------
    name : unique name; the responses carry it as ``layer``.
    size : number of neurons.
    parameters : record of a registered neuron, which their type names; or a :class:`CustomNeuron`.
    drive : constant input of each neuron, (size,) or one number: threshold units a step (discrete) or A.
    synapses : synapse parameters; or several receptors, a record by name such as ``{"ampa": ..., "nmda": ...}``, of
        which each projection chooses one. Discrete neurons have delta synapses.
    noise : standard deviation that white noise gives the free membrane, V, or that it has in each step, threshold
        units (discrete); 0 is none.
    varying : numbers that differ between neurons, by name, each (size,): any parameter, or a constant of the model.
    positions : where the neurons are, (size, 2 or 3), m, for rules of distance and pictures; None where they have none.
    initial : values from which variables of the neurons or their receptors start, by name, (size,) or one number;
        by default as their models say.
    background : Poisson processes that arrive from outside, one record :class:`Poisson` or several.
    currents : records of registered currents that are injected beside the drive, one or several.

    Raises
    ------
    InputError : records of no registered model, numbers of another shape or out of range, noise where spikes are random
        already, a number that its model does not have, a receptor or neuron that is not there.

    Examples
    --------
    >>> neuron, synapses = ns.biophysics.AdExParameters(), ns.biophysics.ConductanceParameters()
    >>> cells = ns.biophysics.Population("cells", 3, neuron, drive=5e-10, synapses=synapses)
    >>> cells.drive.shape
    (3,)
    """

    name: str
    size: int
    parameters: Parameters
    drive: Any = 0.0
    synapses: Parameters | Mapping[str, Parameters] = field(default_factory=DeltaParameters)
    noise: float = 0.0
    varying: Mapping[str, np.ndarray] = field(default_factory=dict)
    positions: Any = None
    initial: Mapping[str, Any] = field(default_factory=dict)
    background: Sequence[Poisson] = ()
    currents: Sequence[Parameters] = ()

    def __post_init__(self) -> None:
        who = f"Population {self.name!r}"
        is_known = neuron_of(self.parameters) is not None
        if isinstance(self.synapses, Mapping):
            object.__setattr__(self, "synapses", dict(self.synapses))
            self._check_receptors(who)
        if not is_known or None in map(synapse_of, self.receptors.values()) or not isinstance(self.name, str):
            kinds = (type(self.name), type(self.parameters), type(self.synapses))
            raise InputError(
                f"{who}: a name and records of neuron and synapse parameters asked, found "
                f"{', '.join(kind.__name__ for kind in kinds)}."
            )
        convert(self, who, size=whole, noise=number)
        drive = real(self.drive, f"{who}: drive")
        drive = np.full(max(self.size, 0), float(drive)) if drive.ndim == 0 else drive
        if self.size < 1 or drive.shape != (self.size,) or not np.isfinite(drive).all():
            raise InputError(
                f"Population {self.name!r}: {self.size} neurons need a finite drive of shape ({self.size},), "
                f"found {drive.shape}."
            )
        object.__setattr__(self, "drive", drive)
        varying = {k: real(v, f"{who}: varying {k!r}") for k, v in self.varying.items()}
        for key, values in varying.items():
            if values.shape != (self.size,) or not np.isfinite(values).all():
                raise InputError(
                    f"Population {self.name!r}: varying {key!r} needs {self.size} finite numbers, "
                    f"found shape {values.shape}."
                )
        object.__setattr__(self, "varying", varying)
        if self.positions is not None:
            object.__setattr__(self, "positions", places(self.positions, self.size, f"{who}: positions"))
        if not 0 <= self.noise < (1e3 if self.is_discrete else 0.1):
            raise InputError(f"Population {self.name!r}: noise = {self.noise!r} is outside 0..0.1 V.")
        if self.is_discrete and not isinstance(self.synapses, DeltaParameters):
            raise InputError(f"Population {self.name!r}: discrete neurons have delta synapses; climb first.")
        if self.noise and self.escapes:
            raise InputError(f"Population {self.name!r}: its spikes are random already; noise = 0.")
        self._check_varying()
        object.__setattr__(self, "initial", {k: self._start(k, v) for k, v in self.initial.items()})
        self._check_sources(who)

    def number(self, name: str) -> np.ndarray:
        """Return a parameter of every neuron, (neuron,)."""
        if name not in self.numbers:
            raise InputError(
                f"Population {self.name!r}: {self.model.name!r} has no number {name!r}; it has "
                f"{', '.join(self.numbers)}."
            )
        return np.broadcast_to(self.varying.get(name, self.numbers[name]), (self.size,))

    @property
    def numbers(self) -> dict[str, Any]:
        """The numbers and words of the neurons by name, as far as they do not vary."""
        return self.model.numbers(self.parameters)

    def _check_receptors(self, who: str) -> None:
        """Raise where several receptors have no names, or such as cannot be told from each other's variables."""
        bad = [k for k in self.receptors if not (isinstance(k, str) and k.isascii() and k.isidentifier())]
        if not self.receptors or bad:
            raise InputError(
                f"{who}: receptors by name asked, such as 'ampa', of plain letters, digits and '_'; found "
                f"{', '.join(map(repr, bad)) or 'none'}."
            )
        if any(other.startswith(f"{k}_") for k in self.receptors for other in self.receptors):
            raise InputError(
                f"{who}: of the receptors {', '.join(self.receptors)} one's name begins another's; choose others."
            )

    def _check_sources(self, who: str) -> None:
        """Raise for background and currents that this population cannot receive."""
        for name in ("background", "currents"):
            given = getattr(self, name)
            given = tuple(given) if isinstance(given, list | tuple) else (given,)
            object.__setattr__(self, name, given)
        for record in self.background:
            if not isinstance(record, Poisson) or np.shape(record.rate) not in ((), (self.size,)):
                found = f"rates of shape {np.shape(record.rate)}" if isinstance(record, Poisson) else repr(record)[:60]
                raise InputError(f"{who}: a background of Poisson records with a rate, or {self.size}; found {found}.")
            if record.receptor not in self.receptors:
                names = ", ".join(map(repr, self.receptors))
                raise InputError(f"{who}: the background names the receptor {record.receptor!r}; there is {names}.")
            if self.receptor_models[record.receptor].sends:
                raise InputError(f"{who}: a background sends spikes, which {record.receptor!r} does not receive.")
        for current in self.currents:
            if current_of(current) is None:
                raise InputError(f"{who}: records of registered currents asked, found {type(current).__name__}.")
        sources: list[Any] = [*self.background, *self.currents]
        for source in sources:
            last = max(source.neurons or (0,))
            if last >= self.size:
                raise InputError(
                    f"{who}: a {type(source).__name__} is for neuron {last}; there are 0 to {self.size - 1}."
                )

    def _start(self, name: str, values: Any) -> np.ndarray:
        """Return the values from which a variable starts, one a neuron."""
        who = f"Population {self.name!r}"
        if name not in self.variables:
            raise InputError(
                f"{who}: initial {name!r} is no variable of its neurons and receptors; they have "
                f"{', '.join(self.variables)}.{suggest(name, self.variables)}"
            )
        start = real(values, f"{who}: initial {name!r}")
        if start.shape not in ((), (self.size,)) or not np.isfinite(start).all():
            raise InputError(f"{who}: initial {name!r} is one finite number or {self.size}, found shape {start.shape}.")
        return np.broadcast_to(start, (self.size,)).copy()

    @property
    def variables(self) -> dict[str, str]:
        """Every variable of the neurons and their receptors by the name that users know: its name in a step."""
        return {**self.model.variables, **{name: name for name in self.receptor_state}}

    @property
    def receptor_state(self) -> tuple[str, ...]:
        """Names of the variables of all receptors, arrivals among them."""
        models = self.receptor_models.items()
        return tuple(named(receptor, k) for receptor, model in models for k in (*model.state, *model.arrivals))

    def _check_varying(self) -> None:
        """Raise where a parameter of a neuron is outside the range that its record knows, or cannot vary."""
        own = {k: v for k, v in self.varying.items() if k in self.numbers}
        fixed = [k for k in own if k in OWN_WORDS]
        if fixed:
            raise InputError(f"Population {self.name!r}: {fixed[0]!r} cannot vary; make a population for each.")
        for i in {int(place) for values in own.values() for place in (values.argmin(), values.argmax())}:
            self.model.changed(self.parameters, {k: float(v[i]) for k, v in own.items()})

    @property
    def model(self) -> NeuronModel:
        """The model of the neurons: a registered one, or that of their equations."""
        found = neuron_of(self.parameters)
        assert found is not None  # refused at the door
        return found

    @property
    def receptors(self) -> dict[str, Parameters]:
        """The numbers of each receptor by its name, which is "" where there is one without a name."""
        return dict(self.synapses) if isinstance(self.synapses, Mapping) else {"": self.synapses}

    @property
    def receptor_models(self) -> dict[str, SynapseModel]:
        """The registered model of each receptor."""
        found = {name: synapse_of(numbers) for name, numbers in self.receptors.items()}
        return {name: model for name, model in found.items() if model is not None}

    @property
    def sources_text(self) -> str:
        """Background and currents as a few words; "" where there are none."""
        models = [model.name for model in map(current_of, self.currents) if model is not None]
        texts = [f"Poisson background{f' ({b.receptor})' if b.receptor else ''}" for b in self.background]
        return "".join(f", {text}" for text in (*texts, *(f"current ({name})" for name in models)))

    @property
    def is_discrete(self) -> bool:
        """Whether the neurons advance in whole steps, as in the trained network."""
        return self.model.is_discrete

    @property
    def sends_spikes(self) -> bool:
        """Whether the neurons send spikes; others are read by their membrane."""
        return self.model.sends_spikes

    @property
    def escapes(self) -> bool:
        """Whether spikes escape at random."""
        return self.model.is_random

    @property
    def is_random(self) -> bool:
        """Whether every step needs a random number of every neuron."""
        return bool(self.noise) or self.escapes


@dataclass(frozen=True)
class Projection:
    """Synapses from one population (or an input, such as ``"input"``) to another.

    Parameters
    ----------
    source, target : names of populations, or of an input as the source.
    weights : (source, target), dense or scipy sparse; 0 is no synapse. Threshold units (discrete neurons), V (delta),
        A (exponential) or S (conductance, where the sign says excitatory or inhibitory).
    delay : s, one number, or one a synapse: (source, target), dense or, in the places of sparse weights, sparse.
        Without delay a spike arrives in the same step, or in the next one where the target comes first.
    receptor : name of the receptor of the target at which spikes arrive, where it has several.
    release : how much of its weight a spike brings: a record of a registered release, such as depressing synapses.
    plasticity : how weights change in :func:`learn`: a record of a registered rule; :func:`simulate` keeps them.

    Raises
    ------
    InputError : weights that are no matrix of real numbers, delays of another shape or not finite, records of no
        registered release or rule, weights outside the bounds of their rule.

    Examples
    --------
    >>> wire = ns.biophysics.Projection("input", "cells", [[1e-9, 0.0], [2e-9, -1e-9]], delay=1e-3)
    >>> [part.tolist() for part in wire.synapses()]
    [[0, 1, 1], [0, 0, 1], [1e-09, 2e-09, -1e-09]]
    """

    source: str
    target: str
    weights: Weights
    delay: Any = 0.0
    receptor: str = ""
    release: Parameters | None = None
    plasticity: Parameters | None = None

    def __post_init__(self) -> None:
        who = f"Projection {self.source}->{self.target}"
        object.__setattr__(self, "weights", matrix(self.weights, f"{who}: weights"))
        self._check_rules(who)
        if np.ndim(self.delay) == 0:
            convert(self, who, delay=number)
        else:
            object.__setattr__(self, "delay", self._delay_matrix(who))
        if not isinstance(self.receptor, str):
            raise InputError(f"{who}: the receptor is a name, found {type(self.receptor).__name__}.")

    def _check_rules(self, who: str) -> None:
        """Raise for records of no registered rule; a plastic synapse is there although its weight may be 0."""
        for name, find in (("release", release_of), ("plasticity", plasticity_of)):
            given = getattr(self, name)
            if given is not None and find(given) is None:
                raise InputError(f"{who}: {name} is a record of a registered {name}, found {type(given).__name__}.")
        if self.plasticity is None or self.weights.ndim != 2:
            return
        object.__setattr__(self, "weights", scipy.sparse.csr_array(self.weights))
        low, high = self.plasticity.w_min, self.plasticity.w_max  # type: ignore[attr-defined]
        outside = (self.values < low) | (self.values > high)
        if outside.any():
            raise InputError(
                f"{who}: {int(outside.sum())} weights, such as {self.values[outside][0]:g}, are outside the bounds "
                f"{low:g} to {high:g} of their plasticity."
            )

    @property
    def is_there(self) -> np.ndarray:
        """Which of the `values` are synapses: those that are not 0, and all stored ones of a plastic projection."""
        return np.ones(len(self.values), bool) if self.plasticity is not None else self.values != 0

    def _delay_matrix(self, who: str) -> Any:
        """Return delays in the places of the weights: dense, or as a csr_array of the very same structure."""
        delay = matrix(self.delay, f"{who}: delays")
        if delay.shape != self.weights.shape:
            raise InputError(
                f"{who}: one delay (s), or one a synapse with the shape {self.weights.shape} of the weights, asked; "
                f"found {delay.shape}."
            )
        if not scipy.sparse.issparse(self.weights):
            return delay if isinstance(delay, np.ndarray) else delay.toarray()
        row, column = _places(self.weights)
        values = np.asarray(delay[row, column]).ravel() if len(row) else np.zeros(0)
        return scipy.sparse.csr_array((values, self.weights.indices, self.weights.indptr), shape=self.weights.shape)

    @property
    def values(self) -> np.ndarray:
        """The weights of the synapses that exist, flat."""
        return self.weights.data if scipy.sparse.issparse(self.weights) else np.asarray(self.weights).ravel()

    def synapses(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return source neuron, target neuron and weight of every synapse."""
        matrix = scipy.sparse.coo_array(self.weights)
        kept = self.is_there if scipy.sparse.issparse(self.weights) else matrix.data != 0
        return matrix.row[kept].astype(np.int64), matrix.col[kept].astype(np.int64), matrix.data[kept]

    def delays(self) -> np.ndarray:
        """Return the delay of every synapse, s, in the order of :meth:`synapses`."""
        if np.ndim(self.delay) == 0:
            return np.full(np.count_nonzero(self.is_there), float(self.delay))
        given = self.delay.data if scipy.sparse.issparse(self.delay) else self.delay.ravel()
        kept: np.ndarray = np.asarray(given)[self.is_there]
        return kept

    def by_delay(self, dt: float) -> list[tuple[int, Weights | None]]:
        """Return each delay in steps of `dt` and where it is (1, else 0); None is everywhere."""
        steps = np.rint(np.unique(self.delays()) / dt).astype(int)
        if len(steps) < 2:
            return [(int(steps[0]) if len(steps) else 0, None)]
        if not scipy.sparse.issparse(self.delay):
            own = np.rint(self.delay / dt)
            return [(int(k), (own == k).astype(float)) for k in np.unique(steps)]
        found = []
        for k in np.unique(steps):
            chosen = (np.rint(self.delay.data / dt) == k).astype(float)
            places = (chosen, self.delay.indices, self.delay.indptr)
            found.append((int(k), scipy.sparse.csr_array(places, shape=self.delay.shape)))
        return found

    def onto(self, chosen: np.ndarray) -> Projection:
        """Return the synapses onto the `chosen` neurons of the target."""
        delay = self.delay if np.isscalar(self.delay) else self.delay[:, chosen]
        return replace(self, weights=self.weights[:, chosen], delay=delay)

    def repeated(self, times: int) -> Projection:
        """Return the projection of `times` copies of its source, one after another."""
        stacked = [
            scipy.sparse.vstack([scipy.sparse.csr_array(m)] * times) for m in (self.weights, self.delay) if np.ndim(m)
        ]
        return replace(self, weights=stacked[0], delay=stacked[1] if len(stacked) > 1 else self.delay)

    def later(self, seconds: float) -> Projection:
        """Return the projection with every delay longer by `seconds`."""
        if not scipy.sparse.issparse(self.delay):
            return replace(self, delay=self.delay + seconds)
        places = (self.delay.data + seconds, self.delay.indices, self.delay.indptr)
        return replace(self, delay=scipy.sparse.csr_array(places, shape=self.delay.shape))

    @property
    def rules_text(self) -> str:
        """Release and plasticity as a few words; "" where there are none."""
        found = (release_of(self.release), plasticity_of(self.plasticity))
        return "".join(f", {model.name}" for model in found if model is not None)

    @property
    def delay_text(self) -> str:
        """The delays as a few words; "" where there are none."""
        delays = np.unique(self.delays())
        if not delays.any():
            return ""
        return f", delay {delays[0]:g} s" if len(delays) == 1 else f", delays {delays[0]:g} to {delays[-1]:g} s"

    def times(self, factor: np.ndarray) -> Projection:
        """Return the projection with the weights onto each target neuron multiplied by its `factor`."""
        return replace(self, weights=scaled(self.weights, factor))

    def map(self, function: Any) -> Projection:
        """Return the projection with `function` applied to its weights; it must leave 0 at 0."""
        if scipy.sparse.issparse(self.weights):
            changed = self.weights.copy()
            changed.data = function(changed.data)
            return replace(self, weights=changed)
        return replace(self, weights=function(self.weights))


def _places(weights: Weights) -> tuple[np.ndarray, np.ndarray]:
    """Return source and target of every entry of a csr_array, in the order of its data."""
    return np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr)), weights.indices


@dataclass(frozen=True)
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


@dataclass(frozen=True)
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

    def __str__(self) -> str:
        """Return the circuit as a few readable lines."""
        lines = [f"{self.name}: rung {self.rung}, dt {self.dt:g} s, step {self.step:g} s"]
        lines += [f"  {i.name}: {i.size} units, {i.kind}" for i in self.all_inputs]
        for p in self.populations:
            kind = p.model.name
            noise = f", noise {p.noise:g} V" if p.noise else ""
            received = ", ".join(f"{r} {m.name}".strip() for r, m in p.receptor_models.items())
            lines.append(f"  {p.name}: {p.size} {kind}, {received} synapses{noise}{p.sources_text}")
        for q in self.projections:
            onto = f" ({q.receptor})" if q.receptor else ""
            lines.append(
                f"  {q.source} -> {q.target}{onto}: {np.count_nonzero(q.is_there)} synapses{q.delay_text}{q.rules_text}"
            )
        return "\n".join(lines)

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

    def adjusted(self, name: str, gain: float, bias: float = 0.0) -> Circuit:
        """Return the circuit with all input to `name` multiplied by `gain` and `bias` added to its drive."""
        projections = tuple(p.map(lambda w: w * gain) if p.target == name else p for p in self.projections)
        drive = self.population(name).drive * gain + bias
        return replace(self, projections=projections).with_population(name, drive=drive)

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

    def _check_graded(self, p: Projection) -> None:
        """Raise where what is passed on at every step cannot be: from an input, late, released or learned, below 0."""
        sends = self.population(p.target).receptor_models[p.receptor].sends
        asks = {
            "a population in volts as its source": p.source not in [k.name for k in self.populations]
            or self.is_discrete,
            "no delay": bool(p.delays().any()),
            "no release": p.release is not None,
            "no plasticity": p.plasticity is not None,
            "weights of 0 or more": bool((p.values < 0).any()),
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
