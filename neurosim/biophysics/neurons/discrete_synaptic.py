"""The integrate-and-fire neuron with a synaptic current, in whole steps (``snntorch.Synaptic``, NIR's CubaLIF).

``i[k] = alpha i[k-1] + I[k]``, ``v[k] = beta v[k-1] + i[k]``. https://doi.org/10.1109/JPROC.2023.3308088.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import nir
import numpy as np

from neurosim.biophysics.formulas import Functions, Quantities, State
from neurosim.biophysics.models import Constants, NeuronModel, Numbers, decay
from neurosim.biophysics.neurons import discrete_lif
from neurosim.biophysics.nir_nodes import Neurons, NirForm, PlainNode, differing, leaking
from neurosim.parameters import DiscreteSynapticParameters
from neurosim.refusals import InputError


def constants(p: Numbers, dt: float) -> Constants:
    """Return both decays, threshold, reset, and what of the current and of the rest reaches the membrane."""
    return discrete_lif.constants(p, dt) | {
        "alpha": decay(p["dt"], p["tau_syn"]),
        "input_scale": 1.0,
        "leak_drive": 0.0,
    }


def update(x: State, m: Functions) -> Quantities:
    """Let the current decay and add the input, then leak and add the current."""
    current = m.let("current", x.alpha * x.synaptic + (x.kick + x.drive))
    moved = x.input_scale * current + x.leak_drive
    moved = moved if x.noise is None else moved + x.noise
    return {"synaptic": current, "v": discrete_lif.after_reset(x, m, moved)}


def to_node(name: str, numbers: Mapping[str, np.ndarray], dt: float, common: Mapping[str, Any]) -> nir.NIRNode:
    """Return neurons as CubaLIF, whose currents and membranes decay."""
    alpha, beta = numbers["alpha"], numbers["beta"]
    if not leaking(name, numbers) or not (alpha < 1).all():
        raise InputError(f"to_nir: {name!r} has synaptic currents or membranes that never decay; NIR's CubaLIF do.")
    tau, r = -dt / np.log(beta), 1 / (1 - beta)
    r = r * numbers["input_scale"]
    leak = numbers["leak_drive"] / (1 - beta)
    return nir.CubaLIF(tau_syn=-dt / np.log(alpha), tau_mem=tau, r=r, w_in=1 / (1 - alpha), v_leak=leak, **common)


def of_node(plain: PlainNode) -> Neurons:
    """Return what a CubaLIF node says; its reset is immediate."""
    numbers, nothing = plain.thresholds(), np.zeros(plain.size)
    reset_kind = "immediate" if plain.resets else "none"
    common: dict[str, Any] = {k: float(v[0]) for k, v in numbers.items()} | {"dt": plain.step, "reset": reset_kind}
    numbers["beta"] = plain.decay("tau_mem")
    gain, tau = 1 - numbers["beta"], float(plain.each("tau_mem")[0])
    alpha = plain.decay("tau_syn")
    record = DiscreteSynapticParameters(float(plain.each("tau_syn")[0]), tau, **common)
    numbers |= {"alpha": alpha, "input_scale": gain * plain.each("r"), "leak_drive": gain * plain.each("v_leak")}
    exact = differing(numbers, record, input_scale=1.0, leak_drive=0.0)
    return record, exact, (1 - alpha) * plain.each("w_in"), nothing


MODEL = NeuronModel(
    DiscreteSynapticParameters.model,
    DiscreteSynapticParameters,
    {"v": 0.0, "synaptic": 0.0},
    constants,
    update,
    discrete_lif.distance,
    discrete_lif.reset,
    units={"v": "1", "synaptic": "1"},
    is_discrete=True,
    threshold="threshold",
    own_current="alpha",
    has_counterpart=True,
    nir=NirForm(("CubaLIF",), to_node, of_node),
    caption="integrate-and-fire neurons with a synaptic current, in whole steps",
    reference="Eshraghian JK, Ward M, Neftci EO, et al. (2023) Proc IEEE 111:1016-1054, https://doi.org/10.1109/JPROC.2023.3308088",
    example=({"reset": "immediate", "v_reset": -0.1}, 0.1),
)
