"""The generalised integrate-and-fire neuron, fitted: membrane by regression, escape of spikes by maximum likelihood."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from neurosim.biophysics.fitting.trace import Trace, regress
from neurosim.biophysics.formulas import ArrayFunctions, State
from neurosim.biophysics.neurons.gif import GIF_MEMORIES, MODEL, GIFParameters
from neurosim.parameters import as_dict
from neurosim.runtime import track
from neurosim.schema import InputError

GATES = tuple(
    dict(zip(("v_m", "k_m", "v_h", "k_h", "tau_h"), values, strict=True))
    for values in itertools.product(
        (-45e-3, -35e-3, -25e-3),
        (6e-3, 10e-3),
        (-75e-3, -68e-3, -60e-3, -53e-3),
        (4e-3, 8e-3),
        (20e-3, 40e-3, 80e-3, 0.15),
    )
)
COUPLINGS = tuple(itertools.product((-55e-3, -50e-3, -45e-3, -40e-3), (10e-3, 20e-3, 40e-3, 80e-3)))
FIRST_COUPLINGS = tuple(itertools.product((-50e-3, -45e-3), (10e-3, 40e-3)))
N_REPLAYED = 12
SEGMENT, LEAD_IN = 1.0, 1.0
EVERY = 5
WIDEST, LARGEST, LEAST_FOLLOWED = 0.1, 10.0, 1e-4


@dataclass(frozen=True)
class Escape:
    """How spikes escape: parameters of the threshold, and log likelihood per spike above the mean rate, bits."""

    numbers: dict[str, float]
    bits_per_spike: float


def fit_gif(trace: Trace, progress: bool) -> tuple[GIFParameters, dict[str, float]]:
    """Return the parameters and how well they describe the recording.

    The regression orders the candidates for the gates of the A-type current. The best are replayed, given the spikes of
    the recording, and the likelihood of the spikes decides; then the threshold is chosen on a finer grid.
    """
    candidates = _membranes(trace)
    replayed = replay(candidates, trace)
    first = [
        max(_escape(trace, v, *c).bits_per_spike for c in FIRST_COUPLINGS)
        for v in track(list(replayed), "fitting membranes", progress=progress)
    ]
    best = int(np.argmax(first))
    escapes = [_escape(trace, replayed[best], *c) for c in track(COUPLINGS, "fitting thresholds", progress=progress)]
    escape = max(escapes, key=lambda e: e.bits_per_spike)
    if not escape.numbers:
        raise InputError("fit_neuron: the membrane does not say when spikes come; check their threshold, and units.")
    quality = {"explained_variance": trace.explained(replayed[best]), "bits_per_spike": escape.bits_per_spike}
    return replace(candidates[best], **escape.numbers), quality


def replay(candidates: Sequence[GIFParameters], trace: Trace) -> np.ndarray:
    """Return the membranes (candidate, time) of neurons that receive the recorded current and spike on time.

    The recording is cut into seconds that run side by side; each starts a second early from the recorded membrane, by
    when a neuron has forgotten where it started; between sweeps it waits at the first voltage of the next. The step is
    the one that simulates.
    """
    numbers = {k: np.array([as_dict(c)[k] for c in candidates])[:, None] for k in as_dict(candidates[0])}
    constants = MODEL.constants(numbers, trace.step)
    length, lead = round(SEGMENT / trace.step), round(LEAD_IN / trace.step)
    starts = np.arange(0, len(trace.voltage), length)
    begin = np.maximum(starts - lead, 0)
    shape = (len(candidates), len(starts))
    state = {k: np.broadcast_to(constants[v] if isinstance(v, str) else v, shape) for k, v in MODEL.state.items()}
    state["v"] = np.broadcast_to(trace.without_spikes[begin], shape)
    for k in GIF_MEMORIES:
        past = np.append(0.0, trace.since_spikes(float(numbers[f"tau_{k}"][0, 0])))[begin]
        state[f"w_{k}"] = numbers[f"eta_{k}"] * past
    found, m = np.empty((len(candidates), len(trace.voltage))), ArrayFunctions()
    for k in range(length + lead):
        now = begin + k
        inside = now < np.minimum(starts + length, len(trace.voltage))
        at = np.minimum(now, len(trace.voltage) - 1)
        drive, fired = trace.current[at], (trace.spikes[at] > 0) & inside
        x = State(**constants, **state, drive=drive, i_syn=None, g_syn=None, kick=None, noise=None)
        state = {name: np.asarray(value) for name, value in MODEL.update(x, m).items()}
        state["v"] = np.where(trace.recorded[at], state["v"], trace.voltage[at])
        there = inside & (now >= starts)
        found[:, now[there]] = state["v"][:, there]
        if fired.any():
            x.__dict__.update(state)
            for name, value in MODEL.reset(x, m).items():
                state[name] = np.where(fired, np.asarray(value), state[name])
    return found


def _membranes(trace: Trace) -> list[GIFParameters]:
    """Regress the change of the membrane between spikes on its drives; return the best candidates for the gates."""
    base, there = GIFParameters(), trace.between_spikes
    taus = [getattr(base, f"tau_{k}") for k in GIF_MEMORIES]
    v = trace.voltage[there]
    bent = np.maximum(v - base.v_bend, 0)
    columns = [trace.driving[there], np.ones(len(v)), -v, -bent, *(-trace.since_spikes(t)[there] for t in taus)]
    design, change = np.stack(columns, axis=1), trace.change[there]
    gram, side = design.T @ design, design.T @ change
    total = change @ change
    found: list[tuple[float, np.ndarray, dict[str, float]]] = [
        (_error(gram, side, change @ change), regress(gram, side), {})
    ]
    followed = {(g["v_h"], g["k_h"], g["tau_h"]): None for g in GATES}
    for v_h, k_h, tau_h in followed:
        h = trace.follow(1 / (1 + np.exp((trace.without_spikes - v_h) / k_h)), tau_h)[there] * (v - base.e_k)
        for gates in (g for g in GATES if (g["v_h"], g["k_h"], g["tau_h"]) == (v_h, k_h, tau_h)):
            drive = -h / (1 + np.exp(-(v - gates["v_m"]) / gates["k_m"]))
            cross = design.T @ drive
            wide = np.block([[gram, cross[:, None]], [cross[None], np.array([[drive @ drive]])]])
            both = np.append(side, drive @ change)
            weights = regress(wide, both)
            if weights[-1] > 0:
                found.append((_error(wide, both, total), weights, gates))
    found.sort(key=lambda f: f[0])
    return [_as_membrane(trace, weights, gates) for _, weights, gates in found[:N_REPLAYED]]


def _error(gram: np.ndarray, side: np.ndarray, total: float) -> float:
    weights = regress(gram, side)
    return float(total - 2 * weights @ side + weights @ gram @ weights)


def _as_membrane(trace: Trace, weights: np.ndarray, gates: dict[str, float]) -> GIFParameters:
    if weights[0] <= 0 or weights[2] <= 0:
        raise InputError("fit_neuron: the membrane does not follow the current; check units, signs and electrode.")
    capacitance = 1 / weights[0]
    numbers = {"g_leak": weights[2], "g_bend": weights[3], "g_a": weights[8] if gates else 0.0}
    numbers |= {f"eta_{k}": w for k, w in zip(GIF_MEMORIES, weights[4:8], strict=True)}
    numbers = {k: float(w * capacitance) for k, w in numbers.items()}
    rest = {"e_leak": float(weights[1] / weights[2]), "v_reset": trace.reset, "refractory": trace.refractory}
    return GIFParameters(capacitance=float(capacitance), **numbers, **rest, **gates)


def _escape(trace: Trace, membrane: np.ndarray, v_couple: float, tau_theta: float) -> Escape:
    """Fit the threshold by maximum likelihood: a Poisson regression of the spikes on the membrane and on past spikes.

    Of the samples without spike every fifth is taken, with five times the weight.
    """
    from sklearn.linear_model import PoissonRegressor

    kept = trace.may_spike & ((trace.spikes > 0) | (np.arange(len(membrane)) % EVERY == 0))
    theta = trace.follow(np.maximum(membrane - v_couple, 0), tau_theta)
    taus = [getattr(GIFParameters(), f"tau_{k}") for k in GIF_MEMORIES]
    risen = [np.append(0.0, trace.since_spikes(t)[:-1]) * np.exp(-trace.step / t) for t in taus]
    theta = theta if theta[kept].std() > LEAST_FOLLOWED else np.zeros_like(theta)
    design = np.stack([membrane, theta, *risen], axis=1)[kept]
    spikes = trace.spikes[kept]
    weight = np.where(spikes > 0, 1.0, EVERY)
    centre, spread = design.mean(0), design.std(0)
    spread = np.where(spread > 0, spread, 1.0)
    model = PoissonRegressor(alpha=1e-6, solver="newton-cholesky", max_iter=200, tol=1e-7)
    model.fit((design - centre) / spread, spikes, sample_weight=weight)
    slopes = model.coef_ / spread
    offset = float(model.intercept_ - slopes @ centre)
    expected = np.exp(np.minimum(offset + design @ slopes, 50))
    n, duration = spikes.sum(), weight.sum()
    log_likelihood = np.log(expected[spikes > 0]).sum() - (weight * expected).sum()
    bits = (log_likelihood - n * (np.log(n / duration) - 1)) / n / np.log(2)
    if slopes[0] * WIDEST <= 1:
        return Escape({}, -np.inf)
    numbers = {
        "delta_v": 1 / slopes[0],
        "v_t": (np.log(trace.step) - offset) / slopes[0],
        "coupling": -slopes[1] / slopes[0],
    }
    gammas = np.clip(-slopes[2:] / slopes[0], -LARGEST, LARGEST)
    numbers |= {f"gamma_{k}": g for k, g in zip(GIF_MEMORIES, gammas, strict=True)}
    numbers |= {"v_couple": v_couple, "tau_theta": tau_theta}
    return Escape({k: float(v) for k, v in numbers.items()}, float(bits))
