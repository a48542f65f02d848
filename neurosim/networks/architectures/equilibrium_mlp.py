"""Layers that drive each other in both directions until they rest."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.networks.architecture import Architecture
from neurosim.refusals import InputError


@dataclass(frozen=True)
class EquilibriumMLPSpecification:
    """Network that answers from where it comes to rest.

    Parameters
    ----------
    hidden : sizes of the layers. n_steps : steps to rest. step : size of each, a share of the time constant.

    Raises
    ------
    InputError : no layer, a number out of its range.

    Examples
    --------
    >>> ns.networks.EquilibriumMLPSpecification((64, 64)).n_steps
    30
    """

    hidden: tuple[int, ...] = (128, 64)
    n_steps: int = 30
    step: float = 0.5

    def __post_init__(self) -> None:
        if not self.hidden or self.n_steps < 1 or not 0 < self.step <= 1:
            raise InputError("EquilibriumMLP: a layer, n_steps >= 1 and step in 0..1 are asked.")


EQUILIBRIUM_MLP = Architecture(
    name="EquilibriumMLP",
    specification=EquilibriumMLPSpecification,
    build="neurosim.networks.equilibrium:EquilibriumMLP",
    takes=("gray", "colour", "vector"),
    learns=("categories",),
    caption="Layers that drive each other in both directions until they rest; a readout of the last one answers.",
    citation="Scellier B, Bengio Y (2017) Front Comput Neurosci 11:24, https://doi.org/10.3389/fncom.2017.00024",
    examples=(EquilibriumMLPSpecification((12, 9), 10),),
)
