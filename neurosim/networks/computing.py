"""How the machine computes a training: workers that read, kernels, layout, compilation; nothing of what is learned."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import nn

from neurosim.runtime import fast_kernels, torch_seeded
from neurosim.schema import InputError

SMALL = 10_000_000  # parameters up to which a GPU computes deterministically unless asked otherwise
CHECKS = {"cuda": 50}  # batches between two checks of the loss; 1 elsewhere
NO_BITS = ("workers", "prefetch", "check_every")


@dataclass(frozen=True)
class Runtime:
    """How the machine computes a training.

    Parameters
    ----------
    workers : processes that read, decode and augment stimuli which are read one by one; 0 does it in this process.
        Loaders of one's own keep their own. The bytes of a batch do not depend on it.
    prefetch : batches that each worker makes ahead.
    check_every : batches after which the loss is looked at, and refused where it is no longer finite; only then, and at
        the end of an epoch, the processor waits for the GPU. By default 50 on a GPU, else 1. In float16 every step
        waits, as the scale of the loss asks for it, and in cognitive tasks every batch, whose answers are judged there.
    deterministic : the same bits each time on the same machine; by default on, but for networks of more than 10 million
        parameters on a GPU, where convolutions, scatters and interpolations by other kernels are faster, by up to two
        times. On a CPU it costs nothing that we measured.
    autotune : cuDNN times its kernels first and takes the fastest; not together with ``deterministic=True``.
    tf32 : float32 products of matrices and convolutions in TensorFloat-32 on a GPU that has it: 10 bits of mantissa;
        else as torch is set, by itself convolutions only.
    channels_last : weights of convolutions and pictures with the channel last in memory, as tensor cores like them.
    compile : run the network through ``torch.compile``; text names its backend.
    sync_batchnorm : batch normalisation over the share of all processes, on GPUs under ``torchrun``.

    Raises
    ------
    InputError : a value that is out of its range, or two that exclude each other.

    Examples
    --------
    >>> ns.networks.Runtime(workers=4, channels_last=True).prefetch
    2
    """

    workers: int = 0
    prefetch: int = 2
    check_every: int | None = None
    deterministic: bool | None = None
    autotune: bool = False
    tf32: bool = False
    channels_last: bool = False
    compile: bool | str = False
    sync_batchnorm: bool = False

    def __post_init__(self) -> None:
        for name, least in (("workers", 0), ("prefetch", 1), ("check_every", 1)):
            value = getattr(self, name)
            if name == "check_every" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"Runtime: {name} = {value!r}; a whole number of at least {least} is asked.")
        for name in ("autotune", "tf32", "channels_last", "sync_batchnorm"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"Runtime: {name} = {getattr(self, name)!r}; True or False is asked.")
        if self.deterministic is not None and not isinstance(self.deterministic, bool):
            raise InputError(f"Runtime: deterministic = {self.deterministic!r}; True, False or None is asked.")
        if not isinstance(self.compile, bool | str):
            raise InputError(f"Runtime: compile = {self.compile!r}; True, False or the name of a backend is asked.")
        if self.autotune and self.deterministic:
            raise InputError("Runtime: autotune takes the fastest kernel, deterministic the same; choose one.")

    def is_deterministic(self, network: nn.Module, device: str) -> bool:
        """Whether a network trains to the same bits each time on a device."""
        if self.deterministic is not None:
            return self.deterministic
        small = sum(p.numel() for p in network.parameters()) <= SMALL
        return not self.autotune and (small or not device.startswith("cuda"))

    def checks_after(self, device: str) -> int:
        """Return after how many batches the loss is looked at."""
        return self.check_every or CHECKS.get(device.split(":", maxsplit=1)[0], 1)

    def key(self, network: nn.Module, device: str) -> dict[str, Any]:
        """Return what of it changes bits."""
        named = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in NO_BITS}
        return named | {"deterministic": self.is_deterministic(network, device)}


@contextlib.contextmanager
def computing(network: nn.Module, runtime: Runtime, device: str, seed: int) -> Iterator[None]:
    """Compute inside the block as asked; all settings, and the layout of the weights, are afterwards as they were."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch_seeded(seed, runtime.is_deterministic(network, device)))
        stack.enter_context(fast_kernels(tf32=runtime.tf32, autotune=runtime.autotune))
        if runtime.channels_last:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            stack.callback(lambda: network.to(memory_format=torch.contiguous_format))  # type: ignore[call-overload]
        if runtime.sync_batchnorm:
            stack.enter_context(_synchronised(network, device))
        yield


@contextlib.contextmanager
def _synchronised(network: nn.Module, device: str) -> Iterator[None]:
    """Put synchronised batch normalisations in the place of the others, and these back afterwards; they share all."""
    if not device.startswith("cuda"):
        raise InputError(f"train: sync_batchnorm is for GPUs, and the device is {device!r}; leave it out.")
    found = [
        (parent, name) for parent in network.modules() for name, child in parent.named_children() if _is_norm(child)
    ]
    were = [(parent, name, getattr(parent, name)) for parent, name in found]
    try:
        for parent, name, child in were:
            put = nn.SyncBatchNorm.convert_sync_batchnorm(child)  # type: ignore[no-untyped-call]
            put.training = child.training
            setattr(parent, name, put)
        yield
    finally:
        for parent, name, child in were:
            setattr(parent, name, child)


def _is_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.batchnorm._BatchNorm) and not isinstance(module, nn.SyncBatchNorm)
