"""Training by several processes, as ``torchrun`` starts them: each takes its share of every batch."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from neurosim.runtime import seed_of


@dataclass(frozen=True)
class Share:
    """Which process this is, of how many, and on which device it computes."""

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def of(self, batch: Any) -> Any:
        """Return every `size`-th stimulus of an array, or of each array of a tuple."""
        return tuple(self.of(b) for b in batch) if isinstance(batch, tuple) else batch[self.rank :: self.size]

    def wrapped(self, network: nn.Module) -> nn.Module:
        """Return the network with gradients averaged over processes."""
        if self.size == 1:
            return network
        index = [torch.device(self.device).index or 0] if self.device.startswith("cuda") else None
        return nn.parallel.DistributedDataParallel(network, device_ids=index)

    def unheard(self, network: nn.Module, quiet: bool) -> contextlib.AbstractContextManager[Any]:
        """Return a context in which gradients stay with their process, where more of the step are to come."""
        alone = self.size == 1 or not quiet
        return contextlib.nullcontext() if alone else network.no_sync()  # type: ignore[operator]

    def summed(self, values: list[float]) -> list[float]:
        """Return numbers summed over processes."""
        if self.size == 1:
            return values
        together = torch.tensor(values, dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(together)
        return together.tolist()

    def of_first(self, values: list[float]) -> list[float]:
        """Return the numbers of the first process, so that all decide alike."""
        if self.size == 1:
            return values
        together = torch.tensor(values, dtype=torch.float64, device=self.device)
        torch.distributed.broadcast(together, 0)
        return together.tolist()

    def gathered(self, values: torch.Tensor) -> list[torch.Tensor]:
        """Return a tensor of every process, all of the same shape, on the CPU."""
        if self.size == 1:
            return [values]
        own = values.to(self.device)
        every = [torch.empty_like(own) for _ in range(self.size)]
        torch.distributed.all_gather(every, own)
        return [v.cpu() for v in every]

    def share_buffers(self, network: nn.Module) -> None:
        """Give every process the buffers of the first, such as the statistics of batch normalisation."""
        if self.size > 1:
            for buffer in network.buffers():
                torch.distributed.broadcast(buffer, 0)

    def seed(self, seed: int) -> int:
        """Return the seed of the random layers of this process: `seed` itself of the first, another of each other."""
        return seed if self.is_first else seed_of(seed, "process", self.rank)


def join(device: str) -> Share:
    """Return the share of this process; joins the others where ``torchrun`` started several.

    The number of processes, and which is which, are read from the variables that ``torchrun`` sets.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 and not _joined():
        return Share(device=device)
    if device.startswith("cuda"):
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    if not _joined():
        torch.distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return Share(torch.distributed.get_rank(), torch.distributed.get_world_size(), device)


def _joined() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()
