"""Neurons of one kind, the receptors that they have, and what reaches them from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from neurosim.biophysics.background import Poisson
from neurosim.biophysics.by_value import by_value
from neurosim.biophysics.formula_guard import is_plain_name
from neurosim.biophysics.injection import current_of
from neurosim.biophysics.models import NeuronModel, SynapseModel, named, neuron_of, synapse_of
from neurosim.biophysics.plain_numbers import convert, number, places, real, whole
from neurosim.biophysics.synapses.delta import DeltaParameters
from neurosim.parameters import Parameters, as_dict
from neurosim.refusals import InputError, suggest
from neurosim.units import AMOUNT, check_given, plain_field, unit_of

OWN_WORDS = ("dt", "reset")
LARGEST = 1e9  # neurons
HIGHEST = 1.0  # V, of a membrane
LARGEST_CURRENT = 1e-3  # A, into one neuron, be it a square centimetre of an axon


@by_value
@dataclass(frozen=True, eq=False)
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
        if not 1 <= self.size <= LARGEST:
            raise InputError(f"{who}: 1 to {LARGEST:g} neurons asked, found {self.size}.")
        drive = real(plain_field(self, "drive", who), f"{who}: drive")
        drive = np.full(self.size, float(drive)) if drive.ndim == 0 else drive
        if drive.shape != (self.size,) or not np.isfinite(drive).all():
            raise InputError(
                f"Population {self.name!r}: {self.size} neurons need a finite drive of shape ({self.size},), "
                f"found {drive.shape}."
            )
        object.__setattr__(self, "drive", drive)
        varying = {k: real(v, f"{who}: varying {k!r}", self._unit_of_number(k)) for k, v in self.varying.items()}
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
        self._check_amounts(who)

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
        bad = [k for k in self.receptors if not is_plain_name(k)]
        if not self.receptors or bad:
            raise InputError(
                f"{who}: receptors by name asked, such as 'ampa', of plain letters, digits and _, without a meaning "
                "of their own; found "
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
            if self.receptor_models[record.receptor].has_one_sign and record.weight < 0:
                raise InputError(f"{who}: a background onto a conductance of one reversal has a weight of 0 or more.")
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
        start = real(values, f"{who}: initial {name!r}", self.units.get(name, ""))
        if start.shape not in ((), (self.size,)):
            raise InputError(f"{who}: initial {name!r} is one number or {self.size}, found shape {start.shape}.")
        if not np.isfinite(start).all():
            raise InputError(f"{who}: initial {name!r} holds what is not finite.")
        if self.units.get(name) == "V" and not self.is_discrete and np.abs(start).max() > HIGHEST:
            raise InputError(
                f"{who}: initial {name!r} of {start.flat[np.abs(start).argmax()]:g} V is outside -{HIGHEST:g} to "
                f"{HIGHEST:g} V. Values are in SI units: -70 mV is -70e-3."
            )
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

    @property
    def units(self) -> dict[str, str]:
        """The unit of every variable of the neurons and their receptors; "" where the neuron does not say."""
        own = {name: self.model.units.get(k, "") for name, k in self.model.variables.items()}
        for receptor, model in self.receptor_models.items():
            own |= {named(receptor, k): model.state_units.get(k, "") for k in model.state}
        return own

    def _unit_of_number(self, name: str) -> str:
        """Return in what a number that varies is: a parameter of the record as there, others in any unit."""
        return unit_of(self.parameters, name) if name in as_dict(self.parameters) else ""

    def _check_amounts(self, who: str) -> None:
        """Raise for quantities of another unit than is asked for here, and for currents beyond all."""
        amount = "1" if self.is_discrete else "A"
        check_given(self, "drive", amount, f"{who}: drive")
        check_given(self, "noise", "1" if self.is_discrete else "V", f"{who}: noise")
        for record in self.background:
            check_given(record, "weight", self.weight_unit(record.receptor), f"{who}: the weight of its background")
        for current in self.currents:
            for f in fields(current):
                if unit_of(current, f.name) == AMOUNT:
                    what = f"{who}: {f.name} of its {type(current).__name__}"
                    check_given(current, f.name, amount, what)
                    self.check_current(getattr(current, f.name), what)
        self.check_current(self.drive, f"{who}: drive")

    def check_current(self, values: Any, what: str) -> None:
        """Raise for currents that no neuron in volts receives, as of numbers in pA; others have any."""
        largest = np.max(np.abs(values), initial=0.0)
        if self.units.get("v") == "V" and largest > LARGEST_CURRENT:
            raise InputError(
                f"{what} of {largest:g} A is outside -{LARGEST_CURRENT:g} to {LARGEST_CURRENT:g} A. Currents are in SI "
                "units: 200 pA is 200e-12."
            )

    def weight_unit(self, receptor: str) -> str:
        """Return in what the weights of a receptor are: V, A or S, or threshold units, "1", of discrete neurons."""
        return "1" if self.is_discrete else self.receptor_models[receptor].units

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
    def about(self) -> str:
        """Its neurons, synapses, noise, background and currents in a few words."""
        received = ", ".join(f"{receptor} {model.name}".strip() for receptor, model in self.receptor_models.items())
        noise = f", noise {self.noise:g} V" if self.noise else ""
        models = [model.name for model in map(current_of, self.currents) if model is not None]
        texts = [f"Poisson background{f' ({b.receptor})' if b.receptor else ''}" for b in self.background]
        sources = "".join(f", {text}" for text in (*texts, *(f"current ({name})" for name in models)))
        return f"{self.model.name}, {received} synapses{noise}{sources}"

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
