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
    DiscreteAlphaParameters,
    DiscreteLIFParameters,
    DiscreteParameters,
    DiscreteSynapticParameters,
)
from neurosim.schema import InputError

AS_LAYERS = (snn.Leaky, snn.RLeaky, snn.Synaptic)
SNNTORCH = (*AS_LAYERS, snn.RSynaptic, snn.Lapicque, snn.Alpha)
SnnTorchParameters = DiscreteLIFParameters | DiscreteSynapticParameters | DiscreteAlphaParameters


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
    name: str, module: nn.Module, dt: float, *, for_layer: bool = False
) -> tuple[SnnTorchParameters, dict[str, np.ndarray]]:
    """Return the record of a snnTorch neuron, and the numbers that the record cannot hold exactly.

    Parameters
    ----------
    name, module : the neuron, and how messages call it. dt : its step, s.
    for_layer : a layer of ours is to be made of it: fewer neurons are known, factors of spikes of ``snn.Leaky`` too.
    """
    kind, known = type(module).__name__, AS_LAYERS if for_layer else SNNTORCH
    if type(module) not in known:
        names = ", ".join(k.__name__ for k in known)
        raise InputError(f"to_nir: neuron {name!r} (snn.{kind}) cannot be represented; known: {names}.")
    refused = {
        "reset_delay=False": not getattr(module, "reset_delay", True),
        "inhibition": bool(module.inhibition),
        "state_quant": bool(module.state_quant),
        "graded spikes": is_graded(module) and not (for_layer and type(module) is snn.Leaky),
    }
    found = next((option for option, is_set in refused.items() if is_set), None)
    if found:
        raise InputError(f"to_nir: neuron {name!r} (snn.{kind}) has {found}, which cannot be represented.")
    beta, threshold = np.clip(_decay(module), 0, 1), numbers_of(module.threshold)
    if (beta <= 0).any() or (threshold <= 0).any():
        raise InputError(f"to_nir: neuron {name!r} has beta or threshold not above 0.")
    numbers: dict[str, Any] = {"tau_mem": _time_constant(beta.flat[0], dt), "dt": dt, "reset": _reset(module)}
    numbers["threshold"] = float(threshold.flat[0])
    exact = {"beta": beta, "threshold": threshold}
    if not hasattr(module, "alpha"):
        record = DiscreteLIFParameters(**numbers)
        return record, _inexact(exact, record)
    alpha = np.clip(numbers_of(module.alpha), 0, 1)
    if (alpha <= 0).any():
        raise InputError(f"to_nir: neuron {name!r} has alpha not above 0.")
    numbers["tau_syn"], exact["alpha"] = _time_constant(alpha.flat[0], dt), alpha
    if type(module) is snn.Alpha:
        exact["kernel_gain"] = np.log(alpha) / (np.log(beta) - np.log(alpha)) + 1
        kernel = DiscreteAlphaParameters(**numbers)
        return kernel, _inexact(exact, kernel)
    synaptic = DiscreteSynapticParameters(**numbers)
    return synaptic, _inexact(exact, synaptic)


def _decay(module: nn.Module) -> np.ndarray:
    """Return what is left of the membrane of a snnTorch neuron after a step; Lapicque takes a forward Euler step."""
    if type(module) is snn.Lapicque:
        return np.asarray(1 - numbers_of(module.time_step) / (numbers_of(module.R) * numbers_of(module.C)))
    return numbers_of(module.beta)


def _reset(module: nn.Module) -> str:
    """Return how a snnTorch neuron resets, in our words; only Leaky keeps the input of the step after a spike."""
    zero = "zero" if type(module) in (snn.Leaky, snn.Alpha) else "clear"
    return {0: "subtract", 1: zero, 2: "none"}[int(module.reset_mechanism_val)]  # type: ignore[arg-type]


def input_gain(module: nn.Module) -> np.ndarray:
    """Return what the input of a neuron counts, one number or one a unit: a step over the capacitance in Lapicque."""
    if type(module) is snn.Lapicque:
        return np.asarray(numbers_of(module.time_step) / numbers_of(module.C))
    return np.ones(())


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
    found = torch.as_tensor(values).detach().cpu()
    return np.array((found.float() if found.dtype == torch.bfloat16 else found).numpy(), dtype=float)
