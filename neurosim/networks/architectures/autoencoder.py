"""Convolutional autoencoders of images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from neurosim.networks.architecture import Architecture
from neurosim.networks.shared_parameters import refuse_halvings


@dataclass(frozen=True)
class AutoencoderSpecification:
    """Convolutional autoencoder.

    Parameters
    ----------
    channels : of each halving of the image. n_code : units of the code.

    Examples
    --------
    >>> ns.networks.AutoencoderSpecification((8, 16)).n_code
    16
    """

    channels: tuple[int, ...] = (16, 32)
    n_code: int = 16


def refuses(specification: AutoencoderSpecification, sizes: Mapping[str, int]) -> str | None:
    """Return why pictures cannot be halved so often."""
    return refuse_halvings("Autoencoder", len(specification.channels), sizes)


AUTOENCODER = Architecture(
    name="Autoencoder",
    specification=AutoencoderSpecification,
    build="neurosim.networks.generative:Autoencoder",
    takes=("gray", "colour"),
    learns=("reconstruction",),
    caption="Compresses images into a code and draws them again.",
    citation="Hinton GE, Salakhutdinov RR (2006) Science 313:504-507, https://doi.org/10.1126/science.1127647",
    examples=(AutoencoderSpecification((4,), 5),),
    refuses=refuses,
)
