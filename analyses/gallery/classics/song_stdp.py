"""A cell whose thousand synapses compete by the timing of spikes, as Song, Miller and Abbott 2000 run it."""

from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse
import xarray as xr
from classic import Claim, Classic

import neurosim as ns
from neurosim import biophysics as bio
from neurosim.plots.canvas import PALETTE, Figure
from neurosim.runtime import stream

LEAK, LARGEST = 10e-9, 0.15e-9  # S; of 1,000 synapses, 0.015 of the leak
CELL = bio.LIFParameters(200e-12, LEAK, -70e-3, -54e-3, -60e-3, 0.0)
RECEPTORS = {
    "excitatory": bio.ExponentialConductanceParameters(5e-3, 0.0),
    "inhibitory": bio.ExponentialConductanceParameters(5e-3, -70e-3),
}
INHIBITION = bio.Poisson(10.0, 0.05 * LEAK, "inhibitory", n=200)
DT, BLOCK, LATE = 1e-4, 5.0, 0.2  # s; s that are shown at once; share of the run that is read, its end
RATES, CORRELATED = (20.0, 40.0, 20.0), 2  # Hz; the cell half of whose sources fluctuate together
SPREAD, LASTING = 0.3, 20e-3  # of the rates of sources, and how long one lasts on average, s


def build(n: int, learning: float, seed: int) -> bio.Circuit:
    """Return three cells, each with `n` sources of its own, whose weights begin anywhere below the largest."""
    largest, cells = LARGEST * 1000 / n, len(RATES)
    start = stream(seed, "song_stdp", "weights").uniform(0, largest, cells * n)
    own = scipy.sparse.csr_array(
        (start, (np.arange(cells * n), np.repeat(np.arange(cells), n))), shape=(cells * n, cells)
    )
    rule = bio.PairSTDPParameters(largest, a_plus=learning, a_minus=1.05 * learning)
    population = bio.Population("cells", cells, CELL, synapses=RECEPTORS, background=INHIBITION)
    wire = bio.Projection("input", "cells", own, receptor="excitatory", plasticity=rule)
    return bio.Circuit("Song 2000", bio.Input(cells * n), (population,), (wire,), dt=DT, step=DT)


