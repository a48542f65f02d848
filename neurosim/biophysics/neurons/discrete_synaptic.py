"""The integrate-and-fire neuron with a synaptic current, in whole steps (``snntorch.Synaptic``, NIR's CubaLIF).

``i[k] = alpha i[k-1] + I[k]``, ``v[k] = beta v[k-1] + i[k]``. https://doi.org/10.1109/JPROC.2023.3308088.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurosim.biophysics.neurons import discrete_lif
from neurosim.biophysics.neurons.model import Constants, NeuronModel, decay
from neurosim.parameters import DiscreteSynapticParameters


def constants(p: Mapping[str, Any], dt: float) -> Constants:
    """Return both decays, the threshold and the reset."""
    return discrete_lif.constants(p, dt) | {"alpha": decay(p["dt"], p["tau_syn"]), "input_scale": 1.0}


def update(x: Any, m: Any) -> dict[str, Any]:
    """Let the current decay and add the input, then leak and add the current."""
    current = m.let("current", x.alpha * x.synaptic + (x.kick + x.drive))
    moved = x.input_scale * current if x.noise is None else x.input_scale * current + x.noise
    return {"synaptic": current, "v": discrete_lif.after_reset(x, m, moved)}


MODEL = NeuronModel(
    DiscreteSynapticParameters,
    {"v": 0.0, "synaptic": 0.0},
    constants,
    update,
    discrete_lif.distance,
    discrete_lif.reset,
    True,
)
