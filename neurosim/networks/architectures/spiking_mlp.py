"""Fully connected layers of spiking neurons driven by input spikes."""

from __future__ import annotations

from dataclasses import dataclass, field

from neurosim.networks.architecture import Architecture, Encoding
from neurosim.networks.learnable import Learnable
from neurosim.networks.shared_parameters import NeuronSpecification, Readout, check_readout


@dataclass(frozen=True)
class SpikingMLPSpecification:
    """Spiking fully connected network.

    Parameters
    ----------
    hidden : sizes of the hidden layers. n_steps : steps of input spikes. neuron : its neurons.
    readout : "counts" of spikes; or "max", "mean" or "last" over time of the membranes of leaky units without spikes,
        one a category, with the time constants of `neuron`.

    Examples
    --------
    >>> ns.networks.SpikingMLPSpecification((64, 32), neuron=ns.networks.NeuronSpecification(tau_mem=5e-3)).n_steps
    25
    """

    hidden: tuple[int, ...] = (64, 32)
    n_steps: int = 25
    neuron: NeuronSpecification = field(default_factory=NeuronSpecification)
    readout: Readout = "counts"

    def __post_init__(self) -> None:
        check_readout("SpikingMLP", self.readout)


def encoding(specification: SpikingMLPSpecification) -> Encoding:
    """Return how pictures become its input spikes."""
    return Encoding(specification.n_steps, specification.neuron.dt)


SPIKING_MLP = Architecture(
    name="SpikingMLP",
    specification=SpikingMLPSpecification,
    build="neurosim.networks.spiking_networks:SpikingMLP",
    takes=("gray", "colour", "vector"),
    learns=("categories",),
    caption="Fully connected layers of spiking neurons driven by input spikes; the most active output neuron answers.",
    citation="Eshraghian JK, Ward M, Neftci EO, et al. (2023) Proc IEEE 111:1016-1054, "
    "https://doi.org/10.1109/JPROC.2023.3308088",
    examples=(
        SpikingMLPSpecification((12,)),
        SpikingMLPSpecification((12,), neuron=NeuronSpecification("synaptic", reset="zero")),
        SpikingMLPSpecification((12,), 12, NeuronSpecification(learn=Learnable("neuron", threshold="layer")), "max"),
    ),
    is_spiking=True,
    has_twin=True,
    encoding=encoding,
)
