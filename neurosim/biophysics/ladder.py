"""The ladder of realism: from the exact discrete twin towards biology, one rung at a time.

Each rung is a function from one circuit to the next and changes one thing; its limit is the rung below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import constants_of
from neurosim.biophysics.models import NeuronModel, SynapseModel
from neurosim.biophysics.neurons import adex, hodgkin_huxley
from neurosim.biophysics.neurons.adex import AdExParameters
from neurosim.biophysics.neurons.hodgkin_huxley import HodgkinHuxleyParameters
from neurosim.biophysics.neurons.lif import LIFParameters
from neurosim.biophysics.plain_numbers import convert, number
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.sources import refuse_sources
from neurosim.biophysics.synapses import conductance
from neurosim.biophysics.synapses.conductance import ConductanceParameters
from neurosim.biophysics.synapses.delta import DeltaParameters
from neurosim.biophysics.synapses.exponential import ExponentialParameters
from neurosim.schema import InputError, suggest

LADDER_NUMBERS = ("dt", "tau_syn", "refractory", "delay", "noise", "delta_t", "a", "b", "tau_w")
OWN = {"input_scale", "leak_drive"}  # constants of discrete neurons that those in volts do not have


@dataclass(frozen=True)
class Ladder:
    """The numbers of all rungs.

    Parameters
    ----------
    membrane : leak, rest and threshold of neurons in volts; capacitance and reset are those of the trained network.
    dt : step from rung "fine" on, s; at 0.1 ms the f-I curve of Hodgkin-Huxley neurons is within 3 % of its limit.
    tau_syn : time constant of synaptic currents, s (rung "currents").
    conductance : time constants and reversal potentials (rung "conductance").
    refractory : refractory period, s; delay : synaptic delay, s; reset : "value" resets the membrane to rest from there
        on, "keep" leaves the reset as it was (rung "refractory").
    noise : standard deviation of the free membrane, V (rung "noise").
    delta_t, a, b, tau_w : upstroke (V) and adaptation (S, A, s) of AdEx neurons; it begins at the threshold.
    hodgkin_huxley : the neuron of the last rung: its channels have this density, a farad of membrane; the leak and the
        capacitance are those of the rung below.

    Raises
    ------
    InputError : what is no number, or an unknown reset.

    Examples
    --------
    >>> ns.biophysics.Ladder(noise=2e-3).delay
    0.001
    """

    own_units: ClassVar[dict[str, str]] = {"a": "S", "b": "A"}
    membrane: LIFParameters = field(default_factory=lambda: LIFParameters(refractory=0.0))
    dt: float = 1e-4
    tau_syn: float = 2e-3
    conductance: ConductanceParameters = field(default_factory=ConductanceParameters)
    refractory: float = 2e-3
    delay: float = 1e-3
    reset: Literal["value", "keep"] = "value"
    noise: float = 1e-3
    delta_t: float = 2e-3
    a: float = 2e-9
    b: float = 20e-12
    tau_w: float = 100e-3
    hodgkin_huxley: HodgkinHuxleyParameters = field(default_factory=HodgkinHuxleyParameters)

    def __post_init__(self) -> None:
        convert(self, "Ladder", **dict.fromkeys(LADDER_NUMBERS, number))
        if self.reset not in ("value", "keep"):
            raise InputError(f"Ladder: reset = {self.reset!r}; known: value, keep.")


def climb(circuit: Circuit, rung: str, *, ladder: Ladder | None = None) -> Circuit:
    """Return the circuit on a higher rung of the ladder, through all rungs between.

    Parameters
    ----------
    circuit : the translated circuit, or one on a rung below `rung`.
    rung : where to climb, one of :data:`RUNGS`.
    ladder : the numbers of all rungs.

    Returns
    -------
    the circuit, with neurons, synapses and step of that rung.

    Raises
    ------
    InputError : unknown rung, a rung below that of the circuit, or neurons that have no counterpart in volts.

    Examples
    --------
    >>> neurons = ns.biophysics.Population("out", 2, ns.parameters.DiscreteLIFParameters())
    >>> wire = ns.biophysics.Projection("input", "out", [[1.0, 2.0]])
    >>> circuit = ns.biophysics.Circuit("twin", ns.biophysics.Input(1), (neurons,), (wire,), 1e-3, 1e-3)
    >>> for rung in ns.biophysics.RUNGS.values():
    ...     print(f"{rung.name}: {rung.caption}")
    exact: the translated circuit
    continuous: neurons in volts that decay between steps, one step a time step, the same spikes
    fine: a finer step
    currents: finite synaptic currents of the same charge
    conductance: conductances that carry this current half-way between rest and threshold
    refractory: a refractory period, reset to rest and synaptic delays
    noise: white noise on the membrane
    adex: adaptive exponential neurons
    hodgkin_huxley: Hodgkin-Huxley neurons
    >>> print(ns.climb(circuit, "conductance"))
    twin: rung conductance, dt 0.0001 s, step 0.001 s
      input: 1 units, spikes
      out: 2 lif, conductance synapses
      input -> out: 2 synapses
    """
    refuse_sources(circuit, "climb")
    for name in (rung, circuit.rung):
        if name not in RUNGS:
            raise InputError(f"climb: no rung {name!r}. Rungs: {', '.join(RUNGS)}.{suggest(name, RUNGS)}")
    below = len(rungs_up_to(circuit.rung))
    if len(rungs_up_to(rung)) < below:
        raise InputError(
            f"climb: {circuit.name!r} stands on {circuit.rung!r}, above {rung!r}; start from the translated circuit."
        )
    for reached in rungs_up_to(rung)[below:]:
        circuit = replace(reached.step(circuit, ladder or Ladder()), rung=reached.name)
    return circuit


def rungs_up_to(name: str) -> tuple[Rung, ...]:
    """Return the rung called `name` and all below it, from the lowest.

    >>> [rung.name for rung in rungs_up_to("fine")]
    ['exact', 'continuous', 'fine']
    """
    return tuple(RUNGS.values())[: list(RUNGS).index(name) + 1]


def _continuous(circuit: Circuit, ladder: Ladder) -> Circuit:
    """Give each neuron a membrane in volts: the threshold becomes the gap between rest and threshold."""
    if not circuit.is_discrete:
        raise InputError(f"climb: {circuit.name!r} has left the first rung; start from the translated circuit.")
    populations = tuple(_volts(p, ladder, circuit.dt) for p in circuit.populations)
    projections = tuple(_in_volts(circuit, p, ladder) for p in circuit.projections)
    return replace(circuit, populations=populations, projections=projections)


def _scale(population: Population, ladder: Ladder) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each neuron, volts a unit of its membrane and the share that is left after a step."""
    constants = constants_of(population, float(population.number("dt")[0]))
    ones = np.ones(population.size)
    gap = ladder.membrane.v_threshold - ladder.membrane.e_leak
    return gap / (constants["threshold"] * ones), constants["beta"] * ones


