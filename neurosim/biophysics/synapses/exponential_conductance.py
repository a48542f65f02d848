"""Synapses with one conductance that decays: AMPA, GABA-A."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.biophysics import time_courses
from neurosim.biophysics.formulas import Brought, Functions, Quantities, State
from neurosim.biophysics.models import Constants, Numbers, SynapseModel
from neurosim.parameters import check_range
from neurosim.showing import tabled


@tabled
@dataclass(frozen=True)
class ExponentialConductanceParameters:
    """Synapses whose spikes add their weight (S) to a conductance that decays, ``I = g (e_rev - v)``.

    By default AMPA receptors; GABA-A receptors have ``e_rev = -70e-3`` and ``tau = 10e-3``
    (https://doi.org/10.1007/s10827-007-0038-6).

    Parameters
    ----------
    tau : time constant with which the conductance decays, s.
    e_rev : reversal potential, V; below rest the synapses inhibit, and their weights stay positive.

    Raises
    ------
    InputError : a value is outside its range.

    Examples
    --------
    >>> ns.biophysics.ExponentialConductanceParameters(tau=10e-3, e_rev=-70e-3).tau
    0.01
    """

    tau: float = 2e-3
    e_rev: float = 0.0

    def __post_init__(self) -> None:
        check_range(self, tau=(1e-6, 10.0), e_rev=(-1e6, 1e6))


def constants(p: Numbers, dt: float) -> Constants:
    """Return the reversal potential, and the decay of the conductance and its mean over a step."""
    return {"e_rev": p["e_rev"], **time_courses.exponential_constants(dt, p["tau"])}


def step(x: State, m: Functions) -> tuple[Quantities, Brought]:
    """Let the conductance decay, add what arrived, and bring its mean."""
    state, mean = time_courses.exponential(x, m)
    return state, {"kick": None, "i_syn": mean * x.e_rev, "g_syn": mean}


MODEL = SynapseModel(
    "exponential_conductance",
    ExponentialConductanceParameters,
    ("arrived",),
    ("level",),
    constants,
    step,
    units="S",
    state_units={"level": "S"},
    caption="synapses with a conductance that decays",
    reference="Brette R et al. (2007) J Comput Neurosci 23:349-398, https://doi.org/10.1007/s10827-007-0038-6",
    example=2e-9,
)
