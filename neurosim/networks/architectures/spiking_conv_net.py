"""Convolutional networks of spiking neurons; pixels are constant currents, or events come step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from neurosim.networks.architecture import Architecture
from neurosim.networks.learnable import Learnable
from neurosim.networks.shared_parameters import (
    NeuronSpecification,
    Readout,
    check_readout,
    check_share,
    refuse_poolings,
)


@dataclass(frozen=True)
class SpikingConvNetSpecification:
    """Spiking convolutional network.

    Parameters
    ----------
    channels : of each convolution, after which activity is pooled to half of its side.
    n_steps : steps that an image is shown. dropout : share left out in training, before the readout.
    neuron : its neurons.
    readout : "counts" of spikes; or "max", "mean" or "last" over time of the membranes of leaky units without spikes,
        one a category, with the time constants of `neuron`.

    Examples
    --------
    >>> ns.networks.SpikingConvNetSpecification((12, 24), neuron=ns.networks.NeuronSpecification("adaptive")).n_steps
    12
    """

    channels: tuple[int, ...] = (12, 24)
    n_steps: int = 12
    dropout: float = 0.0
    neuron: NeuronSpecification = field(default_factory=NeuronSpecification)
    readout: Readout = "counts"

    def __post_init__(self) -> None:
        check_share("SpikingConvNet", self.dropout)
        check_readout("SpikingConvNet", self.readout)


def refuses(specification: SpikingConvNetSpecification, sizes: Mapping[str, int]) -> str | None:
    """Return why pictures cannot be pooled so often."""
    return refuse_poolings("SpikingConvNet", len(specification.channels), sizes)


SPIKING_CONV_NET = Architecture(
    name="SpikingConvNet",
    specification=SpikingConvNetSpecification,
    build="neurosim.networks.spiking_networks:SpikingConvNet",
    takes=("gray", "colour", "events"),
    learns=("categories",),
    caption="Convolutions between layers of spiking neurons; the spikes of the last are counted.",
    citation="Eshraghian JK, Ward M, Neftci EO, et al. (2023) Proc IEEE 111:1016-1054, "
    "https://doi.org/10.1109/JPROC.2023.3308088",
    examples=(
        SpikingConvNetSpecification((4, 6)),
        SpikingConvNetSpecification((4, 6), neuron=NeuronSpecification("adaptive")),
        SpikingConvNetSpecification((4,), 6, neuron=NeuronSpecification(learn=Learnable("channel")), readout="last"),
    ),
    is_spiking=True,
    has_twin=True,
    refuses=refuses,
)
