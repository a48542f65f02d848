"""The point neurons of SONATA files that a circuit holds exactly: each file is one, by the template that names it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from neurosim.biophysics.by_value import by_value
from neurosim.biophysics.inputs import INPUT
from neurosim.parameters import Parameters
from neurosim.registry import Registry

Numbers = Mapping[str, np.ndarray]  # of every node
NEST_LEAKY = {"E_L": -70.0, "C_m": 250.0, "tau_m": 10.0, "t_ref": 2.0, "V_th": -55.0, "V_reset": -70.0, "I_e": 0.0}
NEST_LEAKY["V_m"] = np.nan  # starts at rest
PICO, MILLI = 1e-12, 1e-3


@by_value
@dataclass(frozen=True, eq=False)
class SonataModel:
    """A point neuron of another simulator, and what it is here.

    Parameters
    ----------
    name : the ``model_template`` that names it, "nest:iaf_psc_alpha".
    numbers : every number that it has, as it is there by default; NaN where a file must give it.
    neuron : (numbers by name, each (node,)) -> fields of :class:`LIFParameters`, ``drive`` (A) and ``start`` (V), each
        (node,) and in SI units.
    synapses : names of the time constants (ms) of weights above and below 0, "" where synapses have none.
    receptor : (time constant, s) -> record of the synapses.
    weight : what a weight of 1 is here, in SI units.
    back : (the same by name) -> numbers as they are there; None where nothing is written.
    kind : class of the synapses' record.
    late : steps by which what arrives acts later here than there: currents flow from the step of arrival on, jumps come
        at its end.
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
    receptor: Callable[[float], Parameters]
    weight: float
    kind: type[Parameters]
    late: int = 0
    back: Callable[[Numbers], dict[str, np.ndarray]] | None = None
    synapse_templates: tuple[str, ...] = ("",)
    usual_weight: float | None = None
    usual_delay: float | None = None

    def steps(self, source: str) -> int:
        """Return the steps by which a delay is longer here: those of neurons count from the beginning of a step."""
        return (source != INPUT) - self.late


def leaky(p: Numbers) -> dict[str, np.ndarray]:
    """Return a leaky neuron of NEST (pF, ms, mV, pA) in SI units."""
    return {
        "capacitance": p["C_m"] * PICO,
        "g_leak": p["C_m"] / p["tau_m"] * 1e-9,
        "e_leak": p["E_L"] * MILLI,
        "v_threshold": p["V_th"] * MILLI,
        "v_reset": p["V_reset"] * MILLI,
        "refractory": p["t_ref"] * MILLI,
        "drive": p["I_e"] * PICO,
        "start": np.where(np.isnan(p["V_m"]), p["E_L"], p["V_m"]) * MILLI,
    }


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
    receptor: Callable[[float], Parameters],
    weight: float,
    kind: type[Parameters],
    late: int = 0,
) -> SonataModel:
    """Return a leaky neuron of NEST with these synapses, whose time constants are 2 ms by default."""
    numbers = NEST_LEAKY | {tau: 2.0 for tau in synapses if tau}
    return SonataModel(
        name, numbers, leaky, synapses, receptor, weight, kind, late, leaky_back, ("", "static_synapse"), 1.0, 1.0
    )


SONATA_MODELS = Registry("point neuron", "neurosim.biophysics.sonata_models", SonataModel)
