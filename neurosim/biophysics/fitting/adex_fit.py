"""The adaptive exponential integrate-and-fire neuron, fitted through the dynamic I-V curve.

With the capacitance known, what is left of the current, ``I - C dv/dt``, is what the membrane lets through. For a given
``delta_t`` and ``tau_w`` the leak, the upstroke and both parts of the adaptation are linear in it: a regression for
every pair, and the best pair (https://doi.org/10.1152/jn.01107.2007).
"""

from __future__ import annotations

import itertools

import numpy as np

from neurosim.biophysics.fitting.threshold import match_count
from neurosim.biophysics.fitting.trace import Trace, regress
from neurosim.biophysics.neurons.adex import AdExParameters
from neurosim.runtime import track
from neurosim.schema import InputError

SLOPES = (0.5e-3, 1e-3, 1.5e-3, 2e-3, 3e-3, 4e-3, 6e-3)
TAUS = (20e-3, 40e-3, 80e-3, 160e-3, 320e-3)
UPSTROKE = 0.3e-3


def fit_adex(trace: Trace, progress: bool) -> tuple[AdExParameters, dict[str, float]]:
    """Return the parameters and how well they describe the recording.

    The regression runs up to 0.3 ms before a spike is detected, so that it sees the upstroke, and leaves out the trough
    after. The change of a step belongs to the membrane in its middle.
    """
    trace = trace.until_trough()
    there = _near_upstroke(trace)
    v = 0.5 * (trace.voltage + np.append(trace.voltage[1:], trace.voltage[-1]))[there]
    change = trace.change[there]
    highest = float(np.quantile(v, 0.9999))
    found = []
    for delta_t, tau_w in track(list(itertools.product(SLOPES, TAUS)), "fitting AdEx", progress=progress):
        after_spikes = trace.since_spikes(tau_w)[there]
        subthreshold = trace.follow(trace.without_spikes, tau_w)[there]
        columns = [
            trace.driving[there],
            np.ones(len(v)),
            -v,
            np.exp((v - highest) / delta_t),
            -subthreshold,
            -after_spikes,
        ]
        design = np.stack(columns, axis=1)
        gram, side = design.T @ design, design.T @ change
        weights = regress(gram, side)
        error = float(change @ change - 2 * weights @ side + weights @ gram @ weights)
        if weights[0] > 0 and weights[2] > 0 and weights[3] > 0 and weights[2] + weights[4] > 0:
            found.append((error, delta_t, tau_w, weights))
    if not found:
        raise InputError("fit_neuron: no exponential upstroke was found; try kind='gif', or check units and electrode.")
    error, delta_t, tau_w, weights = min(found, key=lambda f: f[0])
    parameters = match_count(_as_adex(trace, weights, delta_t, tau_w, highest), "v_t", trace)
    return parameters, {"explained_change": 1 - error / len(v) / float(np.var(change))}


def _near_upstroke(trace: Trace) -> np.ndarray:
    usable = trace.recorded & np.append(trace.recorded[1:], False)
    for index in np.flatnonzero(trace.spikes):
        before = max(0, index - round(UPSTROKE / trace.step))
        usable[before : index + trace.held + 1] = False
    return np.asarray(usable)


def _as_adex(trace: Trace, weights: np.ndarray, delta_t: float, tau_w: float, highest: float) -> AdExParameters:
    """Turn the weights into parameters: the adaptation ``a (v - e_leak)`` shares its constant with the leak."""
    capacitance = 1 / weights[0]
    g_leak, a, b = (float(w * capacitance) for w in weights[[2, 4, 5]])
    e_leak = float(weights[1] * capacitance / (g_leak + a))
    v_t = highest - delta_t * np.log(weights[3] * capacitance / (g_leak * delta_t))
    return AdExParameters(
        capacitance=float(capacitance),
        g_leak=g_leak,
        e_leak=e_leak,
        v_t=float(v_t),
        delta_t=delta_t,
        v_cut=max(highest, float(v_t) + 5 * delta_t, trace.reset + 1e-3),
        v_reset=trace.reset,
        tau_w=tau_w,
        a=a,
        b=max(0.0, b),
        refractory=trace.refractory,
    )
