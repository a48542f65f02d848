"""Equilibrium propagation: a network rests twice, the second time nudged towards the right answer."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.networks.learning_rule import LearningRule
from neurosim.refusals import InputError


@dataclass(frozen=True)
class EquilibriumPropagation:
    """How the network is nudged.

    Parameters
    ----------
    nudge : strength with which the loss pulls at the last layer. n_steps : steps of the nudged phase.
    two_sided : compare nudges to either side, whose error is of second order in `nudge`
        (https://doi.org/10.3389/fnins.2021.633674), in place of a nudge and none.

    Raises
    ------
    InputError : a number out of its range.

    References
    ----------
    Scellier B, Bengio Y (2017) Front Comput Neurosci 11:24, https://doi.org/10.3389/fncom.2017.00024

    Examples
    --------
    >>> ns.networks.EquilibriumPropagation(0.1).two_sided
    True
    """

    nudge: float = 0.2
    n_steps: int = 15
    two_sided: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.nudge <= 1 or self.n_steps < 1:
            raise InputError(
                f"EquilibriumPropagation: nudge in 0..1 and n_steps >= 1 asked, found {self.nudge}, {self.n_steps}."
            )


EQUILIBRIUM_PROPAGATION = LearningRule(
    name="equilibrium_propagation",
    options=EquilibriumPropagation,
    bind="neurosim.networks.learning.equilibrium:bind",
    takes="an EquilibriumMLP",
    caption="Weights change by how the energy differs between two states of rest, one nudged towards the right answer.",
    citation="Scellier B, Bengio Y (2017) Front Comput Neurosci 11:24, https://doi.org/10.3389/fncom.2017.00024",
    architectures=("EquilibriumMLP",),
)
