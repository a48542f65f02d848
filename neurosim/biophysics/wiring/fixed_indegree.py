"""So many sources for every target."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from neurosim.biophysics.plain_numbers import convert, whole
from neurosim.biophysics.random_pairs import fixed_rows
from neurosim.biophysics.wiring import ConnectionRule, Drawn, Ends
from neurosim.parameters import check_range


@dataclass(frozen=True)
class FixedIndegree:
    """Every target receives `n` synapses, whose sources are drawn at random.

    Parameters
    ----------
    n : number of synapses onto each target.
    multapses : whether two synapses may have the same source; their weights then add up. By default all differ.

    Raises
    ------
    InputError : fewer than one synapse.

    Examples
    --------
    >>> ns.biophysics.FixedIndegree(100).n
    100
    """

    n: int
    multapses: bool = False

    def __post_init__(self) -> None:
        convert(self, "FixedIndegree", n=whole)
        check_range(self, n=(1, 2**31))


def draw(rule: FixedIndegree, ends: Ends, rng: np.random.Generator, progress: bool) -> Drawn:
    """Draw the sources of each target: those that it would reach, turned round."""
    turned = replace(ends, n_source=ends.n_target, n_target=ends.n_source)
    return fixed_rows(turned, rule.n, rule.multapses, rng, progress=progress).T


RULE = ConnectionRule(
    "fixed_indegree", FixedIndegree, draw, "a fixed number of sources for every target", example=FixedIndegree(2)
)
