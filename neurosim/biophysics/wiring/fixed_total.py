"""So many synapses in all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from neurosim.biophysics.plain_numbers import convert, whole
from neurosim.biophysics.random_pairs import bernoulli_pairs
from neurosim.biophysics.wiring import ConnectionRule, Drawn, Ends
from neurosim.parameters import check_range
from neurosim.refusals import InputError


@dataclass(frozen=True)
class FixedTotal:
    """There are `n` synapses, each between two neurons that are drawn at random.

    Parameters
    ----------
    n : number of synapses.
    multapses : whether two synapses may join the same pair; their weights then add up. By default every set of `n`
        different pairs is as likely as any other.

    Raises
    ------
    InputError : fewer than one synapse.

    Examples
    --------
    >>> ns.biophysics.FixedTotal(1000).n
    1000
    """

    n: int
    multapses: bool = False

    def __post_init__(self) -> None:
        convert(self, "FixedTotal", n=whole)
        check_range(self, n=(1, 2**31))


def draw(rule: FixedTotal, ends: Ends, rng: np.random.Generator, progress: bool) -> Drawn:
    """Draw both ends of each synapse, or each pair by itself and then leave out at random what is too many."""
    shape = (ends.n_source, ends.n_target)
    if ends.n_pairs < (1 if rule.multapses else rule.n):
        raise InputError(
            f"{ends.who}: {rule.n} synapses asked, found {ends.n_pairs} pairs; ask for fewer or for multapses=True."
        )
    if rule.multapses:
        sources = rng.integers(ends.n_source, size=rule.n, dtype=np.int32)
        targets = rng.integers(ends.n_target - int(ends.skips_itself), size=rule.n, dtype=np.int32)
        targets += (targets >= sources) & ends.skips_itself
        return scipy.sparse.coo_array((np.ones(rule.n, np.int32), (sources, targets)), shape=shape)
    p = min(1.0, (rule.n + 6 * rule.n**0.5 + 10) / ends.n_pairs)
    drawn = bernoulli_pairs(ends, p, rng, progress=progress)
    while drawn.nnz < rule.n:
        drawn = bernoulli_pairs(ends, p, rng, progress=progress)
    drawn.data[rng.choice(drawn.nnz, drawn.nnz - rule.n, replace=False)] = 0
    drawn.eliminate_zeros()
    return drawn


RULE = ConnectionRule("fixed_total", FixedTotal, draw, "a fixed number of synapses in all", example=FixedTotal(3))
