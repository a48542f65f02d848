"""Whether a part of a network that goes step by step says the same of chunks of steps as of the whole sequence."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from neurosim.networks.flags import kept_flags
from neurosim.runtime import RandomApart
from neurosim.schema import InputError

log = logging.getLogger(__name__)
Run = Callable[[Tensor], Tensor]
DROPPING = (nn.modules.dropout._DropoutNd,)


class _Part(nn.Module):
    """A part of a network as a module, whose values can be others for a while."""

    def __init__(self, network: nn.Module, run: Run) -> None:
        super().__init__()
        self.network, self.run = network, run

    def forward(self, sequence: Tensor) -> Tensor:
        return self.run(sequence)


def check_same(network: nn.Module, whole: Run, in_chunks: Run, sequence: Tensor) -> None:
    """Refuse a part of a network that says something else of chunks than of the whole, which mixes steps.

    Both run in float64, where spikes do not hang on the last digits of sums, without gradient and without dropout; the
    network, its buffers and the state of random numbers stay as they are. What answers otherwise each time, or does
    not take float64, cannot be compared, which is logged.

    Raises
    ------
    InputError : the answers differ.
    """
    doubled = {n: v.detach().double() if v.is_floating_point() else v.detach().clone() for n, v in _values(network)}
    shown = sequence.detach().double() if sequence.is_floating_point() else sequence.detach()
    with torch.no_grad(), RandomApart(0).entered(), kept_flags(network):
        for modules in ((m for m in network.modules() if isinstance(m, DROPPING)), network.modules()):
            for module in modules:
                module.training = False
            try:
                first, again, other = (_answer(network, run, doubled, shown) for run in (whole, whole, in_chunks))
            except RuntimeError as error:  # own code that insists on float32, as torch.zeros makes it
                reason = " ".join(str(error).split())
                log.warning("recomputed: chunks and whole could not be compared: %s", reason)
                return
            if torch.equal(first, again):
                if first.shape != other.shape or not torch.allclose(first, other, rtol=1e-6, atol=1e-9):
                    raise InputError(
                        f"recomputed: {type(network).__name__}.over_time says something else of chunks of steps than "
                        "of the whole: a part of it mixes steps; take it out of over_time, or leave recompute out."
                    )
                return
    log.warning("recomputed: chunks and whole could not be compared, as answers differ from call to call.")


def _values(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from network.named_parameters()
    yield from network.named_buffers()


def _answer(network: nn.Module, run: Run, values: Mapping[str, Tensor], sequence: Tensor) -> Tensor:
    """Return what a part of the network answers with other values; buffers that it changes are copies."""
    own = {f"network.{name}": value.clone() for name, value in values.items()}
    answer: Tensor = functional_call(_Part(network, run), own, (sequence,))
    return answer
