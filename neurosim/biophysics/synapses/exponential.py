"""Synapses with a current that decays."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.biophysics import time_courses
from neurosim.biophysics.formulas import Brought, Functions, Quantities, State
from neurosim.biophysics.models import Constants, Numbers, SynapseModel
from neurosim.parameters import check_range
from neurosim.showing import tabled


@tabled
@dataclass(frozen=True)
class ExponentialParameters:
    """Synapses whose spikes add their weight (A) to a current that decays with `tau_syn` (s).

    Parameters
    ----------
    tau_syn : time constant with which the current decays, s.

    Raises
    ------
    InputError : a value outside its range.

    Examples
    --------
    >>> ns.biophysics.ExponentialParameters(5e-3).tau_syn
    0.005
    """

    tau_syn: float = 2e-3

    def __post_init__(self) -> None:
        check_range(self, tau_syn=(1e-6, 10.0))


def constants(p: Numbers, dt: float) -> Constants:
    """Return the decay of the current and its mean over a step."""
    return time_courses.exponential_constants(dt, p["tau_syn"])


def step(x: State, m: Functions) -> tuple[Quantities, Brought]:
    """Let the current decay, add what arrived, and bring its mean."""
    state, mean = time_courses.exponential(x, m)
    return state, {"kick": None, "i_syn": mean, "g_syn": None}


MODEL = SynapseModel(
    "exponential",
    ExponentialParameters,
    ("arrived",),
    ("level",),
    constants,
    step,
    state_units={"level": "A"},
    caption="synapses with a current that decays",
    example=5e-11,
)
