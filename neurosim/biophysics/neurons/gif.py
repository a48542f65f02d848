"""The generalised integrate-and-fire neuron, whose spikes escape at random; see :class:`GIFParameters`.

Within a step of constant rate, "no event before ``rate dt``" is a comparison with an exponential draw; taking
logarithms, the neuron fires where ``v`` exceeds its threshold plus ``delta_v (xi - log dt)``, ``xi`` the log of such a
draw.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from neurosim.biophysics.formulas import Functions, Quantities, Quantity, State
from neurosim.biophysics.models import (
    Constants,
    NeuronModel,
    Numbers,
    decay,
    held_while_refractory,
    membrane_after_step,
    membrane_constants,
)
from neurosim.biophysics.resets import while_free
from neurosim.parameters import MEMBRANE, check_range
from neurosim.showing import tabled

STEEPEST = 50.0
GIF_MEMORIES = (1, 2, 3, 4)
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


@tabled
@dataclass(frozen=True)
class GIFParameters:
    """Generalised integrate-and-fire neuron: memory of spikes and of the membrane, and escape noise.

    ``C dv/dt = g_leak (e_leak - v) - g_bend [v - v_bend]_+ - g_a m(v) h (v - e_k) - sum_k w_k + I``. Spikes come at
    random, with rate ``exp((v - v_t - theta - sum_k rise_k) / delta_v)`` in spikes/s; each adds ``eta_k`` to ``w_k``
    and ``gamma_k`` to ``rise_k``, which decay with ``tau_k``. The threshold follows the membrane,
    ``tau_theta dtheta/dt = coupling [v - v_couple]_+ - theta``, and ``h`` inactivates the A-type current,
    ``tau_h dh/dt = 1/(1 + exp((v - v_h)/k_h)) - h``, ``m = 1/(1 + exp(-(v - v_m)/k_m))``.

    The neuron of https://doi.org/10.1371/journal.pcbi.1004275 with the threshold of
    https://doi.org/10.1371/journal.pcbi.1004761 and the A-type current of https://doi.org/10.7554/eLife.72951.

    Parameters
    ----------
    capacitance : F. g_leak, g_bend, g_a : S. e_leak, v_bend, e_k, v_m, k_m, v_h, k_h : V. tau_h : s.
    eta_1 ... eta_4 : A. gamma_1 ... gamma_4 : V. tau_1 ... tau_4 : s.
    v_t, delta_v, v_couple, v_reset : V; at ``v = v_t`` the rate is 1 spike/s. coupling : 1. tau_theta, refractory : s.

    Raises
    ------
    InputError : a value is outside its range.

    Examples
    --------
    >>> ns.biophysics.GIFParameters(gamma_2=2e-3).tau_2
    0.015
    """

    capacitance: float = 50e-12
    g_leak: float = 2e-9
    e_leak: float = -65e-3
    g_bend: float = 0.0
    v_bend: float = -55e-3
    g_a: float = 0.0
    e_k: float = -85e-3
    v_m: float = -25e-3
    k_m: float = 6e-3
    v_h: float = -68e-3
    k_h: float = 8e-3
    tau_h: float = 80e-3
    eta_1: float = 0.0
    eta_2: float = 20e-12
    eta_3: float = 0.0
    eta_4: float = 0.0
    gamma_1: float = 0.0
    gamma_2: float = 5e-3
    gamma_3: float = 0.0
    gamma_4: float = 0.0
    tau_1: float = 3e-3
    tau_2: float = 15e-3
    tau_3: float = 60e-3
    tau_4: float = 250e-3
    v_t: float = -50e-3
    delta_v: float = 2e-3
    coupling: float = 0.0
    v_couple: float = -50e-3
    tau_theta: float = 20e-3
    v_reset: float = -55e-3
    refractory: float = 4e-3

    def __post_init__(self) -> None:
        volts = dict.fromkeys(("e_leak", "v_bend", "e_k", "v_m", "v_h", "v_couple", "v_reset"), (-0.2, 0.2))
        check_range(self, **MEMBRANE, **volts, **dict.fromkeys(("k_m", "k_h"), (1e-4, 0.1)))
        check_range(self, **dict.fromkeys(("tau_h", "tau_1", "tau_2", "tau_3", "tau_4", "tau_theta"), (1e-4, 10.0)))
        check_range(self, g_bend=(-1e-4, 1e-4), g_a=(0.0, 1e-4), delta_v=(1e-5, 0.1), coupling=(-10.0, 10.0))
        check_range(self, **{f"eta_{k}": (-1e-6, 1e-6) for k in GIF_MEMORIES}, refractory=(0.0, 1.0))
        check_range(self, **{f"gamma_{k}": (-10.0, 10.0) for k in GIF_MEMORIES}, v_t=(-1.0, 1.0))


def constants(p: Numbers, dt: float) -> Constants:
    """Return the constants of the membrane, of the A-type current, of the threshold and of the memory of spikes."""
    found = membrane_constants(p, dt) | {name: p[name] for name in OWN}
    found |= {f"{kind}_{k}": p[f"{kind}_{k}"] for kind in ("eta", "gamma") for k in GIF_MEMORIES}
    found |= {f"decay_{k}": decay(dt, p[f"tau_{k}"]) for k in GIF_MEMORIES}
    found |= {"h_decay": decay(dt, p["tau_h"]), "theta_decay": decay(dt, p["tau_theta"]), "log_step": -math.log(dt)}
    found["h_rest"] = 1.0 / (1.0 + np.exp((np.asarray(p["e_leak"]) - p["v_h"]) / p["k_h"]))
    return found


def update(x: State, m: Functions) -> Quantities:
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


def distance(x: State, m: Functions) -> Quantity:
    """Return how far the membrane is above the random threshold, V; out of reach while it is held."""
    risen = x.v_t + x.theta + x.rise_1 + x.rise_2 + x.rise_3 + x.rise_4
    return while_free(x, m, x.v - risen - x.delta_v * (x.xi + x.log_step))


def reset(x: State, m: Functions) -> Quantities:
    """Set the membrane, add to the memory of spikes, begin to wait."""
    new = {"v": x.v_reset, "wait": x.held_steps}
    for k in GIF_MEMORIES:
        new[f"w_{k}"] = getattr(x, f"w_{k}") + getattr(x, f"eta_{k}")
        new[f"rise_{k}"] = getattr(x, f"rise_{k}") + getattr(x, f"gamma_{k}")
    return new


def _open(above: Quantity, slope: Quantity, m: Functions) -> Quantity:
    """Return the Boltzmann function of a voltage."""
    return 1.0 / (1.0 + m.exp(m.at_most(-above / slope, STEEPEST)))


STATE: dict[str, float | str] = {"v": "e_leak", "wait": 0.0, "h": "h_rest", "theta": 0.0}
STATE |= {f"{name}_{k}": 0.0 for name in ("w", "rise") for k in GIF_MEMORIES}
UNITS = {"v": "V", "wait": "1", "h": "1", "theta": "V"}
UNITS |= {f"{name}_{k}": unit for name, unit in (("w", "A"), ("rise", "V")) for k in GIF_MEMORIES}
EXAMPLE = {"g_bend": 2e-10, "g_a": 5e-9, "coupling": 0.3, "v_t": -56e-3, "v_couple": -60e-3, "tau_1": 8e-3}
EXAMPLE |= {"refractory": 2e-3, **{f"eta_{k}": 5e-12 for k in GIF_MEMORIES}}
EXAMPLE |= {f"gamma_{k}": 5e-4 for k in GIF_MEMORIES}
MODEL = NeuronModel(
    "gif",
    GIFParameters,
    STATE,
    constants,
    update,
    distance,
    reset,
    units=UNITS,
    is_random=True,
    threshold="v_t",
    caption="generalised integrate-and-fire neurons",
    reference="Pozzorini C, Mensi S, Hagens O, et al. (2015) PLoS Comput Biol 11:e1004275, https://doi.org/10.1371/journal.pcbi.1004275",
    example=(EXAMPLE, 1.5e-10),
)
