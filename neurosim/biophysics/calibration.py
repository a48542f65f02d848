"""Calibration: one gain and one bias a population, in sequence, so that a circuit on a higher rung answers as trained.

Calibration stimuli are for this alone: nothing that is tested may be among them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from neurosim.biophysics import torch_engine
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import Chunk
from neurosim.biophysics.populations import Population
from neurosim.biophysics.presentation import check_stimuli, make_chunk
from neurosim.biophysics.sources import refuse_sources
from neurosim.biophysics.torch_engine import Tensors
from neurosim.runtime import as_seed, pick_device, stream, track
from neurosim.schema import InputError, same_stimuli

BAND = (0.5, 2.0)
COARSE_GAINS, COARSE_BIASES = np.geomspace(0.35, 100.0, 13), np.linspace(-0.4, 0.8, 7)
FINE_GAINS, FINE_BIASES = np.geomspace(0.75, 1.33, 5), np.linspace(-0.1, 0.1, 5)
MOST_COPIES = 2048
SAMPLE = 256
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Candidates:
    gain: np.ndarray
    bias: np.ndarray


def calibrate(
    circuit: Circuit,
    stimuli: xr.DataArray | Mapping[str, xr.DataArray],
    expected: xr.DataArray,
    *,
    rng: np.random.Generator | int = 0,
    device: str = "auto",
    progress: bool = True,
) -> tuple[Circuit, xr.Dataset]:
    """Find for each population, in sequence, the gain and bias with which it answers most like the trained network.

    All candidates of a population run at once, as copies, on the spikes of the calibrated populations before it. The
    best one has the smallest ``mean squared error of the counts / their variance + log(rate ratio)^2``: counts of
    single neurons and stimuli fix the slope and threshold of the f-I curve, the rate ratio its level.

    Parameters
    ----------
    circuit : circuit with continuous neurons.
    stimuli : calibration stimuli, as the circuit takes them; never stimuli that are tested.
    expected : spikes of the trained network to them (stimulus, time, unit) with ``layer``.
    rng : seed of noise and Poisson input, or a generator that draws the seed.
    device : torch device.

    Returns
    -------
    the calibrated circuit, and a Dataset along ``layer``: ``gain``, ``bias`` (A), ``rate_ratio_before`` and
    ``rate_ratio`` (1 is equal), and ``in_band``, whether the ratio is within 0.5..2; where not, a warning is logged.

    Raises
    ------
    InputError : discrete neurons, other stimuli, or a layer that is missing in `expected` or silent there.

    Examples
    --------
    >>> draw = np.random.default_rng(0).random
    >>> cells = ns.biophysics.Population("cells", 2, ns.parameters.DiscreteLIFParameters())
    >>> wire = ns.biophysics.Projection("input", "cells", draw((4, 2)))
    >>> trained = ns.biophysics.Circuit("twin", ns.biophysics.Input(4), (cells,), (wire,), 1e-3, 1e-3)
    >>> spikes = ns.as_stimuli((draw((6, 20, 4)) < 0.3) * 1.0, dims=("stimulus", "time", "unit"), time_step=1e-3)
    >>> wanted = ns.simulate(trained, spikes, engine="torch", progress=False)
    >>> climbed = ns.climb(trained, "currents", ladder=ns.biophysics.Ladder(dt=1e-3))
    >>> _, report = ns.biophysics.calibrate(climbed, spikes, wanted, progress=False)
    >>> bool(report.in_band.all())
    True
    """
    if circuit.is_discrete:
        raise InputError(f"calibrate: {circuit.name!r} stands on rung 'exact': nothing is to be calibrated; climb.")
    refuse_sources(circuit, "calibrate")
    shown = check_stimuli(circuit, stimuli)
    expected_counts = layer_counts(circuit, shown.labels, expected, "calibrate")
    n_steps = shown.n_time * circuit.substeps
    chunk = make_chunk(circuit, shown, [(s, 0) for s in range(len(shown.ids))], n_steps, as_seed(rng, "calibrate"))
    replayed: dict[str, Any] = {}
    rows = []
    for population in track(circuit.populations, f"calibrating {circuit.name}", progress=progress):
        wanted = expected_counts[population.name]
        if not wanted.any():
            raise InputError(
                f"calibrate: layer {population.name!r} of the trained network is silent; nothing to match."
            )
        part, shorter, chosen = _sample(up_to(circuit, population.name), population.name, chunk)
        search = _LayerSearch(part, population.name, shorter, replayed, wanted[:, chosen], device)
        gain, bias, before = search.search()
        circuit = circuit.adjusted(population.name, gain, bias)
        replayed[population.name] = spikes_of(circuit, population.name, chunk, replayed, device)
        after = float(replayed[population.name].sum() / wanted.sum())
        rows.append((gain, bias, before, after))
        if not BAND[0] <= after <= BAND[1]:
            logger.warning(
                "calibrate: %r of %s fires at %.2f times the rate of the trained network, outside %g..%g",
                population.name, circuit.name, after, *BAND,
            )  # fmt: skip
    gains, biases, before_all, after_all = np.asarray(rows).T
    report = xr.Dataset(
        {
            "gain": ("layer", gains),
            "bias": ("layer", biases, {"units": "A"}),
            "rate_ratio_before": ("layer", before_all),
            "rate_ratio": ("layer", after_all),
            "in_band": ("layer", (after_all >= BAND[0]) & (after_all <= BAND[1])),
        },
        coords={"layer": [p.name for p in circuit.populations]},
        attrs={"n_calibration_stimuli": len(shown.ids)},
    )
    return circuit, report


def rheobase(population: Population) -> np.ndarray:
    """Return the constant current that brings each neuron to threshold, (neuron,) in A: the unit of biases."""
    if population.is_discrete:
        raise InputError(f"rheobase: {population.name!r} has no neurons in volts of a known model; climb first.")
    model = population.model
    if model.rheobase is not None:
        found = model.rheobase({name: population.number(name) for name in population.numbers})
        return np.broadcast_to(np.asarray(found), (population.size,))
    if not model.threshold:
        raise InputError(
            f"rheobase: the neuron {model.name!r} of {population.name!r} does not say which of its numbers is its "
            "threshold; free equations take rheobase=."
        )
    g_leak, e_leak, threshold = (population.number(name) for name in ("g_leak", "e_leak", model.threshold))
    return np.asarray(g_leak * (threshold - e_leak))


def spikes_of(circuit: Circuit, name: str, chunk: Chunk, replayed: dict[str, Any], device: str) -> Any:
    """Return the spikes (step, copy, neuron) of one population, those before it replayed."""
    torch = torch_engine.import_torch()
    part = up_to(circuit, name)
    with torch.no_grad():
        steps = [spikes[name] > 0 for spikes, _ in torch_engine.march(part, chunk, device=device, replayed=replayed)]
    return torch.stack(steps)


def up_to(circuit: Circuit, name: str) -> Circuit:
    """Return the circuit without the populations that come after `name`."""
    index = [p.name for p in circuit.populations].index(name)
    kept = circuit.populations[: index + 1]
    names = {i.name for i in circuit.all_inputs} | {p.name for p in kept}
    inner = tuple(q for q in circuit.projections if q.source in names and q.target in names)
    return replace(circuit, populations=kept, projections=inner, readout=None)


def layer_counts(circuit: Circuit, stimuli: xr.DataArray, spikes: xr.DataArray, who: str) -> dict[str, np.ndarray]:
    """Return the spike counts (stimulus, neuron) of a trained network, by the population of its name."""
    spikes = same_stimuli(stimuli, spikes, who)
    if set(spikes.dims) != {"stimulus", "time", "unit"} or "layer" not in spikes.coords:
        raise InputError(
            f"{who}: spikes (stimulus, time, unit) of the trained network with 'layer' along unit asked, found "
            f"{tuple(spikes.dims)} with {', '.join(map(str, spikes.coords))}; see record_responses."
        )
    counts = spikes.transpose("stimulus", "time", "unit").values.sum(1)
    found = {p.name: counts[:, spikes["layer"].values == p.name] for p in circuit.populations}
    short = [name for name, values in found.items() if values.shape[1] != circuit.sizes[name]]
    if short:
        name, total = short[0], sum(p.size for p in circuit.populations)
        raise InputError(
            f"{who}: {found[name].shape[1]} of {circuit.sizes[name]} units of layer {name!r} found; the spikes of the "
            f"trained network have {counts.shape[1]} units, the circuit {total}."
        )
    return found


def _sample(circuit: Circuit, name: str, chunk: Chunk) -> tuple[Circuit, Chunk, np.ndarray]:
    """Return the circuit with only some neurons of a large population that does not project to itself, and which."""
    population = circuit.population(name)
    if population.size <= SAMPLE or any(q.source == name for q in circuit.projections):
        return circuit, chunk, np.arange(population.size)
    chosen = np.sort(stream(0, "calibrate", name).choice(population.size, SAMPLE, replace=False))
    varying = {k: v[chosen] for k, v in population.varying.items()}
    fewer = replace(population, size=SAMPLE, drive=population.drive[chosen], varying=varying)
    projections = tuple(q.onto(chosen) if q.target == name else q for q in circuit.projections)
    populations = tuple(fewer if p.name == name else p for p in circuit.populations)
    external = {k: v[:, :, chosen] if k == name else v for k, v in chunk.external.items()}
    noise = {k: v.of_neurons(chosen) if k == name else v for k, v in chunk.noise.items()}
    return (
        replace(circuit, populations=populations, projections=projections),
        replace(chunk, external=external, noise=noise),
        chosen,
    )


class _LayerSearch:
    """The search for gain and bias of one population."""

    def __init__(
        self, circuit: Circuit, name: str, chunk: Chunk, replayed: dict[str, Any], wanted: np.ndarray, device: str
    ) -> None:
        self.name, self.chunk, self.wanted, self.device = name, chunk, wanted, device
        self.brought = torch_engine.arrivals(circuit, name, chunk, replayed, device=device)
        alone = tuple(q for q in circuit.projections if q.source == q.target == name)
        self.circuit = replace(circuit, populations=(circuit.population(name),), projections=alone)
        self.unit = float(rheobase(circuit.population(name)).mean())

    def search(self) -> tuple[float, float, float]:
        """Return gain, bias (A), and the rate ratio without them."""
        start = self.cost(_Candidates(np.ones(1), np.zeros(1)))
        grid = np.meshgrid(COARSE_GAINS, COARSE_BIASES, indexing="ij")
        best = self.best(_Candidates(np.append(1.0, grid[0]), np.append(0.0, grid[1])))
        for shrink in (1.0, 0.5, 0.25):
            gains, biases = np.meshgrid(FINE_GAINS**shrink, FINE_BIASES * shrink, indexing="ij")
            gains, biases = np.append(1.0, gains), np.append(0.0, biases)
            best = self.best(_Candidates(best[0] * gains, best[1] + biases))
        return best[0], best[1] * self.unit, float(start[1][0])

    def best(self, candidates: _Candidates) -> tuple[float, float]:
        """Return gain and bias (rheobases) of the best candidate; the first one wins a tie."""
        pick = int(np.argmin(self.cost(candidates)[0]))
        return float(candidates.gain[pick]), float(candidates.bias[pick])

    def cost(self, candidates: _Candidates) -> tuple[np.ndarray, np.ndarray]:
        """Return cost and rate ratio of every candidate."""
        at_once = max(1, MOST_COPIES // self.chunk.n_copies)
        parts = [
            self.counts(candidates.gain[i : i + at_once], candidates.bias[i : i + at_once])
            for i in range(0, len(candidates.gain), at_once)
        ]
        counts = np.concatenate(parts)
        error = ((counts - self.wanted) ** 2).mean((1, 2)) / max(self.wanted.var(), 1e-12)
        ratio = counts.mean((1, 2)) / self.wanted.mean()
        return error + np.log(np.maximum(ratio, 1e-3)) ** 2, ratio

    def counts(self, gain: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """Return spike counts (candidate, stimulus, neuron)."""
        torch = torch_engine.import_torch()
        where, n = pick_device(self.device), self.chunk.n_copies
        population = self.circuit.population(self.name)

        def column(values: np.ndarray) -> Any:
            return torch.as_tensor(np.repeat(values, n)[:, None], device=where)

        drive = torch.as_tensor(population.drive, device=where)
        external = {k: np.tile(v, (len(gain), 1, 1)) for k, v in self.chunk.external.items() if k == self.name}
        noise = {k: v.repeated(len(gain)) for k, v in self.chunk.noise.items() if k == self.name}
        chunk = Chunk(n * len(gain), self.chunk.n_steps, {}, external, noise)
        tensors = Tensors(
            drive={self.name: column(gain) * drive + column(bias) * self.unit}, gain={self.name: column(gain)}
        )
        total = torch.zeros(n * len(gain), population.size, device=where, dtype=torch.float64)
        with torch.no_grad():
            for fired, _ in torch_engine.march(
                self.circuit, chunk, device=self.device, tensors=tensors, brought={self.name: self.brought}
            ):
                total += fired[self.name]
        return np.asarray(total.cpu().numpy()).reshape(len(gain), n, population.size)
