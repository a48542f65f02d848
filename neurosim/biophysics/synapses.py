"""The synapse models: what the weights of arriving spikes do to the neuron, as pure steps.

Each step turns what arrived (``arrived``, or ``arrived_exc`` and ``arrived_inh``) and its own state into ``kick``
(V), or a current ``i_syn - g_syn v`` (A, S). The latter are means over the step: a spike carries the same charge at
every `dt`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from neurosim.biophysics.neurons.model import Constants, decay
from neurosim.parameters import ConductanceParameters, DeltaParameters, ExponentialParameters


@dataclass(frozen=True)
class SynapseModel:
    """Synapses as a pure step.

    Parameters
    ----------
    arrivals : variables that collect the weights of arriving spikes: one, or one for each sign.
    state : names of its own variables, which start at 0.
    constants : (numbers of the record, dt) -> the numbers that the step names.
    step : (x, m) -> (new state, {"kick", "i_syn", "g_syn"}; None is nothing).
    """

    arrivals: tuple[str, ...]
    state: tuple[str, ...]
    constants: Callable[[Mapping[str, Any], float], Constants]
    step: Callable[[Any, Any], tuple[dict[str, Any], dict[str, Any]]]


def _share(dt: float, tau: Any) -> Any:
    """Return the mean over a step of a value that starts it at 1 and decays with `tau`."""
    return tau / dt * (1 - decay(dt, tau))


def _delta(x: Any, m: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return {}, {"kick": x.arrived, "i_syn": None, "g_syn": None}


def _exponential(x: Any, m: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    current = m.let("synaptic_current", x.synaptic * x.syn_decay + x.arrived)
    return {"synaptic": current}, {"kick": None, "i_syn": current * x.syn_share, "g_syn": None}


def _conductance(x: Any, m: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    g_exc = m.let("next_exc", x.g_exc * x.exc_decay + x.arrived_exc)
    g_inh = m.let("next_inh", x.g_inh * x.inh_decay - x.arrived_inh)
    exc, inh = m.let("mean_exc", g_exc * x.exc_share), m.let("mean_inh", g_inh * x.inh_share)
    brought = {"kick": None, "i_syn": exc * x.e_exc + inh * x.e_inh, "g_syn": exc + inh}
    return {"g_exc": g_exc, "g_inh": g_inh}, brought


def _conductance_constants(p: Mapping[str, Any], dt: float) -> Constants:
    return {
        "e_exc": p["e_exc"],
        "e_inh": p["e_inh"],
        "exc_decay": decay(dt, p["tau_exc"]),
        "exc_share": _share(dt, p["tau_exc"]),
        "inh_decay": decay(dt, p["tau_inh"]),
        "inh_share": _share(dt, p["tau_inh"]),
    }


SYNAPSE_MODELS: dict[type, SynapseModel] = {
    DeltaParameters: SynapseModel(("arrived",), (), lambda p, dt: {}, _delta),
    ExponentialParameters: SynapseModel(
        ("arrived",),
        ("synaptic",),
        lambda p, dt: {"syn_decay": decay(dt, p["tau_syn"]), "syn_share": _share(dt, p["tau_syn"])},
        _exponential,
    ),
    ConductanceParameters: SynapseModel(
        ("arrived_exc", "arrived_inh"), ("g_exc", "g_inh"), _conductance_constants, _conductance
    ),
}
