"""Spike-timing-dependent plasticity that a third factor, such as dopamine, turns into changes."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.biophysics.formulas import Functions, Quantities, State
from neurosim.biophysics.models import Constants, Numbers, decay, mean_over_step
from neurosim.biophysics.plasticity.pair_stdp import check_bounds, post_spike, post_step, pre_spike, pre_step
from neurosim.biophysics.rules import PlasticityModel
from neurosim.parameters import check_range
from neurosim.showing import tabled


@tabled
@dataclass(frozen=True)
class DopamineSTDPParameters:
    """Pairs of spikes leave a trace of eligibility, which changes the weight while a modulator is there.

    ``dc/dt = -c/tau_eligibility + stdp``, ``dw/dt = c modulator``; `stdp` is that of pairs, in units of ``w_max``
    (https://doi.org/10.1093/cercor/bhl152). The modulator is given over time, in 1/s.

    Parameters
    ----------
    w_max, w_min : bounds, in the units of the weights.
    tau_eligibility, tau_plus, tau_minus : s. a_plus, a_minus : eligibility by one pair, a share.

    Raises
    ------
    InputError : a value is outside its range, bounds in the wrong order.

    Examples
    --------
    >>> ns.biophysics.DopamineSTDPParameters(w_max=1e-9).tau_eligibility
    1.0
    """

    w_max: float
    w_min: float = 0.0
    tau_eligibility: float = 1.0
    tau_plus: float = 20e-3
    tau_minus: float = 20e-3
    a_plus: float = 0.1
    a_minus: float = 0.15

    def __post_init__(self) -> None:
        check_range(self, **dict.fromkeys(("tau_eligibility", "tau_plus", "tau_minus"), (1e-4, 100.0)))
        check_range(self, **dict.fromkeys(("a_plus", "a_minus"), (-10.0, 10.0)))
        check_bounds(self)


def constants(p: Numbers, dt: float) -> Constants:
    """Return the decays of traces and eligibility, and the changes by a pair."""
    return {
        "w_min": p["w_min"],
        "w_max": p["w_max"],
        "pairing": "all",
        "grown": p["a_plus"] * p["w_max"],
        "shrunk": p["a_minus"] * p["w_max"],
        "pre_decay": decay(dt, p["tau_plus"]),
        "post_decay": decay(dt, p["tau_minus"]),
        "eligibility_decay": decay(dt, p["tau_eligibility"]),
        "over_step": mean_over_step(dt, p["tau_eligibility"]) * dt,
    }


def on_pre(x: State, m: Functions) -> Quantities:
    """Make the synapse eligible to weaken."""
    return {"eligibility": x.eligibility - x.shrunk * x.post_trace}


def on_post(x: State, m: Functions) -> Quantities:
    """Make the synapse eligible to grow."""
    return {"eligibility": x.eligibility + x.grown * x.pre_trace}


def each_step(x: State, m: Functions) -> Quantities:
    """Change the weight by eligibility and modulator, and let eligibility decay."""
    return {
        "weight": x.weight + x.eligibility * x.over_step * x.modulator,
        "eligibility": x.eligibility * x.eligibility_decay,
    }


MODEL = PlasticityModel(
    "dopamine_stdp",
    DopamineSTDPParameters,
    constants,
    pre={"pre_trace": 0.0},
    post={"post_trace": 0.0},
    synapse={"eligibility": 0.0},
    pre_step=pre_step,
    post_step=post_step,
    pre_spike=pre_spike,
    post_spike=post_spike,
    on_pre=on_pre,
    on_post=on_post,
    each_step=each_step,
    is_modulated=True,
    units={"eligibility": "weight"},
    caption="plasticity by pairs and dopamine",
    reference="Izhikevich EM (2007) Cereb Cortex 17:2443-2452, https://doi.org/10.1093/cercor/bhl152",
)
