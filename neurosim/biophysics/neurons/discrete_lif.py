"""The leaky integrate-and-fire neuron of trained networks, in whole steps (``snntorch.Leaky``, NIR's LIF and IF).

``v[k] = beta v[k-1] + I[k]``; the resets are those of :class:`~neurosim.parameters.DiscreteLIFParameters`.
https://doi.org/10.1109/JPROC.2023.3308088, https://doi.org/10.1038/s41467-024-52259-9.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import nir
import numpy as np

from neurosim.biophysics.formulas import Functions, Quantities, Quantity, State
from neurosim.biophysics.models import Constants, NeuronModel, Numbers, decay
from neurosim.biophysics.nir_nodes import Neurons, NirForm, PlainNode, differing, leaking
from neurosim.parameters import DiscreteLIFParameters
from neurosim.refusals import InputError


def constants(p: Numbers, dt: float) -> Constants:
    """Return decay and threshold, and which reset it is."""
    numbers = {"beta": decay(p["dt"], p["tau_mem"]), "threshold": p["threshold"], "v_reset": p["v_reset"]}
    return numbers | {"reset_kind": p["reset"]}


def after_reset(x: State, m: Functions, current: Quantity, fired: Quantity | None = None) -> Quantity:
    """Return the membrane of this step: leak, input, and what a spike of the step before still has to do."""
    if x.reset_kind in ("immediate", "interpolated", "none"):
        return x.beta * x.v + current
    fired = m.let("fired", m.is_positive(x.v - x.threshold)) if fired is None else fired
    if x.reset_kind == "subtract":
        return x.beta * x.v + current - fired * x.threshold
    if x.reset_kind == "zero":
        return x.beta * (x.v * (1.0 - fired)) + current
    return (x.beta * x.v + current) * (1.0 - fired)


def update(x: State, m: Functions) -> Quantities:
    """Leak and add the input of this step."""
    current = m.let("current", x.kick + x.drive if x.noise is None else x.kick + x.drive + x.noise)
    new = {"v": after_reset(x, m, current)}
    return new | {"last_current": current} if x.reset_kind == "interpolated" else new


def distance(x: State, m: Functions) -> Quantity:
    """Return how far the membrane is above threshold."""
    return x.v - x.threshold


def reset(x: State, m: Functions) -> Quantities:
    """Set the membrane of a neuron that spiked, where the reset belongs to the same step.

    Interpolated: with the input held still the membrane runs towards ``target``; a neuron that starts again from
    ``v_reset`` at the moment of crossing ends the step at
    ``target - (target - v_reset)(target - v)/(target - threshold)``.
    """
    if x.reset_kind == "immediate":
        return {"v": x.v_reset}
    if x.reset_kind == "interpolated":
        target = x.last_current / (1.0 - x.beta)
        return {"v": target - (target - x.v_reset) * ((target - x.v) / (target - x.threshold))}
    return {}


def to_node(name: str, numbers: Mapping[str, np.ndarray], dt: float, common: Mapping[str, Any]) -> nir.NIRNode:
    """Return neurons that leak as LIF, those that do not as IF, those that keep nothing as Threshold."""
    beta = numbers["beta"]
    if not beta.any():
        return nir.Threshold(common["v_threshold"], metadata=common["metadata"])
    if not beta.all():
        raise InputError(f"to_nir: {name!r} has neurons that keep nothing of their membrane; split the population.")
    if not leaking(name, numbers):
        return nir.IF(r=np.ones(len(beta)), **common)
    return nir.LIF(tau=-dt / np.log(beta), r=1 / (1 - beta), v_leak=np.zeros(len(beta)), **common)


def of_node(plain: PlainNode) -> Neurons:
    """Return what an IF, LIF or Threshold node says; resets are immediate, or between steps where steps are exact."""
    nothing = np.zeros(plain.size)
    if isinstance(plain.node, nir.Threshold):
        levels = {"threshold": plain.each("threshold"), "beta": nothing}
        record = DiscreteLIFParameters(dt=plain.step, threshold=float(levels["threshold"][0]), reset="none")
        return record, differing(levels, record), nothing + 1, nothing
    numbers, reset_kind = plain.thresholds(), "immediate" if plain.resets else "none"
    common: dict[str, Any] = {k: float(v[0]) for k, v in numbers.items()} | {"dt": plain.step, "reset": reset_kind}
    if isinstance(plain.node, nir.IF):
        record = DiscreteLIFParameters(np.inf, **common)
        return record, differing(numbers, record), plain.each("r") * plain.input_gain(), nothing
    numbers["beta"] = plain.decay("tau")
    common |= {"reset": "interpolated"} if plain.integration == "exact" and plain.resets else {}
    record = DiscreteLIFParameters(float(plain.each("tau")[0]), **common)
    gain = 1 - numbers["beta"]
    return record, differing(numbers, record), gain * plain.each("r"), gain * plain.each("v_leak")


MODEL = NeuronModel(
    DiscreteLIFParameters.model,
    DiscreteLIFParameters,
    {"v": 0.0, "last_current": 0.0},
    constants,
    update,
    distance,
    reset,
    units={"v": "1", "last_current": "1"},
    is_discrete=True,
    threshold="threshold",
    has_counterpart=True,
    nir=NirForm(("IF", "LIF", "Threshold"), to_node, of_node),
    caption="leaky integrate-and-fire neurons in whole steps",
    reference="Eshraghian JK, Ward M, Neftci EO, et al. (2023) Proc IEEE 111:1016-1054, https://doi.org/10.1109/JPROC.2023.3308088",
    example=({"reset": "immediate", "v_reset": -0.1}, 0.3),
)
