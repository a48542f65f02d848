"""Fully connected networks of rectified units."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.networks.architecture import Architecture
from neurosim.networks.shared_parameters import check_share


@dataclass(frozen=True)
class MLPSpecification:
    """Fully connected network.

    Parameters
    ----------
    hidden : sizes of the hidden layers. dropout : share of hidden units left out in training.

    Examples
    --------
    >>> ns.networks.MLPSpecification((128, 64)).dropout
    0.0
    """

    hidden: tuple[int, ...] = (128,)
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_share("MLP", self.dropout)


MLP = Architecture(
    name="MLP",
    specification=MLPSpecification,
    build="neurosim.networks.feedforward:MLP",
    takes=("gray", "colour", "vector"),
    learns=("categories",),
    caption="Fully connected layers of rectified units.",
    citation="Rumelhart DE, Hinton GE, Williams RJ (1986) Nature 323:533-536, https://doi.org/10.1038/323533a0",
    examples=(MLPSpecification((12,)),),
)
