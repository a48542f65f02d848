"""Synapses with a current that decays."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.biophysics.formulas import Brought, Functions, Quantities, State
from neurosim.biophysics.models import Constants, Numbers, SynapseModel, decay, mean_over_step
from neurosim.parameters import check_range


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
    return {"syn_decay": decay(dt, p["tau_syn"]), "syn_share": mean_over_step(dt, p["tau_syn"])}


def step(x: State, m: Functions) -> tuple[Quantities, Brought]:
    """Let the current decay, add what arrived, and bring its mean."""
    current = m.let("synaptic_current", x.synaptic * x.syn_decay + x.arrived)
    return {"synaptic": current}, {"kick": None, "i_syn": current * x.syn_share, "g_syn": None}


MODEL = SynapseModel(
    "exponential",
    ExponentialParameters,
    ("arrived",),
    ("synaptic",),
    constants,
    step,
    caption="synapses with a current that decays",
    example=5e-11,
)
