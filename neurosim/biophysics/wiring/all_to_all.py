"""Every neuron to every other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from neurosim.biophysics.wiring import ConnectionRule, Drawn, Ends


@dataclass(frozen=True)
class AllToAll:
    """Every source reaches every target.

    Examples
    --------
    >>> ns.biophysics.AllToAll()
    AllToAll()
    """


def draw(rule: AllToAll, ends: Ends, rng: np.random.Generator, progress: bool) -> Drawn:
    """Return all pairs."""
    pairs = np.ones((ends.n_source, ends.n_target), np.int8)
    if ends.skips_itself:
        np.fill_diagonal(pairs, 0)
    return scipy.sparse.csr_array(pairs)


RULE = ConnectionRule("all_to_all", AllToAll, draw, "every neuron to every other", example=AllToAll())
