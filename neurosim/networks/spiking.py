"""Leaky integrate-and-fire layers for torch: a pure step, wrapped once, with the semantics of snnTorch's ``Leaky``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from neurosim.parameters import DiscreteLIFParameters


class ATanSpike(torch.autograd.Function):
    """Heaviside step forward, derivative of a scaled arctangent backward (https://doi.org/10.1109/ICCV48922.2021.00266)."""

    alpha = 2.0

    @staticmethod
    def forward(ctx: Any, distance: Tensor) -> Tensor:
        """Return 1 where the membrane is above threshold; `distance` is membrane minus threshold."""
        ctx.save_for_backward(distance)
        return (distance > 0).to(distance.dtype)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        """Return the gradient with the step replaced by ``arctan(pi alpha x / 2) / pi``."""
        (distance,) = ctx.saved_tensors
        alpha = ATanSpike.alpha
        return alpha / 2 / (1 + (torch.pi / 2 * alpha * distance) ** 2) * grad_outputs[0]


def lif_step(membrane: Tensor, current: Tensor, parameters: DiscreteLIFParameters) -> tuple[Tensor, Tensor]:
    """Advance leaky integrate-and-fire neurons by one step.

    Parameters
    ----------
    membrane : (batch, ...) membrane values after the previous step.
    current : (batch, ...) input of this step, in units of the threshold.
    parameters : time constant, threshold and reset.

    Returns
    -------
    spikes, membrane : both (batch, ...).

    Examples
    --------
    >>> spikes, membrane = lif_step(torch.zeros(1), torch.tensor([1.5]), DiscreteLIFParameters())
    >>> spikes.item(), membrane.item()
    (1.0, 1.5)
    """
    fired = (membrane > parameters.threshold).to(membrane.dtype)
    if parameters.reset == "subtract":
        membrane = parameters.beta * membrane + current - fired * parameters.threshold
    else:
        membrane = parameters.beta * membrane * (1 - fired) + current
    spikes: Tensor = ATanSpike.apply(membrane - parameters.threshold)
    return spikes, membrane


class LIF(nn.Module):
    """A layer of leaky integrate-and-fire neurons over whole sequences (time, batch, ...); state starts at zero.

    >>> LIF(DiscreteLIFParameters())(torch.full((5, 1, 3), 0.4)).sum().item()
    3.0
    """

    time_first = True

    def __init__(self, parameters: DiscreteLIFParameters) -> None:
        super().__init__()
        self.parameters_lif = parameters

    def forward(self, currents: Tensor) -> Tensor:
        """Return the spikes (time, batch, ...) that `currents` of the same shape cause."""
        membrane = torch.zeros_like(currents[0])
        spikes = []
        for current in currents.unbind(0):
            fired, membrane = lif_step(membrane, current, self.parameters_lif)
            spikes.append(fired)
        return torch.stack(spikes)
