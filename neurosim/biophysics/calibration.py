"""Calibration: a gain and a bias of every neuron, population by population, so that a circuit answers as trained.

Calibration stimuli are for this alone: nothing that is tested may be among them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from neurosim.biophysics import torch_engine
from neurosim.biophysics.calibration_search import LayerSearch
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import Chunk
from neurosim.biophysics.matching import MATCHES, correlations, slopes
from neurosim.biophysics.populations import Population
from neurosim.biophysics.presentation import check_stimuli, make_chunk
from neurosim.biophysics.sources import refuse_sources
from neurosim.refusals import asked_by
from neurosim.runtime import as_seed, pick_device, stream, track
from neurosim.schema import InputError, same_stimuli, suggest

if TYPE_CHECKING:
    from neurosim.biophysics.torch_engine import Tensor

logger = logging.getLogger(__name__)


@asked_by("calibrate", "simulate")
def calibrate(
    circuit: Circuit,
    stimuli: xr.DataArray | Mapping[str, xr.DataArray],
    expected: xr.DataArray,
    *,
    match: Literal["correlation", "rates"] = "correlation",
    rng: np.random.Generator | int = 0,
    device: str = "auto",
    progress: bool = True,
) -> tuple[Circuit, xr.Dataset]:
    """Find for every neuron, population by population, the gain and bias with which it answers most like as trained.

    All candidates run at once, as copies, on the spikes of the calibrated populations before; what comes from later
    populations and from a population itself is what the trained network sent. Each neuron takes its own best; after it
    the population hears itself, and the next ones hear it so. Where the most active neuron of the last population names
    the category, its neurons are chosen, one after another, so that this is the one of the trained network.

    Parameters
    ----------
    circuit : circuit with continuous neurons.
    stimuli : calibration stimuli, as the circuit takes them; never stimuli that are tested.
    expected : spikes of the trained network to them (stimulus, time, unit) with ``layer``.
    match : "correlation", the counts over stimuli up to one scale of the population, after which what a neuron sends is
        multiplied by the slope of the trained counts over its own; or "rates", the counts themselves and the rate.
    rng : seed of noise and Poisson input, or a generator that draws the seed.
    device : torch device; "auto" is the GPU where there is one.
    progress : show a bar over populations.

    Returns
    -------
    the calibrated circuit, and a Dataset along ``layer``: medians over its neurons of ``gain`` and ``bias`` (A),
    ``rate_ratio_before`` and ``rate_ratio`` (1 is equal), means over its neurons of ``correlation_before`` and
    ``correlation`` (of counts with the trained ones), and ``in_band``, whether the rate ratio is within the band of
    what is matched: 0.5 to 2 of "rates", 0.1 to 10 of "correlation"; where not, a warning is logged.

    Raises
    ------
    InputError : discrete neurons, other stimuli, a layer that is missing in `expected` or silent there, or nothing that
        is matched.

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
    if match not in MATCHES:
        raise InputError(f"calibrate: match = {match!r}; known: {', '.join(MATCHES)}.{suggest(str(match), MATCHES)}")
    matched = MATCHES[match]
    refuse_sources(circuit, "calibrate")
    shown = check_stimuli(circuit, stimuli)
    expected_counts = layer_counts(circuit, shown.labels, expected, "calibrate")
    n_steps, seed = shown.n_time * circuit.substeps, as_seed(rng, "calibrate")
    order = stream(0, "calibrate").permutation(len(shown.ids))
    chunk = make_chunk(circuit, shown, [(int(s), 0) for s in order], n_steps, seed)
    replayed = _sent_back(circuit, same_stimuli(shown.labels, expected, "calibrate"), order, device)
    rows = []
    for name in track([p.name for p in circuit.populations], f"calibrating {circuit.name}", progress=progress):
        wanted, population = expected_counts[name][order], circuit.population(name)
        if not wanted.any():
            raise InputError(f"calibrate: layer {name!r} of the trained network is silent; nothing to match.")
        decides = matched.relays and circuit.readout is None and name == circuit.populations[-1].name
        search = LayerSearch(
            circuit, name, rheobase(population), chunk, replayed, wanted, matched, device, decides=decides
        )
        gain, bias, before, forced = search.search()
        circuit = circuit.adjusted(name, gain, bias)
        if matched.relays:
            circuit = circuit.relayed(name, slopes(forced, wanted))
        replayed[name] = spikes_of(circuit, name, chunk, replayed, device)
        found = np.asarray(replayed[name].sum(0).cpu().numpy(), dtype=float)
        rows.append((np.median(gain), np.median(bias), *likeness_of(before, wanted), *likeness_of(found, wanted)))
        _warn(circuit, name, rows[-1][4], matched.band)
    return circuit, _report(circuit, np.asarray(rows), matched.band, len(shown.ids))


