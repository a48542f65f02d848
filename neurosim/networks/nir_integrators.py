"""Units whose membrane is the answer, as nodes of a NIR graph that integrate and send no spikes: LI, I, CubaLI."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
from torch import nn

from neurosim.networks.neuron_records import of_layer
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.spiking.readout import MembraneReadout
from neurosim.parameters import DiscreteIntegratorParameters, to_metadata
from neurosim.schema import InputError

READS = {"mean": "mean_membrane", "last": "last_membrane", "max": "largest_membrane"}


def read_membranes(network: nn.Module) -> dict[str, str]:
    """Return the names of layers whose membrane alone is read, and what of it a readout of a circuit calls this."""
    found = {n: m for n, m in network.named_modules() if isinstance(m, MembraneReadout)}
    return {f"{n}.neurons" if n else "neurons": READS[m.pooling] for n, m in found.items()}


def integrator_node(
    name: str, layer: SpikingLayer, shape: tuple[int, ...], dt: float, about: dict[str, Any]
) -> nir.NIRNode:
    """Return the node of units of `shape` that integrate; what NIR does not hold stands in its metadata."""
    record, numbers = of_layer(name, layer)
    own = DiscreteIntegratorParameters(record.tau_mem, getattr(record, "tau_syn", 0.0), dt)
    exact = {k: each_unit(name, k, v, shape) for k, v in numbers.items() if k in ("alpha", "beta")}
    kept = to_metadata(own, varying=sorted(exact), exact={k: v.tolist() for k, v in exact.items()}, **about)
    n = int(np.prod(shape))
    beta, alpha = (np.asarray(exact.get(k, np.full(n, getattr(own, k)))) for k in ("beta", "alpha"))
    if (beta >= 1).all() and not alpha.any():
        return nir.I(r=np.ones(n), metadata=kept)
    if (beta >= 1).any() or (alpha >= 1).any():
        raise InputError(f"to_nir: {name!r} has currents or membranes that never decay, which NIR's CubaLI does.")
    common = {"r": 1 / (1 - beta), "v_leak": np.zeros(n), "metadata": kept}
    if not alpha.any():
        return nir.LI(tau=time_constant(beta, dt), **common)
    return nir.CubaLI(time_constant(alpha, dt), time_constant(beta, dt), w_in=1 / (1 - alpha), **common)


def time_constant(decay: np.ndarray, dt: float) -> np.ndarray:
    """Return the time constant, s, of what keeps the share `decay` of itself in a step of `dt`."""
    with np.errstate(divide="ignore"):
        return np.asarray(-dt / np.log(decay))


def each_unit(name: str, key: str, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a number a unit, flat, of numbers that torch would broadcast to the units' shape.

    Raises
    ------
    InputError : numbers that do not fit.
    """
    if values.size == np.prod(shape):
        return values.ravel()
    try:
        return np.broadcast_to(values.ravel() if values.size == 1 else values, shape).ravel()
    except ValueError as error:
        raise InputError(
            f"to_nir: neuron {name!r} has {key} of shape {values.shape}, which does not fit neurons of shape {shape}."
        ) from error
