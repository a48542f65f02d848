"""A network is handed back as it was found: which modules train, and which parameters ask for gradients."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from torch import nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from neurosim.refusals import InputError


def check_module(asker: str, network: object) -> nn.Module:
    """Return the network; what is no module, such as its class, or one without values is refused."""
    if not isinstance(network, nn.Module):
        found = f"the class {network.__name__}" if isinstance(network, type) else type(network).__name__
        raise InputError(f"{asker}: a torch.nn.Module is asked as network, found {found}.")
    for name, weight in (*network.named_parameters(), *network.named_buffers()):
        if isinstance(weight, UninitializedParameter | UninitializedBuffer):
            raise InputError(f"{asker}: {name!r} gets its shape from the first inputs; call the network once before.")
        if weight.is_meta:
            raise InputError(f"{asker}: {name!r} has no values (device 'meta'); load the weights before.")
    return network


@contextlib.contextmanager
def kept_flags(network: nn.Module) -> Iterator[None]:
    """Put the ``training`` flag of every module and ``requires_grad`` of every parameter back after the block."""
    modes = [(module, module.training) for module in network.modules()]
    asks = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    try:
        yield
    finally:
        for module, is_training in modes:
            module.training = is_training
        for parameter, wanted in asks:
            parameter.requires_grad_(wanted)


def training_modes(network: nn.Module) -> dict[nn.Module, bool]:
    """Return the ``training`` flag that each module has while the network learns.

    Modules that stand in evaluation mode inside a network in training mode are meant to stay there, such as a batch
    normalisation whose statistics are kept; a network that stands in evaluation mode as a whole trains as a whole.
    """
    return {module: module.training or not network.training for module in network.modules()}