def likeness_of(found: np.ndarray, wanted: np.ndarray) -> tuple[float, float]:
    """Return the ratio of the rates, and the mean correlation of the counts of the neurons that vary as trained."""
    varies = wanted.var(0) > 0
    r = correlations(found, wanted)[varies].mean() if varies.any() else np.nan
    return float(found.sum() / wanted.sum()), float(r)


def _warn(circuit: Circuit, name: str, ratio: float, band: tuple[float, float]) -> None:
    if not band[0] <= ratio <= band[1]:
        logger.warning(
            "calibrate: %r of %s fires at %.2f times the rate of the trained network, outside %g..%g",
            name, circuit.name, ratio, *band,
        )  # fmt: skip


def _report(circuit: Circuit, rows: np.ndarray, band: tuple[float, float], n_stimuli: int) -> xr.Dataset:
    names = ("gain", "bias", "rate_ratio_before", "correlation_before", "rate_ratio", "correlation")
    data = {key: ("layer", column) for key, column in zip(names, rows.T, strict=True)}
    report = xr.Dataset(data, coords={"layer": [p.name for p in circuit.populations]})
    report["bias"].attrs["units"] = "A"
    report["in_band"] = (report.rate_ratio >= band[0]) & (report.rate_ratio <= band[1])
    return report.assign_attrs(n_calibration_stimuli=n_stimuli, band_low=band[0], band_high=band[1])


def _sent_back(circuit: Circuit, expected: xr.DataArray, order: np.ndarray, device: str) -> dict[str, Tensor]:
    """Return the trained spikes (step, copy, neuron) of the populations that send to themselves or to earlier ones.

    They are one step late, as what comes back is.
    """
    torch = torch_engine.import_torch()
    names = {p.name for p in circuit.populations}
    back = {q.source for q in circuit.projections if q.source in names and not circuit.comes_before(q.source, q.target)}
    found = {}
    for name in sorted(back):
        own = expected.isel(unit=np.flatnonzero(expected["layer"].values == name)).transpose("time", "stimulus", "unit")
        spikes = torch.as_tensor(own.values[:, order] > 0, device=pick_device(device))
        steps = torch.zeros(len(spikes) * circuit.substeps, *spikes.shape[1:], dtype=torch.bool, device=spikes.device)
        steps[circuit.substeps :: circuit.substeps] = spikes[:-1]
        found[name] = steps
    return found


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


def spikes_of(circuit: Circuit, name: str, chunk: Chunk, replayed: Mapping[str, Tensor], device: str) -> Tensor:
    """Return the spikes (step, copy, neuron) of one population, with all others in `replayed`; it hears itself."""
    torch = torch_engine.import_torch()
    others = {key: spikes for key, spikes in replayed.items() if key != name}
    part = _among(circuit, {name, *others})
    with torch.no_grad():
        steps = [spikes[name] > 0 for spikes, _ in torch_engine.march(part, chunk, device=device, replayed=others)]
    found: Tensor = torch.stack(steps)
    return found


def _among(circuit: Circuit, kept: set[str]) -> Circuit:
    """Return the circuit with some of its populations and what is between them and the inputs."""
    names = kept | {i.name for i in circuit.all_inputs}
    populations = tuple(p for p in circuit.populations if p.name in kept)
    inner = tuple(q for q in circuit.projections if q.source in names and q.target in names)
    return replace(circuit, populations=populations, projections=inner, readout=None)


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
