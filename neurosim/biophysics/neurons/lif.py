"""The leaky integrate-and-fire neuron in volts: ``C dv/dt = g_leak (e_leak - v) + I``.

https://doi.org/10.1007/s00422-006-0068-6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np

from neurosim.biophysics.formulas import Functions, Quantities, Quantity, State
from neurosim.biophysics.models import (
    Constants,
    NeuronModel,
    Numbers,
    held_while_refractory,
    membrane_after_step,
    membrane_constants,
)
from neurosim.biophysics.resets import LeakyReset, after_spike, check_reset, reset_constants, while_free
from neurosim.parameters import MEMBRANE, check_range, check_threshold
from neurosim.showing import tabled


@tabled
@dataclass(frozen=True)
class LIFParameters:
    """Leaky integrate-and-fire neuron in volts, with a refractory period (https://doi.org/10.1007/s00422-006-0068-6).

    ``C dv/dt = g_leak (e_leak - v) + I``; at ``v > v_threshold`` the membrane is set to `v_reset`, lowered, or left.

    Parameters
    ----------
    capacitance : F; the membrane time constant is ``capacitance / g_leak``. g_leak : S.
    e_leak, v_threshold, v_reset : V; only the reset "value" reads `v_reset`.
    refractory : time after a spike during which the membrane is held, s, in whole steps; Brian2's own ``refractory``
        holds one step less, so that a script of ``refractory=2*ms`` is ``2e-3 - dt`` here.
    reset : "value" sets the membrane to `v_reset`; "subtract" lowers it by ``subtracted``; "none" leaves it.
    subtracted : V taken off at a spike by the reset "subtract", which alone reads it.

    Raises
    ------
    InputError : a value is outside its range, or the threshold is not above the reset.

    Examples
    --------
    >>> ns.biophysics.LIFParameters(capacitance=200e-12, g_leak=10e-9).tau_mem
    0.02
    """

    capacitance: float = 100e-12
    g_leak: float = 10e-9
    e_leak: float = -70e-3
    v_threshold: float = -50e-3
    v_reset: float = -70e-3
    refractory: float = 2e-3
    reset: LeakyReset = "value"
    subtracted: float = 20e-3

    def __post_init__(self) -> None:
        volts = dict.fromkeys(("e_leak", "v_threshold", "v_reset"), (-0.2, 0.2))
        check_range(self, **MEMBRANE, **volts, refractory=(0.0, 1.0))
        check_reset(self, get_args(LeakyReset))
        check_threshold(self, self.v_threshold, self.v_reset)

    @property
    def tau_mem(self) -> float:
        """Membrane time constant, s."""
        return self.capacitance / self.g_leak


def constants(p: Numbers, dt: float) -> Constants:
    """Return the constants of the membrane, its threshold and its reset."""
    own = {"v_threshold": p["v_threshold"], "can_wait": bool(np.any(p["refractory"]))}
    return membrane_constants(p, dt) | reset_constants(p) | own


def update(x: State, m: Functions) -> Quantities:
    """Move the membrane, unless it is refractory."""
    if not x.can_wait:
        return {"v": membrane_after_step(x, m, None)}
    v, wait = held_while_refractory(x, m, membrane_after_step(x, m, None))
    return {"v": v, "wait": wait}


def distance(x: State, m: Functions) -> Quantity:
    """Return how far the membrane is above threshold, V; out of reach while it is held, also above it."""
    above = x.v - x.v_threshold
    return while_free(x, m, above) if x.can_wait else above


def reset(x: State, m: Functions) -> Quantities:
    """Set, lower or leave the membrane and begin to wait."""
    return {"v": after_spike(x), "wait": x.held_steps} if x.can_wait else {"v": after_spike(x)}


MODEL = NeuronModel(
    "lif",
    LIFParameters,
    {"v": "e_leak", "wait": 0.0},
    constants,
    update,
    distance,
    reset,
    units={"v": "V", "wait": "1"},
    threshold="v_threshold",
    caption="leaky integrate-and-fire neurons",
    reference="Burkitt AN (2006) Biol Cybern 95:1-19, https://doi.org/10.1007/s00422-006-0068-6",
    example=({}, 4e-10),
)
