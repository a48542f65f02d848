"""Plasticity of inhibition that brings its target to a rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from neurosim.biophysics.formulas import Functions, Quantities, State
from neurosim.biophysics.models import Constants, Numbers, decay
from neurosim.biophysics.plasticity.pair_stdp import check_bounds, post_spike, post_step, pre_spike, pre_step
from neurosim.biophysics.rules import PlasticityModel
from neurosim.parameters import check_range
from neurosim.showing import tabled


@tabled
@dataclass(frozen=True)
class InhibitorySTDPParameters:
    """Weights grow where source and target fire together in whatever order, and shrink by every spike of the source.

    A spike of the source changes the weight by ``rate (post_trace - 2 target tau)``, one of the target by
    ``rate pre_trace``, in units of ``w_max``: inhibition that holds its target near a rate
    (https://doi.org/10.1126/science.1211095).

    Parameters
    ----------
    w_max, w_min : bounds, in the units of the weights; inhibition has positive weights where its receptor inhibits.
    tau : of both traces, s. target : rate to which the target is brought, spikes/s. rate : change by a pair, a share.

    Raises
    ------
    InputError : a value is outside its range, bounds in the wrong order.

    Examples
    --------
    >>> ns.biophysics.InhibitorySTDPParameters(w_max=1e-8).target
    5.0
    """

    own_units: ClassVar[dict[str, str]] = {"rate": "1"}
    w_max: float
    w_min: float = 0.0
    tau: float = 20e-3
    target: float = 5.0
    rate: float = 0.005

    def __post_init__(self) -> None:
        check_range(self, tau=(1e-4, 10.0), target=(0.0, 1e3), rate=(0.0, 1.0))
        check_bounds(self)


def constants(p: Numbers, dt: float) -> Constants:
    """Return the decay of both traces, the change by a pair and the trace of the rate that is aimed at."""
    own = {"change": p["rate"] * p["w_max"], "aim": 2 * p["target"] * p["tau"], "pairing": "all"}
    traces = dict.fromkeys(("pre_decay", "post_decay"), decay(dt, p["tau"]))
    return own | traces | {"w_min": p["w_min"], "w_max": p["w_max"]}


def on_pre(x: State, m: Functions) -> Quantities:
    """Strengthen where the target fired above the rate that is aimed at, weaken where below."""
    return {"weight": x.weight + x.change * (x.post_trace - x.aim)}


def on_post(x: State, m: Functions) -> Quantities:
    """Strengthen by the spikes of the source that came before."""
    return {"weight": x.weight + x.change * x.pre_trace}


MODEL = PlasticityModel(
    "inhibitory_stdp",
    InhibitorySTDPParameters,
    constants,
    pre={"pre_trace": 0.0},
    post={"post_trace": 0.0},
    pre_step=pre_step,
    post_step=post_step,
    pre_spike=pre_spike,
    post_spike=post_spike,
    on_pre=on_pre,
    on_post=on_post,
    caption="plasticity of inhibition towards a rate",
    reference="Vogels TP et al. (2011) Science 334:1569-1573, https://doi.org/10.1126/science.1211095",
)
