"""Populations that died, and such that fire as often as they can: said once, when a simulation ends."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import Run
from neurosim.biophysics.populations import Population
from neurosim.biophysics.presentation import Shown

PERIODS = 10  # refractory periods in which a population is counted
SATURATED = 0.9  # of the spikes that refractory periods allow
log = logging.getLogger(__name__)


def tell_extremes(
    circuit: Circuit, shown: Shown, runs: Sequence[Run], copies: Sequence[Sequence[tuple[int, int]]], seen: set[str]
) -> None:
    """Log a warning for every population that was reached by spikes and never fired, and for every saturated one.

    Parameters
    ----------
    circuit, shown : what was simulated, and with what. runs : what came out, by chunk.
    copies : (stimulus, trial) of the copies of each chunk. seen : populations of which variables are recorded: whoever
        does that asks for what is below threshold.
    """
    first = _first_sent(circuit, shown, runs)
    for p in circuit.populations:
        reached = {
            q.source: first[q.source] for q in circuit.into(p.name) if q.source in first and (q.values > 0).any()
        }
        if p.sends_spikes and p.name not in first and reached and p.name not in seen:
            source, since = min(reached.items(), key=lambda item: item[1])
            log.warning(
                "simulate: no neuron of %r of %s fired, although %r, which projects to it, sent spikes from %g s on; "
                "raise its weights or drive, or calibrate.",
                p.name, circuit.name, source, since,
            )  # fmt: skip
        where = _saturated(circuit, p, runs, copies)
        if where is not None:
            (stimulus, trial), since, share = where
            log.warning(
                "simulate: %r of %s is saturated from %g s of stimulus %r, trial %d, on: %.0f %% of the spikes that "
                "its refractory period allows; weaken its drive or recurrent weights.",
                p.name, circuit.name, since, shown.ids[stimulus], trial, 100 * share,
            )  # fmt: skip


def _first_sent(circuit: Circuit, shown: Shown, runs: Sequence[Run]) -> Mapping[str, float]:
    """Return when each input and population sent its first spike, s, where it sent one."""
    first = {}
    for i in circuit.all_inputs:
        if i.kind != "current" and shown.values[i.name].any():
            values = shown.values[i.name]
            first[i.name] = float(np.nonzero(values)[1].min() * circuit.step) if values.ndim == 3 else 0.0
    for p in circuit.populations:
        begun = [int(run.events[p.name].step[0]) for run in runs if len(run.events[p.name].step)]
        if begun:
            first[p.name] = min(begun) * circuit.dt
    return first


def _saturated(
    circuit: Circuit, p: Population, runs: Sequence[Run], copies: Sequence[Sequence[tuple[int, int]]]
) -> tuple[tuple[int, int], float, float] | None:
    """Return the first copy, time and share of possible spikes in which a population was saturated; None is nowhere."""
    if p.is_discrete or "refractory" not in p.numbers or not p.number("refractory").all():
        return None
    apart = np.rint(p.number("refractory") / circuit.dt) + 1
    window = int(PERIODS * apart.max())
    possible = float((window / apart).sum())
    for run, chunk in zip(runs, copies, strict=True):
        spikes = run.events[p.name]
        n_windows = int(spikes.step.max(initial=0)) // window + 1
        counts = np.bincount(spikes.copy * n_windows + spikes.step // window, minlength=len(chunk) * n_windows)
        share = counts.reshape(-1, n_windows)[: len(chunk)] / possible
        full = np.argwhere(share >= SATURATED)
        if len(full):
            copy, at = full[0].tolist()
            return chunk[copy], at * window * circuit.dt, min(float(share[copy, at]), 1.0)
    return None
