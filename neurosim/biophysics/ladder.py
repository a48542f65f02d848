"""The ladder of realism: from the exact discrete twin towards biology, one rung at a time, with calibrated gains."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

import numpy as np
import xarray as xr

from neurosim.biophysics.circuit import Circuit, Population, Projection
from neurosim.biophysics.simulation import run_copies
from neurosim.parameters import ConductanceLIFParameters, DiscreteLIFParameters
from neurosim.runtime import track
from neurosim.schema import InputError, suggest

Rung = Literal["exact", "conductance"]
RUNGS: tuple[str, ...] = get_args(Rung)


def climb(
    circuit: Circuit, rung: str, *, parameters: ConductanceLIFParameters | None = None, dt: float = 1e-4
) -> Circuit:
    """Return the circuit on another rung of the ladder.

    ``"exact"`` is the circuit itself. ``"conductance"`` gives it membranes in volts, exponential conductance synapses
    and a refractory period: a weight becomes the conductance that carries the same charge half-way between rest and
    threshold, and a bias the constant drive with the same mean.

    Parameters
    ----------
    circuit : the discrete twin.
    rung : "exact" or "conductance".
    parameters : neuron of the new rung; its membrane time constant is taken from the twin.
    dt : step of the simulation, s.

    Raises
    ------
    InputError : unknown rung, or a circuit that is not discrete.
    """
    if rung not in RUNGS:
        raise InputError(f"climb: no rung {rung!r}. Rungs: {', '.join(RUNGS)}.{suggest(rung, RUNGS)}")
    if not circuit.is_discrete:
        raise InputError(f"climb: {circuit.name!r} has left the first rung; start from the translated circuit.")
    if rung == "exact":
        return circuit
    neuron = parameters or ConductanceLIFParameters()
    populations = tuple(_conductance_population(p, neuron) for p in circuit.populations)
    by_name = {p.name: (p.parameters, q.parameters) for p, q in zip(populations, circuit.populations, strict=True)}
    projections = tuple(
        _conductance_projection(p, by_name[p.target][0], by_name[p.target][1].threshold)  # type: ignore[arg-type, union-attr]
        for p in circuit.projections
    )
    return replace(circuit, name=f"{circuit.name} ({rung})", populations=populations, projections=projections, dt=dt)


def calibrate(
    circuit: Circuit, stimuli: xr.DataArray, expected: xr.DataArray, *, n_gains: int = 12, progress: bool = True
) -> tuple[Circuit, xr.Dataset]:
    """Scale the input of each population, in sequence, until its mean rate is that of the trained network.

    Use stimuli that are never tested. Every candidate gain is a copy in one simulation; two rounds a layer.

    Parameters
    ----------
    circuit : circuit with continuous neurons.
    stimuli : calibration stimuli, input spikes (stimulus, time, unit).
    expected : spikes of the trained network to them (stimulus, time, unit) with ``layer``.
    n_gains : candidates in each round.

    Returns
    -------
    the calibrated circuit, and a Dataset along ``layer`` with ``gain``, ``rate_ratio`` before and after (1 is equal)
    and ``in_band``, whether the ratio is within 0.5..2.
    """
    spikes = np.asarray(stimuli.values)
    n_time = spikes.shape[1]
    found = []
    for population in track(circuit.populations, f"calibrating {circuit.name}", progress=progress):
        target = float(expected.values[:, :, expected["layer"].values == population.name].sum(1).mean())
        part = circuit.up_to(population.name)

        def rates(gains: np.ndarray, part: Circuit = part, name: str = population.name) -> np.ndarray:
            copies = np.repeat(spikes[None], len(gains), axis=0).reshape(-1, n_time, spikes.shape[2])
            counts = run_copies(
                part,
                copies,
                tail=0.0,
                width=part.step,
                n_bins=n_time,
                gains={name: np.repeat(gains, len(spikes))},
            )[:, :, -part.population(name).size :]
            return counts.sum(1).mean(1).reshape(len(gains), -1).mean(1)

        gain, before, after = _search_gain(rates, target, n_gains)
        circuit = circuit.scaled(population.name, gain)
        found.append((gain, before / max(target, 1e-12), after / max(target, 1e-12)))
    columns = np.asarray(found).T
    report = xr.Dataset(
        {
            "gain": ("layer", columns[0]),
            "rate_ratio_before": ("layer", columns[1]),
            "rate_ratio": ("layer", columns[2]),
            "in_band": ("layer", (columns[2] >= 0.5) & (columns[2] <= 2)),
        },
        coords={"layer": [p.name for p in circuit.populations]},
        attrs={"n_calibration_stimuli": len(spikes)},
    )
    return circuit, report


def _search_gain(rates, target: float, n_gains: int) -> tuple[float, float, float]:  # type: ignore[no-untyped-def]
    """Return (gain, mean count at gain 1, mean count at gain) after a coarse and a fine round."""
    coarse = np.concatenate([[1.0], np.geomspace(0.4, 20.0, n_gains - 1)])
    counts = rates(coarse)
    best = float(coarse[np.argmin(np.abs(counts - target))])
    fine = best * np.geomspace(0.7, 1.4, n_gains)
    fine_counts = rates(fine)
    pick = int(np.argmin(np.abs(fine_counts - target)))
    return float(fine[pick]), float(counts[0]), float(fine_counts[pick])


def _conductance_population(population: Population, neuron: ConductanceLIFParameters) -> Population:
    discrete = population.parameters
    assert isinstance(discrete, DiscreteLIFParameters)
    scale = (neuron.v_threshold - neuron.e_leak) / discrete.threshold
    drive = population.drive * scale / (1 - discrete.beta)
    return replace(population, parameters=replace(neuron, tau_mem=discrete.tau_mem), drive=drive)


def _conductance_projection(projection: Projection, neuron: ConductanceLIFParameters, threshold: float) -> Projection:
    """Give each weight the conductance that moves the membrane as far, half-way between rest and threshold."""
    middle = (neuron.e_leak + neuron.v_threshold) / 2
    volts = projection.weights * (neuron.v_threshold - neuron.e_leak) / threshold
    excitatory = volts * neuron.tau_mem / (neuron.tau_exc * (neuron.e_exc - middle))
    inhibitory = volts * neuron.tau_mem / (neuron.tau_inh * (middle - neuron.e_inh))
    return replace(projection, weights=np.where(projection.weights > 0, excitatory, inhibitory))
