"""Synapses with a current that rises and falls as an alpha function."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.biophysics import time_courses
from neurosim.biophysics.formulas import Brought, Functions, Quantities, State
from neurosim.biophysics.models import Constants, Numbers, SynapseModel
from neurosim.parameters import check_range
from neurosim.showing import tabled


@tabled
@dataclass(frozen=True)
class AlphaParameters:
    """Synapses whose spikes bring a current ``weight t/tau exp(1 - t/tau)``, which peaks at their weight (A).

    Parameters
    ----------
    tau : time from a spike to the peak, s.

    Raises
    ------
    InputError : a value is outside its range.

    Examples
    --------
    >>> ns.biophysics.AlphaParameters(0.5e-3).tau
    0.0005
    """

    tau: float = 2e-3

    def __post_init__(self) -> None:
        check_range(self, tau=(1e-6, 10.0))


def constants(p: Numbers, dt: float) -> Constants:
    """Return the constants of the time course."""
    return time_courses.alpha_constants(dt, p["tau"])


def step(x: State, m: Functions) -> tuple[Quantities, Brought]:
    """Let the current rise and fall, and bring its mean."""
    state, mean = time_courses.alpha(x, m)
    return state, {"kick": None, "i_syn": mean, "g_syn": None}


MODEL = SynapseModel(
    "alpha",
    AlphaParameters,
    ("arrived",),
    ("level", "rising"),
    constants,
    step,
    state_units={"level": "A", "rising": "A/s"},
    caption="synapses with an alpha-shaped current",
    reference="Rall W (1967) J Neurophysiol 30:1138-1168, https://doi.org/10.1152/jn.1967.30.5.1138",
    example=5e-11,
)
