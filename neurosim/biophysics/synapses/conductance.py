"""Synapses with an excitatory and an inhibitory conductance (https://doi.org/10.1007/s10827-007-0038-6)."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.biophysics.formulas import Brought, Functions, Quantities, State
from neurosim.biophysics.models import Constants, Numbers, SynapseModel, decay, mean_over_step
from neurosim.parameters import check_range
from neurosim.refusals import InputError
from neurosim.showing import tabled


@tabled
@dataclass(frozen=True)
class ConductanceParameters:
    """Synapses whose spikes add their weight (S) to an excitatory or, when negative, an inhibitory conductance.

    ``I = g_exc (e_exc - v) + g_inh (e_inh - v)`` (https://doi.org/10.1007/s10827-007-0038-6).

    Parameters
    ----------
    tau_exc, tau_inh : time constants with which the conductances decay, s.
    e_exc, e_inh : reversal potentials, V.

    Raises
    ------
    InputError : a value is outside its range, or excitation does not reverse above inhibition.

    Examples
    --------
    >>> ns.biophysics.ConductanceParameters(tau_inh=10e-3).e_inh
    -0.09
    """

    tau_exc: float = 2e-3
    tau_inh: float = 2e-3
    e_exc: float = 0.0
    e_inh: float = -90e-3

    def __post_init__(self) -> None:
        check_range(self, **dict.fromkeys(("tau_exc", "tau_inh"), (1e-6, 10.0)))
        check_range(self, **dict.fromkeys(("e_exc", "e_inh"), (-1e6, 1e6)))
        if self.e_exc <= self.e_inh:
            raise InputError(
                f"ConductanceParameters: e_exc = {self.e_exc:g} V is not above e_inh = {self.e_inh:g} V; "
                "positive weights would inhibit."
            )


def constants(p: Numbers, dt: float) -> Constants:
    """Return reversal potentials, and decay and mean over a step of both conductances."""
    return {
        "e_exc": p["e_exc"],
        "e_inh": p["e_inh"],
        "exc_decay": decay(dt, p["tau_exc"]),
        "exc_share": mean_over_step(dt, p["tau_exc"]),
        "inh_decay": decay(dt, p["tau_inh"]),
        "inh_share": mean_over_step(dt, p["tau_inh"]),
    }


def step(x: State, m: Functions) -> tuple[Quantities, Brought]:
    """Let both conductances decay, add what arrived, and bring their means as a current."""
    g_exc = m.let("next_exc", x.g_exc * x.exc_decay + x.arrived_exc)
    g_inh = m.let("next_inh", x.g_inh * x.inh_decay - x.arrived_inh)
    exc, inh = m.let("mean_exc", g_exc * x.exc_share), m.let("mean_inh", g_inh * x.inh_share)
    brought = {"kick": None, "i_syn": exc * x.e_exc + inh * x.e_inh, "g_syn": exc + inh}
    return {"g_exc": g_exc, "g_inh": g_inh}, brought


MODEL = SynapseModel(
    "conductance",
    ConductanceParameters,
    ("arrived_exc", "arrived_inh"),
    ("g_exc", "g_inh"),
    constants,
    step,
    units="S",
    state_units={"g_exc": "S", "g_inh": "S"},
    caption="conductance synapses",
    reference="Burkitt AN (2006) Biol Cybern 95:1-19, https://doi.org/10.1007/s00422-006-0068-6",
    example=2e-9,
)
