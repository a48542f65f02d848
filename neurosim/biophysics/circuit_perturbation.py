"""Experiments on circuits: lesion, silence, stimulate and noise, in the words of ``schema.Perturbation``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from neurosim.biophysics.calibration import rheobase
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import constants_of
from neurosim.biophysics.plain_numbers import scaled
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection, Weights
from neurosim.schema import InputError, Perturbation


def perturb_circuit(circuit: Circuit, perturbation: Perturbation) -> Circuit:
    """Return the circuit with some units lesioned, silenced, stimulated or made noisy.

    Parameters
    ----------
    circuit : any circuit of models known by name.
    perturbation : what is done to whom; amounts are in rheobases, or threshold units where neurons are discrete.

    Raises
    ------
    InputError : no such population or unit, or "clamp".

    Examples
    --------
    >>> neurons = ns.biophysics.Population("out", 2, ns.parameters.DiscreteLIFParameters())
    >>> wire = ns.biophysics.Projection("input", "out", [[1.0, 2.0]])
    >>> circuit = ns.biophysics.Circuit("c", ns.biophysics.Input(1), (neurons,), (wire,), 1e-3, 1e-3)
    >>> ns.biophysics.perturb_circuit(circuit, ns.Perturbation("lesion", "out", [1])).projections[0].weights
    array([[1., 0.]])
    """
    if perturbation.kind == "clamp":
        raise InputError("perturb_circuit: 'clamp' is for networks; neurons of a circuit are silenced or stimulated.")
    population = circuit.population(perturbation.layer)
    chosen = perturbation.chosen(population.size)
    if perturbation.kind in ("lesion", "silence"):
        return _cut(circuit, population, chosen)
    changed = np.zeros(population.size)
    changed[chosen] = perturbation.amount * _unit(population)[chosen]
    if perturbation.kind == "stimulate":
        return circuit.with_population(population.name, drive=population.drive + changed)
    return _noisy(circuit, population, chosen, perturbation.amount)


def _unit(population: Population) -> np.ndarray:
    """Return what brings each resting neuron to threshold: a current (A), or the input of one discrete step; else 1."""
    if not population.sends_spikes:
        return np.ones(population.size)
    return population.number("threshold") if population.is_discrete else rheobase(population)


def _cut(circuit: Circuit, population: Population, chosen: np.ndarray) -> Circuit:
    """Take away all connections of some neurons and hold them well below threshold."""
    keep = np.ones(population.size)
    keep[chosen] = 0.0

    def cut(q: Projection) -> Projection:
        weights = scaled(q.weights, keep) if q.target == population.name else q.weights
        return replace(q, weights=_cut_rows(weights, keep) if q.source == population.name else weights)

    readout = circuit.readout
    if readout is not None and readout.source == population.name:
        readout = replace(readout, weights=_cut_rows(readout.weights, keep))
    drive = np.where(keep > 0, population.drive, -_unit(population) * population.sends_spikes)
    background, currents = (
        tuple(_kept(record, keep) for record in records) for records in (population.background, population.currents)
    )
    changed = replace(circuit, projections=tuple(cut(q) for q in circuit.projections), readout=readout)
    return changed.with_population(population.name, drive=drive, background=background, currents=currents)


def _kept(record: Any, keep: np.ndarray) -> Any:
    """Return a background or current that only the neurons which are kept receive."""
    received = range(len(keep)) if record.neurons is None else record.neurons
    return replace(record, neurons=tuple(i for i in received if keep[i]))


def _cut_rows(weights: Weights, keep: np.ndarray) -> Weights:
    return scaled(weights.T, keep).T


def _noisy(circuit: Circuit, population: Population, chosen: np.ndarray, amount: float) -> Circuit:
    """Add noise whose standard deviation on the free membrane is `amount` times the way from rest to threshold."""
    if population.is_discrete:
        size, a_step = amount * _unit(population), 1.0
    else:
        constants = constants_of(population, circuit.dt)
        size = amount * rheobase(population) / population.number("g_leak")
        a_step = np.sqrt(1 - constants["leak_decay"] ** 2)
    before = np.broadcast_to(constants_of(population, circuit.dt).get("noise_scale", 0.0), (population.size,))
    scale = np.array(before)
    scale[chosen] = np.sqrt(scale[chosen] ** 2 + (size * a_step)[chosen] ** 2)
    varying = {**population.varying, "noise_scale": scale}
    largest = max(population.noise, float(np.max(size)))
    if not largest:
        return circuit
    return circuit.with_population(population.name, noise=largest, varying=varying)
