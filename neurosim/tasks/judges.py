"""Which trials were answered rightly: by the strongest choice, the direction on a ring, or the time of the answer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Judge = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def judge_choice(outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return which trials held fixation, the first output, as long as asked and ended with the right choice.

    A trial that asks for no choice is right when fixation is held to its end. The last five steps of a trial
    count for the choice.
    """
    held, asked = _fixation(outputs, targets, weights)
    final = final_steps(weights)
    mean = np.einsum("nt,ntk->nk", final, outputs) / final.sum(1, keepdims=True)
    wanted = np.einsum("nt,ntk->nk", final, targets)
    chosen = (mean[:, 1:].argmax(1) == wanted[:, 1:].argmax(1)) & (mean[:, 0] < 0.5)
    return np.asarray(held & np.where(asked, chosen, mean[:, 0] > 0.5))


def judge_direction(outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return which trials held fixation as long as asked and ended within 36 degrees of the right direction.

    The direction is that of the population vector of the ring, all outputs but the first
    (https://doi.org/10.1038/s41593-018-0310-2).
    """
    held, asked = _fixation(outputs, targets, weights)
    final = final_steps(weights)
    mean = np.einsum("nt,ntk->nk", final, outputs) / final.sum(1, keepdims=True)
    wanted = np.einsum("nt,ntk->nk", final, targets)
    ring = np.exp(2j * np.pi * np.arange(outputs.shape[2] - 1) / (outputs.shape[2] - 1))
    apart = np.abs(np.angle((mean[:, 1:] @ ring) * np.conj(wanted[:, 1:] @ ring)))
    near = (apart < np.pi / 5) & (mean[:, 0] < 0.5)
    return np.asarray(held & np.where(asked, near, mean[:, 0] > 0.5))


def judge_timing(outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return which trials answered, the last output passing one half, within a fifth of the interval that was asked.

    The interval is the time for which the target of the first output, fixation, is below its start: from set to go.
    """
    asked, wanted, answered = targets[:, :, 0] < 0.9, targets[:, :, -1] > 0.5, outputs[:, :, -1] > 0.5
    begin, go = asked.argmax(1), wanted.argmax(1)
    early = np.arange(outputs.shape[1]) < begin[:, None]
    first = np.where((answered & ~early).any(1), (answered & ~early).argmax(1), 10**6)
    return np.asarray((np.abs(first - go) <= np.maximum(0.2 * (go - begin), 1)) & ~(answered & early).any(1))


def final_steps(weights: np.ndarray, width: int = 5) -> np.ndarray:
    """Return (trial, time): the last five steps of each trial."""
    steps = np.arange(weights.shape[1])
    last = weights.shape[1] - 1 - (weights[:, ::-1] > 0).argmax(1)
    return np.asarray(((steps <= last[:, None]) & (steps > last[:, None] - width)).astype(float))


def _fixation(outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return whether fixation was held while it was asked for, and whether an answer was asked for at all."""
    fixate = (targets[:, :, 0] > 0.5) & (weights > 0)
    asked = ((targets[:, :, 0] < 0.5) & (weights > 0)).any(1)
    n = fixate.sum(1)
    mean = np.einsum("nt,nt->n", outputs[:, :, 0], fixate) / np.maximum(n, 1)
    return np.asarray((mean > 0.5) | (n == 0)), np.asarray(asked)
