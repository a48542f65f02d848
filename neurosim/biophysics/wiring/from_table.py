"""The synapses of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse

from neurosim.biophysics.by_value import by_value
from neurosim.biophysics.plain_numbers import real
from neurosim.biophysics.wiring import ConnectionRule, Drawn, Ends
from neurosim.refusals import InputError


@by_value
@dataclass(frozen=True, eq=False)
class FromTable:
    """The synapses that a table lists, a row each; ``connect`` then takes one weight and one delay a row too.

    Parameters
    ----------
    sources, targets : (synapse,) number of the neuron within its population, from 0 on.
    multapses : whether two rows may join the same pair; their weights then add up. By default that is refused.

    Raises
    ------
    InputError : columns of different lengths or none, numbers that are not whole or below 0.

    Examples
    --------
    >>> ns.biophysics.FromTable([0, 0, 2], [1, 2, 0]).targets.tolist()
    [1, 2, 0]
    """

    sources: Any
    targets: Any
    multapses: bool = False

    def __post_init__(self) -> None:
        for name in ("sources", "targets"):
            values = real(getattr(self, name), f"FromTable: {name}")
            wrong = values[~((values >= 0) & (values < 2**31) & (values == np.floor(values)))]
            if values.ndim != 1 or wrong.size:
                found = f"{float(wrong.flat[0]):g}" if wrong.size else f"shape {values.shape}"
                raise InputError(f"FromTable: {name} are a column of numbers of neurons, from 0 on, found {found}.")
            object.__setattr__(self, name, values.astype(np.int32))
        if len(self.sources) != len(self.targets) or not len(self.sources):
            found = f"{len(self.sources)} and {len(self.targets)}"
            raise InputError(f"FromTable: as many sources as targets asked, at least one, found {found}.")


def draw(rule: FromTable, ends: Ends, rng: np.random.Generator, progress: bool) -> Drawn:
    """Return the pairs of the table."""
    for name, n in (("sources", ends.n_source), ("targets", ends.n_target)):
        largest = int(getattr(rule, name).max())
        if largest >= n:
            raise InputError(f"{ends.who}: the table has neuron {largest} among its {name}, of which there are {n}.")
    itself = rule.sources == rule.targets
    if ends.skips_itself and itself.any():
        raise InputError(
            f"{ends.who}: row {int(itself.argmax())} of the table joins neuron {int(rule.sources[itself][0])} with "
            "itself; allow self_connections or drop it."
        )
    pairs = rule.sources.astype(np.int64) * ends.n_target + rule.targets
    distinct, times = np.unique(pairs, return_counts=True)
    if not rule.multapses and len(distinct) < len(pairs):
        source, target = divmod(int(distinct[times.argmax()]), ends.n_target)
        raise InputError(
            f"{ends.who}: the table joins {source} and {target} {int(times.max())} times; drop what is there twice, or "
            "say multapses=True, which adds their weights."
        )
    ones = np.ones(len(pairs), np.int32)
    return scipy.sparse.coo_array((ones, (rule.sources, rule.targets)), shape=(ends.n_source, ends.n_target))


RULE = ConnectionRule("from_table", FromTable, draw, "the synapses of a table", example=FromTable([0, 1], [1, 0]))
