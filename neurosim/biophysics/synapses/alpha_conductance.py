"""Synapses with a conductance that rises and falls as an alpha function."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.biophysics import time_courses
from neurosim.biophysics.formulas import Brought, Functions, Quantities, State
from neurosim.biophysics.models import Constants, Numbers, SynapseModel
from neurosim.parameters import check_range
from neurosim.showing import tabled


@tabled
@dataclass(frozen=True)
class AlphaConductanceParameters:
    """Synapses whose spikes bring a conductance ``weight t/tau exp(1 - t/tau)``, which peaks at their weight (S).

    Parameters
    ----------
    tau : time from a spike to the peak, s.
    e_rev : reversal potential, V.

    Raises
    ------
    InputError : a value is outside its range.

    Examples
    --------
    >>> ns.biophysics.AlphaConductanceParameters(tau=3e-3, e_rev=-80e-3).e_rev
    -0.08
    """

    tau: float = 2e-3
    e_rev: float = 0.0

    def __post_init__(self) -> None:
        check_range(self, tau=(1e-6, 10.0), e_rev=(-1e6, 1e6))


def constants(p: Numbers, dt: float) -> Constants:
    """Return the reversal potential and the constants of the time course."""
    return {"e_rev": p["e_rev"], **time_courses.alpha_constants(dt, p["tau"])}


def step(x: State, m: Functions) -> tuple[Quantities, Brought]:
    """Let the conductance rise and fall, and bring its mean."""
    state, mean = time_courses.alpha(x, m)
    return state, {"kick": None, "i_syn": mean * x.e_rev, "g_syn": mean}


MODEL = SynapseModel(
    "alpha_conductance",
    AlphaConductanceParameters,
    ("arrived",),
    ("level", "rising"),
    constants,
    step,
    units="S",
    state_units={"level": "S", "rising": "S/s"},
    caption="synapses with an alpha-shaped conductance",
    reference="Rall W (1967) J Neurophysiol 30:1138-1168, https://doi.org/10.1152/jn.1967.30.5.1138",
    example=2e-9,
)