def _volts(population: Population, ladder: Ladder, dt: float) -> Population:
    record, membrane, model = population.parameters, ladder.membrane, population.model
    if not model.has_counterpart:
        raise InputError(f"climb: {population.name!r} has neurons ({model.name}) without a counterpart in volts.")
    reset = getattr(record, "reset", "none")
    scale, beta = _scale(population, ladder)
    if reset in ("none", "interpolated") or (beta >= 1).any() or not beta.all() or OWN & set(population.varying):
        raise InputError(
            f"climb: {population.name!r} has reset {reset!r} and keeps {beta.max():g} a step; neurons in volts need a "
            "leak and the reset subtract, zero, clear or immediate."
        )
    gap = membrane.v_threshold - membrane.e_leak
    tau = -dt / np.log(beta)
    numbers = {"capacitance": tau * membrane.g_leak, "subtracted": gap / beta}
    if reset == "immediate":
        v_reset = population.number("v_reset")
        numbers["v_reset"] = membrane.e_leak + v_reset * scale
    else:
        numbers["v_reset"] = np.full(population.size, membrane.e_leak)
    kind: Literal["value", "subtract"] = "subtract" if reset == "subtract" else "value"
    neuron = replace(membrane, reset=kind, refractory=0.0, **{k: float(v[0]) for k, v in numbers.items()})
    varying = {k: v for k, v in numbers.items() if (v != v[0]).any()}
    drive, synapses = population.drive, DeltaParameters()
    if model.own_current:
        alpha = constants_of(population, dt)[model.own_current]
        if np.ndim(alpha):
            raise InputError(f"climb: the synaptic time constants of {population.name!r} differ between neurons.")
        drive, synapses = drive / (1 - alpha), ExponentialParameters(-dt / float(np.log(alpha)))  # type: ignore[assignment]
    drive = drive * scale * membrane.g_leak / (1 - beta)
    return Population(population.name, population.size, neuron, drive, synapses, 0.0, varying, population.positions)


