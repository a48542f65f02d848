"""Spiking neurons of snnTorch and ours as records of their parameters; options that no record holds are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import snntorch as snn
import torch
from torch import Tensor, nn

from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.spiking.surrogates import Surrogate
from neurosim.parameters import (
    DiscreteAdaptiveLIFParameters,
    DiscreteLIFParameters,
    DiscreteParameters,
    DiscreteSynapticParameters,
)
from neurosim.schema import InputError


def of_layer(name: str, layer: SpikingLayer) -> tuple[DiscreteParameters, dict[str, np.ndarray]]:
    """Return the record of one of our layers, and the numbers that the record cannot hold exactly."""
    if isinstance(layer.neuron, DiscreteAdaptiveLIFParameters):
        raise InputError(f"to_nir: layer {name!r} has an adaptive threshold, which NIR does not hold.")
    return layer.neuron, {k: _of_channels(layer, numbers_of(v)) for k, v in layer.numbers.items()}


def _of_channels(layer: SpikingLayer, values: np.ndarray) -> np.ndarray:
    """Return numbers as they are, but those of channels so that they broadcast to the units of a picture."""
    shape = layer.shape or ()
    is_a_channel = len(shape) > 1 and values.shape == shape[:1]
    return values.reshape(-1, *(1,) * (len(shape) - 1)) if is_a_channel else values


def record_of(
    name: str, module: nn.Module, dt: float, *, takes_graded: bool = False
) -> tuple[DiscreteLIFParameters | DiscreteSynapticParameters, dict[str, np.ndarray]]:
    """Return the record of a snnTorch neuron, and the numbers that the record cannot hold exactly.

    Factors of spikes are refused, unless whoever asks takes those of neurons that do not send to each other.
    """
    kind = type(module).__name__
    if type(module) not in (snn.Leaky, snn.RLeaky, snn.Synaptic):
        raise InputError(f"to_nir: neuron {name!r} (snn.{kind}) cannot be represented; known: Leaky, RLeaky, Synaptic.")
    refused = {
        "reset_delay=False": not getattr(module, "reset_delay", True),
        "inhibition": bool(module.inhibition),
        "state_quant": bool(module.state_quant),
        "graded spikes": is_graded(module) and not (takes_graded and type(module) is snn.Leaky),
    }
    found = next((option for option, is_set in refused.items() if is_set), None)
    if found:
        raise InputError(f"to_nir: neuron {name!r} (snn.{kind}) has {found}, which cannot be represented.")
    reset = {0: "subtract", 1: "zero" if type(module) is snn.Leaky else "clear", 2: "none"}[
        int(module.reset_mechanism_val)  # type: ignore[arg-type]
    ]
    beta, threshold = np.clip(numbers_of(module.beta), 0, 1), numbers_of(module.threshold)
    if (beta <= 0).any() or (threshold <= 0).any():
        raise InputError(f"to_nir: neuron {name!r} has beta or threshold not above 0.")
    numbers: dict[str, Any] = {"tau_mem": _time_constant(beta.flat[0], dt), "dt": dt}
    numbers["threshold"] = float(threshold.flat[0])
    exact = {"beta": beta, "threshold": threshold}
    if type(module) is snn.Synaptic:
        alpha = np.clip(numbers_of(module.alpha), 0, 1)
        if (alpha <= 0).any():
            raise InputError(f"to_nir: neuron {name!r} has alpha not above 0.")
        numbers["tau_syn"] = _time_constant(alpha.flat[0], dt)
        synaptic = DiscreteSynapticParameters(**numbers, reset=reset)  # type: ignore[arg-type]
        return synaptic, _inexact(exact | {"alpha": alpha}, synaptic)
    record = DiscreteLIFParameters(**numbers, reset=reset)  # type: ignore[arg-type]
    return record, _inexact(exact, record)


def is_graded(module: nn.Module) -> bool:
    """Whether the spikes of a snnTorch neuron have a factor, or learn one."""
    factor = torch.as_tensor(module.graded_spikes_factor)
    return bool((factor != 1).any()) or factor.requires_grad


def surrogate_of(module: nn.Module) -> Surrogate | None:
    """Return the surrogate of a snnTorch neuron, found by its gradient; None where it is none of ours."""
    with torch.inference_mode(False), torch.enable_grad():
        x = torch.tensor([0.0, 0.05, 0.3, -0.3], requires_grad=True)
        try:
            (found,) = torch.autograd.grad(module.spike_grad(x).sum(), x)  # type: ignore[operator]
        except (TypeError, RuntimeError, AttributeError):  # as LSO of snnTorch 0.9, which calls another operator
            return None
    at_zero, x = float(found[0]), x.detach()
    if not at_zero > 0:
        return None
    candidates = [Surrogate("atan", 2 * at_zero), Surrogate("sigmoid", 4 * at_zero), Surrogate("straight_through")]
    candidates += [Surrogate("fast_sigmoid", k) for k in _fast_slopes(found)]
    same = (s for s in candidates if torch.allclose(s.derivative(x), found, rtol=1e-4, atol=1e-7))
    return next(same, None)


def _fast_slopes(found: Tensor) -> list[float]:
    slope = float((found[1].clamp(min=1e-12) ** -0.5 - 1) / 0.05)
    return [slope] if slope > 0 else []


def _inexact(numbers: dict[str, np.ndarray], record: object) -> dict[str, np.ndarray]:
    return {k: v for k, v in numbers.items() if (v != getattr(record, k)).any()}


def _time_constant(share: float, dt: float) -> float:
    return float(np.inf if share == 1 else -dt / np.log(share))


def numbers_of(values: object) -> np.ndarray:
    """Return a copy of a tensor as floats."""
    return np.array(torch.as_tensor(values).detach().cpu().numpy(), dtype=float)
