"""The two-compartment pyramidal cell of Pinsky and Rinzel (https://doi.org/10.1007/BF00962717).

The soma has sodium and potassium, the dendrite calcium and two potassium currents that calcium opens; a conductance
couples them. Rates are in 1/ms at mV above `v_shift`, as in the paper. Gates and calcium move first, then the dendrite,
then the soma, each by the exponential Euler method.
"""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.biophysics.formulas import Functions, Quantities, Quantity, State
from neurosim.biophysics.gates import distance, reset
from neurosim.biophysics.models import Constants, NeuronModel, Numbers
from neurosim.parameters import MEMBRANE, check_range
from neurosim.showing import tabled

PER_MS, PER_MV = 1e3, 1e3
CALCIUM_IN, CALCIUM_OUT = 0.39, 0.075  # per ms and V/s of calcium current: 0.13 per uA/cm2 at 3 uF/cm2; per ms


@tabled
@dataclass(frozen=True)
class PinskyRinzelParameters:
    """Two-compartment pyramidal cell of Pinsky and Rinzel (https://doi.org/10.1007/BF00962717).

    Conductances and the capacitance are of the whole cell: `soma_share` of them is the soma's, the rest the dendrite's,
    ``p C dv/dt = p (g_leak (e_leak - v) + ...) + g_c (v_dendrite - v) + drive``. Synapses, and jumps, arrive at the
    dendrite. By default a membrane of 6e-5 cm2: 1 uA/cm2 of the paper is 6e-11 A; calcium has no unit. A spike is an
    upward crossing of `v_spike` by the soma.

    Parameters
    ----------
    capacitance : F. g_leak, g_na, g_k, g_ca, g_ahp, g_kc, g_c : S. soma_share : 0..1.
    e_leak, e_na, e_k, e_ca, v_shift, v_spike : V.

    Raises
    ------
    InputError : a value is outside its range.

    Examples
    --------
    >>> ns.biophysics.PinskyRinzelParameters(g_c=600e-9).soma_share
    0.5
    """

    capacitance: float = 180e-12
    g_leak: float = 6e-9
    g_na: float = 1.8e-6
    g_k: float = 0.9e-6
    g_ca: float = 600e-9
    g_ahp: float = 48e-9
    g_kc: float = 900e-9
    g_c: float = 126e-9
    soma_share: float = 0.5
    e_leak: float = -60e-3
    e_na: float = 60e-3
    e_k: float = -75e-3
    e_ca: float = 80e-3
    v_shift: float = -60e-3
    v_spike: float = -20e-3

    def __post_init__(self) -> None:
        volts = dict.fromkeys(("e_leak", "e_na", "e_k", "e_ca", "v_shift", "v_spike"), (-0.2, 0.2))
        siemens = dict.fromkeys(("g_na", "g_k", "g_ca", "g_ahp", "g_kc", "g_c"), (0.0, 1e-3))
        check_range(self, **MEMBRANE, **siemens, **volts, soma_share=(0.01, 0.99))


def constants(p: Numbers, dt: float) -> Constants:
    """Return the numbers, the step and the resting gates of the paper."""
    own = {name: p[name] for name in PinskyRinzelParameters.__dataclass_fields__}
    return own | {"dt_ms": dt * PER_MS, "step_length": dt}


def moved_gate(x: State, m: Functions, gate: str, opening: Quantity, closing: Quantity | float) -> Quantity:
    """Return a gate after one step with rates that stay, per ms."""
    opening, both = m.let(f"opening_{gate}", opening), m.let(f"both_{gate}", opening + closing)
    steady = m.let(f"steady_{gate}", opening / both)
    return m.let(f"moved_{gate}", steady + (getattr(x, gate) - steady) * m.exp(-x.dt_ms * both))


def gates_of_soma(x: State, m: Functions) -> tuple[Quantity, dict[str, Quantity]]:
    """Return m, which is always in balance, and the moved h and n."""
    u = m.let("u_soma", (x.v - x.v_shift) * PER_MV)
    opening = m.let("opening_m", 1.28 / m.exprel((13.1 - u) / 4.0))
    balanced = m.let("steady_m", opening / (opening + 1.4 / m.exprel((u - 40.1) / 5.0)))
    h = moved_gate(x, m, "h", 0.128 * m.exp((17.0 - u) / 18.0), 4.0 / (1.0 + m.exp((40.0 - u) / 5.0)))
    n = moved_gate(x, m, "n", 0.08 / m.exprel((35.1 - u) / 5.0), 0.25 * m.exp(0.5 - 0.025 * u))
    return balanced, {"h": h, "n": n}