def sources(n: int, seconds: float, draw: np.random.Generator) -> np.ndarray:
    """Return spikes (step, source) of all cells; half of the last one's share a part of what moves their rates."""
    edges = [0.0]
    while edges[-1] < seconds:
        edges.append(edges[-1] + draw.exponential(LASTING))
    spikes = np.zeros((round(seconds / DT), len(RATES) * n), np.uint8)
    for start, stop in pairwise(np.minimum(edges, seconds)):
        rate = np.repeat(RATES, n)
        own = SPREAD * draw.normal(size=n) * np.where(np.arange(n) < n // 2, 1.0, np.sqrt(2.0))
        own[: n // 2] += SPREAD * draw.normal()
        rate[CORRELATED * n :] *= np.maximum(1 + own, 0)
        counts = draw.poisson(rate * (stop - start))
        at = draw.uniform(start, stop, counts.sum())
        spikes[np.minimum((at / DT).astype(int), len(spikes) - 1), np.repeat(np.arange(len(rate)), counts)] = 1
    return spikes


def compute(n: int, learning: float, seconds: float, engine: str, seeds: tuple[int, ...]) -> xr.Dataset:
    """Return the weights at the end, as shares of the largest, what the cells sent, and the course of both."""
    circuit, draw = build(n, learning, seeds[0]), stream(seeds[0], "song_stdp", "sources")
    times: list[list[np.ndarray]] = [[] for _ in RATES]
    means, error = [], np.nan
    for start in np.arange(0, seconds, BLOCK):
        spikes = sources(n, min(BLOCK, seconds - start), draw)
        shown = ns.as_stimuli(spikes[None], dims=("stimulus", "time", "unit"), time_step=DT)
        learned = bio.learn(circuit, shown, rng=seeds[0] + round(start / BLOCK), engine=engine, progress=False)
        sent = learned.responses.values[0]
        new = learned.circuit.projections[0].weights.data.reshape(len(RATES), n)
        if not start:
            error = np.abs(by_hand(circuit.projections[0], spikes, sent) - new).max() * n / 1000 / LARGEST
        circuit = learned.circuit
        means.append(new.mean(1) * n / 1000 / LARGEST)
        for k in range(len(RATES)):
            times[k].append(start + np.flatnonzero(sent[:, k]) * DT)
    late = [np.concatenate(t)[np.concatenate(t) > (1 - LATE) * seconds] for t in times]
    return xr.Dataset(
        {
            "weight": (("cell", "source"), new * n / 1000 / LARGEST),
            "mean": (("time", "cell"), np.array(means)),
            "rate": ("cell", [len(t) / (LATE * seconds) for t in late]),
            "cv": ("cell", [np.diff(t).std() / np.diff(t).mean() for t in late]),
            "error": error,
        },
        coords={"time": np.minimum(np.arange(1, len(means) + 1) * BLOCK, seconds), "input": ("cell", list(RATES))},
    )


def by_hand(wire: bio.Projection, spikes: np.ndarray, sent: np.ndarray) -> np.ndarray:
    """Return the weights (cell, source) after spikes of sources and cells, pair by pair as the paper has them."""
    rule: Any = wire.plasticity
    weights = wire.weights.data.reshape(sent.shape[1], -1).copy()
    for k, row in enumerate(weights):
        before, after, last = np.zeros(len(row)), 0.0, 0
        arrived, own = spikes[:, k * len(row) : (k + 1) * len(row)] > 0, sent[:, k] > 0
        for step in np.flatnonzero(arrived.any(1) | own):
            before *= np.exp((last - step) * DT / rule.tau_plus)
            after *= np.exp((last - step) * DT / rule.tau_minus)
            row[arrived[step]] -= rule.a_minus * rule.w_max * after
            np.maximum(row, 0, out=row)
            before[arrived[step]] += 1
            if own[step]:
                np.minimum(row + rule.a_plus * rule.w_max * before, rule.w_max, out=row)
                after += 1
            last = step
    return weights


def numbers(found: xr.Dataset) -> dict[str, float | str]:
    """Return rates, variation of intervals and weights at the end, and whether weights lie at both ends."""
    weights = found["weight"].values
    half = weights.shape[1] // 2
    ours: dict[str, float | str] = {"largest error of a weight": float(found["error"])}
    for k, rate in enumerate(RATES[:CORRELATED]):
        ours |= {
            f"rate, sources at {rate:g} Hz": float(found["rate"][k]),
            f"variation of intervals, sources at {rate:g} Hz": float(found["cv"][k]),
            f"mean weight, sources at {rate:g} Hz": float(weights[k].mean()),
            f"weights below a tenth, sources at {rate:g} Hz": float((weights[k] < 0.1).mean()),
        }
    low, middle, high = (float(((weights[0] > a) & (weights[0] < a + 0.2)).mean()) for a in (-0.01, 0.4, 0.801))
    ours["weights, sources at 20 Hz"] = "at both ends" if min(low, high) > middle else "in the middle"
    ours["mean weight of sources that fluctuate together"] = float(weights[CORRELATED, :half].mean())
    ours["mean weight of those beside them"] = float(weights[CORRELATED, half:].mean())
    return ours


def draw(found: xr.Dataset, figure: Figure) -> None:
    """Draw the weights at the end, and their means over time."""
    axes = figure.subplots(1, 3)
    bins = np.linspace(0, 1, 21)
    for k, rate in enumerate(RATES[:CORRELATED]):
        axes[0].hist(found["weight"][k], bins, histtype="step", color=PALETTE[k], label=f"{rate:g} Hz")
        axes[1].plot(found["time"], found["mean"][:, k], color=PALETTE[k], label=f"{rate:g} Hz")
    half = found.sizes["source"] // 2
    for k, (name, part) in enumerate({"together": slice(half), "alone": slice(half, None)}.items()):
        axes[2].hist(found["weight"][CORRELATED, part], bins, histtype="step", color=PALETTE[k + 2], label=name)
    for k in (0, 2):
        axes[k].set(xlabel="weight (of the largest)", ylabel="synapses")
    axes[0].set_title(f"{found.sizes['source']:,} synapses")
    axes[1].set(xlabel="time (s)", ylabel="mean weight (of the largest)", ylim=(0, None), title="mean of A")
    axes[2].set_title(f"{half} of each, {RATES[CORRELATED]:g} Hz")
    axes[0].legend(title="sources at", fontsize=6, title_fontsize=6)
    axes[1].legend(title="sources at", fontsize=6, title_fontsize=6)
    axes[2].legend(title="sources that fluctuate", fontsize=6, title_fontsize=6)


WHERE = "2000, equations, event by event in C: 8 seeds"
CLASSIC = Classic(
    "song_stdp",
    "Song 2000, competition by the timing of spikes",
    ("Song S, Miller KD, Abbott LF (2000) Nat Neurosci 3:919-926, https://doi.org/10.1038/78829",),
    "Three cells in steps of 0.1 ms, each with 1,000 plastic synapses of Poisson sources and 200 inhibitory ones at "
    "10 Hz: sources at 20 Hz, at 40 Hz, and at 20 Hz where the rates of half of them fluctuate together for 20 ms. "
    "Weights begin anywhere; a pair changes them by 0.01 of the largest, twice the paper's, for 100 s, of which the "
    "last fifth is read. Theirs is the paper's model, written again as a program that goes from event to event, run "
    "the same way. With the paper's 0.005 and 5,000 s that program gives 13.8, 15.7 and 22 Hz for sources at 10, 20 "
    "and 40 Hz; steps of 1 ms, in which spikes of source and target often fall together, give 380 Hz and weights at "
    "the top.",
    compute,
    numbers,
    draw,
    {
        "largest error of a weight": Claim(0.0, "of the largest", "the same spikes, pair by pair", 1e-9),
        "weights, sources at 20 Hz": Claim("at both ends", "", "figure 2", full_only=True),
        "rate, sources at 20 Hz": Claim(21.8, "Hz", f"{WHERE}, spread 1.5", 4.5, full_only=True),
        "rate, sources at 40 Hz": Claim(32.2, "Hz", f"{WHERE}, spread 2.3", 7.0, full_only=True),
        "variation of intervals, sources at 20 Hz": Claim(0.74, "", f"{WHERE}, spread 0.04", 0.13, full_only=True),
        "variation of intervals, sources at 40 Hz": Claim(0.71, "", f"{WHERE}, spread 0.06", 0.18, full_only=True),
        "mean weight, sources at 20 Hz": Claim(0.288, "of the largest", WHERE, 0.01, full_only=True),
        "mean weight, sources at 40 Hz": Claim(0.150, "of the largest", WHERE, 0.01, full_only=True),
        "weights below a tenth, sources at 20 Hz": Claim(0.416, "", f"{WHERE}, spread 0.016", 0.05, full_only=True),
        "weights below a tenth, sources at 40 Hz": Claim(0.601, "", f"{WHERE}, spread 0.013", 0.04, full_only=True),
        "mean weight of sources that fluctuate together": Claim(0.491, "of the largest", WHERE, 0.03, full_only=True),
        "mean weight of those beside them": Claim(0.150, "of the largest", WHERE, 0.03, full_only=True),
    },
    full={"n": 1000, "learning": 0.01, "seconds": 100.0, "engine": "cython", "seeds": (1,)},
    small={"n": 100, "learning": 0.01, "seconds": 0.3, "engine": "torch", "seeds": (1,)},
)
