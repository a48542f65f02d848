"""Every pair by itself with one probability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.biophysics.plain_numbers import convert, number
from neurosim.biophysics.random_pairs import bernoulli_pairs
from neurosim.biophysics.wiring import ConnectionRule, Drawn, Ends
from neurosim.parameters import check_range

LEAST = 1e-12


@dataclass(frozen=True)
class FixedProbability:
    """Every pair has a synapse with probability `p`, independently of all others.

    Parameters
    ----------
    p : probability, above 0 and up to 1.

    Raises
    ------
    InputError : a probability out of range.

    Examples
    --------
    >>> ns.biophysics.FixedProbability(0.1)
    FixedProbability(p=0.1)
    """

    p: float

    def __post_init__(self) -> None:
        convert(self, "FixedProbability", p=number)
        check_range(self, p=(LEAST, 1.0))


def draw(rule: FixedProbability, ends: Ends, rng: np.random.Generator, progress: bool) -> Drawn:
    """Draw each pair."""
    return bernoulli_pairs(ends, rule.p, rng, progress=progress)


RULE = ConnectionRule(
    "fixed_probability", FixedProbability, draw, "every pair with one probability", example=FixedProbability(0.5)
)
