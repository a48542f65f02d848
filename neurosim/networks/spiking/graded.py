"""Graded spikes: what neurons send is a spike times a factor, which may be learned."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurosim.schema import InputError


class GradedSpikes(nn.Module):
    """Spikes (..., unit) times a factor: ``graded_spikes_factor`` of ``snntorch.Leaky``.

    Parameters
    ----------
    factor : one number, or numbers that broadcast to the units. learn : whether it is learned.

    Raises
    ------
    InputError : a factor that is not finite.

    Examples
    --------
    >>> import torch
    >>> ns.networks.GradedSpikes(2.5)(torch.tensor([[0.0, 1.0]])).tolist()
    [[0.0, 2.5]]
    """

    factor: Tensor

    def __init__(self, factor: float | Tensor = 1.0, *, learn: bool = False) -> None:
        super().__init__()
        has_precision = isinstance(factor, Tensor) and factor.is_floating_point()
        values = torch.as_tensor(factor, dtype=None if has_precision else torch.get_default_dtype()).detach().clone()
        if not bool(torch.isfinite(values).all()):
            raise InputError(f"GradedSpikes: finite factors are asked, found {factor!r}.")
        if learn:
            self.factor = nn.Parameter(values)
        else:
            self.register_buffer("factor", values)

    def forward(self, spikes: Tensor) -> Tensor:
        """Return the spikes times the factor."""
        return spikes * self.factor
