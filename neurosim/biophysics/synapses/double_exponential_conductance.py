"""Synapses with a conductance that rises with one time constant and falls with another: GABA-B, slow AMPA."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.biophysics import time_courses
from neurosim.biophysics.formulas import Brought, Functions, Quantities, State
from neurosim.biophysics.models import Constants, Numbers, SynapseModel
from neurosim.biophysics.synapses.double_exponential import check_rise
from neurosim.parameters import check_range
from neurosim.showing import tabled


@tabled
@dataclass(frozen=True)
class DoubleExponentialConductanceParameters:
    """Synapses whose spikes bring a conductance of two time constants, which peaks at their weight (S).

    GABA-B receptors are slow and reverse near potassium: ``tau_rise = 60e-3, tau_decay = 200e-3, e_rev = -95e-3``.

    Parameters
    ----------
    tau_rise, tau_decay : s; it rises faster than it falls.
    e_rev : reversal potential, V.

    Raises
    ------
    InputError : a value is outside its range, or the rise is not the faster one.

    Examples
    --------
    >>> ns.biophysics.DoubleExponentialConductanceParameters(60e-3, 200e-3, -95e-3).e_rev
    -0.095
    """

    tau_rise: float = 0.5e-3
    tau_decay: float = 5e-3
    e_rev: float = 0.0

    def __post_init__(self) -> None:
        check_range(self, tau_rise=(1e-6, 10.0), tau_decay=(1e-6, 10.0), e_rev=(-1e6, 1e6))
        check_rise(self, self.tau_rise, self.tau_decay)


def constants(p: Numbers, dt: float) -> Constants:
    """Return the reversal potential and the constants of the time course."""
    course = time_courses.double_exponential_constants(dt, p["tau_rise"], p["tau_decay"])
    return {"e_rev": p["e_rev"], **course}


def step(x: State, m: Functions) -> tuple[Quantities, Brought]:
    """Let the conductance rise and fall, and bring its mean."""
    state, mean = time_courses.double_exponential(x, m)
    return state, {"kick": None, "i_syn": mean * x.e_rev, "g_syn": mean}


MODEL = SynapseModel(
    "double_exponential_conductance",
    DoubleExponentialConductanceParameters,
    ("arrived",),
    ("falling", "rising"),
    constants,
    step,
    units="S",
    state_units={"falling": "S", "rising": "S"},
    caption="synapses with a conductance of two time constants",
    reference="Roth A, van Rossum MCW (2009) in Computational Modeling Methods for Neuroscientists, ch. 6, "
    "https://doi.org/10.7551/mitpress/9780262013277.003.0007",
    example=2e-9,
)
