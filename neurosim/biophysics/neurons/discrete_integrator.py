"""The unit that integrates without sending spikes, in whole steps (NIR's LI, I and CubaLI): its membrane is read.

``i[k] = alpha i[k-1] + I[k]``, ``v[k] = beta v[k-1] + i[k]``. https://doi.org/10.1038/s41467-024-52259-9.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import nir
import numpy as np

from neurosim.biophysics.formulas import Functions, Quantities, Quantity, State
from neurosim.biophysics.models import Constants, NeuronModel, Numbers, decay
from neurosim.biophysics.nir_nodes import Neurons, NirForm, PlainNode, differing, leaking
from neurosim.parameters import DiscreteIntegratorParameters
from neurosim.refusals import InputError


def constants(p: Numbers, dt: float) -> Constants:
    """Return both decays, and what of the current and of the rest reaches the membrane."""
    has_current = np.asarray(p["tau_syn"]) > 0
    alpha = np.where(has_current, decay(p["dt"], np.where(has_current, p["tau_syn"], 1.0)), 0.0)
    numbers = {"beta": decay(p["dt"], p["tau_mem"]), "alpha": alpha if alpha.ndim else float(alpha)}
    return numbers | {"input_scale": 1.0, "leak_drive": 0.0}


def update(x: State, m: Functions) -> Quantities:
    """Let the current decay and add the input, then leak and add the current."""
    current = m.let("current", x.alpha * x.synaptic + (x.kick + x.drive))
    moved = x.beta * x.v + (x.input_scale * current + x.leak_drive)
    return {"synaptic": current, "v": moved if x.noise is None else moved + x.noise}


def distance(x: State, m: Functions) -> Quantity:
    """Return a number below 0: no membrane is above threshold."""
    return 0.0 * x.v - 1.0


def reset(x: State, m: Functions) -> Quantities:
    """Do nothing: there are no spikes."""
    return {}


def to_node(name: str, numbers: Mapping[str, np.ndarray], dt: float, common: Mapping[str, Any]) -> nir.NIRNode:
    """Return units with a current as CubaLI, those that leak as LI, those that do not as I."""
    alpha, beta, scale = numbers["alpha"], numbers["beta"], numbers["input_scale"]
    leaks, has_current = leaking(name, numbers), alpha > 0
    if has_current.any() and not (has_current.all() and leaks and (alpha < 1).all()):
        raise InputError(f"to_nir: {name!r} has currents or membranes that never decay, or units without a current.")
    if not leaks and numbers["leak_drive"].any():
        raise InputError(f"to_nir: {name!r} has a leak_drive, but does not leak, which NIR does not hold.")
    if not leaks:
        return nir.I(r=scale, **common)
    tau, rest = -dt / np.log(beta), numbers["leak_drive"] / (1 - beta)
    if not has_current.any():
        return nir.LI(tau=tau, r=scale / (1 - beta), v_leak=rest, **common)
    syn = {"tau_syn": -dt / np.log(alpha), "w_in": 1 / (1 - alpha)}
    return nir.CubaLI(tau_mem=tau, r=scale / (1 - beta), v_leak=rest, **syn, **common)


def of_node(plain: PlainNode) -> Neurons:
    """Return what an I, LI or CubaLI node says."""
    nothing, numbers = np.zeros(plain.size), {}
    if isinstance(plain.node, nir.I):
        record = DiscreteIntegratorParameters(np.inf, dt=plain.step)
        return record, {}, plain.each("r") * plain.input_gain(), nothing
    has_current = isinstance(plain.node, nir.CubaLI)
    key = "tau_mem" if has_current else "tau"
    numbers["beta"] = plain.decay(key)
    gain, tau = 1 - numbers["beta"], float(plain.each(key)[0])
    if not has_current:
        record = DiscreteIntegratorParameters(tau, dt=plain.step)
        return record, differing(numbers, record), gain * plain.each("r"), gain * plain.each("v_leak")
    alpha = plain.decay("tau_syn")
    record = DiscreteIntegratorParameters(tau, float(plain.each("tau_syn")[0]), plain.step)
    numbers |= {"alpha": alpha, "input_scale": gain * plain.each("r"), "leak_drive": gain * plain.each("v_leak")}
    exact = differing(numbers, record, input_scale=1.0, leak_drive=0.0)
    return record, exact, (1 - alpha) * plain.each("w_in"), nothing


MODEL = NeuronModel(
    DiscreteIntegratorParameters.model,
    DiscreteIntegratorParameters,
    {"v": 0.0, "synaptic": 0.0},
    constants,
    update,
    distance,
    reset,
    units={"v": "1", "synaptic": "1"},
    is_discrete=True,
    sends_spikes=False,
    nir=NirForm(("I", "LI", "CubaLI"), to_node, of_node),
    caption="units that integrate without spikes, in whole steps",
    reference="Pedersen JE, Abreu S, Jobst M, et al. (2024) Nat Commun 15:8122, https://doi.org/10.1038/s41467-024-52259-9",
    example=({"tau_syn": 4e-3}, 0.1),
)
