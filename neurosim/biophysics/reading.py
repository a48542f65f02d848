"""Reading: weights with which the spikes of a biological circuit name categories as those of the trained network did.

Few spikes tie: ten neurons that fire two or three times in 20 ms name a category by the most active one in half of all
cases only, while the pattern of all ten, or of the many neurons that drive them, still tells it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import scipy.optimize
import scipy.sparse
import xarray as xr
from scipy.special import log_softmax, softmax

from neurosim.biophysics.circuit import Circuit, Readout
from neurosim.biophysics.projections import Weights
from neurosim.runtime import stream

PENALTIES = np.geomspace(1e-4, 1.0, 5)
FOLDS = 4


def read_as_trained(trained: Circuit, circuit: Circuit, expected: xr.DataArray, found: xr.DataArray) -> Circuit:
    """Return the circuit with a readout of spikes that names what the network named.

    What is fitted is a multinomial regression of the probabilities that the trained network gives, no label, on the
    spikes of the circuit: of the neurons that name categories, or of those that drive them. The penalty is on what
    differs from how the trained network is read, or from the weights of that drive, up to one scale, so with few
    stimuli or a strong penalty that remains. Cross-validation over stimuli chooses the penalty, and whom to read: those
    who drive only where they fire and are better by more than a standard error. A readout of membranes stays as it is.

    Parameters
    ----------
    trained, circuit : the trained network, and what it has become.
    expected, found : their spikes (stimulus, time, unit) to the same stimuli, none of which is tested.
    """
    named = _readout_of(trained)
    if named.reads != "spikes":
        return circuit
    sharpness = float(np.sqrt(expected.sizes["time"]))
    named = replace(named, bias=sharpness * named.bias)
    wanted = softmax(sharpness * _means(expected, named.source) @ named.weights + named.bias, axis=1)
    order = stream(0, "read_as_trained").permutation(len(wanted))
    parts = [np.isin(np.arange(len(wanted)), order[k::FOLDS]) for k in range(FOLDS)]
    means = [(before, sharpness * _means(found, before.source)) for before in _candidates(trained, named)]
    tried = [_tried(given, wanted, before, parts) for before, given in means if before is named or given.std()]
    best = tried[0]
    for one in tried[1:]:
        better = best.losses - one.losses
        best = one if better.mean() > better.std() / np.sqrt(len(better)) else best
    return replace(circuit, readout=Readout(best.source, best.weights, best.bias / sharpness))


class _Tried(NamedTuple):
    """A readout that was fitted, and what it lost at each stimulus when it was fitted to others."""

    source: str
    weights: np.ndarray
    bias: np.ndarray
    losses: np.ndarray


def _tried(given: np.ndarray, wanted: np.ndarray, before: Readout, parts: Sequence[np.ndarray]) -> _Tried:
    """Return the readout (of `before.source`) fitted to all stimuli with the best penalty for those left out."""
    each = []
    for penalty in map(float, PENALTIES):
        losses = np.zeros(len(given))
        for out in parts:
            losses[out] = _losses(_fitted(given[~out], wanted[~out], before, penalty), given[out], wanted[out])
        each.append(losses)
    best = int(np.argmin([losses.sum() for losses in each]))
    return _Tried(before.source, *_fitted(given, wanted, before, float(PENALTIES[best])), each[best])


def _readout_of(circuit: Circuit) -> Readout:
    """Return how a circuit is read, with dense weights: the most active neuron is an identity."""
    if circuit.readout is None:
        last = circuit.populations[-1]
        return Readout(last.name, np.eye(last.size), np.zeros(last.size))
    return replace(circuit.readout, weights=_dense(circuit.readout.weights))


def _candidates(circuit: Circuit, named: Readout) -> list[Readout]:
    """Return how a circuit is read, and readouts of the populations that drive this one, with their weights onto it."""
    others = {p.name for p in circuit.populations} - {named.source}
    drives = [q for q in circuit.into(named.source) if q.source in others]
    return [named, *(Readout(q.source, _dense(q.weights) @ named.weights, named.bias) for q in drives)]


def _dense(weights: Weights) -> np.ndarray:
    return np.asarray(weights.toarray() if scipy.sparse.issparse(weights) else weights)


def _means(spikes: xr.DataArray, name: str) -> np.ndarray:
    """Return the mean spikes a step (stimulus, neuron) of a population."""
    own = spikes.isel(unit=np.flatnonzero(spikes["layer"].values == name))
    return np.asarray(own.transpose("stimulus", "time", "unit").values.mean(1), dtype=float)


def _fitted(given: np.ndarray, wanted: np.ndarray, before: Readout, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """Return weights and bias: a scale of those before, which is free, and a change of each, which is penalised."""
    shape, spread = before.weights.shape, max(float(given.std()), 1e-6)

    def parts(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scale, change = np.exp(x[0]), x[1 : -shape[1]].reshape(shape) / spread
        return scale * before.weights + change, scale * before.bias + x[-shape[1] :]

    def cost(x: np.ndarray) -> tuple[float, np.ndarray]:
        weights, bias = parts(x)
        logits = given @ weights + bias
        away = (softmax(logits, axis=1) - wanted) / len(given)
        slope = given.T @ away
        change = x.copy()
        change[0] = 0.0
        by_scale = np.exp(x[0]) * ((slope * before.weights).sum() + (away.sum(0) * before.bias).sum())
        gradient = np.concatenate([[by_scale], slope.ravel() / spread, away.sum(0)])
        loss = -(wanted * log_softmax(logits, axis=1)).sum() / len(given) + penalty * (change**2).sum() / 2
        return float(loss), gradient + penalty * change

    start = np.zeros(1 + before.weights.size + before.bias.size)
    found = scipy.optimize.minimize(cost, start, jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return parts(found.x)


def _losses(fitted: tuple[np.ndarray, np.ndarray], given: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the cross-entropy of each of some stimuli."""
    return np.asarray(-(wanted * log_softmax(given @ fitted[0] + fitted[1], axis=1)).sum(1))
