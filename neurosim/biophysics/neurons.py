"""Neuron models as Brian2 equations: each has its equations, threshold, reset and integration method in one place."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.parameters import (
    AdExParameters,
    ConductanceLIFParameters,
    DiscreteLIFParameters,
    NeuronParameters,
    as_dict,
)


@dataclass(frozen=True)
class NeuronModel:
    """The Brian2 form of a neuron.

    `on_excitation` and `on_inhibition` say what a synapse does with its weight ``w``. Quantities are numbers in SI.
    """

    equations: str
    threshold: str
    reset: str
    refractory: str
    method: str
    on_excitation: str
    on_inhibition: str
    initial: str


DISCRETE_LIF = NeuronModel(
    equations="v : 1\ncurrent : 1\ndrive : 1 (constant)",
    threshold="v > threshold",
    reset="",
    refractory="",
    method="euler",
    on_excitation="current_post += w",
    on_inhibition="current_post += w",
    initial="0",
)

CONDUCTANCE_LIF = NeuronModel(
    equations="""
    dv/dt = (e_leak - v + g_exc*(e_exc - v) + g_inh*(e_inh - v) + drive) / (tau_mem*second) : 1 (unless refractory)
    dg_exc/dt = -g_exc / (tau_exc*second) : 1
    dg_inh/dt = -g_inh / (tau_inh*second) : 1
    drive : 1 (constant)
    """,
    threshold="v > v_threshold",
    reset="v = v_reset",
    refractory="refractory*second",
    method="exponential_euler",
    on_excitation="g_exc_post += w",
    on_inhibition="g_inh_post -= w",
    initial="e_leak",
)

ADEX = NeuronModel(
    equations="""
    dv/dt = (g_leak*(e_leak - v) + g_leak*delta_t*exp(clip((v - v_t)/delta_t, -50, 20)) - adaptation
             + g_exc*(e_exc - v) + g_inh*(e_inh - v) + drive) / (capacitance*second) : 1 (unless refractory)
    dadaptation/dt = (a*(v - e_leak) - adaptation) / (tau_w*second) : 1
    dg_exc/dt = -g_exc / (tau_exc*second) : 1
    dg_inh/dt = -g_inh / (tau_inh*second) : 1
    drive : 1 (constant)
    """,
    threshold="v > v_cut",
    reset="v = v_reset; adaptation += b",
    refractory="refractory*second",
    method="euler",
    on_excitation="g_exc_post += w",
    on_inhibition="g_inh_post -= w",
    initial="e_leak",
)

MODELS: dict[type, NeuronModel] = {
    DiscreteLIFParameters: DISCRETE_LIF,
    ConductanceLIFParameters: CONDUCTANCE_LIF,
    AdExParameters: ADEX,
}


def namespace_of(parameters: NeuronParameters) -> dict[str, float]:
    """Return the numbers that the equations of `parameters` name."""
    numbers = {k: v for k, v in as_dict(parameters).items() if isinstance(v, int | float)}
    if isinstance(parameters, DiscreteLIFParameters):
        numbers["beta"] = parameters.beta
    return numbers
