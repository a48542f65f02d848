"""What changes what a spike brings: release, which is used up and recovers, and plasticity, which stays.

Both are pure steps, like neurons (see ``models.py``), read by every engine. A rule sees a spike of the source when it
arrives, delays included. In a step come, in this order: all traces decay (``pre_step``, ``post_step``); what arrives is
released (``on_spike``) and delivered with the weight as it is; the weight changes (``on_pre``), then the traces of the
source (``pre_spike``); the target takes its step; weights change (``each_step``, then where the target fires
``on_post``), then the traces of the target (``post_spike``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from neurosim.biophysics.by_value import by_value
from neurosim.biophysics.formulas import Functions, Quantities, Quantity, State, Step
from neurosim.biophysics.models import Constants, Numbers
from neurosim.parameters import Parameters, filled
from neurosim.registry import Registry


def nothing(x: State, m: Functions) -> Quantities:
    """Change nothing."""
    return {}


@by_value
@dataclass(frozen=True, eq=False)
class ReleaseModel:
    """How much of its weight a spike brings, which depends on the spikes before it.

    Parameters
    ----------
    name : name by which files and messages know it.
    parameters : class of its numbers, a frozen dataclass with defaults.
    state : initial value of each variable, a number or the name of a constant.
    constants : (numbers of the record, dt) -> the numbers that the formulas name.
    step : (x, m) -> state after a step without a spike.
    on_spike : (x, m) -> (state after a spike, the share of the weight that it brings).
    is_of_synapses : whether each synapse has a state of its own, in place of each source neuron.
    caption : what it is, in one sentence without a verb.
    reference : the paper to cite, with its DOI.

    Examples
    --------
    >>> ns.biophysics.RELEASES["tsodyks_markram"].state
    {'resources': 1.0, 'used': 'used_at_rest'}
    """

    name: str
    parameters: type[Parameters]
    state: Mapping[str, float | str]
    constants: Callable[[Numbers, float], Constants]
    step: Step
    on_spike: Callable[[State, Functions], tuple[Quantities, Quantity]]
    is_of_synapses: bool = False
    caption: str = ""
    reference: str = ""

    def of(self, values: Numbers) -> Parameters:
        """Return the record with these numbers, the others as they are by default; unknown names are refused."""
        return filled(self.name, self.parameters, values)


@by_value
@dataclass(frozen=True, eq=False)
class PlasticityModel:
    """How weights change by what source and target do.

    Formulas find in ``x`` the traces of source and target, ``weight`` and the other variables of the synapse, the
    constants, ``v`` (the membrane of the target), and ``modulator``, what the user gives over time, such as dopamine.

    Parameters
    ----------
    name : name by which files and messages know it.
    parameters : class of its numbers, a frozen dataclass with defaults; ``w_min`` and ``w_max`` bound the weights.
    constants : (numbers of the record, dt) -> the numbers that the formulas name.
    pre, post, synapse : initial values of the traces of a source and of a target neuron, and of a synapse's variables.
    pre_step, post_step : (x, m) -> traces after a step. pre_spike, post_spike : after a spike of their neuron.
    on_pre, on_post : (x, m) -> weight and variables of a synapse after a spike of its source, of its target.
    each_step : (x, m) -> weight and variables of a synapse after every step; None where nothing changes.
    is_modulated : whether it asks for a modulator.
    units : of traces and variables that have one, "weight" where it is that of the weights.
    caption : what it is, in one sentence without a verb.
    reference : the paper to cite, with its DOI.

    Examples
    --------
    >>> ns.biophysics.PLASTICITY["pair_stdp"].post
    {'post_trace': 0.0}
    """

    name: str
    parameters: type[Parameters]
    constants: Callable[[Numbers, float], Constants]
    pre: Mapping[str, float | str] = field(default_factory=dict)
    post: Mapping[str, float | str] = field(default_factory=dict)
    synapse: Mapping[str, float | str] = field(default_factory=dict)
    pre_step: Step = nothing
    post_step: Step = nothing
    pre_spike: Step = nothing
    post_spike: Step = nothing
    on_pre: Step = nothing
    on_post: Step = nothing
    each_step: Step | None = None
    is_modulated: bool = False
    units: Mapping[str, str] = field(default_factory=dict)
    caption: str = ""
    reference: str = ""

    def of(self, values: Numbers) -> Parameters:
        """Return the record with these numbers, the others as they are by default; unknown names are refused."""
        return filled(self.name, self.parameters, values)


RELEASES = Registry("release", "neurosim.biophysics.releases", ReleaseModel)
PLASTICITY = Registry("plasticity", "neurosim.biophysics.plasticity", PlasticityModel)


def release_of(parameters: object) -> ReleaseModel | None:
    """Return the model whose numbers these are; None where there is none."""
    return next((model for model in RELEASES.values() if model.parameters is type(parameters)), None)


def plasticity_of(parameters: object) -> PlasticityModel | None:
    """Return the model whose numbers these are; None where there is none."""
    return next((model for model in PLASTICITY.values() if model.parameters is type(parameters)), None)


def bounded(rule: Step, lowest: float, highest: float) -> Step:
    """Return a rule whose new weights stay between two bounds."""

    def step(x: State, m: Functions) -> Quantities:
        new = rule(x, m)
        if "weight" in new:
            new["weight"] = -m.at_most(-m.at_most(new["weight"], highest), -lowest)
        return new

    return step


def where_fired(rule: Step, names: tuple[str, ...]) -> Step:
    """Return a rule that changes the variables `names` only where ``x.fired`` is 1."""

    def step(x: State, m: Functions) -> Quantities:
        new = rule(x, m)
        return {k: x.fired * new[k] + (1.0 - x.fired) * getattr(x, k) for k in names if k in new}

    return step
