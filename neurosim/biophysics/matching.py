"""What calibration matches: how well candidate counts of neurons stand for those of the trained network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from neurosim.showing import shown

SCALES = np.geomspace(1.0, 0.2, 8)
LEAST_VARIANCE = 0.05
SWEEPS = 4
SHARPNESS = 2.0


@shown
@dataclass(frozen=True)
class Match:
    """What calibration matches.

    Parameters
    ----------
    name, caption : by which it is chosen, and what it matches.
    cost : counts (candidate, stimulus, neuron), trained counts (stimulus, neuron) -> cost (candidate, neuron).
    band : rates relative to the trained network outside which a layer is warned about.
    relays : whether what a neuron sends is multiplied by the slope of the trained counts over its own.

    Examples
    --------
    >>> total = lambda found, wanted: ((found - wanted) ** 2).sum(-2)
    >>> ns.biophysics.Match("total", "the squared error of counts", total, (0.5, 2.0), False).band
    (0.5, 2.0)
    """

    name: str
    caption: str
    cost: Callable[[np.ndarray, np.ndarray], np.ndarray]
    band: tuple[float, float]
    relays: bool


def correlations(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the correlation over stimuli of counts (..., stimulus, neuron) with `wanted`; 0 where one never varies.

    >>> correlations(np.array([[0.0], [1.0], [4.0]]), np.array([[1.0], [3.0], [9.0]])).round(6)
    array([1.])
    """
    away, apart = found - found.mean(-2, keepdims=True), wanted - wanted.mean(-2, keepdims=True)
    scale = np.sqrt((away**2).mean(-2) * (apart**2).mean(-2))
    return np.where(scale > 0, (away * apart).mean(-2) / np.where(scale > 0, scale, 1.0), 0.0)


def slopes(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return for each neuron how much trained counts rise with its own, 0.2 to 5; 1 where it never varies.

    >>> slopes(np.array([[0.0], [1.0]]), np.array([[1.0], [3.0]]))
    array([2.])
    """
    away = found - found.mean(0)
    variance = (away**2).mean(0)
    rise = (away * (wanted - wanted.mean(0))).mean(0) / np.where(variance > 0, variance, 1.0)
    return np.where(variance > 0, np.clip(rise, 0.2, 5.0), 1.0)


def _error_up_to_a_scale(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the squared error of the counts over the variance of the wanted ones, at the best scale of all neurons."""
    spread = np.maximum(wanted.var(0), LEAST_VARIANCE)
    costs = [((found - scale * wanted) ** 2).mean(1) / (scale**2 * spread) for scale in SCALES]
    totals = [float(cost.min(0).mean()) for cost in costs]
    best: np.ndarray = costs[int(np.argmin(totals))]
    return best


def _error_and_rate(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the squared error of the counts over their variance, plus the squared logarithm of the rate ratio."""
    error = ((found - wanted) ** 2).mean(1) / np.maximum(wanted.var(0), LEAST_VARIANCE)
    away: np.ndarray = np.log((found.mean(1) + LEAST_VARIANCE) / (wanted.mean(0) + LEAST_VARIANCE))
    return np.asarray(error + away**2)


def choose_deciding(found: np.ndarray, wanted: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return the candidate of each neuron with which the most active neuron is that of the trained network.

    Neuron by neuron, the candidate is taken with the smallest cross-entropy between the softmax of the counts and that
    of the trained ones.

    Parameters
    ----------
    found : counts (candidate, stimulus, neuron). wanted : trained counts (stimulus, neuron). start : (neuron,).
    """
    logits, chosen = SHARPNESS * found, start.copy()
    truth = np.exp(wanted - logsumexp(wanted, axis=1, keepdims=True))
    now = np.stack([logits[c, :, i] for i, c in enumerate(chosen)], axis=1)
    for _ in range(SWEEPS):
        for i in range(now.shape[1]):
            rest = logsumexp(np.delete(now, i, axis=1), axis=1)
            own = logits[:, :, i]
            loss = (np.logaddexp(rest, own) - truth[:, i] * own).mean(1)
            chosen[i] = loss.argmin()
            now[:, i] = own[chosen[i]]
    return chosen


_MATCHES = (
    Match("correlation", "counts up to one scale a population", _error_up_to_a_scale, (0.1, 10.0), relays=True),
    Match("rates", "counts, and the rate of every neuron", _error_and_rate, (0.5, 2.0), relays=False),
)
MATCHES = {match.name: match for match in _MATCHES}
