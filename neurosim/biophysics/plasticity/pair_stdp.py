"""Spike-timing-dependent plasticity by pairs of spikes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from neurosim.biophysics.formulas import Functions, Quantities, State
from neurosim.biophysics.models import Constants, Numbers, decay
from neurosim.biophysics.rules import PlasticityModel
from neurosim.parameters import check_choice, check_range
from neurosim.refusals import InputError
from neurosim.showing import tabled
from neurosim.units import plain_field


@tabled
@dataclass(frozen=True)
class PairSTDPParameters:
    """Weights grow where the source fires before the target and shrink where it fires after it.

    A pair ``t_post - t_pre = s`` changes the weight by ``a_plus exp(-s/tau_plus)`` (s >= 0) or
    ``-a_minus exp(s/tau_minus)`` (s < 0), in units of ``w_max`` with hard bounds, or of the distance to the bound that
    is ahead with soft ones (https://doi.org/10.1038/78829, https://doi.org/10.1007/s00422-008-0233-1).

    Parameters
    ----------
    w_max : largest weight, in the units of the weights.
    w_min : smallest weight. tau_plus, tau_minus : s. a_plus, a_minus : change by one pair, a share.
    pairing : "all" pairs count, or each spike with the "nearest" before it.
    bounds : "hard" or "soft".

    Raises
    ------
    InputError : a value is outside its range, an unknown word, bounds in the wrong order.

    Examples
    --------
    >>> ns.biophysics.PairSTDPParameters(w_max=1e-9).tau_plus
    0.02
    """

    w_max: float
    w_min: float = 0.0
    tau_plus: float = 20e-3
    tau_minus: float = 20e-3
    a_plus: float = 0.005
    a_minus: float = 0.00525
    pairing: Literal["all", "nearest"] = "all"
    bounds: Literal["hard", "soft"] = "hard"

    def __post_init__(self) -> None:
        check_range(self, **dict.fromkeys(("tau_plus", "tau_minus"), (1e-4, 10.0)))
        check_range(self, **dict.fromkeys(("a_plus", "a_minus"), (-1.0, 1.0)))
        check_bounds(self)
        check_choice(self, "pairing", ("all", "nearest"))
        check_choice(self, "bounds", ("hard", "soft"))


def check_bounds(record: object) -> None:
    """Raise unless the bounds of weights are finite and in order."""
    w_min, w_max = plain_field(record, "w_min"), plain_field(record, "w_max")
    if not -1e9 < w_min < w_max < 1e9:
        raise InputError(
            f"{type(record).__name__}: w_min = {w_min!r} below w_max = {w_max!r} asked, in the units of the weights."
        )


def constants(p: Numbers, dt: float) -> Constants:
    """Return the decays of both traces, the changes by a pair, and the words."""
    own = {k: p[k] for k in ("w_min", "w_max", "a_plus", "a_minus", "pairing", "bounds")}
    return own | {"pre_decay": decay(dt, p["tau_plus"]), "post_decay": decay(dt, p["tau_minus"])}


def pre_step(x: State, m: Functions) -> Quantities:
    """Let the trace of the source decay."""
    return {"pre_trace": x.pre_trace * x.pre_decay}


def post_step(x: State, m: Functions) -> Quantities:
    """Let the trace of the target decay."""
    return {"post_trace": x.post_trace * x.post_decay}


def pre_spike(x: State, m: Functions) -> Quantities:
    """Count a spike of the source."""
    return {"pre_trace": 1.0 + 0.0 * x.pre_trace if x.pairing == "nearest" else x.pre_trace + 1.0}


def post_spike(x: State, m: Functions) -> Quantities:
    """Count a spike of the target."""
    return {"post_trace": 1.0 + 0.0 * x.post_trace if x.pairing == "nearest" else x.post_trace + 1.0}


def on_pre(x: State, m: Functions) -> Quantities:
    """Weaken by the spikes of the target that came before."""
    room = x.w_max if x.bounds == "hard" else x.weight - x.w_min
    return {"weight": x.weight - x.a_minus * room * x.post_trace}


def on_post(x: State, m: Functions) -> Quantities:
    """Strengthen by the spikes of the source that came before."""
    room = x.w_max if x.bounds == "hard" else x.w_max - x.weight
    return {"weight": x.weight + x.a_plus * room * x.pre_trace}


MODEL = PlasticityModel(
    "pair_stdp",
    PairSTDPParameters,
    constants,
    pre={"pre_trace": 0.0},
    post={"post_trace": 0.0},
    pre_step=pre_step,
    post_step=post_step,
    pre_spike=pre_spike,
    post_spike=post_spike,
    on_pre=on_pre,
    on_post=on_post,
    caption="spike-timing-dependent plasticity by pairs",
    reference="Song S, Miller KD, Abbott LF (2000) Nat Neurosci 3:919-926, https://doi.org/10.1038/78829",
)
