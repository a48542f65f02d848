"""A neuron that is a Poisson process: ``rate exp((v - e_leak) / delta_v)``, which no spike changes.

It fires where an exponential draw is below ``rate dt`` (see ``gif.py``), so that all engines fire in the same steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.biophysics.formulas import Functions, Quantities, Quantity, State
from neurosim.biophysics.models import Constants, NeuronModel, Numbers, membrane_after_step, membrane_constants
from neurosim.parameters import MEMBRANE, check_range
from neurosim.showing import tabled


@tabled
@dataclass(frozen=True)
class PoissonParameters:
    """Poisson process whose rate is `rate` at rest and is multiplied by what moves its leaky membrane.

    ``C dv/dt = g_leak (e_leak - v) + I``; spikes come at random with ``rate exp((v - e_leak) / delta_v)`` and leave no
    trace (https://doi.org/10.1080/713663221). A step holds one spike at most: with ``1 - exp(-rate dt)``.

    Parameters
    ----------
    rate : at rest, spikes/s. delta_v : depolarisation that multiplies the rate by e, V.
    capacitance : F. g_leak : S. e_leak : V.

    Raises
    ------
    InputError : a value is outside its range.

    Examples
    --------
    >>> ns.biophysics.PoissonParameters(40.0).rate
    40.0
    """

    rate: float = 10.0
    delta_v: float = 5e-3
    capacitance: float = 100e-12
    g_leak: float = 10e-9
    e_leak: float = -70e-3

    def __post_init__(self) -> None:
        check_range(self, **MEMBRANE, e_leak=(-0.2, 0.2), rate=(1e-9, 1e6), delta_v=(1e-5, 10.0))


def constants(p: Numbers, dt: float) -> Constants:
    """Return the constants of the membrane and the logarithm of the mean number of spikes in a step at rest."""
    return membrane_constants(p, dt) | {"delta_v": p["delta_v"], "log_mean": np.log(np.asarray(p["rate"]) * dt)}


def update(x: State, m: Functions) -> Quantities:
    """Move the membrane."""
    return {"v": membrane_after_step(x, m, None)}


def distance(x: State, m: Functions) -> Quantity:
    """Return how far the membrane is above what the draw asks for, V."""
    return x.v - x.e_leak - x.delta_v * (x.xi - x.log_mean)


def reset(x: State, m: Functions) -> Quantities:
    """Leave the membrane as it is."""
    return {"v": x.v}


MODEL = NeuronModel(
    "poisson",
    PoissonParameters,
    {"v": "e_leak"},
    constants,
    update,
    distance,
    reset,
    units={"v": "V"},
    is_random=True,
    caption="Poisson neurons",
    reference="Chichilnisky EJ (2001) Network 12:199-213, https://doi.org/10.1080/713663221",
    example=({"rate": 100.0}, 5e-11),
)
