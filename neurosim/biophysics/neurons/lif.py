"""The leaky integrate-and-fire neuron in volts: ``C dv/dt = g_leak (e_leak - v) + I``.

https://doi.org/10.1007/s00422-006-0068-6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neurosim.biophysics.neurons.model import (
    Constants,
    NeuronModel,
    held_while_refractory,
    membrane_after_step,
    membrane_constants,
)
from neurosim.parameters import LIFParameters


def constants(p: Mapping[str, Any], dt: float) -> Constants:
    """Return the constants of the membrane, its threshold and its reset."""
    own = {name: p[name] for name in ("v_threshold", "v_reset", "subtracted")}
    return membrane_constants(p, dt) | own | {"reset_kind": p["reset"], "can_wait": bool(np.any(p["refractory"]))}


def update(x: Any, m: Any) -> dict[str, Any]:
    """Move the membrane, unless it is refractory."""
    if not x.can_wait:
        return {"v": membrane_after_step(x, m, None)}
    v, wait = held_while_refractory(x, m, membrane_after_step(x, m, None))
    return {"v": v, "wait": wait}


def distance(x: Any, m: Any) -> Any:
    """Return how far the membrane is above threshold, V; out of reach while it is held, also above it."""
    above = x.v - x.v_threshold
    return above - 1e3 * m.is_positive(x.wait - 0.5) if x.can_wait else above


def reset(x: Any, m: Any) -> dict[str, Any]:
    """Set or lower the membrane and begin to wait."""
    v = x.v_reset if x.reset_kind == "value" else x.v - x.subtracted
    return {"v": v, "wait": x.held_steps} if x.can_wait else {"v": v}


MODEL = NeuronModel(LIFParameters, {"v": "e_leak", "wait": 0.0}, constants, update, distance, reset)
