"""Gap junctions: a current by the difference of two membranes."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.biophysics.formulas import Brought, Functions, Quantities, State
from neurosim.biophysics.models import SynapseModel
from neurosim.showing import tabled


@tabled
@dataclass(frozen=True)
class GapJunctionParameters:
    """Electrical synapses, ``I = weight (v_source - v)``, at all times; weights are conductances (S), 0 or more.

    A junction couples both ways where there are weights both ways.

    Examples
    --------
    >>> ns.biophysics.GapJunctionParameters()
    GapJunctionParameters()
    """


def step(x: State, m: Functions) -> tuple[Quantities, Brought]:
    """Bring the current from the membranes at the other ends, as they are at the begin of the step."""
    return {}, {"kick": None, "i_syn": x.arrived, "g_syn": x.coupled}


MODEL = SynapseModel(
    "gap_junction",
    GapJunctionParameters,
    ("arrived", "coupled"),
    (),
    lambda p, dt: {},
    step,
    units="S",
    sends="v",
    caption="gap junctions",
    reference="Bennett MVL, Zukin RS (2004) Neuron 41:495-511, https://doi.org/10.1016/S0896-6273(04)00043-1",
    example=2e-9,
)
