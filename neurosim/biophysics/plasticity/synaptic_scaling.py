"""Homeostasis: all weights onto a neuron are scaled towards the rate at which it should fire."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.biophysics.formulas import Functions, Quantities, State
from neurosim.biophysics.models import Constants, Numbers, decay
from neurosim.biophysics.plasticity.pair_stdp import check_bounds
from neurosim.biophysics.rules import PlasticityModel
from neurosim.parameters import check_range
from neurosim.showing import tabled


@tabled
@dataclass(frozen=True)
class SynapticScalingParameters:
    """Weights are multiplied, all those onto a neuron alike, while it fires below its rate, and divided while above.

    ``dw/dt = w (1 - rate/target) / tau``, where the rate is averaged over ``tau_rate``
    (https://doi.org/10.1038/36103, https://doi.org/10.1523/JNEUROSCI.20-23-08812.2000).

    Parameters
    ----------
    w_max, w_min : bounds, in the units of the weights.
    target : rate at which the target should fire, spikes/s. tau : time constant of the scaling, s.
    tau_rate : time over which rates are averaged, s.

    Raises
    ------
    InputError : a value is outside its range, bounds in the wrong order.

    Examples
    --------
    >>> ns.biophysics.SynapticScalingParameters(w_max=1e-8, target=10.0).tau
    10.0
    """

    w_max: float
    w_min: float = 0.0
    target: float = 5.0
    tau: float = 10.0
    tau_rate: float = 1.0

    def __post_init__(self) -> None:
        check_range(self, target=(1e-3, 1e3), tau=(1e-3, 1e6), tau_rate=(1e-3, 1e4))
        check_bounds(self)


def constants(p: Numbers, dt: float) -> Constants:
    """Return the decay of the averaged rate, what a spike adds to it, and the change in a step."""
    return {
        "w_min": p["w_min"],
        "w_max": p["w_max"],
        "target": p["target"],
        "rate_decay": decay(dt, p["tau_rate"]),
        "of_spike": 1.0 / p["tau_rate"],
        "change": dt / p["tau"],
    }


def post_step(x: State, m: Functions) -> Quantities:
    """Let the averaged rate decay."""
    return {"rate": x.rate * x.rate_decay}


def post_spike(x: State, m: Functions) -> Quantities:
    """Count a spike of the target."""
    return {"rate": x.rate + x.of_spike}


def each_step(x: State, m: Functions) -> Quantities:
    """Scale the weight towards the rate."""
    return {"weight": x.weight + x.weight * x.change * (1.0 - x.rate / x.target)}


MODEL = PlasticityModel(
    "synaptic_scaling",
    SynapticScalingParameters,
    constants,
    post={"rate": "target"},
    post_step=post_step,
    post_spike=post_spike,
    each_step=each_step,
    units={"rate": "spikes/s"},
    caption="homeostatic scaling of synapses",
    reference="Turrigiano GG et al. (1998) Nature 391:892-896, https://doi.org/10.1038/36103",
)
