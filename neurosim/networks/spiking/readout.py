"""What answers without spikes: leaky units that add up what reaches them, read once over time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor, nn

from neurosim.networks.learnable import Learnable
from neurosim.networks.shared_parameters import Pooling
from neurosim.networks.spiking.layers import EngineName, SpikingLayer
from neurosim.parameters import DiscreteAdaptiveLIFParameters, DiscreteLIFParameters, DiscreteParameters
from neurosim.schema import InputError


class MembraneReadout(nn.Module):
    """The membranes of units that never reset, at their largest, on average or at the end, as logits.

    The readout of ``snntorch.Leaky(reset_mechanism="none", output=True)``, with gradients in every step
    (https://doi.org/10.1109/MSP.2019.2931595).

    Parameters
    ----------
    neuron : record of their parameters, SI units; reset, threshold and its adaptation play no part.
    pooling : over time: "max", "mean" or "last".
    learn : time constants that are learned; others of its numbers play no part.
    shape : of the units, where numbers are learned a channel or a neuron. engine : of the layer within.

    Raises
    ------
    InputError : another pooling.

    Examples
    --------
    >>> import torch
    >>> readout = ns.networks.MembraneReadout(ns.parameters.DiscreteLIFParameters(tau_mem=10e-3), "last")
    >>> readout(torch.ones(3, 1, 2)).tolist()  # 1 + beta + beta ** 2
    [[2.72..., 2.72...]]
    """

    def __init__(
        self,
        neuron: DiscreteParameters,
        pooling: Pooling = "mean",
        *,
        learn: Learnable | None = None,
        shape: tuple[int, ...] | None = None,
        engine: EngineName = "auto",
    ) -> None:
        super().__init__()
        if pooling not in POOLINGS:
            raise InputError(f"MembraneReadout: pooling = {pooling!r}; known: {', '.join(POOLINGS)}.")
        if isinstance(neuron, DiscreteAdaptiveLIFParameters):
            neuron = DiscreteLIFParameters(neuron.tau_mem, neuron.dt)
        wanted = learn or Learnable()
        time_constants = Learnable(tau_mem=wanted.tau_mem, tau_syn=wanted.tau_syn, form=wanted.form)
        self.pooling = pooling
        self.neurons = SpikingLayer(replace(neuron, reset="none"), learn=time_constants, shape=shape, engine=engine)

    def forward(self, currents: Tensor) -> Tensor:
        """Return the pooled membranes (batch, ...) of `currents` (time, batch, ...)."""
        _, membrane = self.neurons(currents, with_membrane=True)
        return POOLINGS[self.pooling](membrane)


POOLINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "last": lambda membrane: membrane[-1],
    "mean": lambda membrane: membrane.mean(0),
    "max": lambda membrane: membrane.amax(0),
}
