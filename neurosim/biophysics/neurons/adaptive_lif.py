"""The integrate-and-fire neuron with an adaptive threshold: ``v_threshold + w``, where ``w`` rises with every spike.

https://doi.org/10.1038/s41467-020-17236-y.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, get_args

from neurosim.biophysics.formulas import Functions, Quantities, Quantity, State
from neurosim.biophysics.models import (
    Constants,
    NeuronModel,
    Numbers,
    decay,
    held_while_refractory,
    membrane_after_step,
    membrane_constants,
)
from neurosim.biophysics.resets import LeakyReset, after_spike, check_reset, reset_constants, while_free
from neurosim.parameters import MEMBRANE, check_range, check_threshold
from neurosim.showing import tabled

LONGEST = 1e5  # s: thresholds that keep a neuron's share over a whole training fall back in hours


@tabled
@dataclass(frozen=True)
class AdaptiveLIFParameters:
    """Leaky integrate-and-fire neuron whose threshold rises with every spike (https://doi.org/10.1038/s41467-020-17236-y).

    ``C dv/dt = g_leak (e_leak - v) + I``, ``tau_threshold dw/dt = -w``; at ``v > v_threshold + w``: ``w += rise``,
    and ``v = v_reset`` or another reset.

    Parameters
    ----------
    capacitance : F. g_leak : S. e_leak, v_threshold, v_reset, rise : V. refractory, tau_threshold : s.
    reset : "value" sets the membrane to `v_reset`; "subtract" lowers it by ``subtracted``; "none" leaves it.
    subtracted : V taken off at a spike by the reset "subtract", which alone reads it.

    Raises
    ------
    InputError : a value is outside its range, or the threshold is not above the reset.

    Examples
    --------
    >>> ns.biophysics.AdaptiveLIFParameters(rise=5e-3).tau_threshold
    0.1
    """

    own_units: ClassVar[dict[str, str]] = {"rise": "V"}
    capacitance: float = 100e-12
    g_leak: float = 10e-9
    e_leak: float = -70e-3
    v_threshold: float = -50e-3
    v_reset: float = -70e-3
    refractory: float = 2e-3
    rise: float = 2e-3
    tau_threshold: float = 100e-3
    reset: LeakyReset = "value"
    subtracted: float = 20e-3

    def __post_init__(self) -> None:
        volts = dict.fromkeys(("e_leak", "v_threshold", "v_reset"), (-0.2, 0.2))
        check_range(self, **MEMBRANE, **volts, refractory=(0.0, 1.0), rise=(0.0, 0.2), tau_threshold=(1e-4, LONGEST))
        check_reset(self, get_args(LeakyReset))
        check_threshold(self, self.v_threshold, self.v_reset)


def constants(p: Numbers, dt: float) -> Constants:
    """Return the constants of the membrane and of its threshold."""
    own = {"v_threshold": p["v_threshold"], "rise": p["rise"]}
    return membrane_constants(p, dt) | reset_constants(p) | own | {"threshold_decay": decay(dt, p["tau_threshold"])}


def update(x: State, m: Functions) -> Quantities:
    """Move the membrane and let the threshold come back."""
    v, wait = held_while_refractory(x, m, membrane_after_step(x, m, None))
    return {"v": v, "wait": wait, "w": x.threshold_decay * x.w}


def distance(x: State, m: Functions) -> Quantity:
    """Return how far the membrane is above the threshold of this moment, V."""
    above = x.v - (x.v_threshold + x.w)
    return above if x.reset_kind == "value" else while_free(x, m, above)


def reset(x: State, m: Functions) -> Quantities:
    """Set, lower or leave the membrane, raise the threshold, begin to wait."""
    return {"v": after_spike(x), "wait": x.held_steps, "w": x.w + x.rise}


MODEL = NeuronModel(
    "adaptive_lif",
    AdaptiveLIFParameters,
    {"v": "e_leak", "wait": 0.0, "w": 0.0},
    constants,
    update,
    distance,
    reset,
    units={"v": "V", "wait": "1", "w": "V"},
    threshold="v_threshold",
    caption="integrate-and-fire neurons with an adaptive threshold",
    reference="Bellec G, Scherr F, Subramoney A, et al. (2020) Nat Commun 11:3625, https://doi.org/10.1038/s41467-020-17236-y",
    example=({}, 4e-10),
)
