"""Synapses that fail at random."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.biophysics.formulas import Functions, Quantities, Quantity, State
from neurosim.biophysics.models import Constants, Numbers
from neurosim.biophysics.rules import ReleaseModel
from neurosim.parameters import check_range
from neurosim.showing import tabled

FACTOR, MODULUS = 48271.0, 2147483647.0  # the minimal standard generator, exact in float64


@tabled
@dataclass(frozen=True)
class FailingParameters:
    """Synapses each of which lets a spike through with a probability of its own draw.

    Each synapse has a generator of its own (https://doi.org/10.1145/63039.63042), seeded from the simulation's seed, so
    that every engine draws the same failures.

    Parameters
    ----------
    released : probability that a spike brings the weight.

    Raises
    ------
    InputError : a value is outside its range.

    Examples
    --------
    >>> ns.biophysics.FailingParameters(0.25).released
    0.25
    """

    released: float = 0.5

    def __post_init__(self) -> None:
        check_range(self, released=(0.0, 1.0))


def constants(p: Numbers, dt: float) -> Constants:
    """Return the largest draw that lets a spike through."""
    return {"most": p["released"] * MODULUS}


def step(x: State, m: Functions) -> Quantities:
    """Nothing happens between spikes."""
    return {}


def on_spike(x: State, m: Functions) -> tuple[Quantities, Quantity]:
    """Draw, and bring the whole weight or nothing."""
    product = m.let("product", FACTOR * x.draw)
    drawn = m.let("drawn", product - MODULUS * m.floor(product / MODULUS))
    return {"draw": drawn}, m.is_positive(x.most - drawn)


MODEL = ReleaseModel(
    "failing",
    FailingParameters,
    {"draw": "seed"},
    constants,
    step,
    on_spike,
    is_of_synapses=True,
    caption="synapses that fail at random",
    reference="Allen C, Stevens CF (1994) PNAS 91:10380-10383, https://doi.org/10.1073/pnas.91.22.10380",
)
