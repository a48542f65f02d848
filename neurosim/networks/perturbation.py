"""Experiments on networks: lesion, silence, clamp, stimulate and noise, in the words of ``schema.Perturbation``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from neurosim.networks.recording import layer_names
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.schema import Perturbation


@contextlib.contextmanager
def perturbed(network: nn.Module, perturbation: Perturbation) -> Iterator[nn.Module]:
    """Run a network with some of its units lesioned, silenced, clamped, stimulated or made noisy, inside the block.

    Parameters
    ----------
    network : any module; layers are named as in ``record_responses``.
    perturbation : what is done to whom. Neurons that spike are stimulated at their input, in units of their threshold;
        other units at their output.

    Raises
    ------
    InputError : no such layer or unit.

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(2, 3))
    >>> with perturbed(net, Perturbation("silence", "0", [1])):
    ...     net(torch.ones(1, 2))[0, 1].item()
    0.0
    """
    name = layer_names(network, [perturbation.layer])[0]
    module = dict(network.named_modules())[name]
    generator = torch.Generator().manual_seed(perturbation.seed)
    is_spiking = isinstance(module, SpikingLayer) or type(module).__module__.startswith("snntorch")

    def change(values: Tensor) -> Tensor:
        lead = 2 if getattr(module, "time_first", False) else 1
        flat = values.flatten(lead)
        places = torch.as_tensor(perturbation.chosen(flat.shape[-1]), device=flat.device)
        changed = flat.clone()
        if perturbation.kind in ("lesion", "silence"):
            changed[..., places] = 0.0
        elif perturbation.kind == "clamp":
            changed[..., places] = perturbation.amount
        else:
            amount = perturbation.amount * (_threshold(module) if is_spiking else 1.0)
            shape = (*flat.shape[:-1], len(places))
            draw = torch.randn(shape, generator=generator) if perturbation.kind == "noise" else torch.ones(shape)
            changed[..., places] += amount * draw.to(flat)
        return changed.reshape(values.shape)

    def on_output(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        return (change(output[0]), *output[1:]) if isinstance(output, tuple) else change(output)

    def on_input(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (change(inputs[0]), *inputs[1:])

    if is_spiking and perturbation.kind in ("stimulate", "noise"):
        handle = module.register_forward_pre_hook(on_input)
    else:
        handle = module.register_forward_hook(on_output)
    try:
        yield network
    finally:
        handle.remove()


def _threshold(module: nn.Module) -> float:
    if isinstance(module, SpikingLayer):
        return module.neuron.threshold
    return float(torch.as_tensor(module.threshold).mean())
