"""Small convolutional networks: blocks of convolutions with pooling, a hidden layer, a readout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from neurosim.networks.architecture import Architecture
from neurosim.networks.shared_parameters import check_share, refuse_poolings
from neurosim.refusals import InputError


@dataclass(frozen=True)
class ConvNetSpecification:
    """Convolutional network.

    Parameters
    ----------
    channels : of each block, after which pictures are pooled to half of their side. hidden : units of the hidden layer.
    kernel : side of the convolutions, odd, pixels. convolutions : how many a block.
    dropout : share of hidden units left out in training, before the readout.

    Raises
    ------
    InputError : an even kernel, no convolution, a share that is none.

    Examples
    --------
    >>> ns.networks.ConvNetSpecification((16, 32), dropout=0.2).hidden
    64
    """

    channels: tuple[int, ...] = (16, 32)
    hidden: int = 64
    kernel: int = 3
    convolutions: int = 1
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_share("ConvNet", self.dropout)
        if self.kernel % 2 == 0 or self.convolutions < 1:
            raise InputError(
                f"ConvNet: an odd kernel and at least one convolution asked, found {self.kernel}, {self.convolutions}."
            )


def refuses(specification: ConvNetSpecification, sizes: Mapping[str, int]) -> str | None:
    """Return why pictures cannot be pooled so often."""
    return refuse_poolings("ConvNet", len(specification.channels), sizes)


CONV_NET = Architecture(
    name="ConvNet",
    specification=ConvNetSpecification,
    build="neurosim.networks.feedforward:ConvNet",
    takes=("gray", "colour"),
    learns=("categories",),
    caption="Convolutions with batch normalisation and pooling, one hidden layer.",
    citation="LeCun Y, Bottou L, Bengio Y, Haffner P (1998) Proc IEEE 86:2278-2324, https://doi.org/10.1109/5.726791",
    examples=(ConvNetSpecification((4, 6), 8, convolutions=2, dropout=0.1),),
    refuses=refuses,
)