def _in_volts(circuit: Circuit, projection: Projection, ladder: Ladder) -> Projection:
    target = circuit.population(projection.target)
    scale, beta = _scale(target, ladder)
    to_current = ladder.membrane.g_leak * scale / (1 - beta)
    if circuit.is_graded(projection):
        return projection.times(to_current)
    if target.model.own_current:
        alpha = constants_of(target, circuit.dt)[target.model.own_current]
        share = (1 - alpha) / -np.log(alpha)
        return projection.times(to_current / share)
    return projection.times(scale)


def _fine(circuit: Circuit, ladder: Ladder) -> Circuit:
    return replace(circuit, dt=ladder.dt)


def _currents(circuit: Circuit, ladder: Ladder) -> Circuit:
    """Turn jumps of the membrane into currents of the same charge: A = V x capacitance / tau_syn."""

    def factor(target: Population) -> np.ndarray:
        return target.number("capacitance") / ladder.tau_syn

    return _exchange(circuit, DeltaParameters, ExponentialParameters(ladder.tau_syn), factor)


def _conductance(circuit: Circuit, ladder: Ladder) -> Circuit:
    """Turn currents into conductances that carry them half-way between rest and threshold."""
    populations = []
    for p in circuit.populations:
        tau = p.synapses.tau_syn if isinstance(p.synapses, ExponentialParameters) else ladder.tau_syn
        kept = ladder.conductance
        own = kept if tau == ladder.tau_syn else replace(kept, tau_exc=tau, tau_inh=tau)
        populations.append(replace(p, synapses=own))
    middle = (ladder.membrane.e_leak + ladder.membrane.v_threshold) / 2
    over, under = ladder.conductance.e_exc - middle, middle - ladder.conductance.e_inh
    projections = []
    for q in circuit.projections:
        before = circuit.population(q.target).synapses
        after = next(p for p in populations if p.name == q.target).synapses
        assert isinstance(before, ExponentialParameters) and isinstance(after, ConductanceParameters)
        excite, inhibit = before.tau_syn / after.tau_exc / over, before.tau_syn / after.tau_inh / under
        projections.append(
            q if circuit.is_graded(q) else q.map(lambda w, e=excite, i=inhibit: np.where(w > 0, w * e, w * i))
        )
    return replace(circuit, populations=tuple(populations), projections=tuple(projections))


def _refractory(circuit: Circuit, ladder: Ladder) -> Circuit:
    populations = []
    for p in circuit.populations:
        assert isinstance(p.parameters, LIFParameters)
        changes = {"reset": "value"} if ladder.reset == "value" else {}
        populations.append(replace(p, parameters=replace(p.parameters, refractory=ladder.refractory, **changes)))  # type: ignore[arg-type]
    projections = tuple(q if circuit.is_graded(q) else q.later(ladder.delay) for q in circuit.projections)
    return replace(circuit, populations=tuple(populations), projections=projections)


def _noise(circuit: Circuit, ladder: Ladder) -> Circuit:
    return replace(circuit, populations=tuple(replace(p, noise=ladder.noise) for p in circuit.populations))


