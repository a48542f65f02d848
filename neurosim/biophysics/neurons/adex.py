"""The adaptive exponential integrate-and-fire neuron of Brette and Gerstner (https://doi.org/10.1152/jn.00686.2005).

``C dv/dt = g_leak (e_leak - v) + g_leak delta_t exp((v - v_t)/delta_t) - w + I``, ``tau_w dw/dt = a (v - e_leak) - w``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurosim.biophysics.neurons.model import (
    Constants,
    NeuronModel,
    decay,
    held_while_refractory,
    membrane_after_step,
    membrane_constants,
)
from neurosim.parameters import AdExParameters

STEEPEST = 20.0


def constants(p: Mapping[str, Any], dt: float) -> Constants:
    """Return the constants of the membrane, of the upstroke and of the adaptation."""
    own = {name: p[name] for name in ("v_t", "delta_t", "v_cut", "v_reset", "a", "b")}
    return membrane_constants(p, dt) | own | {"w_decay": decay(dt, p["tau_w"])}


def update(x: Any, m: Any) -> dict[str, Any]:
    """Move the membrane, whose upstroke is explicit and bounded, and the adaptation current."""
    upstroke = x.g_leak * x.delta_t * m.exp(m.at_most((x.v - x.v_t) / x.delta_t, STEEPEST))
    v, wait = held_while_refractory(x, m, membrane_after_step(x, m, upstroke - x.w))
    steady = m.let("w_target", x.a * (x.v - x.e_leak))
    return {"v": v, "wait": wait, "w": steady + (x.w - steady) * x.w_decay}


def distance(x: Any, m: Any) -> Any:
    """Return how far the membrane is above the cut-off of the upstroke, V."""
    return x.v - x.v_cut


def reset(x: Any, m: Any) -> dict[str, Any]:
    """Set the membrane, add to the adaptation current, begin to wait."""
    return {"v": x.v_reset, "wait": x.held_steps, "w": x.w + x.b}


MODEL = NeuronModel(AdExParameters, {"v": "e_leak", "wait": 0.0, "w": 0.0}, constants, update, distance, reset)
