"""Synapses whose spikes move the membrane at once."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.biophysics.formulas import Brought, Functions, Quantities, State
from neurosim.biophysics.models import SynapseModel
from neurosim.showing import tabled


@tabled
@dataclass(frozen=True)
class DeltaParameters:
    """Synapses whose spikes move the membrane at once: by their weight (V), or as the input of a discrete step (1).

    Examples
    --------
    >>> ns.biophysics.DeltaParameters()
    DeltaParameters()
    """


def step(x: State, m: Functions) -> tuple[Quantities, Brought]:
    """Move the membrane by what arrived."""
    return {}, {"kick": x.arrived, "i_syn": None, "g_syn": None}


MODEL = SynapseModel(
    "delta",
    DeltaParameters,
    ("arrived",),
    (),
    lambda p, dt: {},
    step,
    units="V",
    caption="delta synapses",
    example=2e-3,
)
