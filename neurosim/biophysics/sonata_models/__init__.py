"""The point neurons of SONATA files that a circuit holds exactly: each file is one, by the template that names it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurosim.biophysics.by_value import by_value
from neurosim.biophysics.inputs import INPUT
from neurosim.biophysics.models import NeuronModel
from neurosim.biophysics.neurons.adex import MODEL as ADEX
from neurosim.biophysics.neurons.lif import MODEL as LIF
from neurosim.parameters import Parameters
from neurosim.registry import Registry

Numbers = Mapping[str, np.ndarray]  # of every node
NEST_LEAKY = {"E_L": -70.0, "C_m": 250.0, "tau_m": 10.0, "t_ref": 2.0, "V_th": -55.0, "V_reset": -70.0, "I_e": 0.0}
NEST_LEAKY["V_m"] = np.nan  # starts at rest
NEST_CONDUCTING = {"E_L": -70.0, "C_m": 250.0, "g_L": 16.6667, "t_ref": 2.0, "V_th": -55.0, "V_reset": -60.0}
NEST_CONDUCTING |= {"I_e": 0.0, "V_m": -70.0}  # starts there, wherever rest is
NEST_ADEX = {"E_L": -70.6, "C_m": 281.0, "g_L": 30.0, "t_ref": 0.0, "V_th": -50.4, "V_reset": -60.0, "V_peak": 0.0}
NEST_ADEX |= {"Delta_T": 2.0, "tau_w": 144.0, "a": 4.0, "b": 80.5, "I_e": 0.0, "V_m": -70.6}
PICO, NANO, MILLI = 1e-12, 1e-9, 1e-3
TAUS, REVERSALS = ("tau_syn_ex", "tau_syn_in"), ("E_ex", "E_in")


NEST_SYNAPSES: dict[str, Any] = {
    "synapse_templates": ("", "static_synapse"),
    "usual_weight": 1.0,
    "usual_delay": 1.0,
}


@by_value
@dataclass(frozen=True, eq=False)
class SonataModel:
    """A point neuron of another simulator, and what it is here.

    Parameters
    ----------
    name : the ``model_template`` that names it, "nest:iaf_psc_alpha".
    numbers : every number that it has, as it is there by default; NaN where a file must give it.
    neuron : (numbers by name, each (node,)) -> fields of the record of `cell`, ``drive`` (A) and ``start`` (V), each
        (node,) and in SI units.
    synapses : names of the time constants (ms) of weights above and below 0, "" where synapses have none.
    receptor : (time constant, s; with `reversals` the reversal potential too, V) -> record of the synapses.
    weight : what a weight of 1 is here, in SI units.
    back : (the same by name) -> numbers as they are there; None where nothing is written.
    kind : class of the synapses' record.
    late : steps by which what arrives acts later here than there: currents flow from the step of arrival on, jumps come
        at its end.
    cell : model of the neuron that it is here.
    reversals : names of the reversal potentials (mV) of weights above and below 0, "" where synapses bring currents;
        the sign of a weight then says where it goes, and its size is a conductance.
    lacking : switches of what is not here, with what that is; a file may only say false.
    unread : numbers of what is switched off.
    port : ``receptor_type`` of edges that arrive here.
    synapse_templates : ``model_template`` of edges that is plain here; "" is none.
    usual_weight, usual_delay : of edges that do not say it (ms); None where they must.

    Examples
    --------
    >>> ns.biophysics.SONATA_MODELS["nest:iaf_psc_alpha"].kind.__name__
    'AlphaParameters'
    """

    name: str
    numbers: Mapping[str, float]
    neuron: Callable[[Numbers], dict[str, np.ndarray]]
    synapses: tuple[str, str]
    receptor: Callable[..., Parameters]
    weight: float
    kind: type[Parameters]
    late: int = 0
    back: Callable[[Numbers], dict[str, np.ndarray]] | None = None
    cell: NeuronModel = LIF
    reversals: tuple[str, str] = ("", "")
    lacking: Mapping[str, str] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    port: int = 0
    synapse_templates: tuple[str, ...] = ("",)
    usual_weight: float | None = None
    usual_delay: float | None = None

    def steps(self, source: str) -> int:
        """Return the steps by which a delay is longer here: those of neurons count from the beginning of a step."""
        return (source != INPUT) - self.late


def membrane(p: Numbers) -> dict[str, np.ndarray]:
    """Return what every neuron of NEST (pF, ms, mV, pA) has, in SI units."""
    return {
        "capacitance": p["C_m"] * PICO,
        "e_leak": p["E_L"] * MILLI,
        "v_reset": p["V_reset"] * MILLI,
        "refractory": p["t_ref"] * MILLI,
        "drive": p["I_e"] * PICO,
        "start": np.where(np.isnan(p["V_m"]), p["E_L"], p["V_m"]) * MILLI,
    }


def leaky(p: Numbers) -> dict[str, np.ndarray]:
    """Return a leaky neuron of NEST, whose leak is said by a time constant."""
    return membrane(p) | {"g_leak": p["C_m"] / p["tau_m"] * NANO, "v_threshold": p["V_th"] * MILLI}


def conducting(p: Numbers) -> dict[str, np.ndarray]:
    """Return a leaky neuron of NEST, whose leak is a conductance (nS)."""
    return membrane(p) | {"g_leak": p["g_L"] * NANO, "v_threshold": p["V_th"] * MILLI}


def adaptive(p: Numbers) -> dict[str, np.ndarray]:
    """Return an adaptive exponential neuron of NEST, whose adaptation current starts at 0."""
    own = {"v_t": "V_th", "v_cut": "V_peak", "delta_t": "Delta_T", "tau_w": "tau_w"}
    volts_and_times = {name: p[there] * MILLI for name, there in own.items()}
    return membrane(p) | volts_and_times | {"g_leak": p["g_L"] * NANO, "a": p["a"] * NANO, "b": p["b"] * PICO}


def leaky_back(p: Numbers) -> dict[str, np.ndarray]:
    """Return a leaky neuron in the units of NEST."""
    return {
        "C_m": p["capacitance"] / PICO,
        "tau_m": p["capacitance"] / p["g_leak"] / MILLI,
        "E_L": p["e_leak"] / MILLI,
        "V_th": p["v_threshold"] / MILLI,
        "V_reset": p["v_reset"] / MILLI,
        "t_ref": p["refractory"] / MILLI,
        "I_e": p["drive"] / PICO,
        "V_m": p["start"] / MILLI,
    }


def of_leaky(
    name: str,
    synapses: tuple[str, str],
    receptor: Callable[..., Parameters],
    weight: float,
    kind: type[Parameters],
    late: int = 0,
) -> SonataModel:
    """Return a leaky neuron of NEST with these synapses, whose time constants are 2 ms by default."""
    numbers = NEST_LEAKY | {tau: 2.0 for tau in synapses if tau}
    return SonataModel(name, numbers, leaky, synapses, receptor, weight, kind, late, leaky_back, **NEST_SYNAPSES)


def of_conductance(name: str, cell: NeuronModel, kind: type[Parameters]) -> SonataModel:
    """Return a leaky or adaptive exponential neuron of NEST with these conductances (nS), AMPA's and GABA's."""
    usual, neuron = (NEST_ADEX, adaptive) if cell is ADEX else (NEST_CONDUCTING, conducting)
    numbers = usual | {"tau_syn_ex": 0.2, "tau_syn_in": 2.0, "E_ex": 0.0, "E_in": -85.0}
    return SonataModel(name, numbers, neuron, TAUS, kind, NANO, kind, cell=cell, reversals=REVERSALS, **NEST_SYNAPSES)


def of_adaptive(name: str, kind: type[Parameters]) -> SonataModel:
    """Return an adaptive exponential neuron of NEST with these currents (pA)."""
    numbers = NEST_ADEX | {"tau_syn_ex": 0.2, "tau_syn_in": 2.0}
    return SonataModel(name, numbers, adaptive, TAUS, kind, PICO, kind, cell=ADEX, **NEST_SYNAPSES)


SONATA_MODELS = Registry("point neuron", "neurosim.biophysics.sonata_models", SonataModel)
