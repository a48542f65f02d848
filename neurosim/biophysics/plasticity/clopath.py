"""Plasticity by the membrane of the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from neurosim.biophysics.formulas import Functions, Quantities, Quantity, State
from neurosim.biophysics.models import Constants, Numbers, decay
from neurosim.biophysics.plasticity.pair_stdp import check_bounds
from neurosim.biophysics.rules import PlasticityModel
from neurosim.parameters import check_range
from neurosim.showing import tabled


@tabled
@dataclass(frozen=True)
class ClopathParameters:
    """Weights shrink by spikes onto a membrane that was depolarised, and grow while a membrane is so again and again.

    A spike of the source changes the weight by ``-a_ltd [u_minus - theta_minus]+``; at all times it grows by
    ``a_ltp x [v - theta_plus]+ [u_plus - theta_minus]+`` per second, in units of ``w_max``; u_minus and u_plus are
    low-pass filtered membranes, x is the trace of the source (https://doi.org/10.1038/nn.2479; the amplitude of
    depression is constant here, without its homeostasis).

    Parameters
    ----------
    w_max, w_min : bounds, in the units of the weights.
    a_ltd : 1/V. a_ltp : 1/(V^2 s). theta_minus, theta_plus : V. tau_minus, tau_plus, tau_x : s.
    e_leak : membrane with which both filters begin, V.

    Raises
    ------
    InputError : a value is outside its range, bounds in the wrong order.

    Examples
    --------
    >>> ns.biophysics.ClopathParameters(w_max=1e-9).theta_plus
    -0.0453
    """

    own_units: ClassVar[dict[str, str]] = {"a_ltd": "V-1", "a_ltp": "V-2 s-1"}
    w_max: float
    w_min: float = 0.0
    a_ltd: float = 0.14
    a_ltp: float = 8e4
    theta_minus: float = -70.6e-3
    theta_plus: float = -45.3e-3
    tau_minus: float = 10e-3
    tau_plus: float = 7e-3
    tau_x: float = 15e-3
    e_leak: float = -70.6e-3

    def __post_init__(self) -> None:
        check_range(self, **dict.fromkeys(("tau_minus", "tau_plus", "tau_x"), (1e-4, 10.0)))
        check_range(self, **dict.fromkeys(("theta_minus", "theta_plus", "e_leak"), (-0.2, 0.2)))
        check_range(self, a_ltd=(0.0, 1e6), a_ltp=(0.0, 1e9))
        check_bounds(self)


def constants(p: Numbers, dt: float) -> Constants:
    """Return thresholds, decays of filters and trace, and changes per volt and step."""
    own = {k: p[k] for k in ("w_min", "w_max", "theta_minus", "theta_plus", "e_leak")}
    decays = {f"{k}_decay": decay(dt, p[f"tau_{k}"]) for k in ("minus", "plus", "x")}
    return own | decays | {"depression": p["a_ltd"] * p["w_max"], "growth": p["a_ltp"] * p["w_max"] * dt}


def pre_step(x: State, m: Functions) -> Quantities:
    """Let the trace of the source decay."""
    return {"pre_trace": x.pre_trace * x.x_decay}


def pre_spike(x: State, m: Functions) -> Quantities:
    """Count a spike of the source."""
    return {"pre_trace": x.pre_trace + 1.0}


def post_step(x: State, m: Functions) -> Quantities:
    """Let both filters follow the membrane."""
    return {
        "u_minus": x.v + (x.u_minus - x.v) * x.minus_decay,
        "u_plus": x.v + (x.u_plus - x.v) * x.plus_decay,
    }


def on_pre(x: State, m: Functions) -> Quantities:
    """Weaken onto a membrane that was depolarised."""
    return {"weight": x.weight - x.depression * _above(x.u_minus - x.theta_minus, m)}


def each_step(x: State, m: Functions) -> Quantities:
    """Strengthen while a membrane is depolarised that was so before."""
    driven = _above(x.v - x.theta_plus, m) * _above(x.u_plus - x.theta_minus, m)
    return {"weight": x.weight + x.growth * x.pre_trace * driven}


def _above(value: Quantity, m: Functions) -> Quantity:
    return value * m.is_positive(value)


MODEL = PlasticityModel(
    "clopath",
    ClopathParameters,
    constants,
    pre={"pre_trace": 0.0},
    post={"u_minus": "e_leak", "u_plus": "e_leak"},
    pre_step=pre_step,
    post_step=post_step,
    pre_spike=pre_spike,
    on_pre=on_pre,
    each_step=each_step,
    units={"u_minus": "V", "u_plus": "V"},
    caption="plasticity by the membrane",
    reference="Clopath C, Buesing L, Vasilaki E, Gerstner W (2010) Nat Neurosci 13:344-352, https://doi.org/10.1038/nn.2479",
)
