"""Variational autoencoders of images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from neurosim.networks.architecture import Architecture
from neurosim.networks.shared_parameters import refuse_halvings


@dataclass(frozen=True)
class VAESpecification:
    """Variational autoencoder.

    Parameters
    ----------
    channels : of each halving of the image. n_code : dimensions of the code.

    Examples
    --------
    >>> ns.networks.VAESpecification((8, 16)).n_code
    16
    """

    channels: tuple[int, ...] = (16, 32)
    n_code: int = 16


def refuses(specification: VAESpecification, sizes: Mapping[str, int]) -> str | None:
    """Return why pictures cannot be halved so often."""
    return refuse_halvings("VAE", len(specification.channels), sizes)


VAE = Architecture(
    name="VAE",
    specification=VAESpecification,
    build="neurosim.networks.generative:VAE",
    takes=("gray", "colour"),
    learns=("reconstruction",),
    caption="Compresses images into a distribution of codes, from which new images are drawn.",
    citation="Kingma DP, Welling M (2014) ICLR, https://arxiv.org/abs/1312.6114",
    examples=(VAESpecification((4,), 5),),
    refuses=refuses,
)
