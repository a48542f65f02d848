"""Layers of spiking neurons, each connected within itself, that read a sequence."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.networks.architecture import Architecture
from neurosim.networks.learnable import Learnable
from neurosim.networks.shared_parameters import NeuronSpecification, Readout, check_readout, check_share

NEURON = NeuronSpecification(tau_mem=20e-3, surrogate="fast_sigmoid", slope=10.0)


@dataclass(frozen=True)
class SpikingRNNSpecification:
    """Spiking network that reads sequences.

    Parameters
    ----------
    hidden : sizes of the layers. recurrent : units of a layer are connected.
    spread : of weights at the start, in units of the threshold. dropout : share left out in training.
    neuron : its neurons; the gradients of recurrent spikes need a steep surrogate.
    readout : "counts" of spikes; or "max", "mean" or "last" over time of the membranes of leaky units without spikes,
        one a category, with the time constants of `neuron`.

    Examples
    --------
    >>> ns.networks.SpikingRNNSpecification((96,)).neuron.surrogate
    'fast_sigmoid'
    """

    hidden: tuple[int, ...] = (128,)
    recurrent: bool = True
    spread: float = 0.6
    dropout: float = 0.0
    neuron: NeuronSpecification = NEURON
    readout: Readout = "counts"

    def __post_init__(self) -> None:
        check_share("SpikingRNN", self.dropout)
        check_readout("SpikingRNN", self.readout)


SPIKING_RNN = Architecture(
    name="SpikingRNN",
    specification=SpikingRNNSpecification,
    build="neurosim.networks.spiking_networks:SpikingRNN",
    takes=("sequence",),
    learns=("categories",),
    caption="Recurrent layers of spiking neurons that read a sequence; leaky units integrate the answer.",
    citation="Cramer B, Stradmann Y, Schemmel J, Zenke F (2022) IEEE Trans Neural Netw Learn Syst 33:2744-2757, "
    "https://doi.org/10.1109/TNNLS.2020.3044364",
    examples=(
        SpikingRNNSpecification((9, 7)),
        SpikingRNNSpecification((9,), recurrent=False, neuron=NeuronSpecification("synaptic")),
        SpikingRNNSpecification((9,), neuron=NeuronSpecification(learn=Learnable("neuron")), readout="mean"),
    ),
    is_spiking=True,
    has_twin=True,
)
