"""Reading: weights with which the spikes of a biological circuit name categories as those of the trained network did.

Few spikes tie: ten neurons that fire two or three times in 20 ms name a category by the most active one in half of all
cases only, while the pattern of all ten still tells it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.optimize
import scipy.sparse
import xarray as xr
from scipy.special import log_softmax, softmax

from neurosim.biophysics.circuit import Circuit, Readout
from neurosim.runtime import stream

PENALTIES = np.geomspace(1e-4, 1.0, 5)
FOLDS = 4


def read_as_trained(trained: Circuit, circuit: Circuit, expected: xr.DataArray, found: xr.DataArray) -> Circuit:
    """Return the circuit with a readout of the neurons that name categories, so that it names what the network named.

    What is fitted is a multinomial regression of the probabilities that the trained network gives, no label, on the
    spikes of the circuit. The penalty is on what differs from how the trained network is read, up to one scale, so with
    few stimuli or a strong penalty that remains; it is chosen by cross-validation over stimuli. A readout of membranes
    stays as it is.

    Parameters
    ----------
    trained, circuit : the trained network, and what it has become.
    expected, found : their spikes (stimulus, time, unit) to the same stimuli, none of which is tested.
    """
    before = _readout_of(trained)
    if before.reads != "spikes":
        return circuit
    sharpness = float(np.sqrt(expected.sizes["time"]))
    before = replace(before, bias=sharpness * before.bias)
    wanted = softmax(sharpness * _means(expected, before.source) @ before.weights + before.bias, axis=1)
    given = sharpness * _means(found, before.source)
    order = stream(0, "read_as_trained").permutation(len(given))
    parts = [np.isin(np.arange(len(given)), order[k::FOLDS]) for k in range(FOLDS)]
    losses = [
        sum(_loss(_fitted(given[~out], wanted[~out], before, penalty), given[out], wanted[out]) for out in parts)
        for penalty in PENALTIES
    ]
    weights, bias = _fitted(given, wanted, before, float(PENALTIES[int(np.argmin(losses))]))
    return replace(circuit, readout=Readout(before.source, weights, bias / sharpness))


def _readout_of(circuit: Circuit) -> Readout:
    """Return how a circuit is read, with dense weights: the most active neuron is an identity."""
    if circuit.readout is None:
        last = circuit.populations[-1]
        return Readout(last.name, np.eye(last.size), np.zeros(last.size))
    weights = circuit.readout.weights
    return replace(circuit.readout, weights=weights.toarray() if scipy.sparse.issparse(weights) else weights)


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


def _loss(fitted: tuple[np.ndarray, np.ndarray], given: np.ndarray, wanted: np.ndarray) -> float:
    """Return the cross-entropy of stimuli that were not fitted."""
    return -float((wanted * log_softmax(given @ fitted[0] + fitted[1], axis=1)).sum())
