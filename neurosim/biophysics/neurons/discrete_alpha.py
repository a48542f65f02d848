"""The integrate-and-fire neuron whose membrane follows the difference of two currents, in whole steps.

``e[k] = alpha e[k-1] + I[k]``, ``i[k] = beta i[k-1] - I[k]``, ``v[k] = kernel_gain (e[k] + i[k])``, as
``snntorch.Alpha``; https://doi.org/10.1109/JPROC.2023.3308088.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import nir
import numpy as np

from neurosim.biophysics.formulas import Functions, Quantities, State
from neurosim.biophysics.models import Constants, NeuronModel, Numbers, decay
from neurosim.biophysics.neurons import discrete_lif
from neurosim.biophysics.nir_nodes import ASKER, Neurons, NirForm, PlainNode
from neurosim.parameters import DiscreteAlphaParameters
from neurosim.refusals import InputError


def constants(p: Numbers, dt: float) -> Constants:
    """Return both decays, the factor to the membrane, the threshold, and which reset it is."""
    alpha, beta = decay(p["dt"], p["tau_syn"]), decay(p["dt"], p["tau_mem"])
    gain = np.log(alpha) / (np.log(beta) - np.log(alpha)) + 1
    numbers = {"alpha": alpha, "beta": beta, "kernel_gain": gain if np.ndim(gain) else float(gain)}
    return numbers | {"threshold": p["threshold"], "reset_kind": p["reset"]}


def update(x: State, m: Functions) -> Quantities:
    """Let both currents decay, add the input with either sign, and let a spike of the step before do what it does."""
    arrived = m.let("arrived_now", x.kick + x.drive if x.noise is None else x.kick + x.drive + x.noise)
    fired = m.let("fired", m.is_positive(x.v - x.threshold))
    first = m.let("first", x.alpha * x.excitatory + arrived)
    second = m.let("second", x.beta * x.inhibitory - arrived)
    moved = m.let("moved", x.kernel_gain * (first + second))
    if x.reset_kind == "none":
        return {"excitatory": first, "inhibitory": second, "v": moved}
    left = m.let("left", 1.0 - fired)
    if x.reset_kind == "zero":
        return {"excitatory": first * left, "inhibitory": second * left, "v": moved * left}
    first, moved = first - x.threshold * fired, moved + x.inhibitory * fired
    return {"excitatory": first, "inhibitory": second * left, "v": moved}


def reset(x: State, m: Functions) -> Quantities:
    """Do nothing: the reset belongs to the next step."""
    return {}


def to_node(name: str, numbers: Mapping[str, np.ndarray], dt: float, common: Mapping[str, Any]) -> nir.NIRNode:
    """Return neurons as CubaLIF, whose membrane has the same course one step earlier; the rest is in the metadata."""
    alpha, beta, gain = (numbers[k] for k in ("alpha", "beta", "kernel_gain"))
    r, w_in = gain * (alpha - beta) / (1 - beta), 1 / (1 - alpha)
    leak = np.zeros(len(beta))
    return nir.CubaLIF(-dt / np.log(alpha), -dt / np.log(beta), r=r, v_leak=leak, w_in=w_in, **common)


def of_node(plain: PlainNode) -> Neurons:
    """Refuse a node without our metadata: none of NIR is this neuron."""
    raise InputError(f"{ASKER}: node {plain.label!r} ({type(plain.node).__name__}) is no alpha neuron of NIR.")


MODEL = NeuronModel(
    DiscreteAlphaParameters.model,
    DiscreteAlphaParameters,
    {"v": 0.0, "excitatory": 0.0, "inhibitory": 0.0},
    constants,
    update,
    discrete_lif.distance,
    reset,
    units={"v": "1", "excitatory": "1", "inhibitory": "1"},
    is_discrete=True,
    threshold="threshold",
    nir=NirForm((), to_node, of_node),
    caption="integrate-and-fire neurons with a membrane of the shape of an alpha function, in whole steps",
    reference="Eshraghian JK, Ward M, Neftci EO, et al. (2023) Proc IEEE 111:1016-1054, https://doi.org/10.1109/JPROC.2023.3308088",
    example=({"reset": "subtract"}, 0.4),
)
