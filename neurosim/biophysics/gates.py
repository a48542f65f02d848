"""Neurons with sodium and potassium channels: what they share is here, the rates of their gates stand with each.

``C dv/dt = g_leak (e_leak - v) + g_na m^3 h (e_na - v) + g_k n^4 (e_k - v) + I``; gates and membrane move in turn, each
by the exponential Euler method, from the middle of the other's step: errors fall with the square of the step. A gate
without a state of its own is always where its rates balance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neurosim.biophysics.formulas import ArrayFunctions, Functions, Quantities, Quantity, State
from neurosim.biophysics.models import (
    Constants,
    Gates,
    NeuronModel,
    Numbers,
    membrane_after_step,
    membrane_constants,
    membrane_in_middle,
)
from neurosim.parameters import MEMBRANE, Parameters, check_range

PER_MS, PER_MV = 1e3, 1e3
Rates = Callable[[Quantity, Functions], dict[str, tuple[Quantity, Quantity]]]  # mV above v_shift -> rates of each gate


def check_channels(record: object) -> None:
    """Raise where a number of a neuron with sodium and potassium channels is outside its range."""
    volts = dict.fromkeys(("e_leak", "e_na", "e_k", "v_shift", "v_spike"), (-0.2, 0.2))
    check_range(record, **MEMBRANE, **volts, g_na=(1e-10, 1e-3), g_k=(1e-10, 1e-3))


def gated_neuron(
    name: str, parameters: type[Parameters], rates: Rates, moving: tuple[str, ...], **about: Any
) -> NeuronModel:
    """Return the model of a neuron whose gates have these `rates` (per ms); those that are `moving` have a state."""

    def constants(p: Numbers, dt: float) -> Constants:
        """Return the constants of the membrane and the state in which it rests."""
        own = {k: p[k] for k in ("g_na", "g_k", "e_na", "e_k", "v_shift", "v_spike")}
        rest = {k: v for k, v in resting_state(p, rates).items() if k[:-5] in ("v", *moving)}
        return membrane_constants(p, dt) | own | {"dt_ms": dt * PER_MS} | rest

    def currents(x: State, m: Functions, gates: Quantities, which: str = "") -> tuple[Quantity, Quantity]:
        """Return current and conductance of the open channels, A and S."""
        sodium = m.let(f"g_sodium{which}", x.g_na * (gates["m"] * gates["m"] * gates["m"] * gates["h"]))
        potassium = m.let(f"g_potassium{which}", x.g_k * (gates["n"] * gates["n"] * gates["n"] * gates["n"]))
        return sodium * x.e_na + potassium * x.e_k, sodium + potassium

    def update(x: State, m: Functions) -> Quantities:
        """Move the gates, which stay half a step ahead, by the membrane, then the membrane by the gates.

        Each is moved by where the other is in the middle of its step; so are gates that are always in balance.
        Gradients pass through the membrane alone: through the gates they grow without bounds with every spike.
        """
        u = m.let("u", (m.still(x.v) - x.v_shift) * PER_MV)
        gates = {}
        for gate, (rate, closing) in rates(u, m).items():
            opening = m.let(f"opening_{gate}", rate)
            both = m.let(f"both_{gate}", opening + closing)
            steady = m.let(f"steady_{gate}", opening / both)
            if gate in moving:
                steady = m.let(f"moved_{gate}", steady + (getattr(x, gate) - steady) * m.exp(-x.dt_ms * both))
            gates[gate] = steady
        moved = {gate: gates[gate] for gate in moving}
        balanced = [gate for gate in gates if gate not in moving]
        if balanced:
            middle = membrane_in_middle(x, m, *currents(x, m, gates, "_before"))
            found = rates(m.let("u_middle", (middle - x.v_shift) * PER_MV), m)
            for gate in balanced:
                opening, closing = found[gate]
                opening = m.let(f"middle_opening_{gate}", opening)
                gates[gate] = m.let(f"middle_{gate}", opening / (opening + closing))
        v = membrane_after_step(x, m, *currents(x, m, gates))
        return moved | {"v": v, "above": m.is_positive(x.v - x.v_spike)}

    state: dict[str, float | str] = {"v": "v_rest", **{gate: f"{gate}_rest" for gate in moving}, "above": 0.0}
    return NeuronModel(
        name, parameters, state, constants, update, distance, reset, threshold="v_shift",
        units=dict.fromkeys(state, "1") | {"v": "V"},
        rheobase=lambda p: p["g_leak"] * 20e-3, gates=Gates(rates, moving), **about,
    )  # fmt: skip


def distance(x: State, m: Functions) -> Quantity:
    """Return how far the membrane is above `v_spike`, V, negative where it was above it before."""
    return (x.v - x.v_spike) * (1.0 - x.above) - x.above


def reset(x: State, m: Functions) -> Quantities:
    """Leave everything to the currents: there is no reset."""
    return {}


def resting_state(p: Numbers, rates: Rates) -> Constants:
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
