"""The adaptive exponential integrate-and-fire neuron, fitted: membranes by regression, the best by its spikes.

With the capacitance known, what is left of the current, ``I - C dv/dt``, is what the membrane lets through, and for a
given ``delta_t`` and ``tau_w`` all else is linear in it (https://doi.org/10.1152/jn.01107.2007). Fitted up to the
upstroke, it recovers an AdEx neuron; in a real one other currents bend the upstroke and spoil the leak with it. So
membranes are fitted between spikes too, and which neuron is best is said by the spikes that it sends to the training
current, free running (https://doi.org/10.3389/neuro.11.002.2010).
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from neurosim.biophysics.fitting.free_running import binned_spikes, likeness
from neurosim.biophysics.fitting.threshold import match_count
from neurosim.biophysics.fitting.trace import Trace, regress
from neurosim.biophysics.neurons.adex import MODEL, AdExParameters
from neurosim.parameters import as_dict
from neurosim.runtime import track
from neurosim.schema import InputError

SLOPES = (0.5e-3, 1e-3, 1.5e-3, 2e-3, 3e-3, 4e-3, 6e-3)
TAUS = (20e-3, 40e-3, 80e-3, 160e-3, 320e-3)
UPSTROKE = 0.3e-3
TRIED_SLOPES, TRIED_THRESHOLDS = (0.3e-3, 1e-3, 3e-3), np.arange(1e-3, 27e-3, 1e-3)
STEPS = {"v_t": 2e-3, "v_reset": 2e-3, "e_leak": 1e-3, "a": 0.3e-9}
FACTORS = {"delta_t": 0.4, "b": 0.5, "tau_w": 0.5, "refractory": 0.3, "g_leak": 0.1}
GENERATIONS, CHILDREN, PARENTS, GOOD = 6, 100, 6, 0.9


def fit_adex(trace: Trace, progress: bool) -> tuple[AdExParameters, dict[str, float]]:
    """Return the parameters, and the concordance of their spikes with those of the training data (1 is equal).

    The best candidates are moved at random, ever less, for six generations, unless their spikes are good at once.
    """
    trace = trace.until_trough()
    candidates = _between_spikes(trace)
    upstroke = _from_upstroke(trace, progress)
    candidates += [] if upstroke is None else [upstroke, match_count(upstroke, "v_t", trace)]
    if not candidates:
        raise InputError("fit_neuron: the membrane does not follow the current; check units, signs and electrode.")
    scores, rng = likeness(*binned_spikes(MODEL, candidates, trace)), np.random.default_rng(0)
    for generation in track(range(GENERATIONS), "fitting AdEx", progress=progress):
        best = np.argsort(-scores, kind="stable")[:PARENTS]
        parents, scores = [candidates[i] for i in best], scores[best]
        if scores[0] >= GOOD:
            candidates = parents
            continue
        children = [_moved(parents, rng, 0.5 ** (generation / 2)) for _ in range(CHILDREN)]
        candidates = parents + children
        scores = np.concatenate([scores, likeness(*binned_spikes(MODEL, children, trace))])
    best_one = int(np.argmax(scores))
    return candidates[best_one], {"spike_concordance": float(scores[best_one])}


def _between_spikes(trace: Trace) -> list[AdExParameters]:
    """Return neurons of membranes regressed between spikes, with and without adaptation, of many thresholds."""
    there = trace.between_spikes
    columns, change = [trace.driving[there], np.ones(there.sum()), -trace.voltage[there]], trace.change[there]
    found = []
    for tau in (None, *TAUS):
        slow = [] if tau is None else [-trace.follow(trace.without_spikes, tau)[there], -trace.since_spikes(tau)[there]]
        design = np.stack([*columns, *slow], axis=1)
        weights = regress(design.T @ design, design.T @ change)
        if weights[0] <= 0 or weights[2] <= 0 or (slow and weights[2] + weights[3] <= 0):
            continue
        capacitance = float(1 / weights[0])
        g_leak, a, b = (float(w * capacitance) for w in np.append(weights[2:], [0.0, 0.0])[:3])
        membrane = AdExParameters(
            capacitance, g_leak, float(weights[1] * capacitance / (g_leak + a)), v_reset=trace.reset,
            v_cut=trace.reset + 1e-3, tau_w=tau or TAUS[0], a=a, b=max(0.0, b), refractory=trace.refractory,
        )  # fmt: skip
        found += [
            _cut(membrane, v_t=float(trace.reset + above), delta_t=slope)
            for slope, above in itertools.product(TRIED_SLOPES, TRIED_THRESHOLDS)
        ]
    return found


def _moved(parents: list[AdExParameters], rng: np.random.Generator, scale: float) -> AdExParameters:
    """Return one of the neurons with about half of its parameters changed; a change that is out of range is none."""
    parent = parents[rng.integers(len(parents))]
    numbers = as_dict(parent)
    moves = scale * rng.normal(size=len(STEPS) + len(FACTORS)) * (rng.random(len(STEPS) + len(FACTORS)) < 0.5)
    new = {name: numbers[name] + step * move for (name, step), move in zip(STEPS.items(), moves, strict=False)}
    factors = zip(FACTORS.items(), moves[len(STEPS) :], strict=True)
    new |= {name: numbers[name] * np.exp(factor * move) for (name, factor), move in factors}
    try:
        return _cut(parent, **{name: float(value) for name, value in new.items()})
    except InputError:
        return parent


def _cut(neuron: AdExParameters, **new: float) -> AdExParameters:
    """Return the neuron with other numbers; its cut-off is five slopes above its threshold, and above its reset."""
    numbers = as_dict(neuron) | new
    return replace(neuron, **new, v_cut=max(numbers["v_t"] + 5 * numbers["delta_t"], numbers["v_reset"] + 1e-3))


def _from_upstroke(trace: Trace, progress: bool) -> AdExParameters | None:
    """Return the neuron of the dynamic I-V curve; None where there is no exponential upstroke.

    The regression runs up to 0.3 ms before a spike is detected, so that it sees the upstroke, and leaves out the trough
    after. The change of a step belongs to the membrane in its middle.
    """
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
        return None
    _, delta_t, tau_w, weights = min(found, key=lambda f: f[0])
    return _as_adex(trace, weights, delta_t, tau_w, highest)


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
