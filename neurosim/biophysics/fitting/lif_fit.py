"""The leaky integrate-and-fire neuron, fitted: leak by regression, threshold by the number of spikes."""

from __future__ import annotations

import numpy as np

from neurosim.biophysics.fitting.threshold import match_count
from neurosim.biophysics.fitting.trace import Trace, regress
from neurosim.biophysics.neurons.lif import LIFParameters
from neurosim.schema import InputError


def fit_lif(trace: Trace, progress: bool) -> tuple[LIFParameters, dict[str, float]]:
    """Return the parameters and how well they describe the recording; the reset is the trough after a spike."""
    trace = trace.until_trough()
    there = trace.between_spikes
    design = np.stack([trace.driving[there], np.ones(there.sum()), -trace.voltage[there]], axis=1)
    weights = regress(design.T @ design, design.T @ trace.change[there])
    if weights[0] <= 0 or weights[2] <= 0:
        raise InputError("fit_neuron: the membrane does not follow the current; check units, signs and electrode.")
    parameters = LIFParameters(
        capacitance=float(1 / weights[0]),
        g_leak=float(weights[2] / weights[0]),
        e_leak=float(weights[1] / weights[2]),
        v_threshold=trace.reset + 15e-3,
        v_reset=trace.reset,
        refractory=trace.refractory,
    )
    change = trace.change[there]
    return match_count(parameters, "v_threshold", trace), {"explained_change": _explained(design, weights, change)}


def _explained(design: np.ndarray, weights: np.ndarray, change: np.ndarray) -> float:
    return float(1 - np.var(change - design @ weights) / np.var(change))
