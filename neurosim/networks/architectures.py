"""The architectures: each a frozen specification in plain numbers and the torch module that it builds.

Networks take images as (batch, [channel,] y, x) and sequences as (time, batch, unit); classifiers return logits
(batch, category). ``recorded`` names the layers whose activity is recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from neurosim.networks import specifications as sp
from neurosim.networks.feedforward import MLP, ConvNet
from neurosim.networks.generative import VAE, Autoencoder
from neurosim.networks.published import EfficientNetLite0, vision_network
from neurosim.networks.recurrent import GatedRNN, LeakyRNN, RateRNN
from neurosim.networks.spiking_networks import SpikingConvNet, SpikingMLP, SpikingRNN
from neurosim.networks.transformer import Transformer
from neurosim.schema import InputError

Network = nn.Module
BUILDERS: dict[type, Callable[..., nn.Module]] = {
    sp.MLPSpecification: MLP,
    sp.ConvNetSpecification: ConvNet,
    sp.RateRNNSpecification: RateRNN,
    sp.LeakyRNNSpecification: LeakyRNN,
    sp.GRUSpecification: GatedRNN,
    sp.LSTMSpecification: GatedRNN,
    sp.TransformerSpecification: Transformer,
    sp.AutoencoderSpecification: Autoencoder,
    sp.VAESpecification: VAE,
    sp.SpikingConvNetSpecification: SpikingConvNet,
    sp.SpikingMLPSpecification: SpikingMLP,
    sp.SpikingRNNSpecification: SpikingRNN,
}


def build_network(specification: sp.NetworkSpecification, image_shape: tuple[int, ...], n_categories: int) -> nn.Module:
    """Build the torch module of a specification.

    Parameters
    ----------
    specification : one of the records of ``neurosim.networks.specifications``.
    image_shape : shape of one stimulus: ([channel,] y, x) of an image, (time, unit) of a sequence, (time,) of words.
    n_categories : number of categories to tell apart, or of outputs.

    Examples
    --------
    >>> import torch
    >>> net = build_network(sp.ConvNetSpecification(), (8, 8), 10)
    >>> net(torch.zeros(2, 8, 8)).shape
    torch.Size([2, 10])
    """
    if isinstance(specification, sp.EfficientNetLite0Specification):
        return EfficientNetLite0(specification)
    if isinstance(specification, sp.VisionSpecification):
        return vision_network(specification, n_categories)
    if type(specification) not in BUILDERS:
        known = ", ".join(sp.ARCHITECTURES)
        raise InputError(f"build_network: a specification of {known} asked, found {specification!r}.")
    return BUILDERS[type(specification)](specification, image_shape, n_categories)


def n_parameters(network: nn.Module, *, trained_only: bool = False) -> int:
    """Return the number of parameters of a network.

    >>> n_parameters(nn.Linear(3, 2))
    8
    """
    chosen: list[Any] = [p for p in network.parameters() if p.requires_grad or not trained_only]
    return sum(p.numel() for p in chosen)
