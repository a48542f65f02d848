"""The connection rules: each file is one way in which the synapses of a projection are drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from neurosim.parameters import Parameters
from neurosim.refusals import InputError
from neurosim.registry import Registry
from neurosim.showing import shown


@dataclass(frozen=True)
class Ends:
    """What a rule knows of the two sides that it joins.

    Parameters
    ----------
    who : "connect: a->b", with which refusals begin.
    n_source, n_target : numbers of neurons.
    source_positions, target_positions : (neuron, 2 or 3), m; None where the neurons have no place.
    skips_itself : whether both sides are one population, and no neuron is to reach itself.
    """

    who: str
    n_source: int
    n_target: int
    source_positions: np.ndarray | None = None
    target_positions: np.ndarray | None = None
    skips_itself: bool = False

    @property
    def label(self) -> str:
        """What a progress bar is called."""
        return f"wiring {self.who.partition(' ')[2]}"

    @property
    def n_pairs(self) -> int:
        """Number of pairs that may have a synapse."""
        return self.n_source * self.n_target - (self.n_source if self.skips_itself else 0)

    def check_same_size(self, what: str) -> None:
        """Raise where the two sides are not of one size."""
        if self.n_source != self.n_target:
            raise InputError(
                f"{self.who}: {what} asks for as many sources as targets, found {self.n_source} and {self.n_target}."
            )


Drawn: TypeAlias = Any  # a csr_array, csc_array or coo_array


@shown
@dataclass(frozen=True)
class ConnectionRule:
    """A way in which synapses are drawn.

    Parameters
    ----------
    name : name by which files and messages know it.
    parameters : class of its numbers, a frozen dataclass.
    draw : (numbers, ends, generator, whether to show progress) -> sparse matrix (source, target) of whole numbers: how
        many synapses each pair has.
    caption : what it is, in one sentence without a verb.
    uses_positions : whether it reads where neurons are.
    example : numbers with which it draws something.

    Examples
    --------
    >>> ns.biophysics.CONNECTION_RULES["fixed_indegree"].caption
    'a fixed number of sources for every target'
    """

    name: str
    parameters: type[Parameters]
    draw: Callable[[Any, Ends, np.random.Generator, bool], Drawn]
    caption: str
    uses_positions: bool = False
    example: Parameters | None = None


CONNECTION_RULES = Registry("connection rule", "neurosim.biophysics.wiring", ConnectionRule)
