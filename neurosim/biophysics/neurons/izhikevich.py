"""The neuron of Izhikevich (https://doi.org/10.1109/TNN.2003.820440), in SI units.

The paper writes ``v' = 0.04 v^2 + 5 v + 140 - u + I`` and ``u' = a (b v - u)`` in mV and ms. A current in A becomes its
I by a capacitance: I = 10 of the paper is 1e-9 A where there are 100 pF. One step is one of the midpoint method, or the
map that the paper's own program iterates, which is a neuron of its own: at its step of 1 ms it fires less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from neurosim.biophysics.formulas import Functions, Quantities, Quantity, State
from neurosim.biophysics.integrators import midpoint
from neurosim.biophysics.models import Constants, NeuronModel, Numbers, jumped, received
from neurosim.parameters import MEMBRANE, check_choice, check_range, check_threshold
from neurosim.showing import tabled

SQUARE, LINEAR, FREE = 4e4, 5e3, 140.0  # 0.04 /(mV ms), 5 /ms and 140 mV/ms of the paper, in 1/(V s), 1/s and V/s


@tabled
@dataclass(frozen=True)
class IzhikevichParameters:
    """Neuron of Izhikevich with its four numbers, which make all patterns (https://doi.org/10.1109/TNN.2003.820440).

    ``dv/dt = 4e4 v^2 + 5e3 v + 140 - u + I / capacitance``, ``du/dt = a (b v - u)``; at ``v > v_peak``: ``v = c``,
    ``u += d``. In the paper's units (mV, ms): ``v' = 0.04 v^2 + 5 v + 140 - u + I``. The 0.02, 0.2, -65 and 8 of its
    regular spiking neuron are 20, 200, -65e-3 and 8.0 here: a and b times 1000, c times 0.001, d as it is.

    Parameters
    ----------
    a, b : 1/s. c, v_peak : V. d : V/s.
    capacitance : F; I = 1 of the paper is ``capacitance`` times 1 V/s.
    scheme : "midpoint", which follows the equations, jumps arriving at the end of a step; or "published", the paper's
        program: two half Euler steps of the membrane, one whole of the recovery, jumps spread over the step, a spike
        at or above the peak. Its numbers are those of ``dt`` = 1 ms.

    Raises
    ------
    InputError : a value is outside its range, or the peak is not above the reset.

    Examples
    --------
    >>> ns.biophysics.IzhikevichParameters(a=100.0, d=2.0).c
    -0.065
    """

    own_units: ClassVar[dict[str, str]] = {"a": "Hz", "b": "Hz", "c": "V", "d": "V/s"}
    a: float = 20.0
    b: float = 200.0
    c: float = -65e-3
    d: float = 8.0
    v_peak: float = 30e-3
    capacitance: float = 100e-12
    scheme: Literal["midpoint", "published"] = "midpoint"

    def __post_init__(self) -> None:
        check_choice(self, "scheme", ("midpoint", "published"))
        check_range(self, a=(0.0, 1e4), b=(-1e4, 1e4), c=(-0.2, 0.2), d=(-1e3, 1e3), v_peak=(-0.2, 0.2))
        check_range(self, capacitance=MEMBRANE["capacitance"])
        check_threshold(self, self.v_peak, self.c)


def constants(p: Numbers, dt: float) -> Constants:
    """Return the numbers, where the neuron starts (at c), and how the membrane leaks where it rests, if it does."""
    own = {name: p[name] for name in ("a", "b", "c", "d", "v_peak", "capacitance")}
    own |= {"step_length": dt, "u_start": p["b"] * p["c"], "scheme": p["scheme"]}
    width = (LINEAR - np.asarray(p["b"])) ** 2 - 4 * SQUARE * FREE
    slope = p["b"] - np.sqrt(np.maximum(width, 0.0))
    return own | ({"leak_decay": np.exp(dt * slope)} if np.all(slope < 0) and np.all(width > 0) else {})


def rheobase(p: Numbers) -> Any:
    """Return the current above which there is no membrane at rest, A."""
    return p["capacitance"] * ((LINEAR - p["b"]) ** 2 / (4 * SQUARE) - FREE)


def update(x: State, m: Functions) -> Quantities:
    """Move membrane and recovery, together or as the paper does."""
    if x.scheme == "published":
        return _published(x, m)

    def change(s: Mapping[str, Quantity]) -> Quantities:
        v, u = s["v"], s["u"]
        return {"v": _rise(x, v, u) + received(x, v) / x.capacitance, "u": x.a * (x.b * v - u)}

    moved = midpoint(change, {"v": x.v, "u": x.u}, x.step_length, m)
    return moved | {"v": jumped(x, moved["v"])}


def _rise(x: State, v: Quantity, u: Quantity) -> Quantity:
    """Return the change of the membrane by itself, V/s."""
    return (SQUARE * v + LINEAR) * v + FREE - u


def _published(x: State, m: Functions) -> Quantities:
    """Move the membrane by two half steps in which all input stays, then the recovery by one whole step."""
    half, v = 0.5 * x.step_length, x.v
    jumps = [jump / x.step_length for jump in (x.kick, x.noise) if jump is not None]
    for which in ("half", "whole"):
        change = _rise(x, v, x.u) + received(x, v) / x.capacitance
        for jump in jumps:
            change = change + jump
        v = m.let(f"{which}_v", v + half * change)
    return {"v": v, "u": x.u + x.step_length * (x.a * (x.b * v - x.u))}


def distance(x: State, m: Functions) -> Quantity:
    """Return how far the membrane is above the peak of the spike, V; as published, at it is enough."""
    above = x.v - x.v_peak
    return m.is_not_negative(above) - 0.5 if x.scheme == "published" else above


def reset(x: State, m: Functions) -> Quantities:
    """Set the membrane, raise the recovery."""
    return {"v": x.c, "u": x.u + x.d}


MODEL = NeuronModel(
    "izhikevich",
    IzhikevichParameters,
    {"v": "c", "u": "u_start"},
    constants,
    update,
    distance,
    reset,
    units={"v": "V", "u": "V/s"},
    rheobase=rheobase,
    caption="neurons of Izhikevich",
    reference="Izhikevich EM (2003) IEEE Trans Neural Netw 14:1569-1572, https://doi.org/10.1109/TNN.2003.820440",
    example=({}, 1e-9),
)
