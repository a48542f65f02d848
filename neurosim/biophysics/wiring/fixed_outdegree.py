"""So many targets for every source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.biophysics.plain_numbers import convert, whole
from neurosim.biophysics.random_pairs import fixed_rows
from neurosim.biophysics.wiring import ConnectionRule, Drawn, Ends
from neurosim.parameters import check_range


@dataclass(frozen=True)
class FixedOutdegree:
    """Every source sends `n` synapses, whose targets are drawn at random.

    Parameters
    ----------
    n : number of synapses of each source.
    multapses : whether two synapses may have the same target; their weights then add up. By default all differ.

    Raises
    ------
    InputError : fewer than one synapse.

    Examples
    --------
    >>> ns.biophysics.FixedOutdegree(100).n
    100
    """

    n: int
    multapses: bool = False

    def __post_init__(self) -> None:
        convert(self, "FixedOutdegree", n=whole)
        check_range(self, n=(1, 2**31))


def draw(rule: FixedOutdegree, ends: Ends, rng: np.random.Generator, progress: bool) -> Drawn:
    """Draw the targets of each source."""
    return fixed_rows(ends, rule.n, rule.multapses, rng, progress=progress)


RULE = ConnectionRule(
    "fixed_outdegree", FixedOutdegree, draw, "a fixed number of targets for every source", example=FixedOutdegree(2)
)
