"""The quadratic integrate-and-fire neuron: ``C dv/dt = k (v - v_rest) (v - v_t) + I``.

https://doi.org/10.1137/0146017; one step is one of the midpoint method.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, get_args

import numpy as np

from neurosim.biophysics.formulas import Functions, Quantities, Quantity, State
from neurosim.biophysics.integrators import midpoint
from neurosim.biophysics.models import Constants, NeuronModel, Numbers, decay, held_while_refractory, jumped, received
from neurosim.biophysics.resets import UpstrokeReset, after_spike, check_reset, reset_constants, while_free
from neurosim.parameters import MEMBRANE, check_range, check_threshold
from neurosim.showing import tabled


@tabled
@dataclass(frozen=True)
class QuadraticIFParameters:
    """Quadratic integrate-and-fire neuron, the normal form of a saddle-node (https://doi.org/10.1137/0146017).

    ``C dv/dt = k (v - v_rest) (v - v_t) + I``; at ``v > v_peak``: ``v = v_reset``, or it is lowered.

    Parameters
    ----------
    capacitance : F. k : S/V; it leaks with ``k (v_t - v_rest)`` at rest. v_rest, v_t, v_peak, v_reset : V.
    refractory : time after a spike during which the membrane is held, s, in whole steps; Brian2's own ``refractory``
        holds one step less, so that a script of ``refractory=2*ms`` is ``2e-3 - dt`` here.
    reset : "value" sets the membrane to `v_reset`; "subtract" lowers it by ``subtracted``, from
        where it is above the peak; without a reset it would rise without end.
    subtracted : V taken off at a spike by the reset "subtract", which alone reads it.

    Raises
    ------
    InputError : a value is outside its range, the peak is not above the reset, or `v_t` not above `v_rest`.

    Examples
    --------
    >>> ns.biophysics.QuadraticIFParameters(k=1e-6).v_t
    -0.04
    """

    own_units: ClassVar[dict[str, str]] = {"k": "S/V"}
    capacitance: float = 100e-12
    k: float = 0.7e-6
    v_rest: float = -60e-3
    v_t: float = -40e-3
    v_peak: float = 35e-3
    v_reset: float = -50e-3
    refractory: float = 2e-3
    reset: UpstrokeReset = "value"
    subtracted: float = 85e-3

    def __post_init__(self) -> None:
        volts = dict.fromkeys(("v_rest", "v_t", "v_peak", "v_reset"), (-0.2, 0.2))
        check_range(self, capacitance=MEMBRANE["capacitance"], k=(1e-10, 1e-2), **volts, refractory=(0.0, 1.0))
        check_reset(self, get_args(UpstrokeReset))
        check_threshold(self, self.v_peak, self.v_reset)
        check_threshold(self, self.v_t, self.v_rest)


def constants(p: Numbers, dt: float) -> Constants:
    """Return the constants of the membrane, and how it leaks next to rest."""
    own = {name: p[name] for name in ("capacitance", "k", "v_rest", "v_t", "v_peak")}
    leak = decay(dt, p["capacitance"] / (p["k"] * (p["v_t"] - p["v_rest"])))
    return (
        own | reset_constants(p) | {"step_length": dt, "leak_decay": leak, "held_steps": np.rint(p["refractory"] / dt)}
    )


def update(x: State, m: Functions) -> Quantities:
    """Move the membrane, unless it is refractory."""

    def change(s: Mapping[str, Quantity]) -> Quantities:
        v = s["v"]
        return {"v": (x.k * (v - x.v_rest) * (v - x.v_t) + received(x, v)) / x.capacitance}

    free = jumped(x, midpoint(change, {"v": x.v}, x.step_length, m)["v"])
    v, wait = held_while_refractory(x, m, free)
    return {"v": v, "wait": wait}


def distance(x: State, m: Functions) -> Quantity:
    """Return how far the membrane is above the peak of the spike, V."""
    above = x.v - x.v_peak
    return above if x.reset_kind == "value" else while_free(x, m, above)


def reset(x: State, m: Functions) -> Quantities:
    """Set or lower the membrane and begin to wait."""
    return {"v": after_spike(x), "wait": x.held_steps}


MODEL = NeuronModel(
    "quadratic_if",
    QuadraticIFParameters,
    {"v": "v_rest", "wait": 0.0},
    constants,
    update,
    distance,
    reset,
    units={"v": "V", "wait": "1"},
    threshold="v_t",
    rheobase=lambda p: p["k"] * (p["v_t"] - p["v_rest"]) ** 2 / 4,
    caption="quadratic integrate-and-fire neurons",
    reference="Ermentrout GB, Kopell N (1986) SIAM J Appl Math 46:233-253, https://doi.org/10.1137/0146017",
    example=({}, 2e-10),
)
