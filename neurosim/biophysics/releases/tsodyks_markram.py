"""Short-term depression and facilitation."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.biophysics.formulas import Functions, Quantities, Quantity, State
from neurosim.biophysics.models import Constants, Numbers, decay
from neurosim.biophysics.rules import ReleaseModel
from neurosim.parameters import check_range
from neurosim.showing import tabled


@tabled
@dataclass(frozen=True)
class TsodyksMarkramParameters:
    """Resources that a spike uses and that recover, and a share used that grows with spikes.

    Between spikes ``dx/dt = (1 - x)/tau_rec`` and ``du/dt = -u/tau_facil``; a spike sets ``u += u_rest (1 - u)``, then
    brings ``u x`` of its weight and sets ``x -= u x`` (https://doi.org/10.1162/089976698300017502).

    Parameters
    ----------
    u_rest : share of the resources that a spike after a long rest uses, U.
    tau_rec : time in which resources recover, s.
    tau_facil : time in which facilitation decays, s; 0 is none: every spike uses `u_rest`.

    Raises
    ------
    InputError : a value is outside its range.

    Examples
    --------
    >>> ns.biophysics.TsodyksMarkramParameters(u_rest=0.15, tau_facil=0.75).tau_rec
    0.8
    """

    u_rest: float = 0.5
    tau_rec: float = 0.8
    tau_facil: float = 0.0

    def __post_init__(self) -> None:
        check_range(self, u_rest=(0.0, 1.0), tau_rec=(1e-4, 100.0), tau_facil=(0.0, 100.0))


def constants(p: Numbers, dt: float) -> Constants:
    """Return the share used at rest, and what is left of lack and of facilitation after a step."""
    facilitates = p["tau_facil"] > 0
    return {
        "u_rest": p["u_rest"],
        "used_at_rest": 0.0,
        "lack_decay": decay(dt, p["tau_rec"]),
        "used_decay": decay(dt, p["tau_facil"]) if facilitates else 0.0,
    }


def step(x: State, m: Functions) -> Quantities:
    """Let resources recover and facilitation decay."""
    return {"resources": 1.0 - (1.0 - x.resources) * x.lack_decay, "used": x.used * x.used_decay}


def on_spike(x: State, m: Functions) -> tuple[Quantities, Quantity]:
    """Raise the share used, use it, and bring what was used."""
    used = m.let("used_now", x.used + x.u_rest * (1.0 - x.used))
    brought = m.let("brought", used * x.resources)
    return {"resources": x.resources - brought, "used": used}, brought


MODEL = ReleaseModel(
    "tsodyks_markram",
    TsodyksMarkramParameters,
    {"resources": 1.0, "used": "used_at_rest"},
    constants,
    step,
    on_spike,
    caption="synapses that depress and facilitate",
    reference="Tsodyks M, Pawelzik K, Markram H (1998) Neural Comput 10:821-835, "
    "https://doi.org/10.1162/089976698300017502",
)
