"""Receptors that saturate: a spike opens a share of those that are closed."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.biophysics.formulas import Functions, Quantities, Quantity, State
from neurosim.biophysics.models import Constants, Numbers, decay
from neurosim.biophysics.rules import ReleaseModel
from neurosim.parameters import check_range
from neurosim.showing import tabled


@tabled
@dataclass(frozen=True)
class SaturatingParameters:
    """Receptors of which a spike opens a share of those still closed, as slow NMDA receptors do.

    Between spikes the open share decays, ``ds/dt = -s/tau``; a spike opens ``opened (1 - s)`` and brings as much of its
    weight. With a receptor that decays with the same `tau` the conductance is ``weight s``
    (https://doi.org/10.1016/S0896-6273(02)01092-9, whose rise time is neglected here).

    Parameters
    ----------
    opened : share of the closed receptors that a spike opens. tau : time in which they close, s.

    Raises
    ------
    InputError : a value is outside its range.

    Examples
    --------
    >>> ns.biophysics.SaturatingParameters(tau=0.1).opened
    0.63
    """

    opened: float = 0.63
    tau: float = 0.1

    def __post_init__(self) -> None:
        check_range(self, opened=(0.0, 1.0), tau=(1e-4, 10.0))


def constants(p: Numbers, dt: float) -> Constants:
    """Return the share opened and what is left open after a step."""
    return {"opened": p["opened"], "open_decay": decay(dt, p["tau"])}


def step(x: State, m: Functions) -> Quantities:
    """Close receptors."""
    return {"open_share": x.open_share * x.open_decay}


def on_spike(x: State, m: Functions) -> tuple[Quantities, Quantity]:
    """Open a share of the closed receptors, and bring as much."""
    brought = m.let("brought", x.opened * (1.0 - x.open_share))
    return {"open_share": x.open_share + brought}, brought


MODEL = ReleaseModel(
    "saturating",
    SaturatingParameters,
    {"open_share": 0.0},
    constants,
    step,
    on_spike,
    caption="receptors that saturate",
    reference="Wang XJ (2002) Neuron 36:955-968, https://doi.org/10.1016/S0896-6273(02)01092-9",
)
