"""The integrate-and-fire neuron with an adaptive threshold: ``v_threshold + w``, where ``w`` rises with every spike.

https://doi.org/10.1038/s41467-020-17236-y.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurosim.biophysics.neurons.model import (
    Constants,
    NeuronModel,
    decay,
    held_while_refractory,
    membrane_after_step,
    membrane_constants,
)
from neurosim.parameters import AdaptiveLIFParameters


def constants(p: Mapping[str, Any], dt: float) -> Constants:
    """Return the constants of the membrane and of its threshold."""
    own = {name: p[name] for name in ("v_threshold", "v_reset", "rise")}
    return membrane_constants(p, dt) | own | {"threshold_decay": decay(dt, p["tau_threshold"])}


def update(x: Any, m: Any) -> dict[str, Any]:
    """Move the membrane and let the threshold come back."""
    v, wait = held_while_refractory(x, m, membrane_after_step(x, m, None))
    return {"v": v, "wait": wait, "w": x.threshold_decay * x.w}


def distance(x: Any, m: Any) -> Any:
    """Return how far the membrane is above the threshold of this moment, V."""
    return x.v - (x.v_threshold + x.w)


def reset(x: Any, m: Any) -> dict[str, Any]:
    """Set the membrane, raise the threshold, begin to wait."""
    return {"v": x.v_reset, "wait": x.held_steps, "w": x.w + x.rise}


MODEL = NeuronModel(AdaptiveLIFParameters, {"v": "e_leak", "wait": 0.0, "w": 0.0}, constants, update, distance, reset)
