"""Spike-timing-dependent plasticity by triplets of spikes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from neurosim.biophysics.formulas import Functions, Quantities, State
from neurosim.biophysics.models import Constants, Numbers, decay
from neurosim.biophysics.plasticity.pair_stdp import check_bounds
from neurosim.biophysics.rules import PlasticityModel
from neurosim.parameters import check_choice, check_range
from neurosim.showing import tabled

TAUS = ("tau_plus", "tau_minus", "tau_x", "tau_y")
SHARES = ("a2_plus", "a2_minus", "a3_plus", "a3_minus")


@tabled
@dataclass(frozen=True)
class TripletSTDPParameters:
    """Weights change by pairs and triplets of spikes, with two traces of the source and two of the target.

    A spike of the source changes the weight by ``-o1 (a2_minus + a3_minus r2)``, one of the target by
    ``r1 (a2_plus + a3_plus o2)``, in units of ``w_max``; r2 and o2 are read as they were before the spike. The defaults
    are the full all-to-all model fitted to visual cortex (https://doi.org/10.1523/JNEUROSCI.1425-06.2006, table 3).

    Parameters
    ----------
    w_max, w_min : bounds, in the units of the weights.
    tau_plus, tau_x : of r1 and r2, s. tau_minus, tau_y : of o1 and o2, s.
    a2_plus, a2_minus, a3_plus, a3_minus : changes by a pair and by a triplet, a share.
    pairing : "all" spikes count, or only the "nearest".

    Raises
    ------
    InputError : a value is outside its range, an unknown word, bounds in the wrong order.

    Examples
    --------
    >>> ns.biophysics.TripletSTDPParameters(w_max=1e-9).tau_y
    0.125
    """

    w_max: float
    w_min: float = 0.0
    tau_plus: float = 16.8e-3
    tau_minus: float = 33.7e-3
    tau_x: float = 101e-3
    tau_y: float = 125e-3
    a2_plus: float = 5e-10
    a2_minus: float = 7e-3
    a3_plus: float = 6.2e-3
    a3_minus: float = 2.3e-4
    pairing: Literal["all", "nearest"] = "all"

    def __post_init__(self) -> None:
        check_range(self, **dict.fromkeys(TAUS, (1e-4, 10.0)), **dict.fromkeys(SHARES, (-1.0, 1.0)))
        check_bounds(self)
        check_choice(self, "pairing", ("all", "nearest"))


def constants(p: Numbers, dt: float) -> Constants:
    """Return the decays of the four traces, the changes, and the word."""
    decays = {f"{name}_decay": decay(dt, p[tau]) for name, tau in zip(("r1", "o1", "r2", "o2"), TAUS, strict=True)}
    return {k: p[k] for k in ("w_min", "w_max", "pairing", *SHARES)} | decays


def pre_step(x: State, m: Functions) -> Quantities:
    """Let both traces of the source decay."""
    return {"r1": x.r1 * x.r1_decay, "r2": x.r2 * x.r2_decay}


def post_step(x: State, m: Functions) -> Quantities:
    """Let both traces of the target decay."""
    return {"o1": x.o1 * x.o1_decay, "o2": x.o2 * x.o2_decay}


def pre_spike(x: State, m: Functions) -> Quantities:
    """Count a spike of the source."""
    kept = 0.0 if x.pairing == "nearest" else 1.0
    return {"r1": kept * x.r1 + 1.0, "r2": kept * x.r2 + 1.0}


def post_spike(x: State, m: Functions) -> Quantities:
    """Count a spike of the target."""
    kept = 0.0 if x.pairing == "nearest" else 1.0
    return {"o1": kept * x.o1 + 1.0, "o2": kept * x.o2 + 1.0}


def on_pre(x: State, m: Functions) -> Quantities:
    """Weaken by the spikes of the target that came before, more after earlier spikes of the source."""
    return {"weight": x.weight - x.w_max * x.o1 * (x.a2_minus + x.a3_minus * x.r2)}


def on_post(x: State, m: Functions) -> Quantities:
    """Strengthen by the spikes of the source that came before, more after earlier spikes of the target."""
    return {"weight": x.weight + x.w_max * x.r1 * (x.a2_plus + x.a3_plus * x.o2)}


MODEL = PlasticityModel(
    "triplet_stdp",
    TripletSTDPParameters,
    constants,
    pre={"r1": 0.0, "r2": 0.0},
    post={"o1": 0.0, "o2": 0.0},
    pre_step=pre_step,
    post_step=post_step,
    pre_spike=pre_spike,
    post_spike=post_spike,
    on_pre=on_pre,
    on_post=on_post,
    caption="spike-timing-dependent plasticity by triplets",
    reference="Pfister JP, Gerstner W (2006) J Neurosci 26:9673-9682, https://doi.org/10.1523/JNEUROSCI.1425-06.2006",
)
