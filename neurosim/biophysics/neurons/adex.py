"""The adaptive exponential integrate-and-fire neuron of Brette and Gerstner (https://doi.org/10.1152/jn.00686.2005).

``C dv/dt = g_leak (e_leak - v) + g_leak delta_t exp((v - v_t)/delta_t) - w + I``, ``tau_w dw/dt = a (v - e_leak) - w``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from neurosim.biophysics.formulas import Functions, Quantities, Quantity, State
from neurosim.biophysics.models import (
    Constants,
    NeuronModel,
    Numbers,
    decay,
    held_while_refractory,
    membrane_after_step,
    membrane_constants,
    membrane_in_middle,
)
from neurosim.parameters import MEMBRANE, check_range, check_threshold
from neurosim.showing import tabled

STEEPEST = 20.0


@tabled
@dataclass(frozen=True)
class AdExParameters:
    """Adaptive exponential integrate-and-fire neuron (https://doi.org/10.1152/jn.00686.2005).

    ``C dv/dt = -g_leak (v - e_leak) + g_leak delta_t exp((v - v_t)/delta_t) - w + I``,
    ``tau_w dw/dt = a (v - e_leak) - w``; at ``v > v_cut``: ``v = v_reset``, ``w += b``.
    Resets by a difference are not there: how far the upstroke passes `v_cut` within a step depends on the step alone.

    Parameters
    ----------
    capacitance : F. g_leak, a : S. e_leak, v_t, delta_t, v_cut, v_reset : V. b : A. tau_w, refractory : s.

    Raises
    ------
    InputError : a value is outside its range, or the cut-off is not above the reset.

    Examples
    --------
    >>> ns.biophysics.AdExParameters(a=0.0, b=0.0).delta_t
    0.002
    """

    own_units: ClassVar[dict[str, str]] = {"a": "S", "b": "A"}
    capacitance: float = 281e-12
    g_leak: float = 30e-9
    e_leak: float = -70.6e-3
    v_t: float = -50.4e-3
    delta_t: float = 2e-3
    v_cut: float = -30e-3
    v_reset: float = -70.6e-3
    tau_w: float = 144e-3
    a: float = 4e-9
    b: float = 80.5e-12
    refractory: float = 2e-3

    def __post_init__(self) -> None:
        volts = dict.fromkeys(("e_leak", "v_t", "v_cut", "v_reset"), (-0.2, 0.2))
        check_range(self, **MEMBRANE, **volts, delta_t=(1e-6, 0.05), tau_w=(1e-4, 10.0))
        check_range(self, a=(-1e-6, 1e-6), b=(0.0, 1e-7), refractory=(0.0, 1.0))
        check_threshold(self, self.v_cut, self.v_reset)


def constants(p: Numbers, dt: float) -> Constants:
    """Return the constants of the membrane, of the upstroke and of the adaptation."""
    own = {name: p[name] for name in ("v_t", "delta_t", "v_cut", "v_reset", "a", "b")}
    return membrane_constants(p, dt) | own | {"w_decay": decay(dt, p["tau_w"])}


def update(x: State, m: Functions) -> Quantities:
    """Move membrane and adaptation current by where both are in the middle of the step; the upstroke is bounded."""
    steady = m.let("w_before", x.a * (x.v - x.e_leak))
    w = m.let("w_middle", steady + (x.w - steady) * m.apply("sqrt", x.w_decay))
    middle = m.at_most(membrane_in_middle(x, m, _upstroke(x, m, m.still(x.v)) - x.w), x.v_cut)
    v, wait = held_while_refractory(x, m, membrane_after_step(x, m, _upstroke(x, m, m.still(middle)) - w))
    waiting = m.let("held", m.is_positive(x.wait - 0.5))
    steady = m.let("w_target", x.a * (waiting * x.v + (1.0 - waiting) * middle - x.e_leak))
    return {"v": v, "wait": wait, "w": steady + (x.w - steady) * x.w_decay}


def _upstroke(x: State, m: Functions, v: Quantity) -> Quantity:
    """Return the exponential current of a membrane, A."""
    return x.g_leak * x.delta_t * m.exp(m.at_most((v - x.v_t) / x.delta_t, STEEPEST))


def distance(x: State, m: Functions) -> Quantity:
    """Return how far the membrane is above the cut-off of the upstroke, V."""
    return x.v - x.v_cut


def reset(x: State, m: Functions) -> Quantities:
    """Set the membrane, add to the adaptation current, begin to wait."""
    return {"v": x.v_reset, "wait": x.held_steps, "w": x.w + x.b}


MODEL = NeuronModel(
    "adex",
    AdExParameters,
    {"v": "e_leak", "wait": 0.0, "w": 0.0},
    constants,
    update,
    distance,
    reset,
    units={"v": "V", "wait": "1", "w": "A"},
    threshold="v_t",
    caption="AdEx neurons",
    reference="Brette R, Gerstner W (2005) J Neurophysiol 94:3637-3642, https://doi.org/10.1152/jn.00686.2005",
    example=({}, 1.2e-9),
)
