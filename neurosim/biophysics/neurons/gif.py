"""The generalised integrate-and-fire neuron, whose spikes escape at random; see :class:`GIFParameters`.

Within a step of constant rate, "no event before ``rate dt``" is a comparison with an exponential draw; taking
logarithms, the neuron fires where ``v`` exceeds its threshold plus ``delta_v (xi - log dt)``, ``xi`` the log of such a
draw.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from neurosim.biophysics.neurons.model import (
    Constants,
    NeuronModel,
    decay,
    held_while_refractory,
    membrane_after_step,
    membrane_constants,
)
from neurosim.parameters import GIF_MEMORIES, GIFParameters

STEEPEST = 50.0
OWN = (
    "g_bend",
    "v_bend",
    "g_a",
    "e_k",
    "v_m",
    "k_m",
    "v_h",
    "k_h",
    "v_t",
    "delta_v",
    "coupling",
    "v_couple",
    "v_reset",
)


def constants(p: Mapping[str, Any], dt: float) -> Constants:
    """Return the constants of the membrane, of the A-type current, of the threshold and of the memory of spikes."""
    found = membrane_constants(p, dt) | {name: p[name] for name in OWN}
    found |= {f"{kind}_{k}": p[f"{kind}_{k}"] for kind in ("eta", "gamma") for k in GIF_MEMORIES}
    found |= {f"decay_{k}": decay(dt, p[f"tau_{k}"]) for k in GIF_MEMORIES}
    found |= {"h_decay": decay(dt, p["tau_h"]), "theta_decay": decay(dt, p["tau_theta"]), "log_step": -math.log(dt)}
    found["h_rest"] = 1.0 / (1.0 + np.exp((np.asarray(p["e_leak"]) - p["v_h"]) / p["k_h"]))
    return found


def update(x: Any, m: Any) -> dict[str, Any]:
    """Move the membrane, the inactivation of the A-type current, the threshold, and what is left of past spikes."""
    conductance = m.let("g_open", x.g_a * _open(x.v - x.v_m, x.k_m, m) * x.h)
    bent = x.g_bend * (x.v - x.v_bend) * m.is_positive(x.v - x.v_bend)
    current = conductance * x.e_k - bent - x.w_1 - x.w_2 - x.w_3 - x.w_4
    v, wait = held_while_refractory(x, m, membrane_after_step(x, m, current, conductance))
    h_target = m.let("h_target", _open(x.v_h - x.v, x.k_h, m))
    theta_target = m.let("theta_target", x.coupling * (x.v - x.v_couple) * m.is_positive(x.v - x.v_couple))
    new = {
        "v": v,
        "wait": wait,
        "h": h_target + (x.h - h_target) * x.h_decay,
        "theta": theta_target + (x.theta - theta_target) * x.theta_decay,
    }
    for k in GIF_MEMORIES:
        left = getattr(x, f"decay_{k}")
        new |= {f"{name}_{k}": getattr(x, f"{name}_{k}") * left for name in ("w", "rise")}
    return new


def distance(x: Any, m: Any) -> Any:
    """Return how far the membrane is above the random threshold, V; out of reach while it is held."""
    risen = x.v_t + x.theta + x.rise_1 + x.rise_2 + x.rise_3 + x.rise_4
    return x.v - risen - x.delta_v * (x.xi + x.log_step) - 1e3 * m.is_positive(x.wait - 0.5)


def reset(x: Any, m: Any) -> dict[str, Any]:
    """Set the membrane, add to the memory of spikes, begin to wait."""
    new = {"v": x.v_reset, "wait": x.held_steps}
    for k in GIF_MEMORIES:
        new[f"w_{k}"] = getattr(x, f"w_{k}") + getattr(x, f"eta_{k}")
        new[f"rise_{k}"] = getattr(x, f"rise_{k}") + getattr(x, f"gamma_{k}")
    return new


def _open(above: Any, slope: Any, m: Any) -> Any:
    """Return the Boltzmann function of a voltage."""
    return 1.0 / (1.0 + m.exp(m.at_most(-above / slope, STEEPEST)))


STATE: dict[str, float | str] = {"v": "e_leak", "wait": 0.0, "h": "h_rest", "theta": 0.0}
STATE |= {f"{name}_{k}": 0.0 for name in ("w", "rise") for k in GIF_MEMORIES}
MODEL = NeuronModel(GIFParameters, STATE, constants, update, distance, reset, is_random=True)
