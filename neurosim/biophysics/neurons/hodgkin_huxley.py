"""The Hodgkin-Huxley neuron with the kinetics of Traub and Miles, as in the benchmarks of Brette et al. (2007).

``C dv/dt = g_leak (e_leak - v) + g_na m^3 h (e_na - v) + g_k n^4 (e_k - v) + I``
(https://doi.org/10.1007/s10827-007-0038-6). Gates and membrane move in turn, each by the exponential Euler method.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.biophysics.formulas import ArrayFunctions, Functions, Quantities, Quantity, State
from neurosim.biophysics.models import Constants, NeuronModel, Numbers, membrane_after_step, membrane_constants
from neurosim.parameters import MEMBRANE, check_range

PER_MS, PER_MV = 1e3, 1e3


@dataclass(frozen=True)
class HodgkinHuxleyParameters:
    """Hodgkin-Huxley neuron with the kinetics of Traub and Miles (https://doi.org/10.1007/s10827-007-0038-6).

    ``C dv/dt = g_leak (e_leak - v) + g_na m^3 h (e_na - v) + g_k n^4 (e_k - v) + I``; the gates m, h and n move with
    rates that depend on ``v - v_shift``. A spike is an upward crossing of `v_spike`.

    Parameters
    ----------
    capacitance : F. g_leak, g_na, g_k : S. e_leak, e_na, e_k, v_shift, v_spike : V.

    Raises
    ------
    InputError : a value is outside its range.

    Examples
    --------
    >>> ns.biophysics.HodgkinHuxleyParameters(g_k=5e-6).e_k
    -0.09
    """

    capacitance: float = 200e-12
    g_leak: float = 10e-9
    g_na: float = 20e-6
    g_k: float = 6e-6
    e_leak: float = -65e-3
    e_na: float = 50e-3
    e_k: float = -90e-3
    v_shift: float = -63e-3
    v_spike: float = -20e-3

    def __post_init__(self) -> None:
        volts = dict.fromkeys(("e_leak", "e_na", "e_k", "v_shift", "v_spike"), (-0.2, 0.2))
        check_range(self, **MEMBRANE, **volts, g_na=(1e-10, 1e-3), g_k=(1e-10, 1e-3))


def rates(u: Quantity, m: Functions) -> dict[str, tuple[Quantity, Quantity]]:
    """Return opening and closing rates (per ms) of the gates, at `u` mV above ``v_shift``."""
    return {
        "m": (1.28 / m.exprel((13.0 - u) / 4.0), 1.4 / m.exprel((u - 40.0) / 5.0)),
        "h": (0.128 * m.exp((17.0 - u) / 18.0), 4.0 / (1.0 + m.exp((40.0 - u) / 5.0))),
        "n": (0.16 / m.exprel((15.0 - u) / 5.0), 0.5 * m.exp((10.0 - u) / 40.0)),
    }


def constants(p: Numbers, dt: float) -> Constants:
    """Return the constants of the membrane and the state in which it rests."""
    own = {name: p[name] for name in ("g_na", "g_k", "e_na", "e_k", "v_shift", "v_spike")}
    return membrane_constants(p, dt) | own | {"dt_ms": dt * PER_MS} | resting_state(p)


def resting_state(p: Numbers) -> Constants:
    """Return membrane and gates at rest, where the currents without input cancel."""

    def gates(v: np.ndarray) -> Constants:
        return {k: a / (a + b) for k, (a, b) in rates((v - p["v_shift"]) * PER_MV, ArrayFunctions()).items()}

    def current(v: np.ndarray) -> np.ndarray:
        g = gates(v)
        sodium = p["g_na"] * g["m"] ** 3 * g["h"] * (p["e_na"] - v)
        return np.asarray(p["g_leak"] * (p["e_leak"] - v) + sodium + p["g_k"] * g["n"] ** 4 * (p["e_k"] - v))

    each = np.ones(np.broadcast(*p.values()).shape)
    grid = np.linspace(np.minimum(p["e_k"], p["e_leak"]) * each - 1e-3, p["e_na"] * each, 400)
    first = np.argmax(np.stack([current(v) for v in grid]) <= 0, axis=0)
    low, high = (np.take_along_axis(grid, first[None] + k, axis=0)[0] for k in (-1, 0))
    for _ in range(60):
        middle = (low + high) / 2
        outward = current(middle) <= 0
        low, high = np.where(outward, low, middle), np.where(outward, middle, high)
    v = (low + high) / 2
    return {name: value[()] for name, value in {"v_rest": v, **{f"{k}_rest": g for k, g in gates(v).items()}}.items()}


def update(x: State, m: Functions) -> Quantities:
    """Move the gates with the membrane of the step before, then the membrane with the new gates."""
    u = m.let("u", (x.v - x.v_shift) * PER_MV)
    new = {}
    for gate, (rate, closing) in rates(u, m).items():
        opening = m.let(f"opening_{gate}", rate)
        both = m.let(f"both_{gate}", opening + closing)
        steady = m.let(f"steady_{gate}", opening / both)
        new[gate] = m.let(f"moved_{gate}", steady + (getattr(x, gate) - steady) * m.exp(-x.dt_ms * both))
    sodium = m.let("g_sodium", x.g_na * (new["m"] * new["m"] * new["m"] * new["h"]))
    potassium = m.let("g_potassium", x.g_k * (new["n"] * new["n"] * new["n"] * new["n"]))
    v = membrane_after_step(x, m, sodium * x.e_na + potassium * x.e_k, sodium + potassium)
    return new | {"v": v, "above": m.is_positive(x.v - x.v_spike)}


def distance(x: State, m: Functions) -> Quantity:
    """Return how far the membrane is above `v_spike`, V, negative where it was above it before."""
    return (x.v - x.v_spike) * (1.0 - x.above) - x.above


def reset(x: State, m: Functions) -> Quantities:
    """Leave everything to the currents: there is no reset."""
    return {}


MODEL = NeuronModel(
    "hodgkin_huxley",
    HodgkinHuxleyParameters,
    {"v": "v_rest", "m": "m_rest", "h": "h_rest", "n": "n_rest", "above": 0.0},
    constants,
    update,
    distance,
    reset,
    units={"v": "V", "m": "1", "h": "1", "n": "1", "above": "1"},
    threshold="v_shift",
    rheobase=lambda p: p["g_leak"] * 20e-3,
    caption="Hodgkin-Huxley neurons",
    reference="Brette R, Rudolph M, Carnevale T, et al. (2007) J Comput Neurosci 23:349-398, https://doi.org/10.1007/s10827-007-0038-6",
    example=({}, 4e-10),
)
