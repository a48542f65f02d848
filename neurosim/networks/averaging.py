"""The running average of the weights of a network while it learns, which often tests better than the last ones."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn


class Averaged:
    """The exponential moving average of weights and floating buffers (https://doi.org/10.1137/0330046).

    Parameters
    ----------
    network : whose weights are averaged, from those that it has now on.
    decay : share of the average that a step keeps.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network, self.decay = network, decay
        self.values = {name: value.detach().clone() for name, value in self._now().items()}

    def _now(self) -> dict[str, Tensor]:
        return {name: value for name, value in self.network.state_dict().items() if value.is_floating_point()}

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the weights of now."""
        now = self._now()
        torch._foreach_lerp_([self.values[n] for n in now], list(now.values()), 1 - self.decay)

    @torch.no_grad()
    def put(self) -> None:
        """Put the average into the network."""
        for name, value in self._now().items():
            value.copy_(self.values[name])

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Let the network have the average inside the block, and its own weights afterwards."""
        own = {name: value.detach().clone() for name, value in self._now().items()}
        self.put()
        try:
            yield
        finally:
            with torch.no_grad():
                for name, value in self._now().items():
                    value.copy_(own[name])
