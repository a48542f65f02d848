"""Layers of spiking neurons in continuous time that tell categories apart by who spikes first."""

from __future__ import annotations

from dataclasses import dataclass, field

from neurosim.networks.architecture import Architecture
from neurosim.networks.spiking.events import EventNeuron
from neurosim.refusals import InputError


@dataclass(frozen=True)
class SpikeTimeMLPSpecification:
    """Spiking network in continuous time whose first output spike answers.

    Parameters
    ----------
    hidden : sizes of the layers. n_spikes : most spikes of a hidden neuron.
    span : time over which inputs spike, s: one of value 1 (or more) at once, one of 0 (or less) after `span`.
    sharpness : time by which an output has to be earlier to be e times as probable, s.
    neuron : parameters of the neurons.

    Raises
    ------
    InputError : no spike, a span that is not inside the window, a sharpness that is not above 0.

    Examples
    --------
    >>> ns.networks.SpikeTimeMLPSpecification((50,)).neuron.tau_mem
    0.02
    """

    hidden: tuple[int, ...] = (120,)
    n_spikes: int = 1
    span: float = 30e-3
    sharpness: float = 1e-3
    neuron: EventNeuron = field(default_factory=EventNeuron)

    def __post_init__(self) -> None:
        if self.n_spikes < 1 or not 0 < self.span < self.neuron.window or not self.sharpness > 0:
            raise InputError("SpikeTimeMLP: n_spikes >= 1, span inside the window and sharpness > 0 are asked.")


SPIKE_TIME_MLP = Architecture(
    name="SpikeTimeMLP",
    specification=SpikeTimeMLPSpecification,
    build="neurosim.networks.spike_time_networks:SpikeTimeMLP",
    takes=("gray", "colour", "vector"),
    learns=("categories",),
    caption="Spiking neurons in continuous time; inputs are spike times, and the output that spikes first answers.",
    citation="Wunderlich TC, Pehle C (2021) Sci Rep 11:12829, https://doi.org/10.1038/s41598-021-91786-z",
    examples=(SpikeTimeMLPSpecification((12,)), SpikeTimeMLPSpecification((9, 7), n_spikes=2)),
)