def gates_of_dendrite(x: State, m: Functions) -> dict[str, Quantity]:
    """Return the moved gates of calcium (s) and of the currents that calcium opens (c, q)."""
    u = m.let("u_dendrite", (x.v_dendrite - x.v_shift) * PER_MV)
    s = moved_gate(x, m, "s", 1.6 / (1.0 + m.exp(-0.072 * (u - 65.0))), 0.1 / m.exprel((u - 51.1) / 5.0))
    high = m.let("is_high", m.is_positive(u - 50.0))
    falling = m.let("falling", 2.0 * m.exp((6.5 - u) / 27.0))
    low = m.let("rising", m.exp(m.at_most((u - 10.0) / 11.0 - (u - 6.5) / 27.0, 20.0)) / 18.975)
    opening = m.let("opening_c_mixed", high * falling + (1.0 - high) * low)
    c = moved_gate(x, m, "c", opening, (1.0 - high) * (falling - low))
    q = moved_gate(x, m, "q", m.at_most(2e-5 * x.calcium, 0.01), 1e-3)
    return {"s": s, "c": c, "q": q}


def moved_membrane(
    x: State, m: Functions, which: str, v: Quantity, current: Quantity, conductance: Quantity
) -> Quantity:
    """Return a membrane after one step with currents (A) and conductances (S) that stay."""
    total = m.let(f"total_{which}", conductance)
    target = m.let(f"target_{which}", current / total)
    return target + (v - target) * m.exp(-(x.step_length / x.capacitance) * total)


def update(x: State, m: Functions) -> Quantities:
    """Move gates and calcium, then the dendrite, then the soma."""
    balanced, soma = gates_of_soma(x, m)
    dendrite = gates_of_dendrite(x, m)
    flowing = m.let("g_calcium", x.g_ca * (dendrite["s"] * dendrite["s"]))
    inward = m.let("inward", flowing * (x.v_dendrite - x.e_ca) / x.capacitance)
    steady = m.let("steady_calcium", -inward * (CALCIUM_IN / CALCIUM_OUT))
    calcium = m.let("moved_calcium", steady + (x.calcium - steady) * m.exp(-CALCIUM_OUT * x.dt_ms))
    open_kc = x.g_kc * (dendrite["c"] * m.at_most(calcium / 250.0, 1.0))
    outward = m.let("g_outward", x.g_ahp * dendrite["q"] + open_kc)
    coupled = m.let("g_coupled", x.g_c / (1.0 - x.soma_share))
    brought = 0.0 if x.i_syn is None else x.i_syn / (1.0 - x.soma_share)
    opened = 0.0 if x.g_syn is None else x.g_syn / (1.0 - x.soma_share)
    current = x.g_leak * x.e_leak + flowing * x.e_ca + outward * x.e_k + coupled * x.v + brought
    v_dendrite = moved_membrane(
        x, m, "dendrite", x.v_dendrite, current, x.g_leak + flowing + outward + coupled + opened
    )
    v_dendrite = m.let("moved_dendrite", v_dendrite if x.kick is None else v_dendrite + x.kick)
    sodium = m.let("g_sodium", x.g_na * (balanced * balanced * soma["h"]))
    potassium = m.let("g_potassium", x.g_k * soma["n"])
    to_soma = m.let("g_to_soma", x.g_c / x.soma_share)
    injected = x.drive / x.soma_share
    current = x.g_leak * x.e_leak + sodium * x.e_na + potassium * x.e_k + to_soma * v_dendrite + injected
    v = moved_membrane(x, m, "soma", x.v, current, x.g_leak + sodium + potassium + to_soma)
    above = m.is_positive(x.v - x.v_spike)
    return {**soma, **dendrite, "calcium": calcium, "v_dendrite": v_dendrite, "v": v, "above": above}


MODEL = NeuronModel(
    "pinsky_rinzel",
    PinskyRinzelParameters,
    {
        "v": "e_leak", "v_dendrite": "e_leak", "h": 0.999, "n": 0.001, "s": 0.009, "c": 0.007, "q": 0.01,
        "calcium": 0.2, "above": 0.0,
    },
    constants,
    update,
    distance,
    reset,
    units={"v": "V", "v_dendrite": "V", **dict.fromkeys(("h", "n", "s", "c", "q", "calcium", "above"), "1")},
    caption="two-compartment pyramidal cells of Pinsky and Rinzel",
    reference="Pinsky PF, Rinzel J (1994) J Comput Neurosci 1:39-60, https://doi.org/10.1007/BF00962717",
    example=({}, 1e-10),
)  # fmt: skip
