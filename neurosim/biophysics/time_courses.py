"""How what arrived at a synapse rises and falls: exact steps of linear time courses, and their means over a step.

The value with which a step begins holds what arrived at that moment; the mean is that of the step which begins.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from neurosim.biophysics.formulas import Functions, Quantities, Quantity, State
from neurosim.biophysics.models import Constants, decay, mean_over_step


def exponential_constants(dt: float, tau: Any) -> Constants:
    """Return the constants of :func:`exponential`."""
    return {"decay": decay(dt, tau), "share": mean_over_step(dt, tau)}


def exponential(x: State, m: Functions) -> tuple[Quantities, Quantity]:
    """Let what arrived decay: the new state and its mean over the step."""
    level = m.let("level_now", x.level * x.decay + x.arrived)
    return {"level": level}, m.let("mean", level * x.share)


def alpha_constants(dt: float, tau: Any) -> Constants:
    """Return the constants of :func:`alpha`: a weight is the height of the peak, `tau` after the spike."""
    held = decay(dt, tau)
    late = tau * tau / dt * (1 - held * (1 + dt / tau))
    return {"decay": held, "share": mean_over_step(dt, tau), "late_share": late, "dt_share": dt, "slope": math.e / tau}


def alpha(x: State, m: Functions) -> tuple[Quantities, Quantity]:
    """Let what arrived rise and fall as ``t/tau exp(1 - t/tau)``: the new state and its mean over the step."""
    rising = m.let("rising_now", x.rising * x.decay + x.slope * x.arrived)
    level = m.let("level_now", (x.level + x.rising * x.dt_share) * x.decay)
    mean = level * x.share + rising * x.late_share
    return {"level": level, "rising": rising}, m.let("mean", mean)


def double_exponential_constants(dt: float, tau_rise: Any, tau_decay: Any) -> Constants:
    """Return the constants of :func:`double_exponential`: a weight is the height of the peak."""
    peak = np.log(tau_decay / tau_rise) * tau_rise * tau_decay / (tau_decay - tau_rise)
    height = np.exp(-peak / tau_decay) - np.exp(-peak / tau_rise)
    return {
        "fall_decay": decay(dt, tau_decay),
        "fall_share": mean_over_step(dt, tau_decay),
        "rise_decay": decay(dt, tau_rise),
        "rise_share": mean_over_step(dt, tau_rise),
        "scale": 1 / height if np.ndim(height) else float(1 / height),
    }


def double_exponential(x: State, m: Functions) -> tuple[Quantities, Quantity]:
    """Let what arrived rise with one time constant and fall with another: the new state and its mean over the step."""
    falling = m.let("falling_now", x.falling * x.fall_decay + x.scale * x.arrived)
    rising = m.let("rising_now", x.rising * x.rise_decay + x.scale * x.arrived)
    return {"falling": falling, "rising": rising}, m.let("mean", falling * x.fall_share - rising * x.rise_share)
