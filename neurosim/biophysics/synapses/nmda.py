"""NMDA receptors, whose conductance magnesium blocks at rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from neurosim.biophysics import time_courses
from neurosim.biophysics.formulas import Brought, Functions, Quantities, State
from neurosim.biophysics.models import Constants, Numbers, SynapseModel
from neurosim.biophysics.synapses.double_exponential import check_rise
from neurosim.parameters import check_range
from neurosim.showing import tabled

BLOCK_CONCENTRATION = 3.57  # mM
BLOCK_SLOPE = 62.0  # 1/V


@tabled
@dataclass(frozen=True)
class NMDAParameters:
    """Synapses with a slow conductance that a depolarised membrane frees of magnesium.

    ``I = g B(v) (e_rev - v)``, ``B = 1 / (1 + [Mg]/3.57 exp(-62 v))`` (https://doi.org/10.1523/JNEUROSCI.10-09-03178.1990);
    a spike brings a conductance of two time constants that peaks, without block, at its weight (S).

    Parameters
    ----------
    tau_rise, tau_decay : s. e_rev : reversal potential, V. magnesium : concentration outside, mM; 0 is no block.

    Raises
    ------
    InputError : a value is outside its range, or the rise is not the faster one.

    Examples
    --------
    >>> ns.biophysics.NMDAParameters(magnesium=1.5).tau_decay
    0.1
    """

    own_units: ClassVar[dict[str, str]] = {"magnesium": "mol m-3"}
    tau_rise: float = 2e-3
    tau_decay: float = 100e-3
    e_rev: float = 0.0
    magnesium: float = 1.0

    def __post_init__(self) -> None:
        check_range(self, tau_rise=(1e-6, 10.0), tau_decay=(1e-6, 10.0), e_rev=(-1e6, 1e6), magnesium=(0.0, 100.0))
        check_rise(self, self.tau_rise, self.tau_decay)


def constants(p: Numbers, dt: float) -> Constants:
    """Return the reversal potential, the strength of the block and the constants of the time course."""
    course = time_courses.double_exponential_constants(dt, p["tau_rise"], p["tau_decay"])
    return {"e_rev": p["e_rev"], "blocked": p["magnesium"] / BLOCK_CONCENTRATION, **course}


def step(x: State, m: Functions) -> tuple[Quantities, Brought]:
    """Let the conductance rise and fall, and bring of its mean what the membrane frees."""
    state, mean = time_courses.double_exponential(x, m)
    free = m.let("free", mean / (1.0 + x.blocked * m.exp(-BLOCK_SLOPE * x.v)))
    return state, {"kick": None, "i_syn": free * x.e_rev, "g_syn": free}


MODEL = SynapseModel(
    "nmda",
    NMDAParameters,
    ("arrived",),
    ("falling", "rising"),
    constants,
    step,
    units="S",
    state_units={"falling": "S", "rising": "S"},
    caption="NMDA receptors with magnesium block",
    reference="Jahr CE, Stevens CF (1990) J Neurosci 10:3178-3182, https://doi.org/10.1523/JNEUROSCI.10-09-03178.1990",
    example=5e-9,
)