def _adex(circuit: Circuit, ladder: Ladder) -> Circuit:
    """Give the membrane an exponential upstroke that begins at the threshold, and adaptation."""
    populations = []
    for p in circuit.populations:
        lif = p.parameters
        assert isinstance(lif, LIFParameters)
        if lif.reset != "value":
            raise InputError(f"climb: {p.name!r} keeps the reset {lif.reset!r}, which AdEx neurons do not have.")
        neuron = AdExParameters(
            capacitance=lif.capacitance,
            g_leak=lif.g_leak,
            e_leak=lif.e_leak,
            v_t=lif.v_threshold,
            delta_t=ladder.delta_t,
            v_cut=lif.v_threshold + 20e-3,
            v_reset=lif.v_reset,
            tau_w=ladder.tau_w,
            a=ladder.a,
            b=ladder.b,
            refractory=lif.refractory,
        )
        varying = {"v_t" if k == "v_threshold" else k: v for k, v in p.varying.items() if k != "subtracted"}
        populations.append(replace(p, parameters=neuron, varying=varying))
    return replace(circuit, populations=tuple(populations))


def _hodgkin_huxley(circuit: Circuit, ladder: Ladder) -> Circuit:
    """Give the membrane channels, as dense as in the neuron of this rung; its leak and time constant stay."""
    return replace(circuit, populations=tuple(_with_channels(p, ladder.hodgkin_huxley) for p in circuit.populations))


def _with_channels(population: Population, neuron: HodgkinHuxleyParameters) -> Population:
    kept = {name: population.number(name) for name in ("capacitance", "g_leak")}
    area = kept["capacitance"] / neuron.capacitance
    numbers = kept | {"g_na": neuron.g_na * area, "g_k": neuron.g_k * area}
    parameters = replace(neuron, **{name: float(values[0]) for name, values in numbers.items()})
    varying = {name: values for name, values in numbers.items() if (values != values[0]).any()}
    return replace(population, parameters=parameters, varying=varying)


def _exchange(
    circuit: Circuit, before: type, synapses: ExponentialParameters, factor: Callable[[Population], np.ndarray]
) -> Circuit:
    """Give every population with synapses of kind `before` other ones, and its weights a factor a neuron."""
    touched = {p.name for p in circuit.populations if isinstance(p.synapses, before)}
    populations = tuple(replace(p, synapses=synapses) if p.name in touched else p for p in circuit.populations)
    projections = tuple(
        q.times(factor(circuit.population(q.target))) if q.target in touched and not circuit.is_graded(q) else q
        for q in circuit.projections
    )
    return replace(circuit, populations=populations, projections=projections)


def _stay(circuit: Circuit, ladder: Ladder) -> Circuit:
    return circuit


@dataclass(frozen=True)
class Rung:
    """One step of the ladder of realism.

    Parameters
    ----------
    name : name by which circuits, studies and files know it.
    caption : what the circuit has on it.
    step : (circuit on the rung below, numbers of the ladder) -> circuit on this one.
    brings : the model that is new on it, whose paper is to be cited.
    """

    name: str
    caption: str
    step: Callable[[Circuit, Ladder], Circuit]
    brings: NeuronModel | SynapseModel | None = None


_RUNGS = (
    Rung("exact", "the translated circuit", _stay),
    Rung("continuous", "neurons in volts that decay between steps, one step a time step, the same spikes", _continuous),
    Rung("fine", "a finer step", _fine),
    Rung("currents", "finite synaptic currents of the same charge", _currents),
    Rung(
        "conductance",
        "conductances that carry this current half-way between rest and threshold",
        _conductance,
        conductance.MODEL,
    ),
    Rung("refractory", "a refractory period, reset to rest and synaptic delays", _refractory),
    Rung("noise", "white noise on the membrane", _noise),
    Rung("adex", "adaptive exponential neurons", _adex, adex.MODEL),
    Rung("hodgkin_huxley", "Hodgkin-Huxley neurons", _hodgkin_huxley, hodgkin_huxley.MODEL),
)
RUNGS = {rung.name: rung for rung in _RUNGS}
