"""The clock that a network and what it is shown share: the length of a step, s."""

from __future__ import annotations

import math

from torch import nn

from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.schema import InputError

UNKNOWN = 1.0  # s


def shared_step(network: nn.Module, shown: float | None, who: str) -> float:
    """Return the length of a step, s: of what is shown (None where nobody said it), else that of the network, else 1.

    Raises
    ------
    InputError : both are known and differ, and spiking neurons have time constants in s.

    >>> shared_step(nn.Linear(1, 1), 0.01, "here")
    0.01
    """
    own = getattr(network, "time_step", None)
    known = [float(step) for step in (shown, own) if step is not None]
    in_seconds = any(isinstance(module, SpikingLayer) for module in network.modules())
    if in_seconds and len(known) == 2 and not math.isclose(*known, rel_tol=1e-6):
        raise InputError(
            f"{who}: steps of the network last {known[1]:g} s, of what it is shown {known[0]:g} s; build it with "
            f"neurons of dt={known[0]:g}, or bin what is shown again."
        )
    return known[0] if known else UNKNOWN
