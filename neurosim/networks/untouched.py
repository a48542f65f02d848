"""A network that is run on another device, in evaluation or in float64, and is afterwards exactly as it was found."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from neurosim.networks.flags import check_module, kept_flags
from neurosim.runtime import pick_device


@contextlib.contextmanager
def evaluating(network: nn.Module, device: str, double: bool) -> Iterator[str]:
    """Put a network on its device, in evaluation, in float64 where asked; exactly as it was afterwards.

    What is put back: the training flag of each module, each parameter and gradient with its own dtype and device, and
    each buffer with the values it had. Compiled parts run uncompiled, so that hooks inside them are called.
    """
    check_module("record_responses", network)
    where = pick_device(device)
    modules = list(network.modules())
    parameters = [(p, p.data, p.grad, None if p.grad is None else p.grad.data) for p in network.parameters()]
    buffers = [(m, k, b, None if b is None else b.detach().clone()) for m in modules for k, b in _buffers(m)]
    try:
        with kept_flags(network), eagerly(network):
            network.to(where).eval()
            if double:
                network.double()
            yield where
    finally:
        for parameter, data, grad, grad_data in parameters:
            _put_back(parameter, data)
            if grad is not None and grad_data is not None:
                _put_back(grad, grad_data)
            parameter.grad = grad
        for module, key, buffer, values in buffers:
            _restore_buffer(module, key, buffer, values)


def _buffers(module: nn.Module) -> list[tuple[str, Tensor | None]]:
    return [] if isinstance(module, torch.jit.ScriptModule) else list(module._buffers.items())


def _put_back(tensor: Tensor, data: Tensor) -> None:
    if tensor.dtype != data.dtype or tensor.device != data.device:
        tensor.data = data


def _restore_buffer(module: nn.Module, key: str, buffer: Tensor | None, values: Tensor | None) -> None:
    module._buffers[key] = buffer
    if buffer is not None and values is not None and not torch.equal(buffer, values):
        with torch.no_grad():
            buffer.copy_(values)


def eagerly(network: nn.Module) -> Any:
    """Return a context in which compiled parts of a network run uncompiled, so that hooks inside them are called."""
    parts = network.modules()
    compiled = any(hasattr(m, "_orig_mod") or getattr(m, "_compiled_call_impl", None) is not None for m in parts)
    return torch.compiler.set_stance("force_eager") if compiled else contextlib.nullcontext()


def with_gradients(where: str) -> contextlib.AbstractContextManager[Any]:
    """Return a context in which recurrent modules have gradients in evaluation mode, which cuDNN denies."""
    return torch.backends.cudnn.flags(enabled=False) if where.startswith("cuda") else contextlib.nullcontext()
