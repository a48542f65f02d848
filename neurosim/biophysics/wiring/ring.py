"""Each neuron to its neighbours on a ring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from neurosim.biophysics.plain_numbers import convert, whole
from neurosim.biophysics.wiring import ConnectionRule, Drawn, Ends
from neurosim.parameters import check_range
from neurosim.refusals import InputError


@dataclass(frozen=True)
class Ring:
    """Each source reaches the `n` next numbers on either side, where after the last number comes the first.

    The neuron of its own number is not among them; both sides are of one size.

    Parameters
    ----------
    n : number of neighbours on each side.

    Raises
    ------
    InputError : fewer than one neighbour.

    Examples
    --------
    >>> ns.biophysics.Ring(2).n
    2
    """

    n: int = 1

    def __post_init__(self) -> None:
        convert(self, "Ring", n=whole)
        check_range(self, n=(1, 2**31))


def draw(rule: Ring, ends: Ends, rng: np.random.Generator, progress: bool) -> Drawn:
    """Return the neighbours of every neuron."""
    ends.check_same_size("a ring")
    size = ends.n_source
    if 2 * rule.n >= size:
        raise InputError(f"{ends.who}: {rule.n} neighbours on each side asked, found a ring of {size}; ask for fewer.")
    steps = np.concatenate([np.arange(-rule.n, 0), np.arange(1, rule.n + 1)])
    targets = (np.arange(size)[:, None] + steps) % size
    sources = np.repeat(np.arange(size), len(steps))
    return scipy.sparse.coo_array((np.ones(targets.size, np.int8), (sources, targets.ravel())), shape=(size, size))


RULE = ConnectionRule("ring", Ring, draw, "each neuron to its neighbours on a ring", example=Ring(1))
