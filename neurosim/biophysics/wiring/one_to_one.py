"""Each neuron to the one of its number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from neurosim.biophysics.wiring import ConnectionRule, Drawn, Ends


@dataclass(frozen=True)
class OneToOne:
    """Each source reaches the target of its number; both sides are of one size.

    Examples
    --------
    >>> ns.biophysics.OneToOne()
    OneToOne()
    """


def draw(rule: OneToOne, ends: Ends, rng: np.random.Generator, progress: bool) -> Drawn:
    """Return the diagonal."""
    ends.check_same_size("one to one")
    n = 0 if ends.skips_itself else ends.n_source
    return scipy.sparse.coo_array((np.ones(n, np.int8), (np.arange(n), np.arange(n))), (ends.n_source, ends.n_target))


RULE = ConnectionRule("one_to_one", OneToOne, draw, "each neuron to the one of its number", example=OneToOne())
