"""Liquid state machines; see ``neurosim.networks.liquid`` for the module."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from neurosim.networks.architecture import Architecture
from neurosim.networks.shared_parameters import NeuronSpecification
from neurosim.refusals import InputError


@dataclass(frozen=True)
class LiquidStateMachineSpecification:
    """Liquid state machine.

    Parameters
    ----------
    column : neurons of the liquid along the three sides of a column. excitatory : share of them; the others inhibit.
    reach : distance, in neurons, at which connections become rare: two neurons at distance d are connected with the
        probability C exp(-(d / reach)^2), C that of the paper for each pair of kinds.
    strength : mean weight from an excitatory to an excitatory neuron, in units of the threshold; those of other pairs
        are to it as in the paper. input_strength, input_share : mean weight of an input, and share of the liquid that
        it reaches.
    neuron : its neurons; by default those of the paper, with 30 ms, without refractory period and dynamic synapses.

    Raises
    ------
    InputError : sides, shares or strengths that cannot be.

    Examples
    --------
    >>> ns.networks.LiquidStateMachineSpecification((3, 3, 15)).n_units
    135
    """

    column: tuple[int, ...] = (3, 3, 15)
    excitatory: float = 0.8
    reach: float = 2.0
    strength: float = 0.1
    input_strength: float = 0.3
    input_share: float = 0.3
    neuron: NeuronSpecification = field(default_factory=lambda: NeuronSpecification(tau_mem=30e-3, reset="zero"))

    def __post_init__(self) -> None:
        if len(self.column) != 3 or min(self.column) < 1 or self.n_units < 2:
            raise InputError(
                f"LiquidStateMachine: column = {self.column!r}; three sides, and two neurons at least, are asked."
            )
        for name in ("excitatory", "input_share"):
            if not 0 < getattr(self, name) <= 1:
                raise InputError(f"LiquidStateMachine: {name} = {getattr(self, name)!r}; a share in 0..1 is asked.")
        for name in ("reach", "strength", "input_strength"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"LiquidStateMachine: {name} = {getattr(self, name)!r}; a positive number is asked.")

    @property
    def n_units(self) -> int:
        """Number of neurons of the liquid."""
        return math.prod(self.column)


LIQUID_STATE_MACHINE: Architecture[Any] = Architecture(
    name="LiquidStateMachine",
    specification=LiquidStateMachineSpecification,
    build="neurosim.networks.liquid:LiquidStateMachine",
    takes=("sequence",),
    learns=("categories",),
    caption="A column of spiking neurons with fixed random connections, which a linear readout learns to read.",
    citation="Maass W, Natschläger T, Markram H (2002) Neural Comput 14:2531-2560, "
    "https://doi.org/10.1162/089976602760407955",
    examples=(
        LiquidStateMachineSpecification((2, 2, 3)),
        LiquidStateMachineSpecification((2, 2, 2), neuron=NeuronSpecification("synaptic")),
    ),
    is_spiking=True,
    has_twin=True,
)
