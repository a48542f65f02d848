"""What a neuron model and a synapse model are, and the pieces that several of them share.

Variables that a step finds in ``x``: its own state; the constants of the population; ``drive`` (constant and external
input); and what the synapses bring: ``kick`` (a jump of the membrane), ``i_syn`` and ``g_syn`` (a current
``i_syn - g_syn v``; None where the synapses have none), and ``noise`` (None, or a jump of the membrane). A neuron whose
spikes escape at random finds in ``xi`` the logarithm of an exponential draw: it fires with probability
``1 - exp(-exp(y))`` where it compares ``y`` with ``xi``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from neurosim.biophysics.by_value import by_value
from neurosim.biophysics.formulas import Brought, Formula, Functions, Quantities, Quantity, State, Step
from neurosim.biophysics.nir_nodes import NirForm
from neurosim.parameters import Parameters, as_dict, filled
from neurosim.registry import Registry

Numbers = Mapping[str, Any]  # of a record of parameters: a number, one a neuron, or a word
Constants = dict[str, Any]  # what the formulas of a record name, likewise
Rheobase = Callable[[Numbers], Any]


def with_numbers(record: Any, values: Numbers) -> Any:
    """Return a record with other numbers, which it checks."""
    return replace(record, **values)


@dataclass(frozen=True)
class Gates:
    """How the gates of a neuron with channels move: their rates, by (mV above ``v_shift``, functions), per ms.

    Parameters
    ----------
    rates : (u, m) -> opening and closing rate of the gates m, h and n. moving : those that have a state of their own.

    Examples
    --------
    >>> NEURONS["wang_buzsaki"].gates.moving
    ('h', 'n')
    """

    rates: Callable[[Quantity, Functions], dict[str, tuple[Quantity, Quantity]]]
    moving: tuple[str, ...]


@by_value
@dataclass(frozen=True, eq=False)
class NeuronModel:
    """A neuron as a pure step: what simulation on every engine, files, the ladder and citations know of it.

    Parameters
    ----------
    name : name by which files and messages know it.
    parameters : class of its numbers, a frozen dataclass with defaults.
    state : initial value of each variable: a number, or the name of a constant. ``v`` is the membrane.
    constants : (numbers of the record, dt) -> the numbers that the formulas name.
    update : (x, m) -> new state after one step of the membrane.
    distance : (x, m) -> by how much the membrane is above threshold; a spike is sent where it is positive.
    reset : (x, m) -> new state of the neurons that sent a spike.
    is_discrete : whether it advances in whole steps, without units, as in a trained network.
    is_random : whether its spikes escape at random.
    threshold : name of the number that sets its threshold, for calibration, retuning and experiments; "" is none.
    rheobase : (numbers) -> constant current that brings it to threshold, A; by default ``g_leak (threshold - e_leak)``.
    variables : name in `state` of each variable that users know; by default every one by the name that it has there.
    numbers : (record) -> its numbers and words by name.
    changed : (record, numbers) -> the record with other numbers, checked.
    units : unit of each variable of `state`, for records of them; "1" is none.
    own_current : name of the constant by which a synaptic current of its own decays in a step; "" is none.
    sends_spikes : whether it sends spikes; units that send none are read by their membrane.
    has_counterpart : whether a discrete neuron does what a leaky neuron in volts can do, so that it can climb.
    nir : how a discrete neuron stands in a NIR graph; None where NIR does not hold it.
    gates : how its channels open, for cables; None where it has none of this kind.
    caption : what it is, in one sentence without a verb.
    reference : the paper to cite, with its DOI.
    example : numbers with which it fires and all its currents flow, others than by default, and the drive that makes it
        fire (A, or threshold units): with them the tests try whether each number changes what it does.

    Examples
    --------
    >>> ns.biophysics.NEURONS["adex"].reference
    'Brette R, Gerstner W (2005) J Neurophysiol 94:3637-3642, https://doi.org/10.1152/jn.00686.2005'
    """

    name: str
    parameters: type[Parameters]
    state: Mapping[str, float | str]
    constants: Callable[[Numbers, float], Constants]
    update: Step
    distance: Formula
    reset: Step
    is_discrete: bool = False
    is_random: bool = False
    threshold: str = ""
    rheobase: Rheobase | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    numbers: Callable[[Any], Constants] = as_dict
    changed: Callable[[Any, Numbers], Any] = with_numbers
    units: Mapping[str, str] = field(default_factory=dict)
    own_current: str = ""
    sends_spikes: bool = True
    has_counterpart: bool = False
    nir: NirForm | None = None
    gates: Gates | None = None
    caption: str = ""
    reference: str = ""
    example: tuple[Numbers, float] = field(default_factory=lambda: ({}, 0.0))

    def __post_init__(self) -> None:
        object.__setattr__(self, "variables", dict(self.variables) or {name: name for name in self.state})

    def of(self, values: Numbers) -> Parameters:
        """Return the record with these numbers, the others as they are by default; unknown names are refused."""
        return filled(self.name, self.parameters, values)


@by_value
@dataclass(frozen=True, eq=False)
class SynapseModel:
    """Synapses as a pure step: what arrived becomes a jump of the membrane, or a current.

    Each step turns what arrived (``arrived``, or ``arrived_exc`` and ``arrived_inh``) and its own state into ``kick``
    (V), or a current ``i_syn - g_syn v`` (A, S). The latter are means over the step: a spike carries the same charge at
    every `dt`.

    Parameters
    ----------
    name : name by which files and messages know it.
    parameters : class of its numbers, a frozen dataclass with defaults.
    arrivals : variables that collect the weights of arriving spikes: one, or one for each sign.
    state : names of its own variables, which start at 0.
    constants : (numbers of the record, dt) -> the numbers that the step names.
    step : (x, m) -> (new state, {"kick", "i_syn", "g_syn"}; None is nothing).
    units : units of its weights.
    state_units : unit of each variable of `state`, for records of them.
    sends : variable of the source that is passed on at every step in place of spikes; "" is spikes. The first of two
        arrivals collects weight times variable, the second the weights alone.
    caption : what it is, in one sentence without a verb.
    reference : the paper to cite, with its DOI; "" where there is none.
    example : a weight that moves a membrane by millivolts.

    Examples
    --------
    >>> ns.biophysics.SYNAPSES["conductance"].units
    'S'
    """

    name: str
    parameters: type[Parameters]
    arrivals: tuple[str, ...]
    state: tuple[str, ...]
    constants: Callable[[Numbers, float], Constants]
    step: Callable[[State, Functions], tuple[Quantities, Brought]]
    units: str = "A"
    state_units: Mapping[str, str] = field(default_factory=dict)
    sends: str = ""
    caption: str = ""
    reference: str = ""
    example: float = 0.0

    @property
    def has_one_sign(self) -> bool:
        """Whether weights are conductances of one reversal potential, which says what they do: never below 0."""
        return self.units == "S" and (len(self.arrivals) == 1 or bool(self.sends))

    def of(self, values: Numbers) -> Parameters:
        """Return the record with these numbers, the others as they are by default; unknown names are refused."""
        return filled(self.name, self.parameters, values)


NEURONS = Registry("neuron", "neurosim.biophysics.neurons", NeuronModel)
SYNAPSES = Registry("synapse", "neurosim.biophysics.synapses", SynapseModel)


def neuron_of(parameters: object) -> NeuronModel | None:
    """Return the model whose numbers these are, or that the record brings with it; None where there is none."""
    own = getattr(parameters, "model", None)
    if isinstance(own, NeuronModel):
        return own
    return next((model for model in NEURONS.values() if model.parameters is type(parameters)), None)


def synapse_of(parameters: object) -> SynapseModel | None:
    """Return the model whose numbers these are; None where there is none."""
    return next((model for model in SYNAPSES.values() if model.parameters is type(parameters)), None)


def named(receptor: str, name: str) -> str:
    """Return the name that a variable or constant of a receptor has in its population."""
    return f"{receptor}_{name}" if receptor else name


def decay(dt: float, tau: float | np.ndarray) -> Any:
    """Return the share that is left after `dt` of a value that decays with `tau`."""
    return math.exp(-dt / tau) if isinstance(tau, int | float) else np.exp(-dt / np.asarray(tau))


def mean_over_step(dt: float, tau: float | np.ndarray) -> Any:
    """Return the mean over a step of a value that starts it at 1 and decays with `tau`."""
    return tau / dt * (1 - decay(dt, tau))


def membrane_constants(p: Numbers, dt: float) -> Constants:
    """Return the constants of a leaky membrane and of its refractory period."""
    constants = {name: p[name] for name in ("g_leak", "e_leak")}
    constants["leak_decay"] = decay(dt, p["capacitance"] / p["g_leak"])
    constants["dt_per_capacitance"] = dt / p["capacitance"]
    if "refractory" in p:
        constants["held_steps"] = np.rint(p["refractory"] / dt)
    return constants


def membrane_after_step(
    x: State, m: Functions, current: Quantity | None, conductance: Quantity | None = None
) -> Quantity:
    """Return the membrane after `dt` with all currents held still, by the exponential Euler method.

    `current` (A) and `conductance` (S; may be None) are those beside leak, synapses and drive.
    """
    return jumped(x, _relaxed(x, m, current, conductance))


def membrane_in_middle(
    x: State, m: Functions, current: Quantity | None, conductance: Quantity | None = None
) -> Quantity:
    """Return the membrane after half of `dt`, without jumps.

    A model whose currents depend on the membrane by itself reads them there: its step is then of the second order.
    """
    return m.let("v_middle", _relaxed(x, m, current, conductance, "middle"))


def _relaxed(
    x: State, m: Functions, current: Quantity | None, conductance: Quantity | None, which: str = ""
) -> Quantity:
    """Return the membrane that relaxes towards where its currents cancel, for a step or to its "middle"."""
    total_current = x.g_leak * x.e_leak + x.drive if current is None else x.g_leak * x.e_leak + x.drive + current
    if x.i_syn is not None:
        total_current = total_current + x.i_syn
    conductances = [g for g in (x.g_syn, conductance) if g is not None]
    if not conductances:
        target = m.let(named(which, "v_target"), total_current / x.g_leak)
        return target + (x.v - target) * (m.apply("sqrt", x.leak_decay) if which else x.leak_decay)
    total = x.g_leak + conductances[0]
    for g in conductances[1:]:
        total = total + g
    total = m.let(named(which, "total_conductance"), total)
    target = m.let(named(which, "v_target"), total_current / total)
    time = 0.5 * x.dt_per_capacitance if which else x.dt_per_capacitance
    return target + (x.v - target) * m.exp(-time * total)


def received(x: State, v: Quantity) -> Quantity:
    """Return drive and current of the synapses where the membrane is at `v`, A."""
    current = x.drive if x.i_syn is None else x.drive + x.i_syn
    return current if x.g_syn is None else current - x.g_syn * v


def jumped(x: State, v: Quantity) -> Quantity:
    """Return the membrane with what arrives as a jump: delta synapses and noise."""
    for jump in (x.kick, x.noise):
        v = v if jump is None else v + jump
    return v


def held_while_refractory(x: State, m: Functions, free: Quantity) -> tuple[Quantity, Quantity]:
    """Return the membrane, which stays where it is during the refractory period, and the steps still to wait."""
    waiting = m.let("waiting", m.is_positive(x.wait - 0.5))
    return waiting * x.v + (1.0 - waiting) * free, x.wait - waiting
